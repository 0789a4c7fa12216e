//! `host-adapters tasks`.

use super::host::{Errands, OPERATOR};
use crate::host::cli::{Outcome, run_with_input};
use serde_json::{Value, json};
use tests::wait;

impl Errands {
    /// Runs a command as the operator, with this input.
    async fn tasks(&self, arguments: &[&str], input: &str) -> Outcome {
        let operator = ["--gateway", &self.child.gateway, "--token", OPERATOR];
        let arguments: Vec<String> =
            ["tasks"].iter().chain(arguments).chain(&operator).map(ToString::to_string).collect();
        let input = input.to_owned();
        let run = move || run_with_input(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &input);
        tokio::task::spawn_blocking(run).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_waits_and_prints_the_output() {
    let host = Errands::start().await;
    let input = r#"{"do":"output","output":{"n":7}}"#;
    let started = host.tasks(&["start", "errand", "a", input, "--wait"], "").await;
    assert_eq!((started.code, started.stdout.as_str()), (0, "{\n  \"n\": 7\n}\n"), "{started:?}");
    // Without a name the first argument is the input; there is no waiting without `--wait`.
    let unnamed = host.tasks(&["start", "errand", "-", "--json"], r#"{"do":"wait","times":9,"ms":1000}"#).await;
    let unnamed = unnamed.json();
    assert!(unnamed["state"] == "scheduled" && unnamed["name"].as_str().unwrap().len() == 36, "{unnamed}");
    host.becomes(unnamed["name"].as_str().unwrap(), "succeeded").await;

    let failed = host.tasks(&["start", "errand", "b", r#"{"do":"give","message":"never"}"#, "--wait"], "").await;
    assert_eq!((failed.code, failed.stdout.as_str()), (1, ""), "{failed:?}");
    assert!(failed.stderr.contains("errand: b failed: WorkerRefused: never"), "{failed:?}");
    let other = host.tasks(&["start", "errand", "a", "{}"], "").await;
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.stderr.contains("with another input"), "{other:?}");
    for (arguments, code, said) in [
        (&["start", "nobody", "a"][..], 2, "there is no worker with tasks `nobody`; configured: `errand`"),
        (&["start", "errand", "a", "{"], 2, "not JSON"),
        (&["start", "errand", "a b"], 1, "cannot be named"),
        (&["start", "errand", "{}", "{}"], 2, "is not a name"),
        (&["start", "errand", "--name-by", "x"], 2, "--for-each"),
        (&["show", "errand", "nothing"], 1, "has no execution `nothing`"),
    ] {
        let outcome = host.tasks(arguments, "").await;
        assert_eq!(outcome.code, code, "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(said), "{arguments:?}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_each_starts_side_by_side_and_each_fails_alone() {
    let host = Errands::start().await;
    let lines = [
        json!({"do": "wait", "times": 9, "ms": 1500, "marketId": "m-1"}),
        json!({"do": "give", "message": "no such market", "marketId": "m-2"}),
        json!({"do": "wait", "times": 9, "ms": 1500, "marketId": "m-3"}),
        json!({"do": "fail", "times": 1, "marketId": "m-4"}),
        json!({"do": "tell", "marketId": "not a name"}),
    ];
    let lines = lines.map(|line| line.to_string()).join("\n");
    let began = std::time::Instant::now();
    let arguments = ["start", "errand", "--for-each", "-", "--name-by", "marketId"];
    let outcome = host.tasks(&arguments, &lines).await;
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let rows: Vec<Vec<&str>> = outcome.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let row = |name: &str| rows.iter().find(|row| row.first() == Some(&name)).unwrap_or_else(|| panic!("{outcome:?}"));
    for (name, state) in [("m-1", "succeeded"), ("m-2", "failed"), ("m-3", "succeeded"), ("m-4", "succeeded")] {
        assert_eq!(row(name)[1], state, "{outcome:?}");
    }
    assert!(outcome.stdout.contains("WorkerRefused: no such market"), "{outcome:?}");
    assert!(outcome.stdout.contains("cannot be named"), "{outcome:?}");
    assert!(outcome.stdout.ends_with("3 succeeded, 2 failed\n"), "{outcome:?}");
    assert!(began.elapsed().as_secs() < 30);
    // They ran at the same time: the second began before the first had ended.
    let (one, other) = (host.show("m-1").await, host.show("m-3").await);
    assert!(other["startedMs"].as_u64().unwrap() < one["endedMs"].as_u64().unwrap(), "{one} {other}");

    // Again it finds the same executions, and starts none. A list says the same as lines.
    let list = format!("[{}]", lines.lines().collect::<Vec<_>>().join(","));
    let file = host.file("elements.json");
    std::fs::write(&file, list).unwrap();
    let file = file.to_str().unwrap();
    let again = host.tasks(&["start", "errand", "--for-each", file, "--name-by", "marketId", "--json"], "").await;
    assert_eq!(again.code, 1, "{again:?}");
    let executions = again.json()["executions"].as_array().unwrap().clone();
    let states: Vec<_> = executions.iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["succeeded", "failed", "succeeded", "succeeded", "unknown"]);
    assert_eq!(executions[0]["id"], one["id"]);

    let good =
        host.tasks(&["start", "errand", "run", "--for-each", "-"], "{\"do\":\"tell\"}\n{\"do\":\"tell\"}\n").await;
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.stdout.contains("run-1") && good.stdout.contains("run-2"), "{good:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_are_listed_shown_and_stopped() {
    let host = Errands::start().await;
    let none = host.tasks(&["list", "errand"], "").await;
    assert_eq!((none.code, none.stdout.as_str()), (0, "no executions\n"));
    host.begin("bad", r#"{"do":"refuse","status":422,"message":"no"}"#).await;
    host.becomes("bad", "failed").await;
    host.begin("long", r#"{"do":"wait","times":9,"ms":50000}"#).await;
    host.becomes("long", "running").await;
    let list = host.tasks(&["list", "errand"], "").await.stdout;
    let names: Vec<_> = list.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["long", "bad"], "{list}");
    let failed = host.tasks(&["list", "errand", "--state", "failed", "--json"], "").await.json();
    assert_eq!(failed["executions"].as_array().unwrap().len(), 1, "{failed}");
    let shown = host.tasks(&["show", "errand", "bad"], "").await.stdout;
    for part in ["state           failed", "error           WorkerRefused", "status 422", "\"do\": \"refuse\""] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json: Value = host.tasks(&["show", "errand", "bad", "--json"], "").await.json();
    assert_eq!(json["input"]["status"], 422);

    let stopped = host.tasks(&["stop", "errand", "long"], "").await;
    assert_eq!((stopped.code, stopped.stdout.as_str()), (0, "errand: long stopped\n"), "{stopped:?}");
    let late = host.tasks(&["stop", "errand", "bad"], "").await;
    assert_eq!((late.code, late.stdout.as_str()), (1, "errand: bad failed\n"), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_a_worker_is_its_input() {
    let host = Errands::start().await;
    let generated = crate::host::cli::run(&["events", "generate", "task", "--body", r#"{"do":"tell"}"#]);
    assert_eq!(generated.code, 0, "{generated:?}");
    let started = host.tasks(&["start", "errand", "a", "-", "--wait"], &generated.stdout).await;
    assert_eq!(started.code, 0, "{started:?}");
    wait::eventually("the end", async || (host.show("a").await["state"] == "succeeded").then_some(())).await;
}
