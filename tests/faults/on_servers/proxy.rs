//! A TCP proxy on loopback that can cut, slow down or stall its connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const CHUNK: usize = 16 * 1024;

/// The state of all connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Line {
    /// All data passes.
    Open,
    /// Existing connections end, and new ones end at once.
    Cut,
    /// Each chunk, in both directions, is delayed by this much.
    Slow(Duration),
    /// No data passes until the state changes.
    Stalled,
}

/// Listens until it is dropped.
pub struct Proxy {
    line: watch::Sender<Line>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy for the server at `endpoint`, which becomes the proxy's address.
    pub async fn before(endpoint: &mut String) -> Self {
        let (scheme, target) = endpoint.split_once("://").unwrap();
        let target: SocketAddr = target.trim_end_matches('/').parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (line, watched) = watch::channel(Line::Open);
        let accepted = Arc::<AtomicUsize>::default();
        let task = tokio::spawn(accept(listener, target, watched, accepted.clone()));
        *endpoint = address;
        Self { line, accepted, task }
    }

    /// Sets the state of all connections.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// The number of connections made so far.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, line: watch::Receiver<Line>, accepted: Arc<AtomicUsize>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if *line.borrow() != Line::Cut {
            accepted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(forward(client, target, line.clone()));
        }
    }
}

/// Forwards both directions until one ends or all are cut.
async fn forward(client: TcpStream, target: SocketAddr, line: watch::Receiver<Line>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = line.clone();
    tokio::select! {
        _ = cut.wait_for(|line| *line == Line::Cut) => (),
        () = copy(from_client, to_server, line.clone()) => (),
        () = copy(from_server, to_client, line) => (),
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let now = *line.borrow();
        if let Line::Slow(late) = now {
            tokio::time::sleep(late).await;
        }
        // If the proxy is gone, data is no longer stalled.
        drop(line.wait_for(|line| *line != Line::Stalled).await);
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}
