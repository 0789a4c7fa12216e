//! The project's spin.toml, with the settings of a test.

use crate::support::fan::{AUDIENCE, ISSUER};
use fake_services::{FakeServices, Service};
use host_adapters::manifest::{self, App, ProvidedVariables, SourceConfig};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variable `worker_token`, which opens the batch workers over HTTP.
pub const WORKER_TOKEN: &str = "worker-token-of-a-test";
/// The token of the client `tester`, which only tests have.
pub const TESTER_TOKEN: &str = "tester-token-of-a-test";
/// The token of the client `operator` of spin.toml.
pub const OPERATOR_TOKEN: &str = "operator-token-of-a-test";

/// A client with the grants of several clients of spin.toml, which may also send to queues that only components feed.
const TESTER: &str = r#"
[application.tool.host-adapters.clients.tester]
token = "tester-token-of-a-test"

[application.tool.host-adapters.clients.tester.grants]
tables = { demand-table = "read-write" }
documents = { campaigns = "read-write" }
objects = { "scoring-bucket" = ["write"] }
queues = { saveEntriesQueue = "send", userInfoQueue = "send", retryScoreQueue = "send", saveSelectionQueue = "send", refreshSelectionQueue = "send", verdictReporterQueue = "send", dataQueue = "send", campaignDataQueue = "send", registrationDataQueue = "send" }
data_streams = { scoresStream = "put" }
"#;

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The project's manifest with these values of its variables, and the client `tester`.
///
/// # Panics
/// When the manifest has diagnostics or the components are not built.
pub(crate) fn manifest(variables: BTreeMap<String, String>) -> App {
    let path = root().join("spin.toml");
    let text = std::fs::read_to_string(&path).unwrap() + TESTER;
    let given = ProvidedVariables { named: variables, environment: BTreeMap::new() };
    let mut app = manifest::parse(&path, &text, &given).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    for component in app.components.values_mut() {
        let file = &component.source;
        assert!(file.exists(), "{} is not built: run `cargo verify`, which builds the components", file.display());
        component.environment.insert("LOG_LEVEL".to_owned(), "ERROR".to_owned());
    }
    app
}

/// Values of the variables for a host with these services.
pub fn variables(fakes: &FakeServices, jwks: &Path) -> BTreeMap<String, String> {
    let values = [
        ("entry_service_upstream", fakes.url(Service::Entry)),
        ("user_service_upstream", fakes.url(Service::User)),
        ("campaign_service_upstream", fakes.url(Service::Campaign)),
        ("code_service_upstream", fakes.url(Service::Code)),
        ("slack_webhook_url", fakes.upstream(Service::Slack)),
        ("identity_issuer", ISSUER.to_owned()),
        ("identity_audience", AUDIENCE.to_owned()),
        ("identity_jwks", jwks.display().to_string()),
        ("operator_token", OPERATOR_TOKEN.to_owned()),
        ("worker_token", WORKER_TOKEN.to_owned()),
    ];
    values.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Removes the table's stream as a source: the test itself sends to saveEntriesQueue.
pub fn without_stream(app: &mut App) {
    for component in app.components.values_mut() {
        component.sources.retain(|source| !matches!(source, SourceConfig::DynamodbStream(_)));
    }
}

/// Removes the sources of a worker: what would feed it waits.
pub fn without_sources(app: &mut App, worker: &str) {
    app.components.get_mut(worker).unwrap_or_else(|| panic!("no worker {worker}")).sources.clear();
}

/// Redelivers after three seconds instead of half a minute.
pub fn impatient(app: &mut App) {
    for component in app.components.values_mut() {
        for source in &mut component.sources {
            if let SourceConfig::Sqs(config) = source {
                config.visibility_timeout_secs = 3;
            }
        }
    }
}
