//! Bodies of requests and responses, which report how far they came.

use super::activity::Exchange;
use axum::BoxError;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The body of a request.
pub(super) struct RequestBody {
    body: Incoming,
    timeout: Duration,
    until: Option<Pin<Box<Sleep>>>,
    reading: Arc<Reading>,
}

/// How far the body of a request came.
#[derive(Default)]
pub(super) struct Reading {
    complete: AtomicBool,
    late: AtomicBool,
}

impl Reading {
    /// Whether all of it was read.
    pub(super) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// Whether it took too long.
    pub(super) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }
}

impl RequestBody {
    pub(super) fn new(body: Incoming, timeout: Duration) -> (Self, Arc<Reading>) {
        let reading = Arc::new(Reading { complete: body.is_end_stream().into(), late: false.into() });
        (Self { body, timeout, until: None, reading: reading.clone() }, reading)
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if polled.is_pending() {
            let until = this.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(this.timeout)));
            if until.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.reading.late.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err("it took too long".into())));
        }
        if matches!(polled, Poll::Ready(None)) || this.body.is_end_stream() {
            this.reading.complete.store(true, Ordering::Relaxed);
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response; its exchange ends with it.
pub(super) struct ResponseBody {
    pub(super) body: Body,
    pub(super) _exchange: Exchange,
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
