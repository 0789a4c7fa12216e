//! Point 13: a host exposes exactly the metrics of docs/operations.md, and every query of the alerts and of the dashboard
//! asks for what is there.

use super::cached_in;
use super::documents::{Metric, alerts, metrics, panels};
use super::redis_server::{Manner, RedisServer};
use fake_services::{Faults, Service};
use promql::{AggregationAction, Node, OpMod, Vector};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use tests::workers::fixture;
use tests::{Fan, TestHost, entry, wait};

const JANE: Fan = Fan { id: "global-user-123", email: "fan@example.com" };
const CAMPAIGN: &str = "campaign-of-metrics";
const UPDATED: &str = "2024-01-15T10:30:00.000Z";

/// Functions whose result has only the labels that they are told to keep.
const AGGREGATIONS: [&str; 5] = ["avg", "count", "max", "min", "sum"];

/// What `/metrics` shows of each metric.
type Exposed = BTreeMap<String, Metric>;

/// Reads the text format. The samples of a histogram count as its own, and their label `le` is not one of the metric.
fn exposed(text: &str) -> Exposed {
    let mut exposed = Exposed::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        exposed.insert(name.to_owned(), Metric { kind: kind.to_owned(), labels: BTreeSet::new() });
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().unwrap();
        let metric = exposed.get_mut(base(name)).unwrap_or_else(|| panic!("{line} has no type"));
        metric.labels.extend(labels(line).into_iter().filter(|label| label != "le"));
    }
    exposed
}

/// The metric of a sample.
fn base(sample: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|suffix| sample.strip_suffix(suffix)).unwrap_or(sample)
}

/// The names of a sample's labels: what stands before `="`, after `{` or `,`.
fn labels(line: &str) -> Vec<String> {
    let parts: Vec<_> = line.split("=\"").collect();
    let names = parts[..parts.len() - 1].iter().map(|part| part.rsplit(['{', ',']).next().unwrap());
    names.map(str::to_owned).collect()
}

/// A host on which everything happens that is measured.
async fn exercised() -> (TestHost, RedisServer) {
    let redis = RedisServer::start(Manner::Hung).await;
    let host = TestHost::on(cached_in(&redis.url), |app| {
        for component in app.components.values_mut() {
            component.environment.insert("LOG_LEVEL".to_owned(), "WARN".to_owned());
        }
    })
    .await;
    host.put_campaign("artist-presale-2024").await;
    assert_eq!(host.eligibility(JANE, &fixture("check-eligibility", "appsync")).await.status, 200);
    host.faults(Service::Entry, Faults { unavailable: 1.0, ..Faults::default() });
    host.put_entry(&entry(CAMPAIGN, "fan", &json!({}), UPDATED)).await;
    wait::eventually("the pause", async || host.paused("save-entries").await).await;
    host.faults(Service::Entry, Faults::default());
    host.queue("userInfoQueue", &["{".to_owned()]).await;
    host.replicated(CAMPAIGN, "fan", UPDATED).await;
    // Only the tables of others make a host leave records out.
    host_adapters_platform::left_out("dynamodb-stream:metrics", "of a test");
    (host, redis)
}

/// What `/metrics` shows, once every documented metric is there: queues, for instance, are asked from time to time.
async fn shown(host: &TestHost) -> Exposed {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let exposed =
            exposed(&host.http().get(host.gateway_url("/metrics")).send().await.unwrap().text().await.unwrap());
        let all_there = metrics().iter().all(|(name, metric)| exposed.get(name) == Some(metric));
        if all_there || tokio::time::Instant::now() > deadline {
            return exposed;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn point_13_what_a_host_exposes_is_documented_and_what_is_asked_for_is_exposed() {
    let (host, _redis) = exercised().await;
    let exposed = shown(&host).await;
    assert_eq!(exposed, metrics(), "what /metrics shows, and docs/operations.md");

    let asked = alerts().into_iter().map(|alert| (alert.name, alert.query)).chain(panels());
    let asked: Vec<_> = asked.collect();
    assert!(asked.len() > 60, "{}", asked.len());
    for (of, query) in &asked {
        let wrong = faults(query, &exposed);
        assert!(wrong.is_empty(), "{of}: {wrong:?} in {query}");
    }
    // No metric is measured for nobody.
    let queries: String = asked.into_iter().map(|(_, query)| query).collect();
    for name in exposed.keys() {
        assert!(queries.contains(name.as_str()), "{name} is in no alert and in no panel");
    }
}

/// What is wrong with a query.
fn faults(query: &str, exposed: &Exposed) -> Vec<String> {
    let options = promql::ParserOptions::new().build();
    match promql::parse(query, &options) {
        Ok(node) => {
            let mut scope = Scope { exposed, faults: Vec::new() };
            scope.check(&node);
            scope.faults
        }
        Err(error) => vec![format!("not PromQL: {error:?}")],
    }
}

struct Scope<'e> {
    exposed: &'e Exposed,
    faults: Vec<String>,
}

impl Scope<'_> {
    /// Checks a node; returns the labels that its result may have.
    fn check(&mut self, node: &Node) -> BTreeSet<String> {
        match node {
            Node::Scalar(_) | Node::String(_) => BTreeSet::new(),
            Node::Negation(inner) => self.check(inner),
            Node::Vector(vector) => self.selector(vector),
            Node::Operator { op, args } => {
                let labels: BTreeSet<_> = args.iter().flat_map(|arg| self.check(arg)).collect();
                self.matching(op_mod(op), &labels);
                labels
            }
            Node::Function { name, args, aggregation } => {
                let mut labels: BTreeSet<_> = args.iter().flat_map(|arg| self.check(arg)).collect();
                if name == "label_replace" {
                    let texts: Vec<_> = args.iter().filter_map(text).collect();
                    self.known(&texts[2], &labels);
                    labels.insert(texts[0].clone());
                }
                let Some(by) = aggregation else {
                    return if AGGREGATIONS.contains(&name.as_str()) { BTreeSet::new() } else { labels };
                };
                assert_eq!(by.action, AggregationAction::By, "only `by` is used");
                by.labels.iter().for_each(|label| self.known(label, &labels));
                by.labels.iter().cloned().collect()
            }
        }
    }

    fn selector(&mut self, vector: &Vector) -> BTreeSet<String> {
        let name = vector.labels.iter().find(|label| label.name == "__name__").unwrap();
        let name = String::from_utf8(name.value.clone()).unwrap();
        let Some(metric) = self.exposed.get(base(&name)) else {
            self.faults.push(format!("there is no metric {name}"));
            return BTreeSet::new();
        };
        if (metric.kind == "histogram") != (base(&name) != name) {
            self.faults.push(format!("{} is a {}", base(&name), metric.kind));
        }
        let mut labels = metric.labels.clone();
        labels.extend(name.ends_with("_bucket").then(|| "le".to_owned()));
        for label in vector.labels.iter().filter(|label| label.name != "__name__") {
            self.known(&label.name, &labels);
        }
        labels
    }

    fn matching(&mut self, matching: Option<&OpMod>, labels: &BTreeSet<String>) {
        for label in matching.iter().flat_map(|matching| &matching.labels) {
            self.known(label, labels);
        }
    }

    fn known(&mut self, label: &str, labels: &BTreeSet<String>) {
        if !labels.contains(label) {
            self.faults.push(format!("there is no label {label} among {labels:?}"));
        }
    }
}

/// The labels on which two sides are matched.
fn op_mod(op: &promql::Op) -> Option<&OpMod> {
    use promql::Op;
    match op {
        Op::Pow(it) | Op::Mul(it) | Op::Div(it) | Op::Mod(it) | Op::Plus(it) | Op::Minus(it) => it.as_ref(),
        Op::Eq(_, it) | Op::Ne(_, it) | Op::Lt(_, it) | Op::Gt(_, it) | Op::Le(_, it) | Op::Ge(_, it) => it.as_ref(),
        Op::And(it) | Op::Unless(it) | Op::Or(it) => it.as_ref(),
    }
}

fn text(node: &Node) -> Option<String> {
    match node {
        Node::String(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    }
}

/// The checks themselves: each of these queries has a fault that they find.
#[test]
fn a_query_for_what_is_not_there_is_found() {
    let text = "# TYPE a counter\na{worker=\"w\"} 1\n# TYPE h histogram\nh_bucket{worker=\"w\",le=\"1\"} 1\nh_sum{worker=\"w\"} 1\n";
    let exposed = exposed(text);
    for right in [
        "sum by (worker) (rate(a[5m])) > 0",
        "histogram_quantile(0.9, sum by (le, worker) (rate(h_bucket{worker=~\"w.*\"}[5m])))",
        "label_replace(sum by (worker) (h_sum), \"queue\", \"$1\", \"worker\", \"(.+)\") unless on (worker) a",
    ] {
        assert_eq!(faults(right, &exposed), [""; 0]);
    }
    for (wrong, fault) in [
        ("b", "no metric b"),
        ("a_bucket", "a is a counter"),
        ("h", "h is a histogram"),
        ("a{source=\"s\"}", "no label source"),
        ("sum by (source) (a)", "no label source"),
        ("sum by (worker) (a) / on (queue) sum by (worker) (a)", "no label queue"),
        ("sum(a) > on (worker) sum(a)", "no label worker"),
        ("sum by (worker) (a", "not PromQL"),
        ("a > ", "not PromQL"),
    ] {
        let found = faults(wrong, &exposed);
        assert!(found.iter().any(|it| it.contains(fault)), "{wrong}: {found:?}");
    }
}
