//! Names of sources, `<kind>:<name>`, for code that does not depend on the sources: backends, which count dropped
//! records by source, dead letters that a queue's own redrive has moved, and messages that ask for a source of tasks.
//! Other kinds are named only in their folders.

/// The kind of source that reads a queue.
pub const QUEUE: &str = "sqs";
/// The kind of source that reads the changes of a table.
pub const TABLE_STREAM: &str = "dynamodb-stream";
/// The kind of source that reads a data stream.
pub const DATA_STREAM: &str = "kinesis";
/// The kind of source that reads a topic of the event log.
pub const EVENT_LOG: &str = "kafka";
/// The kind of source that takes executions of tasks.
pub const TASK: &str = "task";

/// The source of a queue.
pub fn of_queue(queue: &str) -> String {
    named(QUEUE, queue)
}

/// The source of a table's changes.
pub fn of_table_stream(table: &str) -> String {
    named(TABLE_STREAM, table)
}

/// The source of a data stream.
pub fn of_data_stream(stream: &str) -> String {
    named(DATA_STREAM, stream)
}

/// The source of a topic of the event log.
pub fn of_log_topic(topic: &str) -> String {
    named(EVENT_LOG, topic)
}

/// The source of a worker's tasks.
pub fn of_tasks(worker: &str) -> String {
    named(TASK, worker)
}

fn named(kind: &str, name: &str) -> String {
    format!("{kind}:{name}")
}
