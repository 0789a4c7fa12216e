//! What an instance exports, and how it is called.

use crate::call::{CallError, Completion, Disposition, Event};
use crate::component::{Http, Version};
use crate::state::State;
use crate::{request, response};
use bytes::Bytes;
use host_adapters_event::{Failure, Request, Response};
use http::header::{HOST, HeaderValue};
use http_body_util::{BodyExt, Full};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::{Accessor, Instance, Resource, TypedFunc};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::p3;
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::{FieldMap, WasiHttpView};

/// An answer, or why there is none; the outer error is a trap.
type Answered<T> = wasmtime::Result<Result<T, CallError>>;

/// `handle` of `batch-worker` and of `request-worker`, as `wit/workers.wit` has them. An instance whose functions differ
/// does not start.
type HandleBatch = TypedFunc<(Vec<Event>,), (Result<Vec<Disposition>, Failure>,)>;
type HandleRequest = TypedFunc<(Request,), (Result<Response, Failure>,)>;

/// `handle` of `wasi:http/incoming-handler`.
type HandleIncoming = TypedFunc<(Resource<HostIncomingRequest>, Resource<HostResponseOutparam>), ()>;

/// The exports of an instance.
pub(crate) struct Guest {
    batch: Option<HandleBatch>,
    request: Option<HandleRequest>,
    http: Option<Endpoint>,
}

/// What answers HTTP requests.
enum Endpoint {
    /// The same call without the streams of `wasi:http`.
    Typed(HandleRequest),
    Wasi03(Service),
    Wasi02(HandleIncoming),
}

impl Guest {
    /// The exports that a version is known to have.
    pub(crate) fn new(version: &Version, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<Self> {
        let batch = version.batch.as_ref().map(|index| instance.get_typed_func(&mut *store, index)).transpose()?;
        let request = version.request.as_ref().map(|index| instance.get_typed_func(&mut *store, index)).transpose()?;
        let http = match (request.filter(|_| !version.does_tasks), &version.http) {
            (Some(handle), Some(_)) => Some(Endpoint::Typed(handle)),
            (None, Some(Http::Wasi03)) => Some(Endpoint::Wasi03(Service::new(&mut *store, instance)?)),
            (None, Some(Http::Wasi02(index))) => Some(Endpoint::Wasi02(instance.get_typed_func(&mut *store, index)?)),
            (_, None) => None,
        };
        Ok(Self { batch, request, http })
    }

    /// Hands over a batch.
    pub(crate) async fn batch(&self, accessor: &Accessor<State>, events: Vec<Event>) -> Answered<Vec<Disposition>> {
        match &self.batch {
            Some(handle) => Ok(response::batch(handle.call_concurrent(accessor, (events,)).await?.0)),
            None => Ok(Err(CallError::NotCallable("it does not export registration:workers/batch-worker".into()))),
        }
    }

    /// Hands over a request that did not come over HTTP.
    pub(crate) async fn request(&self, accessor: &Accessor<State>, request: Request) -> Answered<Response> {
        match &self.request {
            Some(handle) => Ok(response::request(handle.call_concurrent(accessor, (request,)).await?.0)),
            None => Ok(Err(CallError::NotCallable("it does not export registration:workers/request-worker".into()))),
        }
    }

    /// Hands over an HTTP request.
    pub(crate) async fn http(
        &self,
        accessor: &Accessor<State>,
        request: http::Request<Bytes>,
    ) -> Answered<http::Response<Bytes>> {
        match &self.http {
            Some(Endpoint::Typed(handle)) => typed(accessor, *handle, request).await,
            Some(Endpoint::Wasi03(service)) => wasi03(accessor, service, completed(request)).await,
            Some(Endpoint::Wasi02(handle)) => wasi02(accessor, *handle, completed(request)).await,
            None => Ok(Err(CallError::NotCallable("it does not export wasi:http/handler".into()))),
        }
    }
}

async fn typed(
    accessor: &Accessor<State>,
    handle: HandleRequest,
    request: http::Request<Bytes>,
) -> Answered<http::Response<Bytes>> {
    let answer = match request::typed(request) {
        Ok(request) => handle.call_concurrent(accessor, (request,)).await?.0,
        Err(refusal) => Ok(refusal),
    };
    Ok(request::answered(answer).map_err(|problem| response::failed(&problem)))
}

fn completed(request: http::Request<Bytes>) -> http::Request<Bytes> {
    let (mut parts, body) = request.into_parts();
    if let Some(Completion(complete)) = parts.extensions.remove() {
        complete(&mut parts);
    }
    http::Request::from_parts(parts, body)
}

async fn wasi03(
    accessor: &Accessor<State>,
    service: &Service,
    request: http::Request<Bytes>,
) -> Answered<http::Response<Bytes>> {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.into_parts();
    let headers = accessor.with(|mut access| FieldMap::new_immutable(access.get().http().hooks, parts.headers));
    let (request, io) =
        p3::Request::new(parts.method, uri.scheme, uri.authority, uri.path_and_query, headers, None, Full::new(body));
    let response = match service.handle(accessor, request).await? {
        Ok(response) => response,
        Err(code) => return Ok(Err(response::failed(&code.to_string()))),
    };
    let response = accessor.with(|access| response.into_http(access, io))?;
    Ok(response::http(response).await)
}

async fn wasi02(
    accessor: &Accessor<State>,
    handle: HandleIncoming,
    mut request: http::Request<Bytes>,
) -> Answered<http::Response<Bytes>> {
    let (sender, receiver) = oneshot::channel();
    // The guest blocks its store while it waits, also for room in the response, so that is read elsewhere.
    let answer = tokio::spawn(async move {
        match receiver.await {
            Ok(Ok(response)) => response::http(response).await,
            Ok(Err(code)) => Err(response::failed(&format!("{code:?}"))),
            Err(_) => Err(response::failed("it set no response")),
        }
    });
    if request.uri().authority().is_none() {
        request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static("localhost"));
    }
    let request = request.map(|body| Full::new(body).map_err(|never| -> wasmtime_wasi_http::Error { match never {} }));
    let handed = accessor.with(|mut access| {
        let mut http = access.get().http();
        wasmtime::error::Ok((http.new_incoming_request(Scheme::Http, request)?, http.new_response_outparam(sender)?))
    });
    handle.call_concurrent(accessor, handed?).await?;
    Ok(answer.await.unwrap_or_else(|_| Err(response::failed("its response could not be read"))))
}
