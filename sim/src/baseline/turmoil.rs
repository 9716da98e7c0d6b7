//! A bare simulation on turmoil: as many hosts and messages, through a hub, and nothing is done with them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use turmoil::net::{TcpListener, TcpStream};

/// What the bare simulation carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurmoilLoad {
    /// Hosts that are connected to the hub, besides the hub.
    pub hosts: u64,
    /// Messages of all hosts together, those of the hub included.
    pub messages: u64,
    /// The bytes of one message.
    pub bytes: usize,
    /// How long the simulation goes on, in simulated milliseconds: its steps.
    pub millis: u64,
    /// The latency of every message, from and to, in microseconds.
    pub latency_us: (u64, u64),
}

/// What the bare simulation has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurmoilDone {
    /// Messages that arrived, at the hub and at the hosts.
    pub messages: u64,
    /// Steps of a simulated millisecond each.
    pub steps: u64,
}

const PORT: u16 = 4222;
/// As on the stage with a network.
const TICK: Duration = Duration::from_millis(1);

/// Runs it. Each host sends its share of the messages, evenly over the time; the hub sends each back. A share is a whole
/// number of messages, and one at least.
pub fn turmoil_baseline(seed: u64, load: TurmoilLoad) -> TurmoilDone {
    let TurmoilLoad { hosts, messages, bytes, millis, latency_us } = load;
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .epoch(SystemTime::UNIX_EPOCH)
        .tick_duration(TICK)
        .simulation_duration(Duration::MAX)
        .min_message_latency(Duration::from_micros(latency_us.0))
        .max_message_latency(Duration::from_micros(latency_us.1.max(latency_us.0)))
        .tcp_capacity(1 << 14)
        .build();
    sim.host("hub", move || async move {
        let listener = TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), PORT)).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let back = Arc::new(AtomicU64::new(0));
    for host in 0..hosts {
        // There and back.
        let share = (messages / 2 / hosts).max(1);
        let back = Arc::clone(&back);
        sim.client(format!("host-{host}"), async move {
            let began = tokio::time::Instant::now();
            let (mut reader, mut writer) = TcpStream::connect(("hub", PORT)).await?.into_split();
            let sending = tokio::spawn(async move {
                let message = vec![b'x'; bytes];
                for number in 0..share {
                    // At its time, not so long after the one before: what a timer is late would add up.
                    tokio::time::sleep_until(began + Duration::from_millis(millis * number / share)).await;
                    if writer.write_all(&message).await.is_err() {
                        return;
                    }
                }
                // Kept open until everything has come back.
                std::future::pending::<()>().await;
            });
            let mut buffer = vec![0; 1 << 16];
            let mut left = share * bytes as u64;
            while left > 0 {
                let length = reader.read(&mut buffer).await? as u64;
                if length == 0 {
                    break;
                }
                left = left.saturating_sub(length);
            }
            back.fetch_add(share - left.div_ceil(bytes.max(1) as u64), Ordering::Relaxed);
            sending.abort();
            Ok(())
        });
    }
    let mut steps = 0;
    loop {
        steps += 1;
        let idle = sim.step().expect("a bare simulation has nothing that fails");
        if idle && steps >= millis {
            break;
        }
    }
    TurmoilDone { messages: 2 * back.load(Ordering::Relaxed), steps }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_comes_back_in_about_the_time() {
        for messages in [80, 800, 80_000] {
            let load = TurmoilLoad { hosts: 4, messages, bytes: 100, millis: 500, latency_us: (100, 900) };
            let done = turmoil_baseline(1, load);
            assert_eq!(done.messages, messages);
            assert!((500..=520).contains(&done.steps), "{done:?}");
        }
    }
}
