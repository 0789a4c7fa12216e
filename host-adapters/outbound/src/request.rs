//! A component's request to a service, checked: it goes only to that service, and contains nothing that only the host
//! may set.

use super::config::{Auth, ServiceConfig};
use super::exchange::is_hop_by_hop;
use bytes::Bytes;
use host_adapters_event::endpoint::bearer;
use host_adapters_records::service::ServiceRequest;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use std::fmt;

/// The methods that a service may be called by.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Headers that the host sets, besides those of the connection.
const OURS: [HeaderName; 4] = [AUTHORIZATION, CONTENT_LENGTH, EXPECT, HOST];

/// The token of the fan for whom the worker calls: `Bearer` and the token. `authorization` has the host's.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-authorization");

/// Headers that follow a request through our own services. Services of others do not get them.
const TRACE: [HeaderName; 4] = [
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-campaign-id"),
    HeaderName::from_static("x-correlation-id"),
];

/// The longest path, bytes: servers need not take more (RFC 9110, section 4.1, has them take 8,000).
const MAX_PATH: usize = 8_000;

/// Most headers of a request.
const MAX_HEADERS: usize = 100;

/// A request that may go out, but for the token.
pub(super) struct Outgoing {
    pub(super) method: Method,
    /// As the component wrote it.
    pub(super) path: String,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Outgoing {
    /// The request to a service; the error names its fault.
    pub(super) fn new(service: &ServiceConfig, request: ServiceRequest) -> Result<Self, String> {
        let ServiceRequest { method, path, headers, body, .. } = request;
        let method = self::method(&method)?;
        check_path(&path)?;
        let url = url(service.upstream.expose(), &path).parse().map_err(|_| "its URL cannot be read".to_owned())?;
        let mut headers = self::headers(headers)?;
        if service.settings.auth == Auth::None {
            TRACE.iter().for_each(|name| drop(headers.remove(name)));
            if headers.contains_key(FORWARDED) {
                return Err(format!("its header {FORWARDED} has a fan's token, and the service takes no token"));
            }
        }
        Ok(Self { method, path, url, headers, body: body.into() })
    }

    /// The fan's token that it carries.
    pub(super) fn forwarded_token(&self) -> Option<&str> {
        bearer(self.headers.get(FORWARDED)?.to_str().ok()?)
    }
}

/// Without the address, which may be secret.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The address of a request. The path `/` is the upstream as it is written: a webhook is one address, without a slash
/// at its end. Any other path is put behind the upstream.
fn url(upstream: &str, path: &str) -> String {
    match path.strip_prefix('/') {
        Some(query) if query.is_empty() || query.starts_with('?') => format!("{upstream}{query}"),
        _ => format!("{}{path}", upstream.trim_end_matches('/')),
    }
}

fn method(name: &str) -> Result<Method, String> {
    let known = METHODS.into_iter().find(|method| method.as_str() == name);
    known.ok_or_else(|| format!("its method is {name:?}; write one of {}", METHODS.map(|it| it.to_string()).join(", ")))
}

/// The URL's reader drops tabs and line breaks, takes `\` for `/` and ends the path at `#`, so that a path with one of
/// them could become another path.
fn check_path(path: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#');
    if !path.starts_with('/') || !path.bytes().all(is_plain) {
        return Err(format!("its path is {path:?}; begin it with \"/\" and escape what a path cannot hold"));
    }
    if path.len() > MAX_PATH {
        return Err(format!("its path has {} bytes; at most {MAX_PATH} are sent", path.len()));
    }
    if has_dot_segment(path) {
        return Err("its path has \".\" or \"..\" as a segment; write the path without them".to_owned());
    }
    Ok(())
}

/// Dot segments would lead out of the base path, or past the rate limit of a campaign.
fn has_dot_segment(path: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let plain = |segment: &str| segment.to_ascii_lowercase().replace("%2e", ".");
    path.split('/').any(|segment| matches!(plain(segment).as_str(), "." | ".."))
}

fn headers(given: Vec<(String, String)>) -> Result<HeaderMap, String> {
    if given.len() > MAX_HEADERS {
        return Err(format!("it has {} headers; at most {MAX_HEADERS} are sent", given.len()));
    }
    let mut headers = HeaderMap::with_capacity(given.len() + 1);
    for (name, value) in given {
        let unusable = || format!("its header {name:?} cannot be sent; names are words, values have one line");
        let key = HeaderName::try_from(&name).map_err(|_| unusable())?;
        if is_hop_by_hop(&key) || OURS.contains(&key) {
            return Err(format!("its header {key} is the host's to set; leave it out"));
        }
        let mut value = HeaderValue::from_str(&value).map_err(|_| unusable())?;
        value.set_sensitive(key == FORWARDED);
        headers.append(key, value);
    }
    Ok(headers)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ServiceSettings;
    use host_adapters_settings::Value;

    fn service(upstream: &str, auth: Auth) -> ServiceConfig {
        let upstream = Value::plain(upstream.to_owned());
        let settings = ServiceSettings { auth, ..ServiceSettings::default() };
        ServiceConfig { name: "s".into(), upstream, settings }
    }

    fn request(method: &str, path: &str, header: (&str, &str)) -> ServiceRequest {
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        let (method, path) = (method.to_owned(), path.to_owned());
        ServiceRequest { method, path, route: None, expects: vec![], headers, body: String::new() }
    }

    fn outgoing(method: &str, path: &str, header: (&str, &str)) -> Result<Outgoing, String> {
        Outgoing::new(&service("http://127.0.0.1:1/base/", Auth::AppToApp), request(method, path, header))
    }

    #[test]
    fn the_path_of_one_slash_is_the_upstream_as_it_is_written() {
        let url = |upstream: &str, path: &str| {
            let service = service(upstream, Auth::None);
            Outgoing::new(&service, request("POST", path, ("accept", "*/*"))).unwrap().url.to_string()
        };
        let webhook = "https://hooks.slack.example/services/T/B/X";
        for (upstream, path, expected) in [
            (webhook, "/", webhook),
            (webhook, "/?a=b", "https://hooks.slack.example/services/T/B/X?a=b"),
            (webhook, "/more", "https://hooks.slack.example/services/T/B/X/more"),
            ("https://hooks.example/base/", "/", "https://hooks.example/base/"),
            ("https://hooks.example/base/", "/more/", "https://hooks.example/base/more/"),
            ("https://hooks.example", "/", "https://hooks.example/"),
        ] {
            assert_eq!(url(upstream, path), expected, "{upstream} {path}");
        }
    }

    #[test]
    fn other_peoples_services_get_no_token_and_nothing_of_ours() {
        let webhook = service("https://hooks.slack.example/services/T/B/X", Auth::None);
        let sent = |header| Outgoing::new(&webhook, request("POST", "/", header));
        for name in ["traceparent", "tracestate", "X-Campaign-Id", "x-correlation-id"] {
            assert!(sent((name, "a")).unwrap().headers.is_empty(), "{name}");
        }
        assert_eq!(sent(("content-type", "application/json")).unwrap().headers.len(), 1);
        let error = sent(("X-Forwarded-Authorization", "Bearer fan")).unwrap_err();
        assert!(error.starts_with("its header x-forwarded-authorization ") && !error.contains("Bearer"), "{error}");
        let request = outgoing("GET", "/", ("x-forwarded-authorization", "Bearer fan")).unwrap();
        assert_eq!(request.forwarded_token(), Some("fan"));
        assert!(!format!("{:?} {request:?}", request.headers).contains("fan"));
    }

    #[test]
    fn a_path_stays_below_the_base_url() {
        for path in ["/", "/c1/entries?after=a/../b", "//evil.example/", "/@evil.example:80/", "/a%2F..%2Fb", "/..."] {
            let url = outgoing("GET", path, ("accept", "*/*")).unwrap().url;
            assert_eq!(url.as_str(), format!("http://127.0.0.1:1/base{path}"));
        }
        let others = [
            "",
            "c1/entries",
            "http://evil.example/",
            "@evil.example/",
            ":80/",
            "?a",
            "/c1/../c2",
            "/./c1",
            "/c1/..",
            "/c1/%2E%2e/c2",
            "/c1/.%2e/c2",
            "/c1\\..\\c2",
            "/c1/.\t./c2",
            "/c1#/../",
            "/a b",
            "/a\r\nx: y",
            "/é",
        ];
        for path in others {
            let error = outgoing("GET", path, ("accept", "*/*")).unwrap_err();
            assert!(error.starts_with("its path "), "{path:?}: {error}");
        }
    }

    #[test]
    fn what_servers_would_not_take_is_refused() {
        let path = format!("/{}", "c".repeat(MAX_PATH));
        assert!(outgoing("GET", &path, ("accept", "*/*")).unwrap_err().contains("has 8001 bytes"));
        let headers = (0..30_000).map(|n| (format!("x-{n}"), "1".to_owned())).collect();
        let request = ServiceRequest { headers, ..request("GET", "/", ("accept", "*/*")) };
        let service = service("http://127.0.0.1:1", Auth::AppToApp);
        assert!(Outgoing::new(&service, request).unwrap_err().contains("30000 headers"));
    }

    #[test]
    fn what_is_the_hosts_to_say_is_refused() {
        for (name, value) in [
            ("Authorization", "Bearer forged"),
            ("host", "evil.example"),
            ("Content-Length", "0"),
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("keep-alive", "timeout=1"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "x"),
        ] {
            let error = outgoing("POST", "/", (name, value)).unwrap_err();
            assert!(error.contains(&name.to_ascii_lowercase()) && error.contains("leave it out"), "{error}");
        }
        for (name, value) in [("a b", "x"), ("a\r\nb", "x"), ("", "x"), ("x", "a\r\nb: c"), ("x", "a\0")] {
            let error = outgoing("POST", "/", (name, value)).unwrap_err();
            assert!(error.contains("cannot be sent"), "{name:?} {value:?}: {error}");
        }
        for method in ["CONNECT", "TRACE", "get", "", "GET /x HTTP/1.1\r\nHost: y\r\n\r\nGET"] {
            assert!(outgoing(method, "/", ("accept", "*/*")).unwrap_err().contains("write one of GET, "), "{method:?}");
        }
    }
}
