//! `wasi:http/client`: every outbound request goes through the host's policy; a guest opens no socket.

use crate::component::Version;
use crate::engine::SharedHost;
use crate::host::{SendError, SendErrorKind};
use crate::state::Outages;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use std::sync::Arc;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// The largest body that a guest may send.
const MAX_REQUEST_BYTES: usize = 16 << 20;

/// Answers the outbound requests of one instance.
pub(crate) struct Hooks {
    component: Arc<str>,
    digest: Arc<str>,
    host: SharedHost,
    outages: Outages,
}

impl Hooks {
    pub(crate) fn new(version: &Version, host: SharedHost, outages: Outages) -> Self {
        Self { component: version.component.clone(), digest: version.digest.clone(), host, outages }
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
        let (host, outages) = (self.host.clone(), self.outages.clone());
        Box::new(async move {
            let (parts, body) = request.into_parts();
            let body = Limited::new(body, MAX_REQUEST_BYTES)
                .collect()
                .await
                .map_err(|_| Error::HttpRequestBodySize(None))?
                .to_bytes();
            match host.send_http(&component, &digest, http::Request::from_parts(parts, body)).await {
                Ok(sent) => {
                    sent.outage.into_iter().for_each(|service| outages.add(service));
                    Ok((sent.response.map(whole), Box::new(async { Ok(()) }) as Io))
                }
                Err(error) => {
                    let (worker, digest) = (&*component, &*digest);
                    tracing::debug!(worker, digest, error = error.message, "outbound request failed");
                    let code = code(&error);
                    error.outage.into_iter().for_each(|service| outages.add(service));
                    Err(code)
                }
            }
        })
    }
}

fn whole(body: Bytes) -> WasiBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

fn code(error: &SendError) -> Error {
    match error.kind {
        SendErrorKind::Denied => Error::HttpRequestDenied,
        SendErrorKind::Connection => Error::ConnectionTerminated,
        SendErrorKind::TimedOut => Error::ConnectionReadTimeout,
        SendErrorKind::Other => Error::DestinationUnavailable,
    }
}
