//! What becomes of records that fail: dead letters that hold the whole record and say why, and pauses that use up no
//! attempt.

use serde_json::Value;
use tests::{TestHost, log, programs, wait};

const USERS: &str = "userInfoQueue";

/// The file of a case.
fn case(name: &str) -> Value {
    let path = programs::project().join("tests/fixtures/cases").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Waits for this many dead letters.
async fn dead_letters(host: &TestHost, queue: &str, count: usize) -> Vec<Value> {
    let what = format!("{count} messages in {queue}");
    wait::eventually(&what, async || Some(host.peek(queue).await).filter(|found| found.len() >= count)).await
}

#[tokio::test]
async fn case_03_unreadable_bodies_become_dead_letters_with_their_bodies_and_reasons() {
    let host = TestHost::start().await;
    let input = case("03-unreadable-bodies.json");
    let bodies: Vec<String> = input["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["body"].as_str().unwrap().to_owned())
        .collect();
    let ids = host.queue(USERS, &bodies).await;
    let dead = dead_letters(&host, "userInfoQueueDlq", 2).await;
    host.drained(USERS).await;
    assert_eq!(host.profile("t03-good").await["firstName"], "Zoe");
    assert_eq!(host.profile("t03-cut-emoji").await, Value::Null);
    for (body, id) in bodies.iter().zip(&ids).take(2) {
        let letter = dead.iter().find(|letter| letter["body"] == **body);
        let attributes = &letter.unwrap_or_else(|| panic!("{body}: {dead:?}"))["attributes"];
        assert!(attributes["reason"].as_str().is_some_and(|reason| reason.contains("userInfo")), "{attributes}");
        assert_eq!(attributes["sourceMessageId"], **id);
        let lines = log::lines("id", id);
        assert_eq!((lines.len(), &lines[0]["level"]), (1, &Value::from("ERROR")), "{lines:?}");
    }
    assert_eq!(dead.len(), 2);
}
