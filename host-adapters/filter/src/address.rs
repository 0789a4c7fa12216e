//! IP addresses and the ranges of `cidr`.

use ipnet::IpNet;
use std::net::IpAddr;

/// An address that stands alone in a text; an IPv4 address mapped to IPv6 is that IPv4 address.
pub fn address(text: &str) -> Option<IpAddr> {
    // The ruler takes `::ffff:10.0.0.1` for a text like any other.
    if text.contains(':') && text.contains('.') {
        return None;
    }
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// A range; bits of the address that lie behind the mask do not matter.
///
/// # Errors
/// The fault of the text, and what is allowed.
pub fn range(text: &str) -> Result<IpNet, String> {
    let malformed = || format!("`{text}` is not a range of addresses, such as \"10.0.0.0/24\" or \"2001:db8::/32\"");
    let (base, bits) = text.split_once('/').ok_or_else(malformed)?;
    let base = address(base).ok_or_else(malformed)?;
    let most = if base.is_ipv4() { 31 } else { 127 };
    match bits.parse().ok().filter(|bits| *bits <= most && !text.contains('+')) {
        Some(bits) => IpNet::new(base, bits).map_err(|_| malformed()),
        None => Err(format!(
            "a mask has 0 to {most} bits here, not `{bits}`; one address alone is written as a string, without `cidr`"
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_by_value() {
        assert_eq!(address("0:0:0:0:0:0:0:1"), address("::1"));
        assert_eq!(address("::FFFF:a00:1"), address("10.0.0.1"));
        for text in ["", "10.0.0", "10.0.0.256", "010.0.0.1", " 10.0.0.1", "::ffff:10.0.0.1", "12:30", "fe80::1%eth0"] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn ranges_end_at_their_masks() {
        let range = range("10.0.0.77/26").unwrap();
        for (text, expected) in [("10.0.0.64", true), ("10.0.0.127", true), ("10.0.0.63", false), ("10.0.0.128", false)]
        {
            assert_eq!(range.contains(&address(text).unwrap()), expected, "{text}");
        }
    }
}
