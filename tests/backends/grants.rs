//! Grants: every function refuses resources that its caller's grants do not name, and says what to write.

use host_adapters_manifest::{ManifestErrors, ProvidedVariables};
use host_adapters_platform::{Declared, Grants, PlatformService, ServiceBackend};
use host_adapters_records::data_streams::PutRecords;
use host_adapters_records::documents::{Find, FindOne, FindQuery, ReplaceOne, UpdateOne};
use host_adapters_records::event_log::Produce;
use host_adapters_records::identity::Verify;
use host_adapters_records::objects::{ByteRange, GetRange, Head, List, Put};
use host_adapters_records::queue::SendBatch;
use host_adapters_records::service::{CallService, ServiceRequest, ServiceResponse};
use host_adapters_records::table::{BatchGet, BatchUpdate, BatchWrite, Query, Update};
use host_adapters_records::topic::PublishBatch;
use host_adapters_records::{Caller, Error, ErrorKind, Platform};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tests::contract::embedded::{Opened, open};
use tests::contract::suites::backend::{BUCKET, COLLECTION, DATA_STREAM, QUEUE, TABLE};
use tests::contract::suites::data_streams::record;
use tests::contract::suites::event_log::{self, TOPIC};
use tests::contract::suites::queue::message;
use tests::contract::suites::table::key;
use tests::contract::suites::topics::{LONE_TOPIC, topic_message};

const FUNCTIONS: [&str; 26] = [
    "batch-get",
    "batch-write",
    "batch-update",
    "query",
    "send",
    "depth",
    "peek",
    "look",
    "redrive",
    "find",
    "find-page",
    "replace",
    "update-one",
    "head",
    "get-range",
    "put",
    "list",
    "put-records",
    "publish",
    "verify",
    "call",
    "versions",
    "swap",
    "produce",
    "partitions",
    "read-log",
];

const SERVICE: &str = "contract-service";

/// A service that answers everybody.
struct Responds;

#[async_trait::async_trait]
impl ServiceBackend for Responds {
    async fn call(&self, caller: Caller<'_>, service: &str, _: ServiceRequest) -> Result<ServiceResponse, Error> {
        Ok(ServiceResponse { status: 200, headers: vec![], body: format!("{service} answers {}", caller.name) })
    }
}

/// Reads grants as `spin.toml` has them, of an application in which every name of these tests is declared.
fn read(grants: &Value) -> Result<(Declared, Grants), ManifestErrors> {
    let names: String =
        [TABLE, QUEUE, DATA_STREAM, LONE_TOPIC, "other"].map(|name| format!("{name} = {{}}\n")).concat();
    let services = [SERVICE, "other"].map(|name| format!("{name} = {{ upstream = \"http://{name}\" }}\n")).concat();
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"grants\"\n[application.tool.host-adapters]\n\
         collections = [\"{COLLECTION}\"]\nbuckets = [\"{BUCKET}\", \"other\"]\n[application.tool.host-adapters.tables]\n{names}\
         [application.tool.host-adapters.queues]\n{names}[application.tool.host-adapters.data_streams]\n{names}\
         [application.tool.host-adapters.topics]\n{names}\
         [application.tool.host-adapters.event_log]\n\"{TOPIC}\" = {{}}\nother = {{}}\n\
         [application.tool.host-adapters.services]\n{services}[application.tool.host-adapters.clients.worker]\n\
         token = \"t\"\ngrants = {}\n",
        grants.to_string().replace("\":", "\" = ")
    );
    let app = host_adapters_manifest::parse(Path::new("spin.toml"), &text, &ProvidedVariables::default())?;
    Ok((app.declared(), app.host.clients["worker"].grants.clone()))
}

async fn service(grants: Value) -> (PlatformService, Opened) {
    let opened = open().await;
    let (declared, grants) = read(&grants).unwrap();
    let services = Some(Arc::new(Responds) as _);
    let service = PlatformService { declared, services, ..opened.platform("worker", grants) };
    (service, opened)
}

fn request() -> CallService {
    let request = ServiceRequest {
        method: "GET".into(),
        path: "/".into(),
        route: None,
        expects: vec![],
        headers: vec![],
        body: String::new(),
    };
    CallService { service: SERVICE.into(), request }
}

/// What is asked for of objects, and as the prefix of a list.
const OBJECT: &str = "scrubbed/1.csv";

/// Calls a function of objects by its name.
async fn object(platform: &PlatformService, caller: Caller<'_>, function: &str, key: &str) -> Result<(), Error> {
    let (bucket, key) = (BUCKET.to_owned(), key.to_owned());
    match function {
        "head" => platform.objects_head(caller, Head { bucket, key }).await.map(drop),
        "get-range" => {
            let (etag, range) = ("e".to_owned(), ByteRange { offset: 0, length: 1 });
            platform.objects_get_range(caller, GetRange { bucket, key, etag, range }).await.map(drop)
        }
        "put" => platform.objects_put(caller, Put { bucket, key, content: vec![] }).await.map(drop),
        "list" => platform.objects_list(caller, List { bucket, prefix: key, after: None, limit: 1 }).await.map(drop),
        other => panic!("{other}"),
    }
}

/// Calls a function by its name, on the contract's resources.
async fn call(platform: &PlatformService, name: &str, function: &str) -> Result<(), Error> {
    let caller = Caller::client(name);
    let (table, key) = (TABLE.to_owned(), key("p", "s"));
    let update = Update { key: key.clone(), set: vec![], increment: vec![], remove: vec![], condition: vec![] };
    match function {
        "batch-get" => platform.table_batch_get(caller, BatchGet { table, keys: vec![key] }).await.map(drop),
        "batch-write" => {
            let args = BatchWrite { table, puts: vec![], deletes: vec![key] };
            platform.table_batch_write(caller, args).await.map(drop)
        }
        "batch-update" => {
            platform.table_batch_update(caller, BatchUpdate { table, updates: vec![update] }).await.map(drop)
        }
        "query" => {
            let args = Query { table, pk: "p".into(), prefix: "".into(), after: None, limit: 1 };
            platform.table_query(caller, args).await.map(drop)
        }
        "send" => {
            let args = SendBatch { queue: QUEUE.into(), messages: vec![message("m")] };
            platform.queue_send_batch(caller, args).await.map(drop)
        }
        "depth" => platform.queue_depth(name, QUEUE).await.map(drop),
        "peek" => platform.queue_peek(name, QUEUE, 1).await.map(drop),
        "look" => platform.check_peek(name, QUEUE),
        "redrive" => platform.check_redrive(name, QUEUE),
        "find" => {
            let args = FindOne { collection: COLLECTION.into(), filter: "{}".into() };
            platform.documents_find_one(caller, args).await.map(drop)
        }
        "replace" => {
            let (filter, document) = ("{}".to_owned(), "{}".to_owned());
            let args = ReplaceOne { collection: COLLECTION.into(), filter, document };
            platform.documents_replace_one(caller, args).await
        }
        "find-page" => {
            let (filter, sort, projection) = ("{}".to_owned(), vec![], vec![]);
            let query = FindQuery { filter, sort, projection, limit: 1, after: None };
            platform.documents_find(caller, Find { collection: COLLECTION.into(), query }).await.map(drop)
        }
        "update-one" => {
            let (filter, update) = ("{}".to_owned(), r#"{"$set": {"n": 1}}"#.to_owned());
            let args = UpdateOne { collection: COLLECTION.into(), filter, update };
            platform.documents_update_one(caller, args).await.map(drop)
        }
        "head" | "get-range" | "put" | "list" => object(platform, caller, function, OBJECT).await,
        "put-records" => {
            let args = PutRecords { stream: DATA_STREAM.into(), records: vec![record("k", "x")] };
            platform.data_streams_put_records(caller, args).await.map(drop)
        }
        "publish" => {
            let args = PublishBatch { topic: LONE_TOPIC.into(), messages: vec![topic_message("m", vec![])] };
            platform.topic_publish_batch(caller, args).await.map(drop)
        }
        "verify" => platform.identity_verify(caller, Verify { token: "t".into() }).await.map(drop),
        "call" => platform.service_call(caller, request()).await.map(drop),
        "produce" => {
            let args = Produce { topic: TOPIC.into(), records: vec![event_log::record("k", "v")] };
            platform.event_log_produce(caller, args).await.map(drop)
        }
        "partitions" => platform.log_partitions(name, TOPIC).await.map(drop),
        "read-log" => platform.read_log(name, TOPIC, 0, None, 1).await.map(drop),
        "versions" => platform.check_read_components(name),
        "swap" => platform.check_swap_components(name),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn allow_what_they_name_and_nothing_else() {
    for (grants, allowed) in [
        (json!({}), vec![]),
        (json!({"tables": {TABLE: "read"}}), vec!["batch-get", "query"]),
        (json!({"tables": {TABLE: "write"}}), vec!["batch-write", "batch-update"]),
        (json!({"tables": {TABLE: "read-write"}}), vec!["batch-get", "query", "batch-write", "batch-update"]),
        (json!({"tables": {"other": "read-write"}}), vec![]),
        (json!({"queues": {QUEUE: "send"}}), vec!["send"]),
        (json!({"queues": {QUEUE: "peek"}}), vec!["depth", "peek", "look"]),
        (json!({"queues": {QUEUE: "redrive"}}), vec!["depth", "peek", "look", "redrive"]),
        (json!({"queues": {TABLE: "send"}, "tables": {QUEUE: "read-write"}}), vec![]),
        (json!({"documents": {COLLECTION: "read"}}), vec!["find", "find-page"]),
        (json!({"documents": {COLLECTION: "write"}}), vec!["replace", "update-one"]),
        (json!({"documents": {COLLECTION: "read-write"}}), vec!["find", "find-page", "replace", "update-one"]),
        (json!({"objects": {BUCKET: ["read"]}}), vec!["head", "get-range"]),
        (json!({"objects": {BUCKET: ["write"]}}), vec!["put"]),
        (json!({"objects": {BUCKET: ["list"]}}), vec!["list"]),
        (json!({"objects": {BUCKET: ["list", "write", "read"]}}), vec!["head", "get-range", "put", "list"]),
        (json!({"objects": {BUCKET: []}}), vec![]),
        (json!({"objects": {"other": ["read", "write", "list"]}}), vec![]),
        (json!({"objects": {format!("{BUCKET}/scrubbed/"): ["read"]}}), vec!["head", "get-range"]),
        (json!({"objects": {format!("{BUCKET}/fanlist/"): ["read"]}}), vec![]),
        (json!({"objects": {"*": ["write"], format!("{BUCKET}/scrubbed/"): ["list"]}}), vec!["list"]),
        (json!({"objects": {"*": ["write"]}}), vec!["put"]),
        (json!({"data_streams": {DATA_STREAM: "put"}}), vec!["put-records"]),
        (json!({"data_streams": {"*": "put"}}), vec!["put-records"]),
        (json!({"data_streams": {"other": "put"}}), vec![]),
        (json!({"topics": [LONE_TOPIC]}), vec!["publish"]),
        (json!({"topics": ["*"]}), vec!["publish"]),
        (json!({"topics": ["other"]}), vec![]),
        (json!({"identity": true}), vec!["verify"]),
        (json!({"services": [SERVICE]}), vec!["call"]),
        (json!({"services": ["other"]}), vec![]),
        (json!({"components": "read"}), vec!["versions"]),
        (json!({"components": "swap"}), vec!["versions", "swap"]),
        (json!({"event_log": {TOPIC: "produce"}}), vec!["produce"]),
        (json!({"event_log": {TOPIC: "read"}}), vec!["partitions", "read-log"]),
        (json!({"event_log": {"contract.*": "produce"}}), vec!["produce"]),
        (json!({"event_log": {"c*": "produce", TOPIC: "read"}}), vec!["produce", "partitions", "read-log"]),
        (json!({"event_log": {"*": "read"}}), vec!["partitions", "read-log"]),
        (json!({"event_log": {"other": "produce"}}), vec![]),
        (json!({"event_log": {"other*": "produce", "o*": "read"}}), vec![]),
    ] {
        let (platform, _opened) = service(grants.clone()).await;
        for function in FUNCTIONS {
            let denied = call(&platform, "worker", function).await.is_err_and(|error| error.kind == ErrorKind::Denied);
            assert_eq!(denied, !allowed.contains(&function), "{function} with {grants}");
            let error = call(&platform, "stranger", function).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Denied, "{function} by a stranger");
        }
    }
}

#[tokio::test]
async fn a_grant_of_a_part_of_a_bucket_is_of_the_keys_that_begin_so() {
    let part = format!("{BUCKET}/scrubbed/");
    let (platform, _opened) = service(json!({"objects": {part: ["read", "write", "list"]}})).await;
    for (key, allowed) in [
        ("scrubbed/1.csv", true),
        ("scrubbed/", true),
        ("scrubbed/../fanlist/1.csv", true),
        ("scrubbed", false),
        ("/scrubbed/1.csv", false),
        ("scrubbed%2F1.csv", false),
        ("Scrubbed/1.csv", false),
        ("fanlist/scrubbed/1.csv", false),
        ("", false),
    ] {
        for function in ["head", "get-range", "put", "list"] {
            let answer = object(&platform, Caller::client("worker"), function, key).await;
            let kind = answer.err().map(|error| error.kind);
            assert_eq!(kind != Some(ErrorKind::Denied), allowed, "{function} of {key}");
            if key.contains("..") && function != "list" {
                assert_eq!(kind, Some(ErrorKind::Invalid), "{function}: it leads nowhere else");
            }
        }
    }
}

#[tokio::test]
async fn a_call_of_objects_moves_4_mib_at_most() {
    let (platform, _opened) = service(json!({"objects": {BUCKET: ["read", "write"]}})).await;
    let (bucket, key, caller) = (BUCKET.to_owned(), OBJECT.to_owned(), Caller::client("worker"));
    let put = Put { bucket: bucket.clone(), key: key.clone(), content: vec![0; (4 << 20) + 1] };
    assert_eq!(platform.objects_put(caller, put).await.unwrap_err().kind, ErrorKind::TooLarge);
    assert_eq!(object(&platform, caller, "head", OBJECT).await.unwrap_err().kind, ErrorKind::NotFound);
    let (etag, range) = ("e".to_owned(), ByteRange { offset: 0, length: 1_000_000_000 });
    let refused = platform.objects_get_range(caller, GetRange { bucket, key, etag, range }).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::TooLarge, "{refused}");
}

/// An event may hold any text. S3 would get it in a header.
#[tokio::test]
async fn what_cannot_be_an_etag_is_of_no_version() {
    let (platform, _opened) = service(json!({"objects": {BUCKET: ["read", "write"]}})).await;
    let caller = Caller::client("worker");
    object(&platform, caller, "put", OBJECT).await.unwrap();
    for etag in ["a\nb".to_owned(), "a\0".to_owned(), "\"e\"".to_owned(), "e".repeat(1025), "e".repeat(100 << 10)] {
        let (bucket, key, range) = (BUCKET.to_owned(), OBJECT.to_owned(), ByteRange { offset: 0, length: 1 });
        let refused = platform.objects_get_range(caller, GetRange { bucket, key, etag, range }).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Changed, "{refused}");
    }
}

#[tokio::test]
async fn say_what_to_write() {
    let (platform, _opened) = service(json!({})).await;
    for (function, resource, line) in [
        ("query", TABLE, r#"tables = { "contract-table" = "read" } (or "read-write")"#),
        ("batch-update", TABLE, r#"tables = { "contract-table" = "write" } (or "read-write")"#),
        ("send", QUEUE, r#"queues = { "contractQueue" = "send" }"#),
        ("depth", QUEUE, r#"queues = { "contractQueue" = "peek" }"#),
        ("redrive", QUEUE, r#"queues = { "contractQueue" = "redrive" }"#),
        ("replace", COLLECTION, r#"documents = { "contract-campaigns" = "write" } (or "read-write")"#),
        ("head", "`objects/scrubbed/1.csv`", r#"objects = { "objects" = ["read"] } (or, of a part, "#),
        ("put", "`objects/scrubbed/1.csv`", r#"objects = { "objects" = ["write"] } (or, of a part, "#),
        ("list", "`objects/scrubbed/1.csv`", r#"objects = { "objects" = ["list"] } (or, of a part, "#),
        ("put-records", DATA_STREAM, r#"data_streams = { "contractStream" = "put" }"#),
        ("publish", LONE_TOPIC, r#"topics = ["contractLoneTopic"]"#),
        ("verify", "tokens", "identity = true"),
        ("call", SERVICE, r#"services = ["contract-service"]"#),
        ("versions", "components", r#"components = "read""#),
        ("swap", "components", r#"components = "swap""#),
        ("produce", TOPIC, r#"event_log = { "contract.events" = "produce" } (or, of several, "#),
        ("read-log", TOPIC, r#"event_log = { "contract.events" = "read" } (or, of several, "#),
    ] {
        let message = call(&platform, "worker", function).await.unwrap_err().message;
        for part in ["`worker`", resource, line, "[application.tool.host-adapters.clients.worker.grants]"] {
            assert!(message.contains(part), "{function}: {part} in {message}");
        }
    }
}

#[tokio::test]
async fn say_of_an_unknown_name_that_it_is_not_declared() {
    let (mut platform, _opened) = service(json!({})).await;
    platform.declared = Declared::default();
    for (functions, kind, name) in [
        (vec!["batch-get", "batch-write", "batch-update", "query"], "table", TABLE),
        (vec!["send", "depth", "peek", "look", "redrive"], "queue", QUEUE),
        (vec!["find", "find-page", "replace", "update-one"], "collection", COLLECTION),
        (vec!["head", "get-range", "put", "list"], "bucket", BUCKET),
        (vec!["put-records"], "data stream", DATA_STREAM),
        (vec!["publish"], "topic", LONE_TOPIC),
        (vec!["call"], "service", SERVICE),
        (vec!["produce", "partitions", "read-log"], "topic of the event log", TOPIC),
    ] {
        for function in functions {
            let error = call(&platform, "worker", function).await.unwrap_err();
            let said = format!("`worker` asks for the {kind} `{name}`, and spin.toml declares none of this name; ");
            assert_eq!(
                (error.kind, error.message.starts_with(&said)),
                (ErrorKind::Denied, true),
                "{function}: {error}"
            );
        }
    }
}

#[test]
fn refuse_unknown_words() {
    for (grants, word) in [
        (json!({"table": {}}), "table"),
        (json!({"tables": {TABLE: "all"}}), "all"),
        (json!({"queues": {QUEUE: "read"}}), "read"),
        (json!({"objects": {BUCKET: "read"}}), "a list of strings"),
        (json!({"objects": {BUCKET: ["raed"]}}), "write \"read\""),
        (json!({"objects": {"unknown/scrubbed/": ["read"]}}), "unknown bucket \"unknown\""),
        (json!({"objects": {"*/scrubbed/": ["read"]}}), "whole buckets"),
        (json!({"data_streams": {DATA_STREAM: "read"}}), "is not a grant"),
        (
            json!({"data_streams": {"contractSteam": "put"}}),
            "unknown data stream \"contractSteam\"; write \"contractStream\"",
        ),
        (json!({"topics": {LONE_TOPIC: "publish"}}), "topics is of type"),
        (json!({"topics": ["contractLoneTopc"]}), "unknown topic \"contractLoneTopc\"; write \"contractLoneTopic\""),
        (json!({"services": "all"}), "services"),
        (json!({"identity": "yes"}), "identity"),
        (json!({"components": "write"}), "write"),
        (json!({"event_log": {TOPIC: "write"}}), "is not a grant"),
        (json!({"event_log": {"contract.event": "read"}}), "unknown topic of the event log \"contract.event\"; write"),
        (json!({"event_log": {"contracts.*": "read"}}), "no topic of the event log begins with \"contracts.\""),
    ] {
        let error = read(&grants).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_service_is_called_for_who_is_granted_it() {
    let (mut platform, _opened) = service(json!({"services": [SERVICE]})).await;
    let caller = Caller::client("worker");
    let response = platform.service_call(caller, request()).await.unwrap();
    assert_eq!(response.body, "contract-service answers worker");
    platform.services = None;
    let error = platform.service_call(caller, request()).await.unwrap_err();
    assert_eq!(error, Error::new(ErrorKind::NotFound, "there is no service `contract-service`; configured: none"));
}

#[tokio::test]
async fn without_identity_say_so() {
    let (platform, _opened) = service(json!({"identity": true})).await;
    let error = call(&platform, "worker", "verify").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}
