//! Tasks of Step Functions, on LocalStack, with the state machine of `deploy/step-functions`. Here the backend alone;
//! `winners` has the whole host and the worker that selects winners.

mod definition;
mod machine;
mod process;
mod source;
mod winners;

use host_adapters_platform::task::{NextAttempt, TaskAttempt, TaskBackend, TaskError, TaskFailure};
use machine::{HEARTBEAT_SECS, Machine, WORKER};
use serde_json::{Value, json};
use std::time::Duration;

/// Step Functions knows no lease.
const LEASE: Duration = Duration::ZERO;
/// Longer than any execution takes to be handed over.
const LONG: Duration = Duration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_secs(HEARTBEAT_SECS);

impl Machine {
    async fn take(&self) -> TaskAttempt {
        self.activities.take(WORKER, LEASE, LONG).await.unwrap().expect("an execution is handed over")
    }

    async fn succeed(&self, attempt: &TaskAttempt) {
        assert!(self.activities.succeed(attempt, r#"{"selected": 1}"#).await.unwrap());
    }

    async fn fail(&self, attempt: &TaskAttempt, next: NextAttempt) {
        let failure = TaskFailure { error: TaskError::Refused, cause: "as tested".to_owned() };
        assert!(self.activities.fail(attempt, &failure, next).await.unwrap());
    }
}

fn market(attempt: &TaskAttempt) -> String {
    let input: Value = serde_json::from_str(&attempt.input).unwrap();
    assert_eq!(input["campaignId"], "campaign-123");
    input["marketId"].as_str().unwrap().to_owned()
}

fn succeeded(market: &str) -> Value {
    json!({"marketId": market, "outcome": "SUCCEEDED", "output": {"selected": 1}})
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d14_7__a_market_that_fails_stops_no_other() {
    let machine = Machine::start().await;
    let markets = json!([{"marketId": "a", "selectionCount": 3, "campaignId": "another"}, "b", {"id": "x"}, 7, "c"]);
    let execution = machine.select(markets).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let attempt = machine.take().await;
        let market = market(&attempt);
        match market.as_str() {
            "b" => machine.fail(&attempt, NextAttempt::Never).await,
            _ => machine.succeed(&attempt).await,
        }
        let index = attempt.task_id.strip_prefix(&format!("{execution}/")).unwrap().to_owned();
        seen.push((market, index, attempt.number, attempt.input.contains("selectionCount")));
    }
    seen.sort_unstable();
    let expected = [("a", "0", 1, true), ("b", "1", 1, false), ("c", "4", 1, false)];
    assert_eq!(seen, expected.map(|(market, index, number, all)| (market.to_owned(), index.to_owned(), number, all)));
    let error = json!({"Error": "Registration.Failed", "Cause": "WorkerRefused: as tested"});
    let outcomes = machine.outcomes(&execution).await;
    assert_eq!(outcomes[0], succeeded("a"));
    assert_eq!(outcomes[1], json!({"marketId": "b", "outcome": "FAILED", "error": error}));
    assert_eq!((&outcomes[2]["market"], &outcomes[2]["outcome"]), (&json!({"id": "x"}), &json!("FAILED")));
    assert_eq!((&outcomes[3]["market"], &outcomes[3]["outcome"]), (&json!(7), &json!("FAILED")));
    assert_eq!(outcomes[4], succeeded("c"));
    assert_eq!(machine.hosts(&execution).await, ["test"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d14_1__attempts_have_one_task_id_and_tokens_of_their_own() {
    let machine = Machine::start().await;
    let execution = machine.select(json!(["a"])).await;
    let first = machine.take().await;
    machine.fail(&first, NextAttempt::After(Duration::from_secs(1))).await;
    let second = machine.take().await;
    assert!(machine.activities.release(&second).await.unwrap());
    let third = machine.take().await;
    machine.succeed(&third).await;
    assert_eq!([&first, &second, &third].map(|attempt| attempt.number), [1, 2, 3]);
    assert!([&second, &third].iter().all(|attempt| attempt.task_id == first.task_id && attempt.input == first.input));
    assert!(first.token != second.token && second.token != third.token);
    assert_eq!(machine.outcomes(&execution).await, [succeeded("a")]);
    assert!(!machine.activities.succeed(&third, "{}").await.unwrap(), "it is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_keep_an_attempt() {
    let machine = Machine::start().await;
    let execution = machine.select(json!(["a"])).await;
    let attempt = machine.take().await;
    for _ in 0..9 {
        tokio::time::sleep(HEARTBEAT / 3).await;
        assert!(machine.activities.heartbeat(&attempt, LEASE).await.unwrap());
    }
    machine.succeed(&attempt).await;
    assert_eq!(machine.outcomes(&execution).await, [succeeded("a")]);
    assert_eq!(machine.hosts(&execution).await, ["test"], "one attempt");
}

#[tokio::test(flavor = "multi_thread")]
#[allow(non_snake_case, reason = "begins with a line of docs/delivery.md")]
async fn d14_4__an_attempt_without_heartbeats_is_followed_by_another() {
    let machine = Machine::start().await;
    let execution = machine.select(json!(["a"])).await;
    let (first, second) = (machine.take().await, machine.take().await);
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!(first.task_id, second.task_id);
    machine.succeed(&second).await;
    assert_eq!(machine.outcomes(&execution).await, [succeeded("a")]);
}

/// Longer than the time-out of all other requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_held_until_an_execution_starts() {
    let machine = Machine::start().await;
    let start = async {
        tokio::time::sleep(Duration::from_secs(33)).await;
        machine.select(json!(["a"])).await
    };
    let (attempt, execution) = tokio::join!(machine.take(), start);
    machine.succeed(&attempt).await;
    assert_eq!(machine.outcomes(&execution).await, [succeeded("a")]);
}
