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
    /// How long the hosts take for it, in simulated milliseconds.
    pub millis: u64,
    /// The latency of every message, from and to, in microseconds.
    pub latency_us: (u64, u64),
}

const PORT: u16 = 4222;

/// Runs it. Each host sends its share of the messages, evenly over the time; the hub sends each back. Returns how many
/// messages were received.
pub fn turmoil_floor(seed: u64, load: TurmoilLoad) -> u64 {
    let TurmoilLoad { hosts, messages, bytes, millis, latency_us } = load;
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .epoch(SystemTime::UNIX_EPOCH)
        .simulation_duration(Duration::from_millis(millis) + Duration::from_mins(1))
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
    let received = Arc::new(AtomicU64::new(0));
    for host in 0..hosts {
        // There and back.
        let share = (messages / 2 / hosts.max(1)).max(1);
        let received = Arc::clone(&received);
        sim.client(format!("host-{host}"), async move {
            let (mut reader, mut writer) = TcpStream::connect(("hub", PORT)).await?.into_split();
            let sending = tokio::spawn(async move {
                let message = vec![b'x'; bytes];
                for number in 0..share {
                    if writer.write_all(&message).await.is_err() {
                        return;
                    }
                    if number % (share / millis.max(1) + 1) == 0 {
                        tokio::time::sleep(Duration::from_millis((millis / share).max(1))).await;
                    }
                }
                // Kept open until everything has come back.
                tokio::time::sleep(Duration::from_mins(1)).await;
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
            received.fetch_add(share - left.div_ceil(bytes as u64), Ordering::Relaxed);
            sending.abort();
            // As long as the simulation it stands beside.
            let elapsed = turmoil::elapsed();
            tokio::time::sleep(Duration::from_millis(millis).saturating_sub(elapsed)).await;
            Ok(())
        });
    }
    sim.run().expect("a bare simulation has nothing that fails");
    received.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_comes_back() {
        let load = TurmoilLoad { hosts: 4, messages: 800, bytes: 100, millis: 50, latency_us: (100, 900) };
        assert_eq!(turmoil_floor(1, load), 400);
    }
}
