//! A TCP proxy on loopback that cuts, slows or holds what goes through it.

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

/// What becomes of connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Line {
    /// All goes through.
    Open,
    /// Those that there are end, new ones end at once.
    Cut,
    /// Each chunk, in both directions, is late by so much.
    Slow(Duration),
    /// Nothing goes through until this ends.
    Held,
}

/// Listens until it is dropped.
pub struct Proxy {
    line: watch::Sender<Line>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Stands before the server at `endpoint`, which becomes its own address.
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

    /// From now on.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// How many connections were made so far.
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

/// Both directions, until one ends or all are cut.
async fn forward(client: TcpStream, target: SocketAddr, line: watch::Receiver<Line>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = line.clone();
    tokio::select! {
        _ = cut.wait_for(|line| *line == Line::Cut) => (),
        () = pass(from_client, to_server, line.clone()) => (),
        () = pass(from_server, to_client, line) => (),
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let now = *line.borrow();
        if let Line::Slow(late) = now {
            tokio::time::sleep(late).await;
        }
        // Where the proxy is gone, nobody holds.
        drop(line.wait_for(|line| *line != Line::Held).await);
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}
