//! `wasi:http/client`, for the open web: every request goes through the host's policy; a guest opens no socket.

use crate::budget::{Budget, MAX_CALL_BYTES, Permit};
use crate::component::Version;
use crate::engine::SharedHost;
use crate::host::{SendError, SendErrorKind};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Answers the outbound requests of one instance.
pub(crate) struct Hooks {
    component: Arc<str>,
    digest: Arc<str>,
    host: SharedHost,
    budget: Budget,
}

impl Hooks {
    pub(crate) fn new(version: &Version, host: SharedHost, budget: Budget) -> Self {
        Self { component: version.component.clone(), digest: version.digest.clone(), host, budget }
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io), Error>> + Send> {
        let (component, digest) = (self.component.clone(), self.digest.clone());
        let (host, budget) = (self.host.clone(), self.budget.clone());
        Box::new(async move {
            let (parts, body) = request.into_parts();
            let slot = budget.request().await;
            let (body, _permit) = collect(body, &budget).await?;
            match host.send_http(&component, &digest, http::Request::from_parts(parts, body)).await {
                Ok(response) => Ok((response.map(|body| whole(body, slot)), Box::new(async { Ok(()) }) as Io)),
                Err(error) => {
                    let (worker, digest) = (&*component, &*digest);
                    tracing::debug!(worker, digest, error = error.message, "outbound request failed");
                    Err(code(&error))
                }
            }
        })
    }
}

/// The body of a request, and the room that it takes.
async fn collect(mut body: WasiBody, budget: &Budget) -> Result<(Bytes, Permit), Error> {
    let mut permit = budget.call(0).ok_or(Error::ConnectionLimitReached)?;
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Error::HttpRequestBodySize(None))?.into_data() else { continue };
        if collected.len() + data.len() > MAX_CALL_BYTES {
            return Err(Error::HttpRequestBodySize(None));
        }
        permit.merge(budget.bytes(data.len()).ok_or(Error::ConnectionLimitReached)?);
        collected.extend_from_slice(&data);
    }
    Ok((collected.freeze(), permit))
}

/// The body of a response. It counts as a request until the guest has read or dropped it.
fn whole(body: Bytes, slot: Option<Permit>) -> WasiBody {
    let body = Full::new(body).map_frame(move |frame| {
        let _kept = &slot;
        frame
    });
    body.map_err(|never| match never {}).boxed_unsync()
}

fn code(error: &SendError) -> Error {
    match error.kind {
        SendErrorKind::Denied => Error::HttpRequestDenied,
        SendErrorKind::Connection => Error::ConnectionTerminated,
        SendErrorKind::TimedOut => Error::ConnectionReadTimeout,
        SendErrorKind::Other => Error::DestinationUnavailable,
    }
}
