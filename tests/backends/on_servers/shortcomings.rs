//! The cases that a server is known to fail: because a local server differs from the service that it replaces, or
//! because the service itself cannot do it. Each must fail: if it passes, its line must be removed (`suites::judge`).

/// Suite, case, and reason, for the local servers.
const OF_SERVERS: [(&str, &str, &str); 9] = [
    ("documents_update", "refuses_to_increase_null", "mongo-java-server takes null for 0; MongoDB refuses it"),
    ("documents_update", "refuses_to_exceed_integers", "mongo-java-server wraps around; MongoDB refuses it"),
    ("documents_find", "sorts_lists_in_lists", "mongo-java-server orders lists in lists before all else"),
    (
        "documents_find",
        "sorts_by_two_paths_through_one_list",
        "mongo-java-server takes each path's least element; MongoDB takes both from one element",
    ),
    ("queue", "deletes_twice", "ElasticMQ refuses the receipt of a deleted message; SQS ignores it"),
    ("queue", "ignores_stale_receipts", "ElasticMQ refuses a stale receipt; SQS ignores it"),
    (
        "topics",
        "keeps_lists_and_bytes_of_attributes",
        "moto does not deliver a message with bytes in an attribute; SNS does",
    ),
    ("topics", "filters_by_the_body", "moto fails where text is compared with numbers; for SNS it does not match"),
    ("stream", "refuses_sequences_of_no_stream", "DynamoDB Local fails (InternalFailure); DynamoDB refuses them"),
];

/// The same for the services themselves.
const OF_AWS: [(&str, &str, &str); 2] = [
    ("queue_browser", "shows_what_is_in_flight_and_delayed", "SQS shows a message only to its receiver"),
    ("queue_redrive", "fills_up_behind_moved_ones", "SQS may answer fewer than there are; the next receive has them"),
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    OF_SERVERS.iter().chain(&OF_AWS)
}

/// Why a case is known to fail on a local server.
pub fn of(suite: &str, case: &str) -> Option<&'static str> {
    find(all(), suite, case)
}

/// Why a case is known to fail on AWS.
pub fn of_aws(suite: &str, case: &str) -> Option<&'static str> {
    find(OF_AWS.iter(), suite, case)
}

fn find(
    mut among: impl Iterator<Item = &'static (&'static str, &'static str, &'static str)>,
    suite: &str,
    case: &str,
) -> Option<&'static str> {
    among.find(|(of, name, _)| (*of, *name) == (suite, case)).map(|(_, _, why)| *why)
}
