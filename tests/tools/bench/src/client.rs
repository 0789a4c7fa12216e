//! A small HTTP client on one persistent connection, so that the load uses little of the machine.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// A connection to a server on this machine.
pub struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // If it ends, the next request fails.
        tokio::spawn(connection);
        Ok(Self { address, sender })
    }

    /// Posts JSON with a bearer token. A status other than 200 is an error.
    pub async fn post(&mut self, path: &str, token: &str, body: Bytes) -> Result<Bytes> {
        let request = http::Request::post(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        self.ask(path, request).await
    }

    /// Gets a public path. A status other than 200 is an error.
    pub async fn get(&mut self, path: &str) -> Result<Bytes> {
        let request = http::Request::get(path).header("host", self.address.to_string()).body(Full::default())?;
        self.ask(path, request).await
    }

    async fn ask(&mut self, path: &str, request: http::Request<Full<Bytes>>) -> Result<Bytes> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status != http::StatusCode::OK {
            bail!("{path} answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}
