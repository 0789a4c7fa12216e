//! The project's own spin.toml.

use super::*;
use host_adapters_delivery::OnReject;
use host_adapters_outbound::Auth;
use host_adapters_platform::{Access, EventLogAccess, Grants, ObjectAccess, QueueAccess};
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
    let called = app.components.values().filter(|component| app.is_called(component));
    let workers: Vec<_> = called.map(|component| component.id.as_str()).collect();
    assert!(workers.contains(&"check-eligibility") && !workers.contains(&"gateway-client"), "{workers:?}");
    for worker in &workers {
        let component = &app.components[*worker];
        let routes: Vec<_> = app.routes.of(worker).map(|route| route.route.clone()).collect();
        assert_eq!(routes, [format!("/workers/{worker}")]);
        assert_eq!(component.source, Path::new(&format!("target/components/{worker}.wasm")));
        assert!(component.build.is_some() && component.artifact.is_some(), "{worker}");
    }
    assert_eq!(app.components["check-eligibility"].limits.concurrency(), 16);
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
    assert_eq!(app.components["save-selections"].sources, queue("saveSelectionQueue", 25, 1, 8));
    assert_eq!(app.components["refresh-selections"].sources, queue("refreshSelectionQueue", 1, 0, 2));
    assert_eq!(app.components["report-verdicts"].sources, queue("verdictReporterQueue", 100, 1, 1));
    let drops = |name: &str, concurrency| {
        let config = SqsConfig { on_reject: OnReject::Drop, ..SqsConfig::new(name) };
        SourceConfig::Sqs(SqsConfig { max_concurrency: concurrency, ..config })
    };
    assert_eq!(app.components["process-data"].sources, [drops("dataQueue", 4)]);
    let types = [("campaign", 1), ("eventMapping", 1), ("market", 1), ("registeredMarket", 1), ("registration", 4)];
    let of_types = types.map(|(name, concurrency)| drops(&format!("{name}DataQueue"), concurrency));
    assert_eq!(app.components["send-data"].sources, of_types);
    assert_eq!(app.components["campaigns-by-event"].sources, []);
    let stream = |dlq: &str| {
        let stream = DynamodbStreamConfig {
            parallelization_factor: 2,
            dead_letter_queue: Some(dlq.to_owned()),
            ..DynamodbStreamConfig::new("demand-table")
        };
        // Changes of entries, and not those of scores, counts and progress.
        let pattern = r##"{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"USER#"}]}}}}"##;
        vec![SourceConfig::DynamodbStream(stream.filtered(pattern).unwrap())]
    };
    assert_eq!(app.components["enqueue-entries"].sources, stream("enqueueEntriesDlq"));
    assert_eq!(app.components["mark-assigned-codes"].sources, stream("markAssignedCodesDlq"));
    let counted = DynamodbStreamConfig {
        batch_size: 1_000,
        batch_window_secs: 1,
        maximum_retry_attempts: -1,
        strict_order: true,
        ..DynamodbStreamConfig::new("demand-table")
    };
    assert_eq!(app.components["count-verdicts"].sources, [SourceConfig::DynamodbStream(counted)], "REQ-002");
    assert_eq!(app.components["check-eligibility"].sources, []);
    let sources = &app.components["enqueue-market-selections"].sources;
    assert!(matches!(sources.as_slice(), [SourceConfig::Task(_)]), "{sources:?}");
}

#[test]
fn nobody_is_granted_more_than_the_work_takes() {
    let app = project();
    let grants = |id: &str| &app.components[id].grants;
    let only = |service: &str| Grants { services: [service.to_owned()].into(), ..Grants::default() };
    assert_eq!((grants("upsert-users"), grants("retry-score")), (&only("user"), &only("entry")));
    assert_eq!(grants("check-eligibility").tables["demand-table"], Access::Read);
    assert!(grants("check-eligibility").identity);
    assert_eq!(grants("enqueue-entries").queues["saveEntriesQueue"], QueueAccess::Send);
    assert!(grants("enqueue-entries").tables.is_empty());
    assert_eq!(grants("save-entries").queues.len(), 1);
    assert_eq!((grants("mark-assigned-codes"), grants("save-entry-scores")), (&only("code"), &only("entry")));
    let table = Grants { tables: [("demand-table".to_owned(), Access::ReadWrite)].into(), ..Grants::default() };
    assert_eq!((grants("save-fan-scores"), grants("count-verdicts")), (&table, &table));
    let sends = |id: &str, queues: &[&str]| {
        assert_eq!(grants(id).queues, queues.iter().map(|queue| ((*queue).to_owned(), QueueAccess::Send)).collect());
        assert_eq!(grants(id).services, only("entry").services);
    };
    sends("save-selections", &["verdictReporterQueue"]);
    sends("refresh-selections", &["saveSelectionQueue", "refreshSelectionQueue"]);
    assert_eq!(grants("save-selections").tables, [("demand-table".to_owned(), Access::ReadWrite)].into());
    assert!(grants("refresh-selections").tables.is_empty());
    let reporting = grants("report-verdicts");
    assert_eq!(reporting.services, only("slack").services);
    assert_eq!(reporting.queues, [("verdictReporterQueue".to_owned(), QueueAccess::Send)].into());
    assert_eq!(grants("campaigns-by-event"), &Grants { identity: true, ..only("campaign") });
    let documents = [("campaigns".to_owned(), Access::Read)].into();
    let publishing = Grants { documents, topics: ["dataSns".to_owned()].into(), ..Grants::default() };
    assert_eq!(grants("process-data"), &publishing);
    let event_log = [("prd2011.dmnd.*".to_owned(), EventLogAccess::Produce)].into();
    assert_eq!(grants("send-data"), &Grants { event_log, ..Grants::default() });
    let selecting = grants("enqueue-market-selections");
    assert_eq!(selecting.services, ["campaign", "code", "entry"].map(str::to_owned).into());
    assert_eq!(selecting.queues, [("saveSelectionQueue".to_owned(), QueueAccess::Send)].into());
    for (id, component) in &app.components {
        let allows = |uri: &str| component.allowed_outbound_hosts.allows(&uri.parse().unwrap());
        assert!(!allows("http://127.0.0.1:8081/"), "{id} reaches a service past the host");
        assert_eq!(allows("http://127.0.0.1:3100"), component.variables.contains_key("gateway_url"), "{id}");
        assert_eq!(allows("redis://cache.embedded"), component.variables.contains_key("redis_url"), "{id}");
    }
}

#[test]
fn the_embedded_backend_holds_what_is_declared() {
    let config = project().declared();
    let queues: Vec<_> = config.queues.keys().map(String::as_str).collect();
    let expected = [
        "countVerdictsDlq",
        "enqueueEntriesDlq",
        "markAssignedCodesDlq",
        "refreshSelectionQueue",
        "refreshSelectionQueueDlq",
        "retryScoreQueue",
        "retryScoreQueueDlq",
        "saveEntriesQueue",
        "saveEntriesQueueDlq",
        "saveSelectionQueue",
        "saveSelectionQueueDlq",
        "userInfoQueue",
        "userInfoQueueDlq",
        "verdictReporterQueue",
        "verdictReporterQueueDlq",
    ];
    assert!(expected.iter().all(|name| queues.contains(name)), "{queues:?}");
    let save = &config.queues["saveEntriesQueue"];
    assert_eq!((save.max_receive_count, save.dead_letter_queue.as_deref()), (100, Some("saveEntriesQueueDlq")));
    assert_eq!(config.queues["saveEntriesQueueDlq"].retention_secs, 14 * 24 * 3600);
    let table = &config.tables["demand-table"];
    assert!(table.stream && table.consumers.contains("enqueue-entries"));
}

#[test]
fn no_token_has_a_value_in_the_file() {
    let app = project();
    assert!(app.host.clients.values().all(|client| client.token.is_secret() && client.token.expose().is_empty()));
    let tokens = app.components.values().flat_map(|component| &component.variables);
    assert!(tokens.filter(|(name, _)| name.ends_with("token")).all(|(_, it)| it.is_secret() && it.expose().is_empty()));
}

/// Only the host knows where Slack is.
#[test]
fn the_webhook_is_a_secret_of_the_host() {
    let app = project();
    let slack = app.host.services.iter().find(|service| service.name == "slack").unwrap();
    assert_eq!((slack.settings.auth, slack.upstream.is_secret(), slack.upstream.expose()), (Auth::None, true, ""));
    let variables = app.components.values().flat_map(|component| component.variables.keys());
    assert!(!variables.into_iter().any(|name| name.contains("slack")));
    assert!(SPIN_TOML.matches("slack_webhook_url").count() == 2, "no component has it");
}

/// A queue's time holds for a source that names none of its own.
#[test]
fn visibility_and_receives_are_the_queues_unless_the_source_has_its_own() {
    let of = |own: &str| {
        let app = app(&format!(
            "[application.tool.host-adapters.queues.slow]\nvisibility_timeout_secs = 90\nmax_receive_count = 500\n[component.a]\n\
             source = \"a.wasm\"\n[[component.a.tool.host-adapters.source]]\ntype = \"sqs\"\nqueue = \"slow\"\n{own}"
        ));
        let [SourceConfig::Sqs(config)] = &app.components["a"].sources[..] else { panic!("one source") };
        (config.visibility_timeout_secs, config.max_receive_count)
    };
    assert_eq!((of(""), of("visibility_timeout_secs = 20\nmax_receive_count = 7\n")), ((90, 500), (20, 7)));
}

/// From its trigger to the end of its source, blank lines left out.
#[test]
fn the_block_of_a_worker_with_one_source_has_18_lines_at_most() {
    let app = project();
    let with_source = |id: &str| app.components.get(id).is_some_and(|component| component.sources.len() == 1);
    let blocks = SPIN_TOML.split("[[trigger.http]]\n").skip(1);
    let mut counted = 0;
    for block in blocks {
        let id = block.split_once("component = \"").unwrap().1.split_once('"').unwrap().0;
        if !with_source(id) {
            continue;
        }
        let (head, source) = block.split_once(&format!("[[component.{id}.tool.host-adapters.source]]\n")).unwrap();
        let source = source.split_once("\n\n").map_or(source, |(source, _)| source);
        let lines = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
        // The two headers were cut off.
        assert!(lines(head) + lines(source) + 2 <= 18, "{id}: {} lines", lines(head) + lines(source) + 2);
        counted += 1;
    }
    assert_eq!(counted, app.components.values().filter(|component| component.sources.len() == 1).count());
}

/// `"*"` stands for all that is declared; a component must name what it uses.
#[test]
fn a_client_may_be_granted_everything() {
    let grants = |own: &str| {
        let app = app(&format!(
            "[application.tool.host-adapters.services]\nentry = {{ upstream = \"http://a\" }}\n\
             user = {{ upstream = \"http://b\" }}\n\
             [application.tool.host-adapters.clients.c]\ntoken = \"t\"\ngrants = {own}\n"
        ));
        app.host.clients["c"].grants.clone()
    };
    let queues = grants(r#"{ queues = { "*" = "redrive", saveEntriesQueue = "send" } }"#).queues;
    let expected = [("saveEntriesQueue", QueueAccess::Send), ("saveEntriesQueueDlq", QueueAccess::Redrive)];
    assert_eq!(queues, expected.map(|(name, access)| (name.to_owned(), access)).into());
    let all = grants(r#"{ tables = { "*" = "read" }, documents = { "*" = "write" } }"#);
    let tables = ["demand-table", "quiet-table"].map(|name| (name.to_owned(), Access::Read));
    assert_eq!((all.tables, all.documents), (tables.into(), [("campaigns".to_owned(), Access::Write)].into()));
    let app = parse_with(
        &(BASE.replace("collections =", "buckets = [\"one\", \"two\", \"three\"]\ncollections =")
            + "[application.tool.host-adapters.clients.c]\ntoken = \"t\"\n\
               grants = { objects = { \"*\" = [\"list\"], \"two/a/\" = [\"read\", \"write\"], one = [] } }\n"),
    );
    let list = ObjectAccess { list: true, ..ObjectAccess::default() };
    let part = ObjectAccess { read: true, write: true, list: false };
    let expected = [("one", ObjectAccess::default()), ("three", list), ("two/a/", part)];
    let objects = &app.unwrap_or_else(|errors| panic!("{errors}")).host.clients["c"].grants.objects;
    assert_eq!(*objects, expected.map(|(name, access)| (name.to_owned(), access)).into());
    assert_eq!(grants(r#"{ services = ["*"] }"#).services, ["entry", "user"].map(str::to_owned).into());
}

/// `"*"` stands for every worker that does tasks.
#[test]
fn tasks_are_started_by_clients() {
    let app = app(
        "[application.tool.host-adapters.clients.all]\ntoken = \"t\"\ngrants = { tasks = { \"*\" = \"start\" } }\n\
         [application.tool.host-adapters.clients.one]\ntoken = \"u\"\ngrants = { tasks = { b = \"start\" } }\n\
         [component.a]\nsource = \"a.wasm\"\n[[component.a.tool.host-adapters.source]]\ntype = \"task\"\n\
         [component.b]\nsource = \"b.wasm\"\n[[component.b.tool.host-adapters.source]]\ntype = \"task\"\n\
         [component.c]\nsource = \"c.wasm\"\n",
    );
    let granted = |client: &str| app.host.clients[client].grants.tasks.keys().cloned().collect::<Vec<_>>();
    assert_eq!((granted("all"), granted("one")), (vec!["a".to_owned(), "b".to_owned()], vec!["b".to_owned()]));
    assert!(app.is_called(&app.components["a"]) && !app.is_called(&app.components["c"]));
}
