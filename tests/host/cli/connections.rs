//! Case 12: connections that are silent or send half a request, as the case's `half_open.py` makes them, and clients
//! that read no response. They are closed in time, their number is limited, and they do not delay the shutdown of the
//! host.

use super::up::Up;
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const KINDS: [&str; 5] = ["silent", "line", "head", "body", "idle"];

/// A connection to the server at `url`, as far as `kind` goes.
pub(super) fn half_open(url: &str, kind: &str) -> TcpStream {
    const PATH: &str = "POST /workers/check-eligibility HTTP/1.1\r\nHost: localhost\r\n";
    let mut stream = connect(url);
    match kind {
        "silent" => {}
        "line" => stream.write_all(b"POST /workers").unwrap(),
        "head" => stream.write_all(format!("{PATH}X-Slow: ").as_bytes()).unwrap(),
        "body" if url.ends_with("/platform") => {
            let head = "POST /platform/queue/send-batch HTTP/1.1\r\nHost: localhost\r\n\
                        Authorization: Bearer planted-6f1e-resolver\r\nContent-Type: application/json\r\n";
            stream.write_all(format!("{head}Content-Length: 100\r\n\r\n{{").as_bytes()).unwrap();
        }
        "body" => stream.write_all(format!("{PATH}Content-Length: 100\r\n\r\n{{").as_bytes()).unwrap(),
        "idle" => {
            stream.write_all(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        }
        _ => panic!("{kind}"),
    }
    stream
}

fn connect(url: &str) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    TcpStream::connect(address).unwrap()
}

/// What still comes, and how long it took until the server closed.
fn until_closed(mut stream: TcpStream, kind: &str, began: Instant) -> (String, Duration) {
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        assert!(began.elapsed() < Duration::from_secs(20), "{kind}: still open");
        if kind == "head" {
            // A slow client keeps dripping.
            let _ = stream.write_all(b"a");
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => got.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    (String::from_utf8(got).unwrap(), began.elapsed())
}

#[test]
fn case_12_half_open_connections_are_closed_on_every_port() {
    let up = Up::start_with("INFO", |command, _| {
        command.args(["--header-timeout-secs", "2", "--body-timeout-secs", "6", "--idle-timeout-secs", "10"]);
    });
    let urls = [up.http.clone(), format!("{}/platform", up.gateway)];
    std::thread::scope(|scope| {
        for (url, kind) in urls.iter().flat_map(|url| KINDS.map(|kind| (url, kind))) {
            scope.spawn(move || {
                let began = Instant::now();
                let (got, took) = until_closed(half_open(url, kind), kind, began);
                let limit = match kind {
                    "silent" | "idle" => 10.0,
                    "body" => 6.0,
                    _ => 2.0,
                };
                let took = took.as_secs_f64();
                // Late on a busy machine, but before the next limit.
                assert!((limit - 0.2..limit + 3.8).contains(&took), "{url} {kind}: closed after {took} s");
                assert_eq!(got.starts_with("HTTP/1.1 408 "), kind == "body", "{url} {kind}: {got}");
            });
        }
    });
}

/// Sends requests without reading a response, until the server has closed the connection.
fn until_cut_off(url: &str, path: &str) -> Duration {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(100);
    let mut stream = connect(url);
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut stalled = None;
    loop {
        match stream.write(request.as_bytes()) {
            Ok(_) => stalled = None,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let stalled = *stalled.get_or_insert_with(Instant::now);
                assert!(stalled.elapsed() < Duration::from_secs(20), "{url}: still open");
            }
            Err(_) => return stalled.map_or(Duration::ZERO, |stalled: Instant| stalled.elapsed()),
        }
    }
}

#[test]
fn case_12_clients_that_read_no_response_are_cut_off_on_every_port() {
    let up = Up::start_with("INFO", |command, _| {
        command.args(["--write-timeout-secs", "4"]);
    });
    std::thread::scope(|scope| {
        for (url, path) in [(&up.http, "/nowhere"), (&up.gateway, "/metrics")] {
            scope.spawn(move || {
                // The server stalls before the client notices that it does.
                let took = until_cut_off(url, path).as_secs_f64();
                assert!((2.0..15.0).contains(&took), "{url}: cut off after {took} s");
            });
        }
    });
}

#[test]
fn case_12_connections_beyond_the_limit_wait() {
    let up = Up::start_with("INFO", |command, _| {
        command.args(["--max-connections", "2", "--idle-timeout-secs", "4"]);
    });
    let began = Instant::now();
    let _silent = [half_open(&up.http, "silent"), half_open(&up.http, "silent")];
    std::thread::sleep(Duration::from_millis(200));
    let mut third = half_open(&up.http, "silent");
    third.write_all(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut got = String::new();
    third.read_to_string(&mut got).unwrap();
    assert!(got.starts_with("HTTP/1.1 404 "), "{got}");
    assert!(began.elapsed() > Duration::from_secs(3), "served beside two others after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_12_the_drain_takes_its_time_once() {
    // A service that accepts and never answers, so that a call is longer than the drain.
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", service.local_addr().unwrap());
    let mut up = Up::start_with("INFO", |command, _| {
        command.args(["--drain-secs", "4"]).env("SPIN_VARIABLE_CAMPAIGN_SERVICE_UPSTREAM", upstream);
        command.env("SPIN_VARIABLE_ENTRY_SERVICE_UPSTREAM", format!("http://{}", service.local_addr().unwrap()));
    });
    let event = json!({"Records": [{"messageId": "m1", "body": r#"{"campaignId":"c","globalUserId":"g"}"#}]});
    let url = format!("{}/workers/retry-score", up.http);
    let calling = tokio::spawn(reqwest::Client::new().post(url).bearer_auth("planted-6f1e-worker").json(&event).send());
    let _open: Vec<_> =
        [&up.http, &up.gateway].into_iter().flat_map(|url| KINDS.map(|kind| half_open(url, kind))).collect();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!calling.is_finished(), "the call waits for its service");
    let began = Instant::now();
    let (code, _, log) = up.stop();
    let took = began.elapsed().as_secs_f64();
    // Twice would be eight seconds.
    assert!(code == 0 && (3.0..7.5).contains(&took), "{code} after {took} s: {log}");
}

#[test]
fn case_12_open_connections_alone_do_not_hold_up_the_end() {
    let mut up = Up::start("INFO");
    let kinds = ["silent", "line", "head", "idle"];
    let _open: Vec<_> =
        [&up.http, &up.gateway].into_iter().flat_map(|url| kinds.map(|kind| half_open(url, kind))).collect();
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    let (code, _, log) = up.stop();
    assert!(code == 0 && began.elapsed() < Duration::from_secs(10), "{code} after {:?}: {log}", began.elapsed());
}
