//! The names of the simulated hosts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A simulated host. Hosts keep their names when a scenario is shrunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Host {
    /// The broker that carries the bus.
    Broker,
    /// A coordinator.
    Coordinator(u8),
    /// A worker process.
    Worker(u8),
    /// A host of HTTP clients, which the rate limit sees as one address.
    Client(u8),
    /// A malicious participant on the bus.
    Adversary,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker => f.write_str("broker"),
            Self::Coordinator(number) => write!(f, "coordinator-{number}"),
            Self::Worker(number) => write!(f, "worker-{number}"),
            Self::Client(number) => write!(f, "client-{number}"),
            Self::Adversary => f.write_str("adversary"),
        }
    }
}

/// A text that is not the name of a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a host: broker, coordinator-N, worker-N, client-N or adversary")]
pub struct UnknownHost(String);

impl FromStr for Host {
    type Err = UnknownHost;

    fn from_str(name: &str) -> Result<Self, UnknownHost> {
        let unknown = || UnknownHost(name.to_owned());
        match name {
            "broker" => return Ok(Self::Broker),
            "adversary" => return Ok(Self::Adversary),
            _ => {}
        }
        let (kind, number) = name.split_once('-').ok_or_else(unknown)?;
        let number = number.parse().map_err(|_| unknown())?;
        match kind {
            "coordinator" => Ok(Self::Coordinator(number)),
            "worker" => Ok(Self::Worker(number)),
            "client" => Ok(Self::Client(number)),
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for Host {
    type Error = UnknownHost;

    fn try_from(name: String) -> Result<Self, UnknownHost> {
        name.parse()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back() {
        let hosts = [Host::Broker, Host::Coordinator(1), Host::Worker(20), Host::Client(3), Host::Adversary];
        for host in hosts {
            assert_eq!(host.to_string().parse(), Ok(host));
        }
        for name in ["", "worker", "worker-", "worker-x", "worker-999", "judge-1"] {
            assert!(name.parse::<Host>().is_err(), "{name}");
        }
    }
}
