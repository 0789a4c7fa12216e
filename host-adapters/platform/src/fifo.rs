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

/// What is wrong with a dead-letter queue that is not of its queue's type; SQS refuses it.
pub fn mismatch(queue: &str, dead_letters: &str) -> Option<String> {
    let kind = |queue| if is_fifo(queue) { "a FIFO queue" } else { "not a FIFO queue" };
    (is_fifo(queue) != is_fifo(dead_letters)).then(|| {
        format!(
            "\"{queue}\" is {}, and \"{dead_letters}\" is {}; both end with `.fifo` or neither",
            kind(queue),
            kind(dead_letters)
        )
    })
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
