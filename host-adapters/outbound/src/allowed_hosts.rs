//! `allowed_outbound_hosts`: the destinations that a component may call, with the same meaning as on Spin
//! (`scheme://host[:port]`; each of the three may be `*`, the host may be `*.domain` or a network, the port may be a
//! range).

use http::Uri;
use ipnet::IpNet;
use std::ops::Range;

/// The destinations that one component may call.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AllowedHosts(Vec<AllowedHost>);

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
struct AllowedHost {
    /// `None` allows any.
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Host {
    Any,
    /// A host that ends with this text, dot included.
    Subdomain(String),
    Network(IpNet),
    Exact(String),
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Port {
    Any,
    Range(Range<u32>),
}

/// Why an entry cannot be read. The entry itself is left out, because it may contain a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidHost {
    /// No `://`.
    #[error("no scheme; write it before the host, as in \"http://\", \"redis://\" or \"*://\"")]
    NoScheme,
    /// The scheme has digits or signs.
    #[error("the scheme is not a word; write letters only, or \"*\"")]
    BadScheme,
    /// It has more than scheme, host and port.
    #[error("there is a path; write scheme, host and port only")]
    Path,
    /// It has a `*` that is not the whole host or its first label.
    #[error("\"*\" in the middle of the host; write \"*\", or \"*.\" and a domain")]
    Wildcard,
    /// The host is missing.
    #[error("no host; write its name")]
    NoHost,
    /// It has a user or password, which belong to the address that a component opens.
    #[error("there is a user or password; write scheme, host and port only")]
    User,
    /// Spin's names for other components of the application.
    #[error(
        "calls of other components (self, *.spin.internal) are not provided by host-adapters; send them a message, or \
         write the address that the component's route is served at"
    )]
    OtherComponents,
    /// A scheme without a well-known port needs one.
    #[error("no port, and none is usual for the scheme; write \":\" and a port, or \":*\"")]
    NoPort,
    /// The port is not a number.
    #[error("the port is not a number; write a number, a range as in 8000..8010, or \"*\"")]
    BadPort,
}

impl AllowedHosts {
    /// Allows one more entry.
    pub fn add(&mut self, entry: &str) -> Result<(), InvalidHost> {
        self.0.push(AllowedHost::parse(entry.trim())?);
        Ok(())
    }

    /// Whether calls with one of these schemes are allowed to any host.
    pub fn has_scheme(&self, schemes: &[&str]) -> bool {
        let allowed = |it: &AllowedHost| it.scheme.as_deref().is_none_or(|scheme| schemes.contains(&scheme));
        self.0.iter().any(allowed)
    }

    /// Whether a call to `uri` is allowed. A call without scheme or host never is.
    pub fn allows(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return false };
        let Some(port) = uri.port_u16().or_else(|| well_known_port(scheme)) else { return false };
        self.0.iter().any(|allowed| allowed.allows(scheme, host, port))
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<Self, InvalidHost> {
        let (scheme, rest) = entry.split_once("://").ok_or(InvalidHost::NoScheme)?;
        if rest.contains('@') {
            return Err(InvalidHost::User);
        }
        let (host, port) = split_port(rest)?;
        if scheme != "*" && (scheme.is_empty() || !scheme.chars().all(char::is_alphabetic)) {
            return Err(InvalidHost::BadScheme);
        }
        let host = Host::parse(host)?;
        let port = Port::parse(port, scheme)?;
        Ok(Self { scheme: (scheme != "*").then(|| scheme.to_lowercase()), host, port })
    }

    fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.scheme.as_deref().is_none_or(|allowed| allowed.eq_ignore_ascii_case(scheme))
            && self.host.allows(&host.to_lowercase())
            && self.port.allows(port)
    }
}

impl Host {
    fn parse(host: &str) -> Result<Self, InvalidHost> {
        if host.is_empty() {
            return Err(InvalidHost::NoHost);
        }
        if is_of_other_components(host) {
            return Err(InvalidHost::OtherComponents);
        }
        if host == "*" {
            return Ok(Self::Any);
        }
        let address = host.trim_matches(['[', ']']);
        if let Some(network) =
            address.parse().ok().or_else(|| address.parse::<std::net::IpAddr>().ok().map(IpNet::from))
        {
            return Ok(Self::Network(network));
        }
        match (host.strip_prefix("*."), host.contains('/')) {
            (_, true) => Err(InvalidHost::Path),
            (Some(domain), false) if !domain.contains('*') => {
                Ok(Self::Subdomain(format!(".{}", domain.to_lowercase())))
            }
            (None, false) if !host.contains('*') => Ok(Self::Exact(host.to_lowercase())),
            _ => Err(InvalidHost::Wildcard),
        }
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Subdomain(suffix) => host.ends_with(suffix),
            Self::Network(network) => {
                host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| network.contains(&ip))
            }
            Self::Exact(name) => name == host,
        }
    }
}

impl Port {
    fn parse(port: Option<&str>, scheme: &str) -> Result<Self, InvalidHost> {
        let Some(port) = port else {
            let port = well_known_port(scheme).map(u32::from).ok_or(InvalidHost::NoPort)?;
            return Ok(Self::Range(port..port + 1));
        };
        let number = |text: &str| text.parse::<u16>().map(u32::from).map_err(|_| InvalidHost::BadPort);
        match port.split_once("..") {
            _ if port == "*" => Ok(Self::Any),
            Some((start, end)) => Ok(Self::Range(number(start)?..number(end)?)),
            None => number(port).map(|port| Self::Range(port..port + 1)),
        }
    }

    fn allows(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Range(range) => range.contains(&u32::from(port)),
        }
    }
}

/// Whether Spin answers calls of a host with a component of the same application.
fn is_of_other_components(host: &str) -> bool {
    let host = host.to_lowercase();
    matches!(host.as_str(), "self" | "self.alt") || host.ends_with(".spin.internal")
}

/// Host and port of the text after the scheme; one slash at the end is ignored.
fn split_port(rest: &str) -> Result<(&str, Option<&str>), InvalidHost> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    // The colons of an IPv6 address are in brackets.
    let after_brackets = rest.rfind(']').map_or(0, |end| end + 1);
    let colon = rest.get(after_brackets..).and_then(|tail| tail.rfind(':')).map(|at| at + after_brackets);
    let Some((host, port)) = colon.and_then(|at| rest.split_at_checked(at)) else { return Ok((rest, None)) };
    let port = port.trim_start_matches(':');
    if port.contains('/') { Err(InvalidHost::Path) } else { Ok((host, Some(port))) }
}

/// Spin's list of ports.
fn well_known_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "http" => 80,
        "https" => 443,
        "redis" => 6379,
        "postgres" => 5432,
        "mysql" => 3306,
        "mqtt" => 1883,
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn entries_allow_what_spin_allows() {
        let cases = [
            ("http://entry.example", "http://entry.example/c1/entries", true),
            ("http://entry.example/", "http://Entry.Example:80/", true),
            ("http://entry.example", "http://entry.example:81/", false),
            ("http://entry.example", "https://entry.example/", false),
            ("http://entry.example", "http://evil-entry.example/", false),
            ("https://*.example.com", "https://a.b.example.com/", true),
            ("https://*.example.com", "https://example.com/", false),
            ("*://localhost:*", "redis://localhost:7000", true),
            ("*://localhost:*", "http://localhost.evil.com/", false),
            ("http://10.0.0.0/8", "http://10.1.2.3/", true),
            ("http://10.0.0.0/8:8080", "http://10.1.2.3:8080/", true),
            ("http://10.0.0.0/8", "http://11.1.2.3/", false),
            ("http://[::1]:8080", "http://[::1]:8080/", true),
            ("http://127.0.0.1:8000..8010", "http://127.0.0.1:8009/", true),
            ("http://127.0.0.1:8000..8010", "http://127.0.0.1:8010/", false),
            ("redis://cache.embedded", "redis://cache.embedded:6379", true),
            ("http://*", "http://anything/", true),
            ("http://*", "http://anything:8080/", false),
        ];
        for (entry, uri, allowed) in cases {
            let mut hosts = AllowedHosts::default();
            hosts.add(entry).unwrap();
            assert_eq!(hosts.allows(&uri.parse().unwrap()), allowed, "{entry} and {uri}");
        }
    }

    #[test]
    fn nothing_is_allowed_by_nothing() {
        assert!(!AllowedHosts::default().allows(&"http://localhost/".parse().unwrap()));
        assert!(!AllowedHosts::default().allows(&"/path".parse().unwrap()));
    }

    #[test]
    fn an_entry_that_cannot_be_read_says_why() {
        let cases = [
            ("localhost:80", InvalidHost::NoScheme),
            ("h2c1://localhost", InvalidHost::BadScheme),
            ("http://localhost:80/path", InvalidHost::Path),
            ("http://localhost/path", InvalidHost::Path),
            ("http://a.*.com", InvalidHost::Wildcard),
            ("http://", InvalidHost::NoHost),
            ("http://self", InvalidHost::OtherComponents),
            ("http://self.alt", InvalidHost::OtherComponents),
            ("http://entries.spin.internal", InvalidHost::OtherComponents),
            ("http://*.SPIN.internal", InvalidHost::OtherComponents),
            ("redis://me:pw@cache", InvalidHost::User),
            ("redis://:pw@cache:6379", InvalidHost::User),
            ("ftp://localhost", InvalidHost::NoPort),
            ("*://localhost", InvalidHost::NoPort),
            ("http://localhost:http", InvalidHost::BadPort),
        ];
        for (entry, error) in cases {
            assert_eq!(AllowedHosts::default().add(entry), Err(error), "{entry}");
        }
    }
}
