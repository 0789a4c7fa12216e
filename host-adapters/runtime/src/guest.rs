//! What an instance exports, and how it is called.

use crate::bindings::exports::registration::workers::{batch_worker, request_worker};
use crate::call::{CallError, Disposition, Event};
use crate::component::Version;
use crate::state::State;
use crate::{answer, request};
use bytes::Bytes;
use http_body_util::Full;
use wasmtime::Store;
use wasmtime::component::{Accessor, Instance};
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{FieldMap, WasiHttpView};

/// An answer, or why there is none; the outer error is a trap.
type Answered<T> = wasmtime::Result<Result<T, CallError>>;

/// The exports of an instance.
pub(crate) struct Guest {
    batch: Option<batch_worker::Guest>,
    http: Option<Endpoint>,
}

/// What answers HTTP requests.
enum Endpoint {
    /// The same call without the streams of `wasi:http`.
    Typed(request_worker::Guest),
    Wasi(Service),
}

impl Guest {
    /// The exports that a version is known to have.
    pub(crate) fn new(version: &Version, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<Self> {
        let batch = version.batch.as_ref().map(|indices| indices.load(&mut *store, instance)).transpose()?;
        let http = match (&version.request, &version.http) {
            (Some(indices), Some(_)) => Some(Endpoint::Typed(indices.load(&mut *store, instance)?)),
            (None, Some(_)) => Some(Endpoint::Wasi(Service::new(&mut *store, instance)?)),
            (_, None) => None,
        };
        Ok(Self { batch, http })
    }

    /// Hands over a batch.
    pub(crate) async fn batch(&self, accessor: &Accessor<State>, events: Vec<Event>) -> Answered<Vec<Disposition>> {
        match &self.batch {
            Some(worker) => Ok(answer::batch(worker.call_handle(accessor, events).await?)),
            None => Ok(Err(CallError::NotCallable("it does not export registration:workers/batch-worker".into()))),
        }
    }

    /// Hands over an HTTP request.
    pub(crate) async fn http(
        &self,
        accessor: &Accessor<State>,
        request: http::Request<Bytes>,
    ) -> Answered<http::Response<Bytes>> {
        match &self.http {
            Some(Endpoint::Typed(worker)) => typed(accessor, worker, request).await,
            Some(Endpoint::Wasi(service)) => wasi(accessor, service, request).await,
            None => Ok(Err(CallError::NotCallable("it does not export wasi:http/handler".into()))),
        }
    }
}

async fn typed(
    accessor: &Accessor<State>,
    worker: &request_worker::Guest,
    request: http::Request<Bytes>,
) -> Answered<http::Response<Bytes>> {
    let answer = match request::typed(request) {
        Ok(request) => worker.call_handle(accessor, request).await?,
        Err(refusal) => Ok(refusal),
    };
    Ok(request::answered(answer).map_err(|problem| answer::failed(&problem)))
}

async fn wasi(
    accessor: &Accessor<State>,
    service: &Service,
    request: http::Request<Bytes>,
) -> Answered<http::Response<Bytes>> {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.into_parts();
    let headers = accessor.with(|mut access| FieldMap::new_immutable(access.get().http().hooks, parts.headers));
    let (request, io) =
        Request::new(parts.method, uri.scheme, uri.authority, uri.path_and_query, headers, None, Full::new(body));
    let response = match service.handle(accessor, request).await? {
        Ok(response) => response,
        Err(code) => return Ok(Err(answer::failed(&code.to_string()))),
    };
    let response = accessor.with(|access| response.into_http(access, io))?;
    Ok(answer::http(response).await)
}
