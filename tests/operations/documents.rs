//! docs/operations.md: its tables and alerts, the rules for Prometheus that are generated from it, the dashboard.

use expect_test::expect_file;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tests::programs::project;

fn read(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap()
}

/// A metric in the table of metrics.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metric {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// The names of its labels.
    pub labels: BTreeSet<String>,
}

/// The table of metrics.
pub fn metrics() -> BTreeMap<String, Metric> {
    let page = read("docs/operations.md");
    let rows = page.lines().filter(|line| line.starts_with("| `registration_"));
    let metric = |row: &str| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, unit, labels, meaning] = &cells[..] else { panic!("{row}") };
        assert!(!unit.is_empty() && !meaning.is_empty(), "{row}");
        let labels = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        (name.trim_matches('`').to_owned(), Metric { kind: (*kind).to_owned(), labels })
    };
    rows.map(metric).collect()
}

/// What the table of metrics names besides the metrics and their labels: the values that labels have.
pub fn named_values() -> BTreeMap<String, BTreeSet<String>> {
    let page = read("docs/operations.md");
    let rows = page.lines().filter(|line| line.starts_with("| `registration_"));
    let values = rows.map(|row| {
        let (cells, meaning) = row.trim_end_matches('|').rsplit_once(" | ").unwrap();
        let mut values: BTreeSet<_> = meaning.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        if meaning.contains("`status`: HTTP's") {
            values.extend((100..600).map(|status| status.to_string()));
        }
        (cells.split('`').nth(1).unwrap().to_owned(), values)
    });
    values.collect()
}

/// An alert of the page.
pub struct Alert {
    pub name: String,
    /// The lines of the users' documents that it is for.
    pub reasons: String,
    pub after: String,
    pub query: String,
    /// What to do.
    pub advice: String,
}

impl Alert {
    /// Whether the page says that what it is for is not there yet.
    pub fn is_of_a_worker_to_come(&self) -> bool {
        self.advice.starts_with("Its workers are not there yet.")
    }
}

/// The alerts, in their order.
pub fn alerts() -> Vec<Alert> {
    let page = read("docs/operations.md");
    let (_, section) = page.split_once("\n## Alerts\n").unwrap();
    section.split("\n### ").skip(1).map(alert).collect()
}

fn alert(text: &str) -> Alert {
    let (name, rest) = text.split_once("\n\n").unwrap();
    let (head, rest) = rest.split_once("\n\n```promql\n").unwrap_or_else(|| panic!("{name} has no query"));
    let (query, advice) = rest.split_once("\n```\n").unwrap();
    let (reasons, after) = one_line(head).rsplit_once(" After ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let advice = one_line(advice);
    assert!(!advice.is_empty(), "{name} does not say what to do");
    Alert {
        name: name.to_owned(),
        reasons,
        after: after.trim_end_matches('.').to_owned(),
        query: query.to_owned(),
        advice,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The queries of the dashboard, each with its panel.
pub fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/registration-workers.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let queries = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(move |target| (title.to_owned(), target["expr"].as_str().unwrap().to_owned()))
    });
    queries.collect()
}

/// `UPDATE_EXPECT=1` writes the file. A text in JSON's quotes is one in YAML's.
#[test]
fn the_rules_for_prometheus_are_those_of_the_page() {
    let text = |text: &str| Value::from(text).to_string();
    let mut rules =
        "# Made of docs/operations.md, where each alert is explained (tests/operations/documents.rs).\n".to_owned();
    rules += "groups:\n  - name: registration-workers\n    rules:\n";
    for Alert { name, reasons, after, query, advice } in alerts() {
        rules += &format!("      - alert: {name}\n        expr: {}\n        for: {after}\n", text(&one_line(&query)));
        rules += &format!("        annotations:\n          summary: {}\n", text(&reasons));
        rules += &format!("          description: {}\n", text(&advice));
    }
    expect_file!["../../deploy/prometheus/rules.yaml"].assert_eq(&rules);
}

/// The lines of API usage's "Troubleshooting", and the success metrics of the documents.
const LINES: &[&str] = &[
    "Verify queue has messages",
    "Check Lambda concurrency limits",
    "Review CloudWatch logs for errors",
    "Check DLQ for failed messages",
    "Verify IAM permissions",
    "Monitor `saveEntriesQueue` depth",
    "Check Entry Service response times",
    "Review failed replication attempts in logs",
    "Verify MongoDB availability",
    "Check for race conditions (stale stream events)",
    "Verify Code Service has available codes",
    "Check code pool exhaustion",
    "Review code reservation logs",
    "Verify campaign/market mapping",
    "Check for concurrent reservation conflicts",
    "Entry replication success rate > 99.9% (3 retry attempts)",
    "Eligibility check response time < 500ms (p95)",
    "Campaign cache hit rate > 95% (Redis)",
    "Selection completion rate 100% (with retry on failure)",
    "Code reservation success rate 100% (pre-validation ensures sufficient pool)",
    "Verdict update latency < 30 seconds (from selection to DynamoDB write)",
    "Kafka publishing success rate > 99.5%",
    "Schema validation pass rate 100% (rejects invalid records)",
    "End-to-end latency < 5 minutes (entry change → Kafka message)",
    "Notification generation success rate > 99%",
    "SMS send timing accuracy within ±15 minutes of target (1 hour before presale)",
    "Email reminder trigger rate 100% (for eligible campaigns)",
    "Entry Service synchronization lag < 30 seconds (p99)",
    "DynamoDB → MongoDB consistency 100%",
    "Change validation rejection rate < 1% (race condition detection)",
    "Processing Success Rate",
    "Count Accuracy",
    "Notification Timeliness",
    "Stream Delivery",
    "Invalid Record Handling",
];

#[test]
fn point_13_each_line_of_the_documents_has_its_alert() {
    let alerts = alerts();
    for line in LINES {
        let quoted = format!("\"{line}\" (");
        assert!(alerts.iter().any(|alert| alert.reasons.contains(&quoted)), "{line} has no alert");
    }
    assert!(one_line(&read("docs/operations.md")).contains("\"Deduplication Effectiveness\""));
    let names: BTreeSet<_> = alerts.iter().map(|alert| &alert.name).collect();
    assert_eq!(names.len(), alerts.len(), "two alerts have one name");
}

#[test]
fn point_13_every_metric_in_the_code_is_documented() {
    let named = |folder, named_in: fn(&str) -> Vec<String>| {
        sources(folder).into_iter().flat_map(move |path| named_in(&std::fs::read_to_string(path).unwrap()))
    };
    let mut found: BTreeSet<_> = named("host-adapters", named_in).collect();
    assert!(found.len() > 20, "{found:?}");
    assert!(!found.iter().any(|name| name.starts_with("registration_worker_")), "workers' names: {found:?}");
    let of_workers: BTreeSet<_> = named("components", named_by_worker).collect();
    assert!(of_workers.len() > 1, "{of_workers:?}");
    found.extend(of_workers);
    let documented = metrics();
    let undocumented: Vec<_> = found.iter().filter(|name| !documented.contains_key(*name)).collect();
    assert!(undocumented.is_empty(), "not in docs/operations.md: {undocumented:?}");
}

/// The Rust files in a folder of the project.
fn sources(folder: &str) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![project().join(folder)], vec![]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => files.push(path),
                _ => {}
            }
        }
    }
    files
}

/// The names of metrics in a source of the host: its texts that begin with the prefix of all metrics. Those that end in
/// `_` are prefixes themselves.
fn named_in(text: &str) -> Vec<String> {
    let names = text.split("\"registration_").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
    names.filter(|name| is_name(name)).map(|name| format!("registration_{name}")).collect()
}

/// The names of metrics in a source of a worker, as the host shows them: its texts that end as such names do.
fn named_by_worker(text: &str) -> Vec<String> {
    let names = text.split('"').filter(|name| name.ends_with("_total") || name.ends_with("_seconds"));
    names.filter(|name| is_name(name)).map(|name| format!("registration_worker_{name}")).collect()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.ends_with('_') && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}
