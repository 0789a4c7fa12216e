//! The project's own spin.toml.

use super::*;
use host_adapters_platform::{Access, QueueAccess};
use host_adapters_sources::SourceConfig;
use host_adapters_sources::dynamodb_stream::DynamodbStreamConfig;
use host_adapters_sources::sqs::SqsConfig;

pub(super) const SPIN_TOML: &str = include_str!("../../../../spin.toml");

pub(super) fn project() -> App {
    parse_with(SPIN_TOML).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

#[test]
fn every_worker_has_a_route_and_a_build() {
    let app = project();
    let workers = ["check-eligibility", "enqueue-entries", "retry-score", "save-entries", "upsert-users"];
    for worker in workers {
        let component = &app.components[worker];
        let routes: Vec<_> = app.routes.of(worker).map(|route| route.route.clone()).collect();
        assert_eq!(routes, [format!("/workers/{worker}")]);
        assert_eq!(component.source, Path::new(&format!("target/components/{worker}.wasm")));
        assert!(component.build.is_some() && component.artifact.is_some(), "{worker}");
    }
    assert_eq!(app.components.len(), workers.len() + 1, "and gateway-client");
    assert_eq!(app.components["check-eligibility"].limits.max_instance_concurrent_reuse_count, 16);
}

#[test]
fn sources_are_those_of_the_documents() {
    let app = project();
    let queue = |name: &str, size, window, concurrency| {
        let config = SqsConfig { batch_size: size, batch_window_secs: window, ..SqsConfig::new(name) };
        vec![SourceConfig::Sqs(SqsConfig { max_concurrency: concurrency, ..config })]
    };
    assert_eq!(app.components["save-entries"].sources, queue("saveEntriesQueue", 25, 1, 8));
    assert_eq!(app.components["upsert-users"].sources, queue("userInfoQueue", 10, 0, 4));
    assert_eq!(app.components["retry-score"].sources, queue("retryScoreQueue", 10, 0, 2));
    let stream = DynamodbStreamConfig {
        parallelization_factor: 2,
        dead_letter_queue: Some("enqueueEntriesDlq".to_owned()),
        ..DynamodbStreamConfig::new("demand-table")
    };
    assert_eq!(app.components["enqueue-entries"].sources, [SourceConfig::DynamodbStream(stream)]);
    assert_eq!(app.components["check-eligibility"].sources, []);
}

#[test]
fn nobody_is_granted_more_than_the_work_takes() {
    let app = project();
    let grants = |id: &str| &app.components[id].grants;
    assert_eq!(grants("upsert-users"), grants("retry-score"));
    assert_eq!(grants("upsert-users"), &Default::default());
    assert_eq!(grants("check-eligibility").tables["demand-table"], Access::Read);
    assert!(grants("check-eligibility").identity);
    assert_eq!(grants("enqueue-entries").queues["saveEntriesQueue"], QueueAccess::Send);
    assert!(grants("enqueue-entries").tables.is_empty());
    assert_eq!(grants("save-entries").queues.len(), 1);
    for (id, component) in &app.components {
        let allows = |uri: &str| component.allowed_outbound_hosts.allows(&uri.parse().unwrap());
        assert!(!allows("http://127.0.0.1:8081/"), "{id} reaches a service past the host");
        assert_eq!(allows("redis://cache.embedded"), id == "check-eligibility", "{id}");
    }
}

#[test]
fn the_embedded_backend_holds_what_is_declared() {
    let config = project().embedded();
    let queues: Vec<_> = config.queues.keys().map(String::as_str).collect();
    let expected = [
        "enqueueEntriesDlq",
        "retryScoreQueue",
        "retryScoreQueueDlq",
        "saveEntriesQueue",
        "saveEntriesQueueDlq",
        "userInfoQueue",
        "userInfoQueueDlq",
    ];
    assert_eq!(queues, expected);
    let save = &config.queues["saveEntriesQueue"];
    assert_eq!((save.max_receive_count, save.dead_letter_queue.as_deref()), (3, Some("saveEntriesQueueDlq")));
    assert_eq!(config.queues["saveEntriesQueueDlq"].retention_secs, 14 * 24 * 3600);
    let table = &config.tables["demand-table"];
    assert!(table.stream && table.consumers.iter().eq(["enqueue-entries"]));
}

#[test]
fn no_token_has_a_value_in_the_file() {
    let app = project();
    assert!(app.host.clients.values().all(|client| client.token.is_secret() && client.token.expose().is_empty()));
    let tokens = app.components.values().flat_map(|component| &component.variables);
    assert!(tokens.filter(|(name, _)| name.ends_with("token")).all(|(_, it)| it.is_secret() && it.expose().is_empty()));
}

/// A queue's time holds for a source that names none of its own.
#[test]
fn visibility_is_the_queues_unless_the_source_has_its_own() {
    let of = |own: &str| {
        let app = app(&format!(
            "[application.tool.host-adapters.queues.slow]\nvisibility_timeout_secs = 90\n[component.a]\n\
             source = \"a.wasm\"\n[[component.a.tool.host-adapters.source]]\ntype = \"sqs\"\nqueue = \"slow\"\n{own}"
        ));
        let [SourceConfig::Sqs(config)] = &app.components["a"].sources[..] else { panic!("one source") };
        config.visibility_timeout_secs
    };
    assert_eq!((of(""), of("visibility_timeout_secs = 20\n")), (90, 20));
}
