//! One OTLP trace runs from the source through the worker to the service call, and on to the next worker.

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use fake_services::{FakeServices, Options, Service};
use host_adapters_records::Function;
use host_adapters_records::documents::ReplaceOne;
use host_adapters_records::table::BatchWrite;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tests::{AUDIENCE, Child, Fan, ISSUER, Signer, client, entry, programs, wait, workers};

const RESOLVER_TOKEN: &str = "resolver-token-of-a-test";
const SEEDER_TOKEN: &str = "seeder-token-of-a-test";
const CAMPAIGN: &str = "campaign-123";
const FAN: &str = "user-456";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

type Spans = Arc<Mutex<Vec<Span>>>;

/// A collector of OTLP over HTTP: its address, and the spans that it was sent.
async fn collector() -> (String, Spans) {
    let spans = Spans::default();
    let take = async |State(spans): State<Spans>, body: Bytes| {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        spans.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
    };
    let router = axum::Router::new().route("/v1/traces", post(take)).with_state(spans.clone());
    (tests::serve(router).await, spans)
}

/// The host in a separate process, because its exporter is configured by the environment.
async fn host(data: &std::path::Path, fakes: &FakeServices, endpoint: &str) -> Child {
    host_for(data, fakes, endpoint, &json!({ "keys": [] }).to_string()).await
}

/// The same, for fans whose tokens these keys verify.
async fn host_for(data: &std::path::Path, fakes: &FakeServices, endpoint: &str, jwks: &str) -> Child {
    let variables = [
        ("entry_service_upstream", fakes.url(Service::Entry)),
        ("user_service_upstream", fakes.url(Service::User)),
        ("campaign_service_upstream", fakes.url(Service::Campaign)),
        ("code_service_upstream", fakes.url(Service::Code)),
        ("identity_jwks", data.join("jwks.json").display().to_string()),
        ("identity_issuer", ISSUER.to_owned()),
        ("identity_audience", AUDIENCE.to_owned()),
        ("resolver_token", RESOLVER_TOKEN.to_owned()),
        ("seeder_token", SEEDER_TOKEN.to_owned()),
    ];
    let environment =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("LOG_LEVEL", "ERROR")];
    std::fs::write(data.join("jwks.json"), jwks).unwrap();
    let variables: BTreeMap<_, _> = variables.map(|(name, value)| (name.to_owned(), value)).into();
    Child::start(data, &variables, &environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).await
}

async fn put(host: &Child, item: &serde_json::Value) {
    let write = BatchWrite { table: "demand-table".to_owned(), puts: vec![item.to_string()], deletes: Vec::new() };
    let request = client().post(format!("{}/platform/{}", host.gateway, BatchWrite::PATH));
    let response = request.bearer_auth(RESOLVER_TOKEN).json(&write).send().await.unwrap();
    assert_eq!(response.json::<serde_json::Value>().await.unwrap(), json!({ "Ok": [null] }));
}

/// The text of an attribute; empty if there is none.
fn attribute(span: &Span, name: &str) -> String {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == name);
    match attribute.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// The span and all spans above it in its trace, the span itself first.
fn line(spans: &[Span], span: &Span) -> Vec<Span> {
    let mut line = vec![span.clone()];
    while let Some(parent) = spans.iter().find(|it| {
        let last = line.last().unwrap();
        it.trace_id == last.trace_id && it.span_id == last.parent_span_id
    }) {
        line.push(parent.clone());
    }
    line
}

fn kind(span: &Span) -> &'static str {
    SpanKind::try_from(span.kind).unwrap().as_str_name()
}

#[tokio::test]
async fn a_trace_runs_from_the_source_through_the_worker_to_the_service_call() {
    let (endpoint, spans) = collector().await;
    let fakes = FakeServices::start(Options::default()).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let host = host(data.path(), &fakes, &endpoint).await;
    put(&host, &entry(CAMPAIGN, FAN, &json!({}), UPDATED)).await;

    // All spans are waited for. They arrive in the order in which they end, the outermost last.
    let is_call = |span: &&Span| span.name == "POST entry";
    let line = wait::eventually("the trace", async || {
        let spans = spans.lock().unwrap();
        spans.iter().find(is_call).map(|call| line(&spans, call)).filter(|line| line.len() == 5)
    })
    .await;
    assert!(fakes.entries().holds(CAMPAIGN, FAN, UPDATED));

    let told: Vec<_> =
        line.iter().map(|span| (span.name.as_str(), kind(span), attribute(span, "span.workerName"))).collect();
    let expected = [
        ("POST entry", "SPAN_KIND_CLIENT", "saveEntries"),
        ("save-entries", "SPAN_KIND_INTERNAL", "saveEntries"),
        ("sqs:saveEntriesQueue process", "SPAN_KIND_CONSUMER", "saveEntries"),
        ("enqueue-entries", "SPAN_KIND_INTERNAL", "enqueueEntries"),
        ("dynamodb-stream:demand-table process", "SPAN_KIND_CONSUMER", "enqueueEntries"),
    ];
    assert_eq!(told, expected.map(|(name, kind, worker)| (name, kind, worker.to_owned())));
    let [call, worker, .., source] = &line[..] else { panic!("{line:?}") };
    assert!(source.parent_span_id.is_empty(), "the change begins the trace");
    let correlations: Vec<_> = line.iter().map(|span| attribute(span, "correlation.id")).collect();
    assert!(!correlations[0].is_empty() && correlations.iter().all(|id| *id == correlations[0]), "{correlations:?}");
    assert_eq!(attribute(call, "url.path"), format!("/{CAMPAIGN}/entries"));
    assert_eq!(attribute(call, "http.response.status_code"), "200");
    // All spans of a call name the version that served it: two spans of one worker, two of the other.
    let digests: Vec<_> = line.iter().map(|span| attribute(span, "component.digest")).collect();
    let [call_by, save, save_source, enqueue, enqueue_source] = &digests[..] else { panic!("{digests:?}") };
    assert!(digests.iter().all(|digest| digest.len() == 64), "{digests:?}");
    assert_eq!((save, save, enqueue), (call_by, save_source, enqueue_source));
    assert!(!attribute(worker, "correlation.awsRequestId").is_empty());
    // One id for each of the two calls, and the campaign throughout.
    let calls: Vec<_> = line.iter().map(|span| attribute(span, "correlation.awsRequestId")).collect();
    assert!(calls[0] == calls[1] && calls[1] == calls[2] && calls[3] == calls[4] && calls[0] != calls[3], "{calls:?}");
    assert!(line.iter().all(|span| attribute(span, "span.campaignId") == CAMPAIGN), "{line:?}");

    // The span that the worker measured itself is below its call.
    let spans = wait::eventually("the worker's own span", async || {
        let spans = spans.lock().unwrap();
        spans.iter().any(|span| span.name == "replicateEntries").then(|| spans.clone())
    });
    let spans = spans.await;
    let own = spans.iter().find(|span| span.name == "replicateEntries").unwrap();
    assert_eq!((&own.trace_id, &own.parent_span_id), (&worker.trace_id, &worker.span_id));
    assert_eq!(attribute(own, "component.digest"), attribute(worker, "component.digest"));
    assert_is_of(own, worker);
}

/// The attributes of API usage ("OpenTelemetry Tracing") on a span below that of its call.
fn assert_is_of(span: &Span, call: &Span) {
    for name in ["span.workerName", "span.campaignId", "correlation.id", "correlation.awsRequestId"] {
        assert_eq!(attribute(span, name), attribute(call, name), "{name} of {span:?}");
        assert!(!attribute(span, name).is_empty(), "{name} of {span:?}");
    }
}

/// A fan's request: AWS's id of it comes with AppSync's event, and the campaign is known when the worker has found it.
#[tokio::test]
async fn point_11_every_span_of_a_request_has_the_attributes_of_the_call() {
    let (endpoint, spans) = collector().await;
    let (fakes, signer) = (FakeServices::start(Options::default()).await.unwrap(), Signer::generate());
    let data = tempfile::tempdir().unwrap();
    let host = host_for(data.path(), &fakes, &endpoint, &signer.jwks()).await;
    let path = programs::project().join("tests/fixtures/domain/campaigns/artist-presale-2024.json");
    let mut campaign: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    campaign["gates"] = json!([{ "type": "invite" }, { "type": "idv" }]);
    let replace = ReplaceOne {
        collection: "campaigns".to_owned(),
        filter: json!({ "id": campaign["id"] }).to_string(),
        document: campaign.to_string(),
    };
    let request = client().post(format!("{}/platform/{}", host.gateway, ReplaceOne::PATH)).bearer_auth(SEEDER_TOKEN);
    assert_eq!(request.json(&replace).send().await.unwrap().status(), 200);
    fakes.invites().invite_email("campaign-789", "fan@example.com");

    let mut event = workers::fixture("check-eligibility", "appsync");
    event["request"]["headers"]["x-amzn-requestid"] = json!("aws-request-1");
    let fan = Fan { id: "global-user-123", email: "fan@example.com" };
    let request = client().post(format!("{}/workers/check-eligibility", host.http));
    let request = request.bearer_auth(signer.sign(&fan.claims_with("idv", json!(false)))).json(&event);
    assert_eq!(request.send().await.unwrap().status(), 200);

    let is_server = |span: &&Span| kind(span) == "SPAN_KIND_SERVER";
    let spans = wait::eventually("the trace", async || {
        let spans = spans.lock().unwrap();
        spans.iter().any(|span| is_server(&span)).then(|| spans.clone())
    });
    let spans = spans.await;
    let server = spans.iter().find(is_server).unwrap();
    assert_eq!(attribute(server, "correlation.awsRequestId"), "aws-request-1");
    assert_eq!(attribute(server, "span.campaignId"), "campaign-789");
    let below: Vec<_> = spans.iter().filter(|span| span.parent_span_id == server.span_id).collect();
    below.iter().for_each(|span| assert_is_of(span, server));
    let names: BTreeSet<_> = below.iter().map(|span| span.name.as_str()).collect();
    assert!(names.is_superset(&["POST entry", "GET user"].into()), "{names:?}");
}

/// AppSync names trace and correlation id in its event. A header over HTTP goes before them.
#[tokio::test]
async fn point_7_an_appsync_event_names_its_trace_and_correlation_id() {
    let (endpoint, spans) = collector().await;
    let fakes = FakeServices::start(Options::default()).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let host = host(data.path(), &fakes, &endpoint).await;
    let traceparent = |digit: &str| format!("00-{}-{}-01", digit.repeat(32), digit.repeat(16));
    let headers = json!({ "x-correlation-id": "from-the-event", "traceparent": traceparent("a") });
    let event = json!({ "arguments": {}, "request": { "headers": headers } });
    let ask = || client().post(format!("{}/workers/check-eligibility", host.http)).json(&event);
    assert_eq!(ask().send().await.unwrap().status(), 401);
    let over_http = ask().header("x-correlation-id", "from-http").header("traceparent", traceparent("b"));
    assert_eq!(over_http.send().await.unwrap().status(), 401);

    for (correlation_id, trace) in [("from-the-event", 0xaa), ("from-http", 0xbb)] {
        let span = wait::eventually("the request's span", async || {
            let spans = spans.lock().unwrap();
            spans.iter().find(|span| attribute(span, "correlation.id") == correlation_id).cloned()
        });
        let span = span.await;
        assert_eq!((span.trace_id, span.parent_span_id), (vec![trace; 16], vec![trace; 8]), "{correlation_id}");
    }
}
