//! Responses that are larger than what the kernel's buffers of a connection take.

use super::*;
use axum::routing::get;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

const BODY_BYTES: usize = 32 << 20;

/// A running server of large responses.
struct Large {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Large {
    async fn start(limits: HttpLimits) -> Self {
        let router = Router::new().route("/", get(async || vec![b'a'; BODY_BYTES]));
        let address = Reserved::new((Ipv4Addr::LOCALHOST, 0).into(), "--listen").unwrap();
        let server = Server::listen(address, router, limits).unwrap();
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        let served = tokio::spawn(server.run(stop.clone()));
        Self { address, stop, served }
    }

    /// Asks for a response and waits for its first byte.
    async fn ask(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        client.peek(&mut [0]).await.unwrap();
        client
    }
}

#[tokio::test]
async fn a_stop_lets_a_response_that_is_being_sent_end() {
    let large = Large::start(HttpLimits::default()).await;
    let mut client = large.ask().await;
    large.stop.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut response = Vec::new();
    client.read_to_end(&mut response).await.unwrap();
    let head = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(response.len() - head, BODY_BYTES, "the body in full");
    tokio::time::timeout(Duration::from_secs(10), large.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_takes_no_byte_of_its_response_is_cut_off() {
    let large = Large::start(HttpLimits { write_timeout: Duration::from_secs(1), ..HttpLimits::default() }).await;
    let (_client, began) = (large.ask().await, Instant::now());
    large.stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), large.served).await.expect("the connection ends").unwrap();
    assert!(began.elapsed() >= Duration::from_millis(900), "it had its time: {:?}", began.elapsed());
}
