//! The limits of connections: of all together, and of each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Length of the prefix that one IPv6 host has for itself, in bits.
const HOST_PREFIX_BITS: u32 = 64;

/// Counts open connections.
#[derive(Clone, Debug)]
pub(super) struct ConnectionSlots {
    max: usize,
    max_per_address: usize,
    open: Arc<Mutex<OpenConnections>>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    all: usize,
    by_host: HashMap<IpAddr, usize>,
}

/// An open connection. It counts until this is dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    host: IpAddr,
    open: Arc<Mutex<OpenConnections>>,
}

impl ConnectionSlots {
    pub(super) fn new(max: usize, max_per_address: usize) -> Self {
        Self {
            max,
            max_per_address,
            open: Arc::default(),
        }
    }

    /// Counts a connection.
    ///
    /// # Errors
    ///
    /// The name of the limit that is reached.
    pub(super) fn take(&self, address: IpAddr) -> Result<ConnectionSlot, &'static str> {
        let host = host(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.max {
            return Err("max-connections");
        }
        let of_host = open.by_host.entry(host).or_default();
        if *of_host >= self.max_per_address {
            return Err("max-connections-per-address");
        }
        *of_host += 1;
        open.all += 1;
        Ok(ConnectionSlot {
            host,
            open: self.open.clone(),
        })
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        if let Some(of_host) = open.by_host.get_mut(&self.host) {
            *of_host -= 1;
            if *of_host == 0 {
                open.by_host.remove(&self.host);
            }
        }
    }
}

/// What counts as one address: an IPv4 address, or the network of an IPv6 host.
fn host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << HOST_PREFIX_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_and_each_address_have_a_limit() {
        let slots = ConnectionSlots::new(3, 2);
        let take = |address: &str| slots.take(address.parse().unwrap());
        let first = take("10.0.0.1").unwrap();
        let _second = take("::ffff:10.0.0.1").unwrap();
        assert_eq!(take("10.0.0.1").unwrap_err(), "max-connections-per-address");
        let third = take("2001:db8::1").unwrap();
        assert_eq!(take("10.0.0.2").unwrap_err(), "max-connections");
        drop((first, third));
        let _network = [take("2001:db8::2").unwrap(), take("2001:db8::3").unwrap()];
        assert_eq!(slots.open.lock().unwrap().by_host.len(), 2);
    }
}
