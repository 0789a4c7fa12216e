//! Tasks on the real host: started over the gateway, by the command line, through kills and drains.

#![allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]

mod commands;
mod host;

use axum::Router;
use host::{Errands, OPERATOR, OUTSIDER, answer};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use tests::{serve, wait};
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_has_an_answer_or_an_error() {
    let host = Errands::start().await;
    for (name, input) in [
        ("told", json!({"do": "tell"})),
        ("digits", json!({"do": "output", "output": {"n": 7}})),
        ("refused", json!({"do": "refuse", "status": 422, "message": "no such market"})),
        ("given", json!({"do": "give", "message": "never"})),
        ("failing", json!({"do": "fail", "times": 2})),
        ("trapping", json!({"do": "trap", "times": 1})),
        ("nonsense", json!(["what"])),
    ] {
        let begun = host.begin(name, &input.to_string()).await;
        assert_eq!((&begun["name"], &begun["worker"], &begun["input"]), (&json!(name), &json!("errand"), &input));
    }
    let told = host.becomes("told", "succeeded").await;
    let id = &told["id"];
    assert_eq!(told["output"], json!({"taskId": id, "attempt": 1, "token": null, "correlationId": id}));
    assert!(told["endedMs"].as_u64().unwrap() >= told["startedMs"].as_u64().unwrap());
    assert_eq!(host.becomes("digits", "succeeded").await["output"], json!({"n": 7}));
    let refused = host.becomes("refused", "failed").await;
    assert_eq!((&refused["error"], &refused["attempts"]), (&json!("WorkerRefused"), &json!(1)));
    assert!(refused["cause"].as_str().unwrap().contains("no such market"), "{refused}");
    let given = host.becomes("given", "failed").await;
    assert_eq!((&given["error"], &given["cause"]), (&json!("WorkerRefused"), &json!("never")));
    assert_eq!(host.becomes("nonsense", "failed").await["attempts"], 1);
    let failing = host.becomes("failing", "succeeded").await;
    assert_eq!((&failing["attempts"], &failing["failures"], &failing["error"]), (&json!(3), &json!(2), &Value::Null));
    assert_eq!(failing["output"]["taskId"], failing["id"]);
    let trapping = host.becomes("trapping", "succeeded").await;
    assert_eq!((&trapping["attempts"], &trapping["output"]["attempt"]), (&json!(2), &json!(2)));

    let metrics = host.metrics().await;
    for series in [
        r#"registration_task_seconds_count{worker="errand",outcome="succeeded"} 4"#,
        r#"registration_task_seconds_count{worker="errand",outcome="failed"} 3"#,
        r#"registration_task_seconds_count{worker="errand",outcome="retried"} 3"#,
        r#"registration_acked_total{worker="errand",source="task"} 4"#,
    ] {
        assert!(metrics.contains(series), "{series}: {metrics}");
    }
    let log = host.log();
    for said in ["execution started", "execution succeeded", "execution failed", "attempt failed, another follows"] {
        assert!(log.contains(said), "{said}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_1__a_name_is_one_execution() {
    let host = Errands::start().await;
    let first = host.begin("a", r#"{"do": "output", "output": 12345678901234567890123}"#).await;
    host.becomes("a", "succeeded").await;
    let again = host.ask(Method::POST, "errand/a", r#"{"output":12345678901234567890123,"do":"output"}"#).await;
    assert_eq!((again.0, &again.1["id"], &again.1["state"]), (200, &first["id"], &json!("succeeded")));
    let (status, other) =
        host.ask(Method::POST, "errand/a", r#"{"do":"output","output":12345678901234567890124}"#).await;
    assert_eq!((status, &other["error"]["code"]), (409, &json!("EXECUTION_ALREADY_EXISTS")), "{other}");
    let hint = other["error"]["message"].as_str().unwrap();
    assert!(hint.ends_with("start this one under another name"), "{hint}");
    // The same bytes as a file that an editor has marked.
    let marked = "\u{feff}{\"do\": \"output\", \"output\": 12345678901234567890123}";
    assert_eq!(host.ask(Method::POST, "errand/a", marked).await.0, 200);
    // The id alone, from a log or a message, finds the execution.
    let path = format!("errand/{}", first["id"].as_str().unwrap());
    assert_eq!(host.ask(Method::GET, &path, "").await.1["name"], "a");
    let text = host.request(Method::GET, "errand/a", OPERATOR).send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r#""output": 12345678901234567890123"#), "as its input spells it: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_has_the_form_of_an_error() {
    let host = Errands::start().await;
    host.begin("there", "{\"do\":\"tell\"}").await;
    let large = format!("\"{}\"", "x".repeat(256 * 1024));
    let huge = "x".repeat(600 * 1024);
    for (method, path, token, body, refused) in [
        (Method::POST, "errand/a", "guess", "{}", (401, "UNAUTHORIZED")),
        (Method::POST, "errand/a", OUTSIDER, "{}", (403, "FORBIDDEN")),
        (Method::GET, "errand", OUTSIDER, "", (403, "FORBIDDEN")),
        (Method::GET, "errand/there", OUTSIDER, "", (403, "FORBIDDEN")),
        (Method::DELETE, "errand/there", OUTSIDER, "", (403, "FORBIDDEN")),
        (Method::POST, "nobody/a", OPERATOR, "{}", (404, "NOT_FOUND")),
        (Method::GET, "errand/nothing", OPERATOR, "", (404, "EXECUTION_NOT_FOUND")),
        (Method::DELETE, "errand/nothing", OPERATOR, "", (404, "EXECUTION_NOT_FOUND")),
        (Method::POST, "errand/a%20b", OPERATOR, "{}", (400, "INVALID_ARGUMENTS")),
        (Method::POST, "errand/%ff", OPERATOR, "{}", (400, "BAD_REQUEST")),
        (Method::POST, "errand/a", OPERATOR, "{", (400, "INVALID_ARGUMENTS")),
        (Method::POST, "errand/a", OPERATOR, &large, (400, "INVALID_ARGUMENTS")),
        (Method::POST, "errand/a", OPERATOR, &huge, (413, "PAYLOAD_TOO_LARGE")),
        (Method::GET, "errand?state=odd", OPERATOR, "", (400, "BAD_REQUEST")),
        (Method::GET, "errand?from=x", OPERATOR, "", (400, "INVALID_ARGUMENTS")),
        (Method::GET, "errand?limit=0", OPERATOR, "", (400, "INVALID_ARGUMENTS")),
        (Method::GET, "errand?limit=101", OPERATOR, "", (400, "INVALID_ARGUMENTS")),
        (Method::GET, "errand?limit=-1", OPERATOR, "", (400, "BAD_REQUEST")),
        (Method::POST, "errand/a", OPERATOR, "{\0}\0", (400, "INVALID_ARGUMENTS")),
        (Method::PUT, "errand/a", OPERATOR, "{}", (405, "METHOD_NOT_ALLOWED")),
        (Method::POST, "errand", OPERATOR, "{}", (405, "METHOD_NOT_ALLOWED")),
    ] {
        let request = host.request(method.clone(), path, token).body(body.to_owned());
        let (status, body) = answer(request).await;
        let code = body["error"]["code"].as_str().unwrap_or_default();
        assert_eq!((status, code), refused, "{method} {path}: {body}");
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    }
    let (_, denied) = answer(host.request(Method::GET, "errand", OUTSIDER)).await;
    let line = r#"tasks = { "errand" = "start" }"#;
    assert!(denied["error"]["message"].as_str().unwrap().contains(line), "{denied}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_are_listed_page_by_page_and_stopped() {
    let host = Errands::start().await;
    for n in 0..5 {
        host.begin(&format!("e{n}"), "{\"do\":\"tell\"}").await;
        host.becomes(&format!("e{n}"), "succeeded").await;
    }
    host.begin("long", r#"{"do":"wait","times":9,"ms":50000}"#).await;
    host.becomes("long", "running").await;
    let (mut names, mut from) = (Vec::new(), String::new());
    loop {
        let (status, page) = host.ask(Method::GET, &format!("errand?limit=4{from}"), "").await;
        assert_eq!(status, 200, "{page}");
        let executions = page["executions"].as_array().unwrap();
        assert!(executions.iter().all(|it| it["input"].is_null() && it["output"].is_null()), "{page}");
        names.extend(executions.iter().map(|it| it["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => from = format!("&from={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["long", "e4", "e3", "e2", "e1", "e0"]);
    let (_, running) = host.ask(Method::GET, "errand?state=running", "").await;
    assert_eq!(running["executions"].as_array().unwrap().len(), 1, "{running}");
    wait::eventually("the gauge", async || {
        host.metrics()
            .await
            .contains(r#"registration_task_executions{worker="errand",state="running"} 1"#)
            .then_some(())
    })
    .await;

    let (status, stopped) = host.ask(Method::DELETE, "errand/long", "").await;
    assert_eq!((status, &stopped["state"], &stopped["cause"]), (200, &json!("stopped"), &json!("stopped by operator")));
    wait::eventually("the end of its work", async || {
        let metrics = host.metrics().await;
        let ended = [r#"outcome="lost""#, r#"registration_instances{worker="errand"} 0"#];
        ended.iter().all(|it| metrics.contains(it)).then_some(())
    })
    .await;
    assert_eq!(host.ask(Method::DELETE, "errand/e0", "").await.1["state"], "succeeded", "it had ended");
}

/// Killed in the middle: what was in progress is made again, with the same id, at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_11__a_host_that_was_killed_resumes_its_executions() {
    let host = Errands::start().await;
    let begun = host.begin("a", r#"{"do":"wait","times":1,"ms":50000}"#).await;
    host.becomes("a", "running").await;
    // The worker has been called.
    host.logs("errand", 1).await;
    let host = host.kill_and_start().await;
    let ended = host.becomes("a", "succeeded").await;
    assert_eq!((&ended["id"], &ended["attempts"], &ended["failures"]), (&begun["id"], &json!(2), &json!(0)));
    assert_eq!(ended["output"]["attempt"], 2);
    assert!(host.log().contains("executions of tasks are resumed"), "{}", host.log());
}

/// Ended at any durable step, the host finishes the execution after a restart, and it is still the same one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_1__an_execution_survives_a_crash_at_each_step() {
    const INPUT: &str = r#"{"do":"fail","times":1}"#;
    let steps =
        ["receive:1", "response:1", "response:2", "side-effect:1", "before-commit:1", "commit:1", "before-commit:3"];
    for step in steps.into_iter().chain(["commit:3", "before-commit:5", "commit:5"]) {
        let host = Errands::that_aborts_at(step).await;
        // The response to the start may be lost with the host.
        let _ = host.request(Method::POST, "errand/a", OPERATOR).body(INPUT).send().await;
        wait::eventually(&format!("the crash at {step}"), async || {
            host.request(Method::GET, "errand/a", OPERATOR).send().await.is_err().then_some(())
        })
        .await;
        let host = host.kill_and_start().await;
        let (status, begun) = host.ask(Method::POST, "errand/a", INPUT).await;
        assert!(matches!(status, 200 | 201), "{step}: {begun}");
        let ended = host.becomes("a", "succeeded").await;
        assert_eq!((&ended["id"], &ended["output"]["taskId"]), (&begun["id"], &begun["id"]), "{step}");
        assert!(ended["attempts"].as_u64().unwrap() >= 2, "{step}: {ended}");
        let (_, all) = host.ask(Method::GET, "errand", "").await;
        assert_eq!(all["executions"].as_array().unwrap().len(), 1, "{step}: {all}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_10__a_drain_releases_what_takes_longer() {
    let answers = Arc::new(Notify::new());
    let answered = answers.clone();
    // A service that answers when the test says so.
    let service = move || {
        let answered = answered.clone();
        async move {
            answered.notified().await;
            "{}"
        }
    };
    let host = Errands::with_upstream(&serve(Router::new().fallback(service)).await).await;
    host.begin("short", r#"{"do":"call","service":"upstream"}"#).await;
    host.begin("long", r#"{"do":"wait","times":1,"ms":50000}"#).await;
    host.logs("errand", 2).await;
    host.drain().await;
    answers.notify_one();
    let host = host.start_after_drain().await;
    assert_eq!(host.becomes("short", "succeeded").await["attempts"], 1);
    let long = host.becomes("long", "succeeded").await;
    assert_eq!((&long["attempts"], &long["failures"]), (&json!(2), &json!(0)));
    assert!(host.log().contains("attempt released by the drain"), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_9__a_service_that_is_down_pauses_the_source() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    drop(server);
    let host = Errands::with_usual_waits(&format!("http://{address}")).await;
    host.begin("a", r#"{"do":"call","service":"upstream"}"#).await;
    wait::eventually("the pause", async || {
        let ready = host.ready().await;
        let source = ready["sources"][0].clone();
        assert_eq!(source["source"], "task");
        (source["paused"]["reason"] == "service:upstream").then_some(())
    })
    .await;
    host.begin("b", r#"{"do":"tell"}"#).await;
    assert_eq!(host.show("a").await["failures"], 0);
    assert_eq!(host.show("b").await["paused"]["reason"], "service:upstream", "why it does not begin");
    let (_, list) = host.ask(Method::GET, "errand", "").await;
    assert_eq!(list["executions"][0]["paused"]["reason"], "service:upstream", "{list}");
    let router = Router::new().fallback(|| async { "{}" });
    let server = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(server, router).await });
    for name in ["a", "b"] {
        let ended = host.becomes(name, "succeeded").await;
        assert_eq!((&ended["failures"], &ended["paused"]), (&json!(0), &Value::Null), "{name}");
    }
}

/// The worker is called again and again in an outage, over a crash.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_5__no_attempt_after_a_crash_has_the_number_of_an_earlier_one() {
    let host = Errands::start().await;
    host.begin("a", r#"{"do":"call","service":"upstream"}"#).await;
    let calls = |host: &Errands| -> Vec<u64> {
        let lines = host.log();
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == "errand").map(|line| line["data"]["attempt"].as_u64().unwrap()).collect()
    };
    wait::eventually("three calls", async || (calls(&host).len() >= 3).then_some(())).await;
    let host = host.kill_and_start().await;
    let before = calls(&host).len();
    wait::eventually("another call", async || (calls(&host).len() > before).then_some(())).await;
    let numbers = calls(&host);
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert_eq!(host.show("a").await["failures"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d13_13__an_execution_waits_for_another_one_and_has_not_failed() {
    let host = Errands::with_usual_waits(host::NOWHERE).await;
    host.begin("a", r#"{"do":"busy","times":3}"#).await;
    let waiting = wait::eventually("the wait", async || {
        let shown = host.show("a").await;
        shown["cause"].is_string().then_some(shown)
    })
    .await;
    assert!(waiting["cause"].as_str().unwrap().contains("it is taken") && waiting["error"].is_null(), "{waiting}");
    let ended = host.becomes("a", "succeeded").await;
    assert_eq!((&ended["attempts"], &ended["failures"], &ended["cause"]), (&json!(4), &json!(0), &Value::Null));
    let metrics = host.metrics().await;
    for series in [
        r#"registration_task_seconds_count{worker="errand",outcome="waiting"} 3"#,
        r#"registration_record_age_seconds_count{worker="errand",source="task"} 1"#,
    ] {
        assert!(metrics.contains(series), "{series}: {metrics}");
    }
}

/// Who calls it over HTTP needs the worker token, and may say which execution the request is of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_a_worker_that_does_tasks_takes_the_worker_token() {
    let host = Errands::start().await;
    let ask = async |token: Option<&str>| {
        let request = host.http.post(format!("{}/workers/errand", host.child.http)).body(r#"{"do":"tell"}"#);
        let request = request.header("x-task-id", "t-1").header("x-task-attempt", "3").header("x-correlation-id", "c");
        answer(token.into_iter().fold(request, |request, token| request.bearer_auth(token))).await
    };
    for token in [None, Some("guess")] {
        let (status, body) = ask(token).await;
        assert_eq!((status, &body["error"]["code"]), (401, &json!("UNAUTHORIZED")), "{body}");
    }
    let told = json!({"taskId": "t-1", "attempt": 3, "token": null, "correlationId": "c"});
    assert_eq!(ask(Some("worker-token")).await, (200, told));
}
