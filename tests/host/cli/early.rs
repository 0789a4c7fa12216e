//! Case 14: a response that is sent while the client still sends its body reaches it, every time.

use super::up::Up;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Sends all of a request, then reads the response, as simple clients do. Returns the status.
fn status(url: &str, path: &str, token: &str, length: usize, chunked: bool) -> Result<u16, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).map_err(failed)?;
    let framing = if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {length}") };
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nConnection: close\r\n{framing}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).map_err(failed)?;
    let piece = vec![b' '; 64 << 10];
    let mut left = length;
    while left > 0 {
        let size = left.min(piece.len());
        if chunked {
            stream.write_all(format!("{size:x}\r\n").as_bytes()).map_err(failed)?;
        }
        stream.write_all(&piece[..size]).map_err(failed)?;
        if chunked {
            stream.write_all(b"\r\n").map_err(failed)?;
        }
        left -= size;
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").map_err(failed)?;
    }
    let mut response = String::new();
    stream.read_to_string(&mut response).map_err(failed)?;
    let status = response.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| format!("no status in {response:?}"))
}

/// A token as an issuer makes it, of which the host has no key: its header is `{"alg":"ES256","kid":"k"}`. The host's file of
/// keys has none, so no token can be verified.
const UNVERIFIABLE: &str = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.e30.AA";

#[test]
fn case_14_early_answers_reach_clients_that_still_send() {
    let up = Up::start("ERROR");
    let (worker, gateway) = ("/workers/save-entries", "/platform/queue/send-batch");
    let (known, unknown) = ("planted-6f1e-resolver", "planted-6f1e-guess");
    for (url, path, token, length, expected) in [
        (&up.http, worker, "planted-6f1e-worker", (6 << 20) + 1, 413),
        (&up.http, "/nowhere", unknown, (6 << 20) + 1, 404),
        // These are the workers' own; a body may be as long as that.
        (&up.http, worker, unknown, 6 << 20, 401),
        (&up.http, "/workers/campaigns-by-event", UNVERIFIABLE, 6 << 20, 503),
        (&up.gateway, gateway, known, (17 << 20) + 1, 413),
        (&up.gateway, gateway, unknown, (6 << 20) + 1, 401),
        (&up.gateway, "/nowhere", known, (6 << 20) + 1, 404),
        (&up.gateway, "/operator/swap/save-entries", unknown, (6 << 20) + 1, 401),
    ] {
        for chunked in [false, true] {
            for attempt in 0..25 {
                let status = status(url, path, token, length, chunked);
                assert_eq!(status, Ok(expected), "{path}, chunked: {chunked}, attempt {attempt}");
            }
        }
    }
}

#[test]
fn case_14_the_head_of_a_request_may_be_too_large() {
    let up = Up::start("ERROR");
    for url in [&up.http, &up.gateway] {
        let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "a".repeat(2 << 20));
        stream.write_all(head.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 431 "), "{response:?}");
    }
}

/// Sends a request line and headers; returns the status and the body of the response.
fn refused(url: &str, head: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (start, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{response:?}"));
    (start.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The limits of hyper, as docs/http.md has them. Its refusals have no body, and ours have one.
#[test]
fn heads_are_refused_beyond_the_documented_limits() {
    let up = Up::start("ERROR");
    let page = std::fs::read_to_string(tests::programs::project().join("docs/http.md")).unwrap();
    for limit in ["417,792 bytes", "100 headers", "65,534 bytes"] {
        assert!(page.contains(limit), "{limit}");
    }
    // Two more headers are sent with each.
    let headers = |count: usize| format!("GET /nowhere HTTP/1.1{}", "\r\nx: y".repeat(count - 2));
    let target = |length: usize| format!("GET /{} HTTP/1.1", "a".repeat(length - 1));
    let rest = "GET /nowhere HTTP/1.1\r\nx: \r\nHost: localhost\r\nConnection: close\r\n\r\n".len();
    let head = |bytes: usize| format!("GET /nowhere HTTP/1.1\r\nx: {}", "a".repeat(bytes - rest));
    for url in [&up.http, &up.gateway] {
        for (within, beyond, status) in [
            (headers(100), headers(101), 431),
            (target(65_534), target(65_535), 414),
            // What is a little longer may pass: the server reads more than that at once.
            (head(417_791), head(600_000), 431),
            (headers(2), "no HTTP".to_owned(), 400),
        ] {
            let (code, body) = refused(url, &within);
            let error = serde_json::from_str::<serde_json::Value>(&body).unwrap();
            assert!(code == 404 && error["error"]["code"].is_string(), "{url}, below {status}: {code} {body}");
            assert_eq!(refused(url, &beyond), (status, String::new()), "{url}, beyond");
        }
    }
}
