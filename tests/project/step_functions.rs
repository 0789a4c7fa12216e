//! The state machine of `deploy/step-functions` agrees with the host: names of errors, times, how markets are isolated.

use backend_step_functions::{DRAINED, FAILED, OUTAGE, RETRYABLE, WAITING};
use host_adapters::manifest::{self, ProvidedVariables, SourceConfig};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tests::programs::project;

const FOLDER: &str = "deploy/step-functions";

fn map() -> Value {
    let text = std::fs::read_to_string(project().join(FOLDER).join("select-winners.asl.json")).unwrap();
    let definition: Value = serde_json::from_str(&text).unwrap();
    definition["States"]["Markets"].clone()
}

fn states() -> BTreeMap<String, Value> {
    serde_json::from_value(map()["ItemProcessor"]["States"].clone()).unwrap()
}

fn task() -> Value {
    states()["Select"].clone()
}

#[test]
fn attempts_are_retried_by_the_names_that_the_host_gives() {
    let task = task();
    let retries = task["Retry"].as_array().unwrap();
    let times = |error: &str| {
        let of = |retry: &&Value| retry["ErrorEquals"].as_array().unwrap().iter().any(|name| name == error);
        retries.iter().find(of).map(|retry| retry["MaxAttempts"].as_u64().unwrap())
    };
    assert!(
        times(RETRYABLE) > Some(0) && times("States.Timeout") > Some(0) && times("States.HeartbeatTimeout") > Some(0)
    );
    assert!(times(DRAINED) >= Some(100), "a drain is not the task's failure");
    // Longer than a market may be held by a task that has died (16 minutes), were each wait the average one.
    let waiting = retries.iter().find(|retry| retry["ErrorEquals"] == serde_json::json!([WAITING])).unwrap();
    let of = |name: &str| waiting[name].as_u64().unwrap();
    assert!(of("MaxAttempts") * of("MaxDelaySeconds") / 2 > 16 * 60, "{waiting}");
    assert_eq!((times(FAILED), times("States.ALL")), (None, None), "not retried");
    for retry in retries {
        assert_eq!(retry["JitterStrategy"], "FULL");
        // What is not the task's failure is counted on its own.
        let names = retry["ErrorEquals"].as_array().unwrap();
        let is_apart = |name: &Value| [DRAINED, OUTAGE, WAITING].iter().any(|apart| name == apart);
        assert!(names.len() == 1 || !names.iter().any(is_apart), "{retry}");
    }
}

/// An outage of a day fails no market, were each wait the average one; and the markets that are retried side by side do not
/// fill the history of their execution, which has 25,000 events, three of each attempt (Step Functions: quotas).
#[test]
fn an_outage_of_a_day_fails_no_market() {
    let (map, task) = (map(), task());
    let outage = &task["Retry"][0];
    assert_eq!(outage["ErrorEquals"], serde_json::json!([OUTAGE]));
    let of = |name: &str| outage[name].as_u64().unwrap();
    assert!(of("MaxAttempts") * of("MaxDelaySeconds") / 2 > 24 * 3_600, "{outage}");
    assert!(of("MaxAttempts") * 3 * map["MaxConcurrency"].as_u64().unwrap() < 20_000, "{outage}");
}

/// A state that can fail has a way on inside the market's own states.
#[test]
fn no_market_can_fail_the_map() {
    let states = states();
    for (name, state) in &states {
        match state["Type"].as_str().unwrap() {
            "Pass" | "Choice" => {}
            "Task" => {
                let catch = &state["Catch"][0];
                assert_eq!(catch["ErrorEquals"], serde_json::json!(["States.ALL"]), "{name}");
                assert!(states.contains_key(catch["Next"].as_str().unwrap()), "{name}");
            }
            kind => panic!("{name} is a {kind}"),
        }
    }
}

/// Where a context object lacks one, every market would fail. LocalStack evaluates all of these in the tests of the backend.
#[test]
fn only_fields_that_every_context_object_has_are_used() {
    let text = map().to_string();
    let is_of_a_path = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let fields = text.split("$$.").skip(1).map(|rest| rest.split(|c: char| !is_of_a_path(c)).next().unwrap());
    let fields: BTreeSet<_> = fields.collect();
    assert_eq!(fields, ["Execution.Id", "Map.Item.Index", "Map.Item.Value", "State.RetryCount"].into());
}

#[test]
fn times_are_those_of_the_host() {
    let app = manifest::load(&project().join("spin.toml"), &ProvidedVariables::default()).unwrap();
    let worker = &app.components["enqueue-market-selections"];
    let SourceConfig::Task(source) = &worker.sources[0] else { panic!("{:?}", worker.sources) };
    let task = task();
    assert_eq!(task["HeartbeatSeconds"], 3 * source.heartbeat_secs);
    assert_eq!(task["TimeoutSeconds"], worker.limits.request_timeout().as_secs());
}

#[test]
fn the_readme_says_what_the_definition_says() {
    let (map, task) = (map(), task());
    let readme = std::fs::read_to_string(project().join(FOLDER).join("README.md")).unwrap();
    for said in [
        format!("`TimeoutSeconds` ({})", task["TimeoutSeconds"]),
        format!("`HeartbeatSeconds` ({})", task["HeartbeatSeconds"]),
        format!("`MaxConcurrency` ({})", map["MaxConcurrency"]),
        task["Resource"].as_str().unwrap().to_owned(),
    ] {
        assert!(readme.contains(&said), "{said}");
    }
}
