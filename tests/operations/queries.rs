//! Queries of alerts and panels: whether they use existing metrics, labels and values.

use super::documents::Metric;
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorSelector, parse};
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};

/// The values of a metric's labels.
pub type Values = BTreeMap<String, BTreeSet<String>>;

/// What `/metrics` shows of each metric.
pub type Exposed = BTreeMap<String, Shown>;

/// A metric with the values that its labels have.
pub struct Shown {
    pub metric: Metric,
    pub values: Values,
}

/// Reads the text format. The samples of a histogram count as its own, and their label `le` is not one of the metric, but
/// its values are known.
pub fn exposed(text: &str) -> Exposed {
    let mut exposed = Exposed::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let metric = Metric { kind: kind.to_owned(), labels: BTreeSet::new() };
        exposed.insert(name.to_owned(), Shown { metric, values: Values::new() });
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().unwrap();
        let shown = exposed.get_mut(base(name)).unwrap_or_else(|| panic!("{line} has no type"));
        for (label, value) in labels(line) {
            if label != "le" {
                shown.metric.labels.insert(label.clone());
            }
            shown.values.entry(label).or_default().insert(value);
        }
    }
    exposed
}

/// The metric of a sample.
fn base(sample: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|suffix| sample.strip_suffix(suffix)).unwrap_or(sample)
}

/// The labels of a sample, with their values as they are escaped.
fn labels(line: &str) -> Vec<(String, String)> {
    let mut rest = line.split_once('{').map_or("", |(_, labels)| labels);
    let mut labels = Vec::new();
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut escaped = false;
        let end = after.find(|char| {
            let ends = char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
            ends
        });
        let (value, after) = after.split_at(end.unwrap());
        labels.push((name.trim_start_matches(',').to_owned(), value.to_owned()));
        rest = &after[1..];
    }
    labels
}

/// What is wrong with a query.
#[derive(Debug, Default)]
pub struct Faults {
    /// What it asks for in vain, whatever the values are.
    pub shape: Vec<String>,
    /// Labels, and the values that they never have.
    pub values: Vec<(String, String)>,
}

/// What is wrong with a query, if this is exposed.
pub fn faults(query: &str, exposed: &Exposed) -> Faults {
    let mut scope = Scope { exposed, faults: Faults::default() };
    match parse(query) {
        Ok(expression) => drop(scope.check(&expression)),
        Err(error) => scope.faults.shape.push(format!("not PromQL: {error}")),
    }
    scope.faults
}

struct Scope<'e> {
    exposed: &'e Exposed,
    faults: Faults,
}

impl Scope<'_> {
    /// Checks an expression; returns the labels that its result may have.
    fn check(&mut self, expression: &Expr) -> BTreeSet<String> {
        match expression {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => BTreeSet::new(),
            Expr::Unary(unary) => self.check(&unary.expr),
            Expr::Paren(paren) => self.check(&paren.expr),
            Expr::Subquery(subquery) => self.check(&subquery.expr),
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Call(call) => self.call(call),
            Expr::Extension(_) => unreachable!("the parser makes none"),
        }
    }

    fn binary(&mut self, BinaryExpr { lhs, rhs, modifier, .. }: &BinaryExpr) -> BTreeSet<String> {
        let mut labels = self.check(lhs);
        labels.extend(self.check(rhs));
        let matching = modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
        for label in matching.iter().flat_map(|matching| &matching.labels().labels) {
            self.known(label, &labels);
        }
        labels
    }

    fn aggregate(&mut self, AggregateExpr { expr, modifier, .. }: &AggregateExpr) -> BTreeSet<String> {
        let labels = self.check(expr);
        match modifier {
            None => BTreeSet::new(),
            Some(LabelModifier::Include(by)) => {
                by.labels.iter().for_each(|label| self.known(label, &labels));
                by.labels.iter().cloned().collect()
            }
            Some(LabelModifier::Exclude(_)) => panic!("only `by` is used"),
        }
    }

    fn call(&mut self, Call { func, args }: &Call) -> BTreeSet<String> {
        let mut labels: BTreeSet<_> = args.args.iter().flat_map(|argument| self.check(argument)).collect();
        if func.name == "label_replace" {
            let texts: Vec<_> = args.args.iter().filter_map(|argument| text(argument)).collect();
            self.known(texts[2], &labels);
            labels.insert(texts[0].to_owned());
        }
        labels
    }

    fn selector(&mut self, selector: &VectorSelector) -> BTreeSet<String> {
        let name = selector.name.as_deref().expect("every query names its metrics");
        let Some(Shown { metric, values }) = self.exposed.get(base(name)) else {
            self.faults.shape.push(format!("there is no metric {name}"));
            return BTreeSet::new();
        };
        if (metric.kind == "histogram") != (base(name) != name) {
            self.faults.shape.push(format!("{} is a {}", base(name), metric.kind));
        }
        let mut labels = metric.labels.clone();
        labels.extend(name.ends_with("_bucket").then(|| "le".to_owned()));
        for matcher in &selector.matchers.matchers {
            self.known(&matcher.name, &labels);
            let missing = missing(matcher, values.get(&matcher.name));
            self.faults.values.extend(missing.into_iter().map(|value| (matcher.name.clone(), value)));
        }
        labels
    }

    fn known(&mut self, label: &str, labels: &BTreeSet<String>) {
        if !labels.contains(label) {
            self.faults.shape.push(format!("there is no label {label} among {labels:?}"));
        }
    }
}

fn text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::StringLiteral(text) => Some(&text.val),
        _ => None,
    }
}

/// Values that a matcher names, or excludes by name, and that do not exist.
fn missing(matcher: &Matcher, values: Option<&BTreeSet<String>>) -> Vec<String> {
    let is_pattern = matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_));
    let parts: Vec<_> = if is_pattern { matcher.value.split('|').collect() } else { vec![&*matcher.value] };
    let is_there = |part: &str| {
        let pattern = if is_pattern { part.to_owned() } else { regex_lite::escape(part) };
        let pattern = Regex::new(&format!("^(?:{pattern})$")).unwrap();
        values.is_some_and(|values| values.iter().any(|value| pattern.is_match(value)))
    };
    parts.into_iter().filter(|part| !is_there(part)).map(str::to_owned).collect()
}

const EXPOSED: &str = "\
# TYPE a counter
a{worker=\"w\",reason=\"a \\\"quoted\\\", one\"} 1
a{worker=\"v\",reason=\"\"} 1
# TYPE h histogram
h_bucket{worker=\"w\",le=\"1\"} 1
h_sum{worker=\"w\"} 1
";

/// The checks themselves: each of these queries has a fault that they find.
#[test]
fn a_query_for_what_is_not_there_is_found() {
    let exposed = exposed(EXPOSED);
    for right in [
        "sum by (worker) (rate(a[5m])) > 0",
        "histogram_quantile(0.9, sum by (le, worker) (rate(h_bucket{worker=~\"w.*\"}[5m])))",
        "label_replace(sum by (worker) (h_sum), \"queue\", \"$1\", \"worker\", \"(.+)\") unless on (worker) a",
        "a{worker!=\"v\"} / on () group_left () sum(a{worker=~\"v|w\"})",
    ] {
        let found = faults(right, &exposed);
        assert!(found.shape.is_empty() && found.values.is_empty(), "{right}: {found:?}");
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
        let found = faults(wrong, &exposed).shape;
        assert!(found.iter().any(|it| it.contains(fault)), "{wrong}: {found:?}");
    }
    let bound = faults("h_bucket{le=\"1\"} - ignoring (worker) h_bucket{le=\"2\"}", &exposed).values;
    assert_eq!(bound, [("le".to_owned(), "2".to_owned())]);
    for (wrong, value) in [
        ("a{worker=\"x\"}", "x"),
        ("a{worker!=\"ww\"}", "ww"),
        ("a{worker=~\"w|x\"}", "x"),
        ("rate(h_sum{worker!~\"v.*\"}[5m])", "v.*"),
    ] {
        assert_eq!(faults(wrong, &exposed).values, [("worker".to_owned(), value.to_owned())], "{wrong}");
    }
}

#[test]
fn values_are_read_as_they_are_shown() {
    let reasons = &exposed(EXPOSED)["a"].values["reason"];
    assert_eq!(reasons.iter().map(String::as_str).collect::<Vec<_>>(), ["", "a \\\"quoted\\\", one"]);
}
