//! The cases that a server here is known to fail: what it does otherwise than the service it stands for, or what the
//! service itself cannot do. Each has to fail: one that passes loses its line (`suites::judge`).

/// Suite, case, and why.
pub const ALL: [(&str, &str, &str); 5] = [
    ("queue", "deletes_twice", "ElasticMQ refuses the receipt of a deleted message; SQS ignores it"),
    ("queue", "ignores_stale_receipts", "ElasticMQ refuses a stale receipt; SQS ignores it"),
    ("queue_browser", "shows_what_is_held_and_delayed", "SQS shows a message only to who receives it"),
    ("queue_redrive", "fills_up_behind_moved_ones", "SQS may answer fewer than there are; the next receive has them"),
    ("stream", "refuses_sequences_of_no_stream", "DynamoDB Local fails (InternalFailure); DynamoDB refuses them"),
];

/// Why a case is known to fail.
pub fn of(suite: &str, case: &str) -> Option<&'static str> {
    ALL.iter().find(|(of, name, _)| (*of, *name) == (suite, case)).map(|(_, _, why)| *why)
}
