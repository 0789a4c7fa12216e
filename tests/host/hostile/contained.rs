//! Every harmful deed costs the caller its response and the guest its instance, and does not affect others.

use super::host::{Hostile, Neighbour};
use serde_json::Value;
use std::sync::Arc;
use tests::wait;

/// A deed, the statuses that its caller may see, what the log must say, and whether the instance must end.
const DEEDS: [(&str, &[u16], &str, bool); 25] = [
    ("trap", &[502], "worker trapped", true),
    ("exit", &[502], "worker trapped", true),
    ("loop", &[502], "computed for too long", true),
    ("busy", &[504], "did not answer within", true),
    ("never", &[504], "did not answer within", true),
    ("hog", &[502], "out of memory", true),
    ("recursion", &[502], "worker trapped: wasm trap", true),
    ("timers?1000000", &[502], "worker trapped", true),
    // The guest itself uses little CPU time for it.
    ("timers?20000", &[502], "worker trapped", true),
    ("random?100000000", &[200], "", false),
    ("big-message?100", &[502], "worker trapped", true),
    ("body?1000", &[502], "at most 6291456 bytes", false),
    ("drip", &[504], "did not answer within", true),
    ("status?101", &[502], "the status 101", false),
    ("status?99", &[200], "", false),
    ("status?1000", &[200], "", false),
    ("headers", &[200, 502], "", false),
    ("error", &[502], "worker failed", false),
    ("not-json", &[200], "", false),
    ("loop-after-answer", &[200, 502], "", true),
    ("lines?1000000", &[200, 502], "the rest of them is dropped", false),
    ("spans?1000000", &[200, 502], "the rest of them is dropped", false),
    ("line?100", &[200, 502], "", false),
    ("deep-log", &[200], "", false),
    ("deep-document?granted", &[200], "", false),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_deed_costs_its_own_instance_only() {
    let host = Arc::new(Hostile::start().await);
    let neighbour = Neighbour::of(&host).await;
    let before = host.started("neighbour").await;
    for (deed, statuses, logged, ends) in DEEDS {
        let worker = if statuses == [504] { "hurried" } else { "hostile" };
        let started = host.started(worker).await;
        let (status, text) = host.ask(worker, deed).await;
        assert!(statuses.contains(&status), "{deed}: {status} {text}");
        if status >= 500 {
            let told: Value = serde_json::from_str(&text).unwrap();
            assert!(told["error"]["message"].is_string(), "{deed}: {text}");
        }
        let lines = host.log();
        let names_it = |line: &Value| line["worker"] == worker || line["data"]["worker"] == worker;
        let told = lines.iter().any(|line| names_it(line) && line.to_string().contains(logged));
        assert!(told, "{deed}: the log says nothing of {logged}");
        assert_eq!(host.ask(worker, "hello?again").await, (200, "hello again".to_owned()), "{deed}");
        let cost = host.started(worker).await - started;
        assert!(cost <= 2.0 && (!ends || cost >= 1.0), "{deed} cost {cost} instances");
    }
    let answers = neighbour.answers().await;
    assert!(answers > 100, "{answers}");
    // One of its two instances may be new, and each serves 1,024 calls.
    assert!(host.started("neighbour").await - before <= f64::from(2 + answers / 1024));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guests_connection_headers_are_not_passed_on() {
    let host = Hostile::start().await;
    for header in
        ["content-length=10000", "content-length=2", "transfer-encoding=gzip", "connection=close", "upgrade=h2c"]
    {
        let response = host.response(&format!("smuggle?{header}")).await;
        let status = response.status().as_u16();
        let length = response.headers().get("content-length").map(|value| value.to_str().unwrap().to_owned());
        assert!(!["transfer-encoding", "connection", "upgrade"].iter().any(|it| response.headers().contains_key(*it)));
        let text = response.text().await.unwrap();
        assert_eq!(length, Some(text.len().to_string()), "{header}");
        // The guest may not write the header, or the host removes it, or the guest's length was wrong.
        assert!(
            matches!((status, text.as_str()), (200, "xxxxxxxxxx" | "refused") | (502, _)),
            "{header}: {status} {text}"
        );
    }
}

/// The same harm, from a queue: the record fails, is retried and becomes a dead letter; the other records succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_does_harm_becomes_a_dead_letter_and_the_others_succeed() {
    let host = Arc::new(Hostile::start().await);
    let neighbour = Neighbour::of(&host).await;
    let harmful = ["trap", "hog", "recursion", "dispositions?1000000", "long-failure?10"];
    for deed in harmful {
        host.send("orders", &[deed]).await;
    }
    host.holds("ordersDlq", harmful.len() as u64).await;
    host.send("orders", &["hello?queue", "long-reason?8", "dispositions?1"]).await;
    host.holds("orders", 0).await;
    assert_eq!(host.depth("ordersDlq").await, harmful.len() as u64);
    let longest = std::fs::read_to_string(host.log_file()).unwrap().lines().map(str::len).max().unwrap();
    assert!(longest < 128 << 10, "a line of {longest} bytes");
    // A wait that is too long is cut to the maximum; it is not ignored.
    let retried = async || host.metric("registration_retried_total", "hostile").await;
    let before = retried().await;
    host.send("orders", &["retry-for-ever"]).await;
    wait::eventually("the retry", async || (retried().await > before).then_some(())).await;
    let after = retried().await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!((retried().await, host.depth("orders").await), (after, 1), "longer than the visibility");
    assert!(neighbour.answers().await > 10);
}
