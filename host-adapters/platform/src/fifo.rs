//! Names of FIFO queues. SQS tells them by the end of their names, and so does every backend.

/// The end of a FIFO queue's name.
const SUFFIX: &str = ".fifo";

/// Whether a queue of this name keeps the order of each message group.
pub fn is_fifo(queue: &str) -> bool {
    queue.ends_with(SUFFIX)
}

/// `queue` with `tag` behind its name. It is of the same type, as a dead-letter queue must be.
pub fn tagged(queue: &str, tag: &str) -> String {
    match queue.strip_suffix(SUFFIX) {
        Some(name) => format!("{name}{tag}{SUFFIX}"),
        None => format!("{queue}{tag}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_queue_is_of_its_queues_type() {
        assert_eq!(tagged("saveEntriesQueue", "Dlq"), "saveEntriesQueueDlq");
        assert_eq!(tagged("orders.fifo", "Dlq"), "ordersDlq.fifo");
    }
}
