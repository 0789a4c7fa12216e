//! Sends a server a real request: an open port does not show that the server works.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The longest response, bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// A request in the server's own protocol, and a part of the response if the server works.
#[derive(Debug)]
pub struct Probe {
    /// The bytes to send.
    pub request: &'static [u8],
    /// The bytes to look for in the response.
    pub answer: &'static [u8],
}

impl Probe {
    /// Whether the server on this port responds within the limit.
    pub(crate) fn answers(&self, port: u16, limit: Duration) -> bool {
        self.ask(port, Instant::now() + limit).unwrap_or(false)
    }

    fn ask(&self, port: u16, deadline: Instant) -> std::io::Result<bool> {
        let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), left())?;
        stream.set_write_timeout(Some(left()))?;
        stream.write_all(self.request)?;
        let mut received = Vec::new();
        let mut part = [0; 4096];
        while received.len() < MAX_ANSWER && Instant::now() < deadline {
            stream.set_read_timeout(Some(left()))?;
            let length = match stream.read(&mut part) {
                // A process that was stopped for a moment: a socket with a timeout does not resume by itself (signal(7)).
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                length => length?,
            };
            if length == 0 {
                break;
            }
            received.extend_from_slice(part.get(..length).unwrap_or_default());
            if received.windows(self.answer.len()).any(|window| window == self.answer) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const PING: Probe = Probe { request: b"PING\r\n", answer: b"+PONG" };

    /// Whether [`PING`] accepts a server that responds like this.
    fn asked(answer: &'static [&'static [u8]]) -> bool {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 6];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(&request, PING.request);
            for part in answer {
                stream.write_all(part).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            // Kept open, as servers do.
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        let answers = PING.answers(port, Duration::from_millis(500));
        server.join().unwrap();
        answers
    }

    #[test]
    fn only_the_right_response_counts() {
        assert!(asked(&[b"+PONG\r\n"]));
        assert!(asked(&[b"+PO", b"NG\r\n"]));
        assert!(!asked(&[b"-LOADING\r\n"]));
        assert!(!asked(&[]));
    }

    #[test]
    fn no_server_is_no_response() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        assert!(!PING.answers(port, Duration::from_millis(500)));
    }
}
