//! Addresses as nginx writes them.

use std::net::IpAddr;

/// An address as text. IPv6 addresses that begin with 96 zero bits end like IPv4 addresses, as nginx's
/// `ngx_inet6_ntop` writes them; the standard library does so only for `::ffff:0:0/96`.
pub fn address_text(ip: IpAddr) -> String {
    let IpAddr::V6(six) = ip else { return ip.to_string() };
    match six.octets() {
        // nginx's own rule for what is shorter than an IPv4 address: `::1` and `::ff01` are none.
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if (a, b) != (0, 0) || (c != 0 && d != 1) => {
            format!("::{a}.{b}.{c}.{d}")
        }
        _ => six.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_nginx_writes_them() {
        for (address, text) in [
            ("1.2.3.4", "1.2.3.4"),
            ("::1", "::1"),
            ("::", "::"),
            ("::110.0.0.1", "::110.0.0.1"),
            ("::ffff", "::0.0.255.255"),
            ("::ff01", "::ff01"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("2001:db8::1", "2001:db8::1"),
            ("::1:0:0", "::1:0:0"),
        ] {
            assert_eq!(address_text(address.parse().unwrap()), text, "{address}");
        }
    }
}
