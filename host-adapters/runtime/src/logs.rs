//! Standard output and standard error of a guest: split into lines, bounded, passed to the host.

use crate::engine::SharedHost;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longer lines are cut, bytes.
const MAX_LINE_BYTES: usize = 64 << 10;
/// Most lines of a call. Further lines are dropped, with one warning.
const MAX_LINES_PER_CALL: u32 = 1_000;

/// Passes the lines of one instance to the host.
#[derive(Clone)]
pub(crate) struct GuestLog {
    lines: Arc<Mutex<Vec<u8>>>,
    left: Arc<AtomicU32>,
    host: SharedHost,
    component: Arc<str>,
    digest: Arc<str>,
}

impl GuestLog {
    pub(crate) fn new(host: SharedHost, component: Arc<str>, digest: Arc<str>) -> Self {
        Self { lines: Arc::default(), left: Arc::new(AtomicU32::new(MAX_LINES_PER_CALL)), host, component, digest }
    }

    /// A call begins: it may write its full number of lines.
    pub(crate) fn begin_call(&self) {
        self.left.store(MAX_LINES_PER_CALL, Ordering::Relaxed);
    }

    fn write(&self, bytes: &[u8]) {
        let mut pending = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_LINE_BYTES.saturating_sub(pending.len());
            pending.extend(part.iter().take(room));
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut *pending);
                self.emit(String::from_utf8_lossy(&line).trim_end());
            }
        }
    }

    fn emit(&self, line: &str) {
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(1) => self.host.log(&self.component, &self.digest, &too_many()),
            Ok(_) if !line.is_empty() => self.host.log(&self.component, &self.digest, line),
            _ => {}
        }
    }
}

fn too_many() -> String {
    format!(
        r#"{{"level":"WARN","message":"a call wrote {MAX_LINES_PER_CALL} lines; the rest of them is dropped","correlationId":""}}"#
    )
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for GuestLog {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait::async_trait]
impl Pollable for GuestLog {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        GuestLog::write(self, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_LINE_BYTES)
    }
}
