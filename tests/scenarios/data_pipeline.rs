//! The data pipeline, from dataQueue over the topic and the queues of the types to the event log (docs/pipeline.md).

use super::services::attribute;
use host_adapters::manifest::{self, App, ProvidedVariables};
use host_adapters_platform::EventLogAccess;
use host_adapters_records::Attribute;
use host_adapters_records::queue::{Message, SendBatch};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tests::workers::fixture;
use tests::{Logged, TestHost, WORKER_TOKEN, entry, log, wait};

const CAMPAIGN: &str = "campaign-123";
const QUEUE: &str = "dataQueue";
const REGISTRATIONS_QUEUE: &str = "registrationDataQueue";
const REGISTRATIONS: &str = "prd2011.dmnd.registrations";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";
/// Types with their topics.
const TOPICS: [(&str, &str); 5] = [
    ("CAMPAIGN", "prd2011.dmnd.campaigns"),
    ("EVENT_MAPPING", "prd2011.dmnd.event-mappings"),
    ("MARKET", "prd2011.dmnd.markets"),
    ("REGISTERED_MARKET", "prd2011.dmnd.registered-markets"),
    ("REGISTRATION", REGISTRATIONS),
];
const DEAD_LETTERS: [&str; 3] = ["dataQueueDlq", "campaignDataQueueDlq", "registrationDataQueueDlq"];

fn record(kind: &str, data: &Value) -> String {
    json!({"type": kind, "data": data}).to_string()
}

/// A fan's entry, as the resolver queues it.
fn registration(campaign: &str, fan: &str) -> String {
    record("REGISTRATION", &entry(campaign, fan, &json!({"email": "fan@example.com"}), UPDATED))
}

/// The same, as process-data publishes it.
fn published(campaign: &str, fan: &str) -> Value {
    json!({
        "recordId": format!("REGISTRATION:{campaign}/{fan}:{UPDATED}"), "campaignId": campaign, "globalUserId": fan,
        "fields": {"email": "fan@example.com"}, "date": {"updated": UPDATED},
    })
}

/// Sends messages with an attribute; returns their ids.
async fn send(host: &TestHost, queue: &str, bodies: &[String], attribute: (&str, &str)) -> Vec<String> {
    let attributes = vec![Attribute::text(attribute.0, attribute.1)];
    let message = |body: &String| Message { attributes: attributes.clone(), ..Message::new(body) };
    let send = SendBatch { queue: queue.to_owned(), messages: bodies.iter().map(message).collect() };
    host.platform(&send).await.into_iter().map(Result::unwrap).collect()
}

/// Waits until a topic has this many records.
async fn written(host: &TestHost, topic: &str, count: usize) -> Vec<Logged> {
    let what = format!("{count} records of {topic}");
    wait::eventually(&what, async || Some(host.logged(topic)).filter(|found| found.len() >= count)).await
}

/// The fans of the registrations that the event log has.
fn fans(host: &TestHost) -> BTreeSet<String> {
    let fan = |record: Logged| record.value["data"]["globalUserId"].as_str().unwrap().to_owned();
    host.logged(REGISTRATIONS).into_iter().map(fan).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn no_dead_letters(host: &TestHost) {
    for queue in DEAD_LETTERS {
        assert_eq!(host.depth(queue).await, 0, "{queue}: {:?}", host.peek(queue).await);
    }
}

/// The only dead letter of a queue.
async fn dead_letter(host: &TestHost, queue: &str) -> Value {
    let found = wait::eventually(queue, async || Some(host.peek(queue).await).filter(|it| !it.is_empty())).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Posts a worker an event of Lambda's.
async fn invoke(host: &TestHost, worker: &str, event: &Value) -> Value {
    let reply = host.post(&format!("/workers/{worker}"), Some(WORKER_TOKEN), event.to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

/// The ids in a list of the response.
fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["itemIdentifier"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn use_case_5_each_type_reaches_its_topic_with_key_value_and_dedup_id() {
    let host = TestHost::start().await;
    let event = fixture("process-data", "sqs");
    let bodies: Vec<_> = event["Records"].as_array().unwrap().iter().map(|it| it["body"].to_string()).collect();
    host.queue(QUEUE, &bodies).await;
    for (kind, topic) in TOPICS {
        let found = written(&host, topic, 1).await;
        let Logged { key, value, dedup_id, headers, .. } = &found[0];
        assert_eq!((found.len(), key.as_str(), headers.len()), (1, CAMPAIGN, 1), "{topic}: {found:?}");
        let members: BTreeSet<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, BTreeSet::from(["data", "type"]), "API usage, Kafka Publishing");
        assert_eq!(value["type"], kind);
        assert!(dedup_id.starts_with(&format!("{kind}:")), "{dedup_id}");
        assert_eq!(value["data"]["recordId"], **dedup_id);
    }
    let market = &host.logged("prd2011.dmnd.markets")[0].value;
    assert_eq!((&market["data"]["capacity"], &market["data"]["sharedCode"]), (&json!(500), &Value::Null));
    for queue in [QUEUE, "campaignDataQueue", REGISTRATIONS_QUEUE] {
        host.drained(queue).await;
    }
    no_dead_letters(&host).await;
}

/// "Reject record, log error, skip Kafka publish", and "rejected without retry".
#[tokio::test]
async fn use_case_5_invalid_record_types_and_empty_payloads_are_logged_once_and_dropped() {
    let host = TestHost::start().await;
    let bodies = [
        (record("VENUE", &json!({"id": "v"})), "unknown type: VENUE is none of "),
        (json!({"data": {"id": "c"}}).to_string(), "unknown type: is none of "),
        (record("REGISTRATION", &json!({})), "empty: /data"),
        (json!({"type": "MARKET"}).to_string(), "empty: /data"),
        ("not JSON".to_owned(), "malformed: "),
        (record("REGISTRATION", &json!({"campaignId": CAMPAIGN, "fields": "{}"})), "invalid: /data/globalUserId "),
    ];
    let mut all: Vec<_> = bodies.iter().map(|(body, _)| body.clone()).collect();
    all.push(registration(CAMPAIGN, "valid"));
    let sent = host.queue(QUEUE, &all).await;
    written(&host, REGISTRATIONS, 1).await;
    host.drained(QUEUE).await;
    for ((_, reason), id) in bodies.iter().zip(&sent) {
        let lines = log::lines("id", id);
        let told = lines.first().map(|line| (line["level"].clone(), line["reason"].as_str().unwrap().to_owned()));
        let (level, told) = told.unwrap_or_else(|| panic!("{reason}: no line"));
        assert_eq!((lines.len(), level), (1, json!("ERROR")), "{lines:?}");
        assert!(told.starts_with(reason), "{told}");
    }
    assert_eq!(fans(&host), set(&["valid"]));
    no_dead_letters(&host).await;
}

/// "Publish to Kafka only after schema validation passes" (purpose, Data Pipeline Rules).
#[tokio::test]
async fn use_case_5_schema_validation_failure_names_the_path_and_costs_no_other() {
    let host = TestHost::start().await;
    let mut invalid = entry(CAMPAIGN, "invalid", &json!({"email": "fan@example.com"}), UPDATED);
    (invalid["score"], invalid["fields"]) = (json!("high"), json!("fan@example.com"));
    let bodies = [registration(CAMPAIGN, "one"), record("REGISTRATION", &invalid), registration(CAMPAIGN, "two")];
    let correlation = "correlation-of-a-schema-failure";
    send(&host, QUEUE, &bodies, ("correlationId", correlation)).await;
    written(&host, REGISTRATIONS, 2).await;
    host.drained(REGISTRATIONS_QUEUE).await;
    let rejected = async || {
        let lines = log::lines("correlationId", correlation).into_iter();
        Some(lines.filter(|line| line["worker"] == "send-data" && line["level"] == "ERROR").collect::<Vec<_>>())
            .filter(|lines| !lines.is_empty())
    };
    let lines = wait::eventually("the line of the rejection", rejected).await;
    let reason = lines[0]["reason"].as_str().unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(reason.starts_with("invalid: ") && reason.contains("/data/score "), "{reason}");
    assert!(reason.contains("/data/fields ") && !reason.contains("fan@"), "paths and no values: {reason}");
    assert_eq!(fans(&host), set(&["one", "two"]));
    no_dead_letters(&host).await;
}

/// A queue takes 1 MiB, and so does the event log, where the record has its key and its dedup identifier besides.
#[tokio::test]
async fn use_case_5_kafka_publish_failure_of_one_record_costs_no_other() {
    let host = TestHost::start().await;
    let campaign = "c".repeat(2_000);
    let mut data = published(&campaign, "large");
    let room = 1024 * 1024 - record("REGISTRATION", &data).len() - 3_000;
    data["fields"]["note"] = "n".repeat(room).into();
    let bodies = [record("REGISTRATION", &published(&campaign, "small")), record("REGISTRATION", &data)];
    let ids = send(&host, REGISTRATIONS_QUEUE, &bodies, ("type", "REGISTRATION")).await;
    let dead = dead_letter(&host, "registrationDataQueueDlq").await;
    assert_eq!(attribute(&dead, "sourceMessageId"), ids[1]);
    let reason = attribute(&dead, "reason");
    assert!(reason.starts_with("invalid: ") && reason.contains("1048576"), "{reason}");
    written(&host, REGISTRATIONS, 1).await;
    host.drained(REGISTRATIONS_QUEUE).await;
    assert_eq!(fans(&host), set(&["small"]));
    assert_eq!(host.paused_queue(REGISTRATIONS_QUEUE).await, None, "no outage");
}

/// SNS takes 256 KiB, and a queue 1 MiB.
#[tokio::test]
async fn use_case_5_a_message_that_the_topic_refuses_costs_no_other() {
    let host = TestHost::start().await;
    let large = entry(CAMPAIGN, "large", &json!({"note": "n".repeat(300_000)}), UPDATED);
    let bodies = [registration(CAMPAIGN, "one"), record("REGISTRATION", &large), registration(CAMPAIGN, "two")];
    let ids = host.queue(QUEUE, &bodies).await;
    let dead = dead_letter(&host, "dataQueueDlq").await;
    assert_eq!(attribute(&dead, "sourceMessageId"), ids[1]);
    let reason = attribute(&dead, "reason");
    assert!(reason.starts_with("invalid: ") && reason.contains("262144"), "{reason}");
    written(&host, REGISTRATIONS, 2).await;
    host.drained(QUEUE).await;
    assert_eq!(fans(&host), set(&["one", "two"]));
}

#[tokio::test]
async fn use_case_5_kafka_client_unavailable_returns_all_valid_records_in_batch_item_failures() {
    let host = TestHost::start().await;
    let event = fixture("send-data", "sqs");
    host.break_event_log();
    let answer = invoke(&host, "send-data", &event).await;
    assert_eq!(ids(&answer["batchItemFailures"]), ["msg-1", "msg-2", "msg-3", "msg-4", "msg-5"]);
    assert_eq!(ids(&answer["rejected"]), ["msg-6"], "it can never be written");
    assert_eq!(answer["count"], json!({"received": 6, "processed": 0, "failed": 5, "rejected": 1}));
    host.mend_event_log();
    let answer = invoke(&host, "send-data", &event).await;
    assert_eq!(answer["count"], json!({"received": 6, "processed": 5, "failed": 0, "rejected": 1}));
    for (_, topic) in TOPICS {
        assert_eq!(host.logged(topic).len(), 1, "{topic}");
    }
}

/// How often the event log was called in vain.
async fn calls_in_vain(host: &TestHost) -> f64 {
    let labels = [("function", "event-log/produce"), ("caller", "send-data"), ("result", "unavailable")];
    host.metric("registration_platform_seconds_count", &labels).await
}

#[tokio::test]
async fn use_case_5_a_kafka_that_is_down_pauses_the_queue_and_spends_no_receives() {
    let host = TestHost::start().await;
    host.break_event_log();
    let fans_in_vain: Vec<_> = (0..9).map(|n| format!("fan-{n}")).collect();
    let bodies: Vec<_> = fans_in_vain.iter().map(|fan| registration(CAMPAIGN, fan)).collect();
    let before = calls_in_vain(&host).await;
    host.queue(QUEUE, &bodies).await;
    let paused = async || host.paused_queue(REGISTRATIONS_QUEUE).await;
    let reason = wait::eventually("the pause", paused).await;
    assert!(reason.contains(&format!("event-log:{REGISTRATIONS}")), "{reason}");

    // There are more calls than a record has attempts.
    wait::eventually("probes", async || (calls_in_vain(&host).await - before > 4.0).then_some(())).await;
    let waiting = host.peek(REGISTRATIONS_QUEUE).await;
    assert_eq!(waiting.len(), bodies.len());
    let receives: Vec<_> = waiting.iter().map(|message| message["receiveCount"].as_u64().unwrap()).collect();
    assert!(receives.iter().all(|count| *count <= 1), "{receives:?}");
    // Other types go on: a source pauses alone, and only when it has records.
    assert_eq!(host.paused_queue("campaignDataQueue").await, None);
    assert_eq!(host.paused("process-data").await, None);

    host.mend_event_log();
    written(&host, REGISTRATIONS, bodies.len()).await;
    host.drained(REGISTRATIONS_QUEUE).await;
    assert_eq!(fans(&host), fans_in_vain.into_iter().collect());
    let ended = async || host.paused_queue(REGISTRATIONS_QUEUE).await.is_none().then_some(());
    wait::eventually("the end of the pause", ended).await;
    no_dead_letters(&host).await;
}

/// "Use deduplication identifiers to prevent duplicate Kafka messages" (purpose, Data Pipeline Rules).
#[tokio::test]
async fn purpose_repeats_of_a_change_have_one_dedup_id_and_other_changes_others() {
    let host = TestHost::start().await;
    let later = "2024-01-15T10:30:00.001Z";
    let changed = record("REGISTRATION", &entry(CAMPAIGN, "fan", &json!({"email": "new@example.com"}), later));
    let bodies = [registration(CAMPAIGN, "fan"), registration(CAMPAIGN, "fan"), changed];
    host.queue(QUEUE, &bodies).await;
    host.drained(QUEUE).await;
    written(&host, REGISTRATIONS, 2).await;
    host.drained(REGISTRATIONS_QUEUE).await;
    let logged = host.logged(REGISTRATIONS);
    let by_id = |updated: &str| -> Vec<_> {
        let id = format!("REGISTRATION:{CAMPAIGN}/fan:{updated}");
        logged.iter().filter(|record| record.dedup_id == id).map(|record| record.value.clone()).collect()
    };
    let (first, second) = (by_id(UPDATED), by_id(later));
    // One where both came in a batch, else two, which a reader drops one of.
    assert!(!first.is_empty() && first.iter().all(|value| *value == first[0]), "{logged:?}");
    assert_eq!((second.len(), first.len() + second.len()), (1, logged.len()), "{logged:?}");
    assert_eq!(second[0]["data"]["fields"], json!({"email": "new@example.com"}));
    assert!(logged.iter().all(|record| record.key == CAMPAIGN), "one key, so one partition, in order");
}

/// Gives send-data other values of spin.toml's variables for the topics, and declares and grants these topics.
fn with_other_topics(app: &mut App) {
    let text = std::fs::read_to_string(&app.path).unwrap();
    let named = [("event_log_prefix", "qa."), ("event_log_topics", "REGISTRATION=registration.data")];
    let named = named.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let given = ProvidedVariables { named, environment: Default::default() };
    let read = manifest::parse(&app.path, &text, &given).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let send_data = app.components.get_mut("send-data").unwrap();
    for name in ["topic_prefix", "topic_names"] {
        send_data.variables.insert(name.to_owned(), read.components["send-data"].variables[name].clone());
    }
    send_data.grants.event_log =
        ["qa.*", "registration.data"].map(|name| (name.to_owned(), EventLogAccess::Produce)).into();
    let other = |name: String| match name.as_str() {
        REGISTRATIONS => "registration.data".to_owned(),
        _ => name.replace("prd2011.dmnd.", "qa."),
    };
    let topics = std::mem::take(&mut app.host.declared.event_log);
    app.host.declared.event_log = topics.into_iter().map(|(name, topic)| (other(name), topic)).collect();
}

#[tokio::test]
async fn decisions_the_prefix_and_each_name_of_a_topic_are_configuration() {
    let host = TestHost::with(with_other_topics).await;
    let event = fixture("process-data", "sqs");
    let bodies: Vec<_> = event["Records"].as_array().unwrap().iter().map(|it| it["body"].to_string()).collect();
    host.queue(QUEUE, &bodies).await;
    for (kind, topic) in [
        ("CAMPAIGN", "qa.campaigns"),
        ("EVENT_MAPPING", "qa.event-mappings"),
        ("MARKET", "qa.markets"),
        ("REGISTERED_MARKET", "qa.registered-markets"),
        ("REGISTRATION", "registration.data"),
    ] {
        let found = written(&host, topic, 1).await;
        assert_eq!((found.len(), &found[0].value["type"]), (1, &json!(kind)), "{topic}: {found:?}");
    }
    no_dead_letters(&host).await;
}

#[tokio::test]
async fn options_data_pipeline_turns_a_campaign_off_which_is_acknowledged_and_counted() {
    let host = TestHost::start().await;
    let mut off = host.put_campaign("vip-presale").await;
    off["options"]["dataPipeline"] = json!(false);
    host.put_document(&off).await;
    let id = off["id"].as_str().unwrap();
    let on = host.put_campaign("artist-presale-2024").await;
    let labels = [("worker", "process-data"), ("outcome", "off")];
    let metric = "registration_worker_pipeline_records_total";
    let before = host.metric(metric, &labels).await;
    let bodies = [
        record("CAMPAIGN", &off),
        registration(id, "off"),
        record("CAMPAIGN", &on),
        registration(on["id"].as_str().unwrap(), "on"),
        registration("a-campaign-without-a-document", "default"),
    ];
    host.queue(QUEUE, &bodies).await;
    written(&host, REGISTRATIONS, 2).await;
    written(&host, "prd2011.dmnd.campaigns", 1).await;
    host.drained(QUEUE).await;
    host.drained(REGISTRATIONS_QUEUE).await;
    assert_eq!(fans(&host), set(&["default", "on"]));
    let campaigns: Vec<_> = host.logged("prd2011.dmnd.campaigns").into_iter().map(|record| record.key).collect();
    assert_eq!(campaigns, [on["id"].as_str().unwrap()]);
    // Other hosts of the process count, too.
    let counted = async || (host.metric(metric, &labels).await - before >= 2.0).then_some(());
    wait::eventually("the count of records that are off", counted).await;
    no_dead_letters(&host).await;
}

/// The lag of replication is below 30 s ("Success Metrics" of purpose) while Kafka is down and records wait.
#[tokio::test]
async fn req_017_an_event_log_that_is_down_does_not_slow_replication() {
    let host = TestHost::start().await;
    host.break_event_log();
    let bodies: Vec<_> = (0..50).map(|n| registration(CAMPAIGN, &format!("waiting-{n:02}"))).collect();
    host.queue(QUEUE, &bodies).await;
    wait::eventually("the pause", async || host.paused_queue(REGISTRATIONS_QUEUE).await).await;

    let replicating: Vec<_> = (0..20).map(|n| format!("replicated-{n:02}")).collect();
    let items: Vec<_> = replicating.iter().map(|fan| entry(CAMPAIGN, fan, &json!({}), UPDATED)).collect();
    let began = Instant::now();
    host.put_entries(&items).await;
    for fan in &replicating {
        host.replicated(CAMPAIGN, fan, UPDATED).await;
    }
    let lag = began.elapsed();
    assert!(lag < Duration::from_secs(30), "{lag:?}");
    assert!(host.logged(REGISTRATIONS).is_empty(), "it is still down");

    host.mend_event_log();
    written(&host, REGISTRATIONS, bodies.len()).await;
    host.drained(REGISTRATIONS_QUEUE).await;
    no_dead_letters(&host).await;
}
