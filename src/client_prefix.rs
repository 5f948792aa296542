//! The network prefix that identifies a client for rate limits: one machine can use many addresses.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, also one that is mapped into IPv6; of any other IPv6 address its /64, since a machine may use all
/// addresses of it (RFC 4291, section 2.5.4; RFC 8981).
pub(crate) fn client_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_one_network_whatever_its_addresses() {
        let of = |text: &str| client_prefix(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.9"), "192.0.2.9");
        assert_eq!(of("::ffff:192.0.2.9"), "192.0.2.9");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }
}
