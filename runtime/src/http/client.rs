//! A client: the unit for which rates, connections and event streams are limited.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the 64-bit prefix that one IPv6 host can choose its addresses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let prefix = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(prefix))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}
