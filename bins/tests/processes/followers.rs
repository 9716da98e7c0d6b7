//! What many slow readers of events cost callers. A test that always runs checks that no loss goes unreported; `make
//! soak` measures the cost.

use std::fs;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::support::Cluster;

const READERS: usize = 200;
/// Each connection asks this often per second, together a thousand times.
const CONNECTIONS: usize = 50;
const EACH_PER_SECOND: u32 = 20;
const PHASE: Duration = Duration::from_secs(5);
/// A phase of the test that always runs: long enough to overwrite the whole ring of events.
const SHORT_PHASE: Duration = Duration::from_secs(3);
/// Phases with and without readers alternate, so that other load on the machine affects both.
const ROUNDS: usize = 4;

const ASK: &[u8] = b"POST /request HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\r\n\
                     {\"query\":\"BTC/USD\"}";

/// What callers saw in one phase.
struct Seen {
    others: usize,
    /// Readers that were told that they missed events.
    behind: usize,
    p50: Duration,
    /// The processor time of the coordinator, which does not depend on other load.
    worked: Duration,
    resident_kib: u64,
}

/// The processor time of all threads of a process so far, in user space and in the kernel.
fn worked(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// Asks at a steady rate, however long the answers take. Latencies count from when a question was due.
async fn load(address: &str, coordinator: u32, phase: Duration) -> Seen {
    let worked_before = worked(coordinator);
    let mut asking = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("it can be set");
        asking.spawn(async move {
            let mut tick = interval(Duration::from_secs(1) / EACH_PER_SECOND);
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut seen = Vec::new();
            let mut buffer = vec![0; 1 << 16];
            for _ in 0..phase.as_secs() * u64::from(EACH_PER_SECOND) {
                let due = tick.tick().await;
                stream.write_all(ASK).await.expect("written");
                let is_answered = answer(&mut stream, &mut buffer).await;
                seen.push((is_answered, due.elapsed()));
            }
            seen
        });
    }
    let answers: Vec<_> = asking.join_all().await.into_iter().flatten().collect();
    let mut times: Vec<_> = answers.iter().filter(|(good, _)| *good).map(|(_, time)| *time).collect();
    times.sort_unstable();
    let quantile = |permille: usize| times[(times.len() - 1) * permille / 1000];
    let worked = worked(coordinator).saturating_sub(worked_before);
    let status = fs::read_to_string(format!("/proc/{coordinator}/status")).expect("it runs");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says it");
    let resident_kib = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    let (p50, p90, p99, others) = (quantile(500), quantile(900), quantile(990), answers.len() - times.len());
    println!(
        "{} answers, p50 {p50:?}, p90 {p90:?}, p99 {p99:?}; {others} others; {worked:?} CPU, {resident_kib} KiB",
        times.len()
    );
    Seen { others, behind: 0, p50, worked, resident_kib }
}

/// Reads one answer, and returns whether its status is 200.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> bool {
    let mut have = 0;
    loop {
        have += stream.read(&mut buffer[have..]).await.expect("an answer");
        let text = std::str::from_utf8(&buffer[..have]).expect("a text");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        if body.len() >= length.parse().expect("a number") {
            return head.starts_with("HTTP/1.1 200");
        }
    }
}

/// A client that follows events.
struct Reader {
    stream: TcpStream,
    /// What it has read.
    bytes: Vec<u8>,
}

impl Reader {
    async fn open(address: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let mut stream = socket.connect(address.parse().expect("an address")).await.expect("a connection");
        stream.write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
        Self { stream, bytes: Vec::new() }
    }

    /// Reads a kilobyte, if there is one.
    fn sip(&mut self) {
        let mut kilobyte = [0; 1024];
        if let Ok(read) = self.stream.try_read(&mut kilobyte) {
            self.bytes.extend_from_slice(&kilobyte[..read]);
        }
    }

    /// Reads until nothing more comes. Returns how many outcomes it was sent, how many it was told it missed, and
    /// whether these are all.
    async fn drain(mut self) -> (u64, u64, bool) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(Ok(read @ 1..)) = timeout(Duration::from_secs(2), self.stream.read(&mut buffer)).await {
            self.bytes.extend_from_slice(&buffer[..read]);
        }
        let text = String::from_utf8_lossy(&self.bytes);
        let (mut told, mut missed, mut last, mut is_whole) = (0, 0, None, true);
        for event in text.split("id: ").skip(1) {
            let number: u64 = event.lines().next().and_then(|id| id.rsplit('-').next()?.parse().ok()).expect("an id");
            let count = event.split_once("{\"count\":").and_then(|(_, count)| count.split('}').next()?.parse().ok());
            is_whole &= last.is_none_or(|last: u64| number == last + count.unwrap_or(1));
            last = Some(number);
            told += u64::from(count.is_none());
            missed += count.unwrap_or(0);
        }
        (told, missed, is_whole)
    }
}

/// Asks while many clients read slowly, and then lets them read the rest.
async fn load_with_readers(address: &str, coordinator: u32, phase: Duration) -> Seen {
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(Reader::open(address).await);
    }
    let reading = async {
        let mut second = interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            readers.iter_mut().for_each(Reader::sip);
        }
    };
    let seen = tokio::select! {
        seen = load(address, coordinator, phase) => seen,
        () = reading => unreachable!("it never ends"),
    };
    let ends: Vec<_> = readers.into_iter().map(Reader::drain).collect::<JoinSet<_>>().join_all().await;
    let behind = ends.iter().filter(|(_, missed, _)| *missed > 0).count();
    let (told, missed) = ends.iter().fold((0, 0), |sums, end| (sums.0 + end.0, sums.1 + end.1));
    println!("  {behind} of {READERS} readers fell behind: {told} events were told, {missed} counted as missed");
    assert!(ends.iter().all(|(_, _, is_whole)| *is_whole), "every event is told or counted");
    Seen { behind, ..seen }
}

/// A coordinator with three fast workers, its address and its process id.
async fn quick_cluster() -> (Cluster, String, u32) {
    let worker = ["--delay-min-ms", "1", "--delay-max-ms", "2", "--failure-rate", "0"];
    let cluster = Cluster::start(3, &["--max-subscribers-per-client", "256"], &worker).await;
    let address = cluster.api.url.trim_start_matches("http://").to_owned();
    let id = cluster.coordinator.id();
    (cluster, address, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_too_slow_is_told_what_it_missed_while_every_question_is_answered() {
    let (_cluster, address, id) = quick_cluster().await;
    let seen = load_with_readers(&address, id, SHORT_PHASE).await;
    assert_eq!(seen.others, 0, "every question has an answer");
    assert_eq!(seen.behind, READERS, "a kilobyte a second is too slow for a thousand outcomes a second");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of a minute and a half, for a machine that does nothing else: make soak"]
async fn two_hundred_slow_readers_of_events_do_not_slow_down_callers() {
    let (_cluster, address, id) = quick_cluster().await;
    let begun = Instant::now();
    // Until as many outcomes are remembered as possible.
    load(&address, id, PHASE).await;
    load(&address, id, PHASE).await;
    let (mut alone, mut read) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        println!("round {round}, after {:?}: without readers, then with {READERS}", begun.elapsed());
        alone.push(load(&address, id, PHASE).await);
        read.push(load_with_readers(&address, id, PHASE).await);
    }
    assert!(alone.iter().chain(&read).all(|seen| seen.others == 0), "every question has an answer");
    let grown = read[ROUNDS - 1].resident_kib.saturating_sub(read[0].resident_kib);
    assert!(grown < 8 * 1024, "memory grows: {grown} KiB");
    let middle = |seen: &[Seen], of: fn(&Seen) -> Duration| {
        let mut all: Vec<_> = seen.iter().map(of).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    for (what, of, percent) in [
        ("half of the answers take", (|seen: &Seen| seen.p50) as fn(&Seen) -> Duration, 150),
        ("the coordinator computes", |seen| seen.worked, 120),
    ] {
        let (before, with) = (middle(&alone, of), middle(&read, of));
        println!("{what} {before:?} without readers, {with:?} with them");
        assert!(with < before * percent / 100, "{what} {with:?} instead of {before:?}");
    }
}
