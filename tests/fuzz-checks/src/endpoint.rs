//! The HTTP endpoint: for any request to a path, the response is JSON and not a fault of the server, and a worker is
//! called only by callers that may call it. An input is a request as in HTTP/1.1: `POST /path`, headers, an empty line,
//! the body.

use backend_embedded::Embedded;
use bytes::Bytes;
use host_adapters_manifest::{App, ProvidedVariables, parse};
use host_adapters_platform::clock::Clock;
use host_adapters_platform::{
    Access, DataStreamAccess, DataStreamSpec, Declared, EventLogAccess, Grants, LogTopicSpec, ObjectAccess,
    PlatformService, QueueAccess, SubscriptionSpec, TopicSpec,
};
use host_adapters_records::{self as records, Caller, ErrorKind, Function, Platform, platform_functions};
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use std::cell::{Cell, OnceCell};
use std::path::Path;
use tokio::runtime::Runtime;
use worker_kit::endpoint::{answer_batch, answer_request};
use worker_kit::{BatchWorker, Call, Disposition, Event, Failure, RequestWorker, Response};

const SPIN_TOML: &str = include_str!("../../../spin.toml");
const WORKER_TOKEN: &str = "worker-token";
/// The caller of the platform.
const CALLER: &str = "caller";
const BUCKET: &str = "objects";
const STREAM: &str = "records";
const TOPIC: &str = "topic";
const LOG_TOPIC: &str = "events";

thread_local! {
    static HOST: OnceCell<Host> = const { OnceCell::new() };
    static CALLED: Cell<bool> = const { Cell::new(false) };
}

/// The host behind the endpoint. Its store is kept between inputs.
struct Host {
    app: App,
    platform: PlatformService,
    runtime: Runtime,
    _folder: tempfile::TempDir,
}

/// Checks one request.
pub fn run(data: &[u8]) {
    if let Some(request) = read(data) {
        HOST.with(|host| host.get_or_init(Host::start).answer(request));
    }
}

/// The request; `None` if an HTTP server would refuse it.
fn read(data: &[u8]) -> Option<Request<Full<Bytes>>> {
    let at = data.windows(2).position(|two| two == b"\n\n")?;
    let (head, body) = (std::str::from_utf8(data.get(..at)?).ok()?, data.get(at + 2..)?);
    let mut lines = head.split('\n');
    let (method, path) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::copy_from_slice(body))).ok()
}

impl Host {
    fn start() -> Self {
        let app = parse(Path::new("spin.toml"), SPIN_TOML, &ProvidedVariables::default())
            .expect("the manifest has no diagnostic");
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(1_705_312_800_000);
        let subscriptions = vec![SubscriptionSpec::of_all("saveEntriesQueue")].into();
        let declared = Declared {
            topics: [(TOPIC.to_owned(), TopicSpec { subscriptions })].into(),
            buckets: [BUCKET.to_owned()].into(),
            data_streams: [(STREAM.to_owned(), DataStreamSpec { shards: 2 })].into(),
            event_log: [(LOG_TOPIC.to_owned(), LogTopicSpec { partitions: 2 })].into(),
            ..app.declared()
        };
        let store = Embedded::open_with_clock(&folder.path().join("store"), &declared, clock).expect("a store");
        let store = std::sync::Arc::new(store);
        let grants = Grants {
            tables: [("demand-table".to_owned(), Access::ReadWrite)].into(),
            queues: [("saveEntriesQueue".to_owned(), QueueAccess::Send)].into(),
            documents: [("campaigns".to_owned(), Access::ReadWrite)].into(),
            objects: [(BUCKET.to_owned(), ObjectAccess { read: true, write: true, list: true })].into(),
            data_streams: [(STREAM.to_owned(), DataStreamAccess::Put)].into(),
            topics: [TOPIC.to_owned()].into(),
            event_log: [(LOG_TOPIC.to_owned(), EventLogAccess::Produce)].into(),
            ..Grants::default()
        };
        let platform = PlatformService {
            declared,
            grants: [(CALLER.to_owned(), grants)].into(),
            tables: store.clone(),
            queues: store.clone(),
            documents: store.clone(),
            data_streams: std::sync::Arc::new(store.data_streams()),
            topics: store.clone(),
            objects: store.clone(),
            identity: None,
            services: None,
            event_log: store,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { app, platform, runtime, _folder: folder }
    }

    fn answer(&self, request: Request<Full<Bytes>>) {
        let path = request.uri().path();
        if let Some(function) = path.strip_prefix("/platform/") {
            let (function, body) = (function.to_owned(), request.into_body());
            return self.runtime.block_on(self.function(&function, body));
        }
        let Some(matched) = self.app.routes.find(path) else { return };
        let route = matched.route;
        let is_batch = self.app.components[&route.component].sources.iter().any(|source| !source.does_tasks());
        let reply = if is_batch {
            self.runtime.block_on(batch(request))
        } else {
            let answer = answer_request::<Echo, _>(request, None, || "new".to_owned());
            self.runtime.block_on(answer).unwrap_or_else(|refusal| refusal)
        };
        assert!(matches!(reply.status, 200 | 400 | 401 | 403 | 405), "{reply:?}");
        let body: Value = serde_json::from_str(&reply.body).expect("a response is JSON");
        assert_eq!(reply.status == 200, body.get("error").is_none(), "{reply:?}");
    }

    /// A function of the platform, as the gateway calls it.
    async fn function(&self, path: &str, body: Full<Bytes>) {
        use http_body_util::BodyExt;
        let body = body.collect().await.expect("a body in memory").to_bytes();
        macro_rules! functions {
            ($($interface:ident $interface_wit:literal { $(
                $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)?
                    -> $output:ty;
            )* })*) => {
                match path {
                    $($(<records::$interface::$arguments>::PATH => {
                        let Ok(arguments) = serde_json::from_slice(&body) else { return };
                        read_again::<records::$interface::$arguments>(&arguments);
                        let answer = self.platform.$method(Caller::client(CALLER), arguments).await;
                        check(&serde_json::to_value(answer).expect("a result is JSON"));
                    })*)*
                    _ => {}
                }
            };
        }
        platform_functions!(functions);
    }
}

/// A batch worker is called only with the worker token, and only by POST.
async fn batch(request: Request<Full<Bytes>>) -> Response {
    let authorization = request.headers().get("authorization").map(|value| value.as_bytes().to_owned());
    let may_call = authorization.as_deref() == Some(b"Bearer worker-token") && request.method() == http::Method::POST;
    CALLED.set(false);
    let reply = answer_batch::<Settles, _>(request, Some(WORKER_TOKEN)).await.unwrap_or_else(|refusal| refusal);
    assert!(may_call || !CALLED.get(), "a worker was called without its token");
    assert!(may_call || matches!(reply.status, 401 | 405), "{reply:?}");
    reply
}

/// Arguments that were written as JSON are read as the same.
fn read_again<F: Function + PartialEq>(arguments: &F) {
    let text = serde_json::to_string(arguments).expect("arguments are JSON");
    let again: F = serde_json::from_str(&text).expect("arguments can be read");
    assert!(again == *arguments, "{text}");
}

/// A bad argument is the caller's fault: with `unavailable` the caller would retry forever.
fn check(answer: &Value) {
    let kinds = [ErrorKind::Unavailable, ErrorKind::Throttled].map(|kind| serde_json::json!(kind));
    let mut errors = vec![answer];
    errors.extend(answer.get("Ok").and_then(Value::as_array).into_iter().flatten());
    for error in errors {
        let kind = error.pointer("/Err/kind").or_else(|| error.get("kind"));
        assert!(kind.is_none_or(|kind| !kinds.contains(kind)), "{error}");
    }
}

/// Settles every record.
struct Settles;

impl BatchWorker for Settles {
    const NAME: &'static str = "settles";

    async fn handle(batch: Vec<Event>, _: &Call) -> Result<Vec<Disposition>, Failure> {
        CALLED.set(true);
        Ok(batch.iter().map(|_| Disposition::Ack).collect())
    }
}

/// Returns the request.
struct Echo;

impl RequestWorker for Echo {
    const NAME: &'static str = "echo";

    async fn handle(request: worker_kit::Request, _: &Call) -> Result<Response, Failure> {
        assert!(request.token.as_ref().is_none_or(|token| !token.is_empty()));
        Response::json(200, &(request.token, request.body))
    }
}
