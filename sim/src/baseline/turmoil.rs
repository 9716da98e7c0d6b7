//! A bare simulation on turmoil: hosts send messages through a hub, and do nothing with them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use turmoil::net::{TcpListener, TcpStream};

/// The load of a bare simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurmoilLoad {
    /// The number of hosts, not counting the hub.
    pub hosts: u64,
    /// The number of messages of all hosts together, including the hub's.
    pub messages: u64,
    /// The size of one message, in bytes.
    pub bytes: usize,
    /// How long the simulation lasts, in simulated milliseconds of one step each.
    pub millis: u64,
    /// The latency of every message, from and to, in microseconds.
    pub latency_us: (u64, u64),
}

/// What a bare simulation has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurmoilDone {
    /// The number of messages that arrived, at the hub and at the hosts.
    pub messages: u64,
    /// The number of steps, of a simulated millisecond each.
    pub steps: u64,
}

const PORT: u16 = 4222;
/// The tick of the network stage.
const TICK: Duration = Duration::from_millis(1);

/// Runs a bare simulation. Each host sends its share of the messages, spread evenly over the time, and the hub sends
/// each back. A share is a whole number of messages, at least one.
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
        // Each message counts twice: there and back.
        let share = (messages / 2 / hosts).max(1);
        let back = Arc::clone(&back);
        sim.client(format!("host-{host}"), async move {
            let began = tokio::time::Instant::now();
            let (mut reader, mut writer) = TcpStream::connect(("hub", PORT)).await?.into_split();
            let sending = tokio::spawn(async move {
                let message = vec![b'x'; bytes];
                for number in 0..share {
                    // At a fixed time, not a fixed pause after the previous one: timer delays would add up.
                    tokio::time::sleep_until(began + Duration::from_millis(millis * number / share)).await;
                    if writer.write_all(&message).await.is_err() {
                        return;
                    }
                }
                // Keep the connection open until everything has come back.
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
    fn every_message_comes_back_in_about_the_given_time() {
        for messages in [80, 800, 80_000] {
            let load = TurmoilLoad { hosts: 4, messages, bytes: 100, millis: 500, latency_us: (100, 900) };
            let done = turmoil_baseline(1, load);
            assert_eq!(done.messages, messages);
            assert!((500..=520).contains(&done.steps), "{done:?}");
        }
    }
}
