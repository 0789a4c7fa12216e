//! `host-adapters tasks`.

use super::host::{Errands, OPERATOR};
use crate::host::cli::{Outcome, command, run, run_with_input};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::process::{Child, Stdio};
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

    /// Begins a command as the operator. What it says on stderr is in a file of this name.
    fn begin_command(&self, arguments: &[&str], said: &str) -> Child {
        let mut command = command();
        command.arg("tasks").args(arguments).args(["--gateway", &self.child.gateway, "--token", OPERATOR]);
        let said = std::fs::File::create(self.file(said)).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap()
    }

    /// Ends such a command as Ctrl-C does; returns its exit code and what it has said.
    fn interrupt(&self, mut command: Child, said: &str) -> (Option<i32>, String) {
        kill_process(Pid::from_raw(i32::try_from(command.id()).unwrap()).unwrap(), Signal::INT).unwrap();
        let code = command.wait().unwrap().code();
        (code, std::fs::read_to_string(self.file(said)).unwrap())
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
        (&["stop", "errand", "nothing", "a"], 1, "has no execution `nothing`"),
        (&["start", "errand", "--for-each", "/nowhere"], 2, "/nowhere"),
        (&["list", "errand", "--max", "0"], 2, "0 is not in 1.."),
        (&["list", "errand", "--state", "odd"], 2, "possible values"),
        (&["list", "nobody"], 2, "no worker with tasks `nobody`"),
        (&["show", "nobody", "a"], 2, "no worker with tasks `nobody`"),
        (&["stop", "nobody", "a"], 2, "no worker with tasks `nobody`"),
    ] {
        let outcome = host.tasks(arguments, "").await;
        assert_eq!(outcome.code, code, "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(said), "{arguments:?}: {outcome:?}");
    }
    // A host that cannot be asked, or not so, about one element is not asked about any.
    let file = host.file("elements.json");
    std::fs::write(&file, "[{}, {}]").unwrap();
    let for_each = ["--for-each", file.to_str().unwrap()];
    let unknown = host.tasks(&[&["start", "nobody"][..], &for_each[..]].concat(), "").await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""), "{unknown:?}");
    for (gateway, token, said) in [
        ("http://127.0.0.1:1", OPERATOR, "is `host-adapters up` running?"),
        (host.child.gateway.as_str(), "guess", "does not know this token"),
    ] {
        for arguments in [&["list", "errand"][..], &[&["start", "errand"][..], &for_each[..]].concat()] {
            let outcome = run(&[&["tasks"][..], arguments, &["--gateway", gateway, "--token", token]].concat());
            assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{arguments:?}: {outcome:?}");
            assert!(outcome.stderr.contains(said), "{arguments:?}: {outcome:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stops_waiting_stops_no_execution_and_is_told_so() {
    let host = Errands::start().await;
    let one =
        host.begin_command(&["start", "errand", "long", r#"{"do":"wait","times":9,"ms":50000}"#, "--wait"], "one");
    host.begins("long").await;
    // The command reads the response to the start, and waits.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let (code, said) = host.interrupt(one, "one");
    assert_eq!(code, Some(130), "{said}");
    for part in ["the execution goes on", "`host-adapters tasks show errand long`", "tasks stop errand long`"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let inputs = json!([{"do": "tell", "n": "a"}, {"do": "wait", "times": 9, "ms": 50_000, "n": "b"}]);
    let file = host.file("elements.json");
    std::fs::write(&file, inputs.to_string()).unwrap();
    let arguments = ["start", "errand", "--for-each", file.to_str().unwrap(), "--name-by", "n", "--wait"];
    let all = host.begin_command(&arguments, "all");
    host.begins("b").await;
    host.begins("a").await;
    host.becomes("a", "succeeded").await;
    // The command looks for the end of an execution once a second.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let (code, said) = host.interrupt(all, "all");
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("of 2 executions 1 have ended, 1 go on without this command, 0 were not"), "{said}");
    for name in ["long", "b"] {
        assert_eq!(host.show(name).await["state"], "running", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_is_shown_and_told_to_those_who_wait() {
    let host = Errands::start().await;
    let call = r#"{"do":"call","service":"upstream"}"#;
    let waits = host.begin_command(&["start", "errand", "a", call, "--wait"], "said");
    let said = async || std::fs::read_to_string(host.file("said")).unwrap().contains("service:upstream").then_some(());
    wait::eventually("the pause is told", said).await;
    let shown = host.tasks(&["show", "errand", "a"], "").await.stdout;
    let is_shown = shown.lines().any(|line| line.starts_with("paused          service:upstream; for "));
    assert!(is_shown, "{shown}");
    let list = host.tasks(&["list", "errand"], "").await.stdout;
    assert!(list.contains("paused: service:upstream"), "{list}");
    let (code, said) = host.interrupt(waits, "said");
    assert_eq!((code, said.matches("errand is paused").count()), (Some(130), 1), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_each_starts_side_by_side_and_each_fails_alone() {
    let host = Errands::start().await;
    let lines = [
        json!({"do": "wait", "times": 9, "ms": 3000, "marketId": "m-1"}),
        json!({"do": "give", "message": "no such market", "marketId": "m-2"}),
        json!({"do": "wait", "times": 9, "ms": 3000, "marketId": "m-3"}),
        json!({"do": "fail", "times": 1, "marketId": "m-4"}),
        json!({"do": "tell", "marketId": "not a name"}),
    ];
    let lines = lines.map(|line| line.to_string()).join("\n");
    let began = std::time::Instant::now();
    let arguments = ["start", "errand", "--for-each", "-", "--name-by", "marketId", "--wait"];
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
    assert!(began.elapsed().as_secs() < 60);
    // They ran at the same time: the second began before the first had ended.
    let (one, other) = (host.show("m-1").await, host.show("m-3").await);
    assert!(other["startedMs"].as_u64().unwrap() < one["endedMs"].as_u64().unwrap(), "{one} {other}");

    // Again it finds the same executions, and starts none. A list says the same as lines.
    let list = format!("[{}]", lines.lines().collect::<Vec<_>>().join(","));
    let file = host.file("elements.json");
    std::fs::write(&file, list).unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["start", "errand", "--for-each", file, "--name-by", "marketId", "--wait", "--json"];
    let again = host.tasks(&arguments, "").await;
    assert_eq!(again.code, 1, "{again:?}");
    let executions = again.json()["executions"].as_array().unwrap().clone();
    let states: Vec<_> = executions.iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["succeeded", "failed", "succeeded", "succeeded", "unknown"]);
    assert_eq!(executions[0]["id"], one["id"]);

    let lines = "{\"do\":\"tell\"}\n{\"do\":\"wait\",\"times\":9,\"ms\":50000}\n";
    // Without `--wait` they are started, and that is all.
    let good = host.tasks(&["start", "errand", "run", "--for-each", "-"], lines).await;
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.stdout.contains("run-1") && good.stdout.contains("run-2"), "{good:?}");
    assert!(good.stdout.ends_with("2 started, 0 not started\n"), "{good:?}");
    assert_eq!(host.becomes("run-2", "running").await["attempts"], 1);
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
    let first = host.tasks(&["list", "errand", "--max", "1"], "").await;
    assert!(first.stdout.contains("long") && !first.stdout.contains("bad"), "{first:?}");
    assert!(first.stderr.contains("there are more than 1; --max shows more of them"), "{first:?}");
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
