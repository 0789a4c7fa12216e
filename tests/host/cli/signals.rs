//! Case 13: the first SIGINT drains and says what a second does; the second ends the host at once.

use super::connections::half_open;
use super::up::Up;
use rustix::process::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

/// The messages of a queue, whatever their state.
fn depth(up: &Up, queue: &str) -> u64 {
    let depths = up.ask(&["queues", "--json"], "planted-6f1e-operator").json();
    let queues = depths["queues"].as_array().unwrap();
    let queue = queues.iter().find(|it| it["name"] == queue).unwrap();
    ["visible", "inFlight", "delayed"].iter().map(|state| queue[*state].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_13_a_second_sigint_ends_the_host_at_once_and_nothing_is_lost() {
    let slow = ["--drain-secs", "60", "--body-timeout-secs", "600"];
    let mut up = Up::start_with("INFO", |command, _| {
        command.args(slow);
    });
    let message = json!({"body": r#"{"globalUserId":"g","email":"a@b.example"}"#, "attributes": [], "delay_secs": 0});
    let sent = json!({"queue": "userInfoQueue", "messages": [message]});
    let (status, answer) = up.platform("queue/send-batch", "planted-6f1e-resolver", sent).await;
    assert!(status == 200 && answer["Ok"][0]["Ok"].is_string(), "{answer}");
    // A request that does not end holds up the drain.
    let _open = half_open(&up.http, "body");
    tokio::time::sleep(Duration::from_millis(300)).await;

    let began = Instant::now();
    up.signal(Signal::INT);
    let log = up.folder.path().join("stderr");
    while !std::fs::read_to_string(&log).unwrap().contains("a second SIGINT ends it at once") {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", std::fs::read_to_string(&log).unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = Instant::now();
    up.signal(Signal::INT);
    let (code, _, log) = up.ended();
    assert_eq!(code, 130, "{log}");
    // The drain would take a minute.
    assert!(second.elapsed() < Duration::from_secs(20), "{:?} after the second: {log}", second.elapsed());

    let folder = std::mem::replace(&mut up.folder, tempfile::tempdir().unwrap());
    let again = Up::start_in(folder, "INFO", |_, _| ());
    assert_eq!(depth(&again, "userInfoQueue") + depth(&again, "userInfoQueueDlq"), 1);
}
