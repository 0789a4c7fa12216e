//! Failures of messages: counted for each message, deleted when it is settled.

use super::backend::{Backend, LOOSE_QUEUE, QUEUE};

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

pub async fn counts_each_message_by_itself(backend: &impl Backend) {
    let failures = backend.failures();
    assert_eq!(failures.count_failures(QUEUE, &ids(&["a", "b"])).await.unwrap(), [1, 1]);
    assert_eq!(failures.count_failures(QUEUE, &ids(&["b", "c"])).await.unwrap(), [2, 1]);
    assert_eq!(failures.count_failures(LOOSE_QUEUE, &ids(&["b"])).await.unwrap(), [1], "another queue's");
    assert_eq!(failures.count_failures(QUEUE, &[]).await.unwrap(), [0; 0]);
}

pub async fn forgets_what_is_settled(backend: &impl Backend) {
    let failures = backend.failures();
    failures.count_failures(QUEUE, &ids(&["a", "b"])).await.unwrap();
    failures.forget_failures(QUEUE, &ids(&["a", "never failed"])).await.unwrap();
    assert_eq!(failures.count_failures(QUEUE, &ids(&["a", "b"])).await.unwrap(), [1, 2]);
}

pub async fn counts_thousands(backend: &impl Backend) {
    let many: Vec<String> = (0..1_000).map(|n| format!("m{n}")).collect();
    for count in [1, 2] {
        assert_eq!(backend.failures().count_failures(QUEUE, &many).await.unwrap(), vec![count; many.len()]);
    }
    backend.failures().forget_failures(QUEUE, &many).await.unwrap();
    assert_eq!(backend.failures().count_failures(QUEUE, &ids(&["m7"])).await.unwrap(), [1]);
}
