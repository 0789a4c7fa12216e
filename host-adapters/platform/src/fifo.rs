//! FIFO queues: their names, whose ending identifies them in SQS and in every backend, and the order in which messages
//! are sent to them.

use crate::Result;
use crate::limits::message::check_message;
use host_adapters_records::queue::Message;
use host_adapters_records::{Error, ErrorKind};
use std::collections::HashMap;

/// The end of a FIFO queue's name.
pub(crate) const SUFFIX: &str = ".fifo";

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

/// The fault of a dead letter queue that does not have its queue's type; SQS refuses it.
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

/// The groups of messages that were not sent. In a FIFO queue the messages behind such a message are not sent either,
/// because it could no longer be put before them.
pub struct Stopped<'a> {
    queue: &'a str,
    groups: HashMap<String, Error>,
}

impl<'a> Stopped<'a> {
    /// Messages are going to be sent to this queue.
    pub fn new(queue: &'a str) -> Self {
        Self { queue, groups: HashMap::new() }
    }

    /// The message, if it can be sent.
    ///
    /// # Errors
    /// When SQS would refuse the message, or one before it in its group was not sent.
    pub fn check(&mut self, message: Message) -> Result<Message> {
        self.in_turn(message.group_id.as_deref())?;
        match check_message(self.queue, &message) {
            Ok(()) => Ok(message),
            Err(error) => {
                self.note(message.group_id, &error);
                Err(error)
            }
        }
    }

    /// Whether all messages before it in this group were sent. Those behind a message that can never be sent wait until the
    /// sender has given it up.
    ///
    /// # Errors
    /// When one was not.
    pub fn in_turn(&self, group: Option<&str>) -> Result<()> {
        let Some(before) = group.and_then(|group| self.groups.get(group)) else { return Ok(()) };
        let kind = if before.kind == ErrorKind::Invalid { ErrorKind::Throttled } else { before.kind };
        let message = format!("not sent, because a message before it in its group was not: {}", before.message);
        Err(Error { retry_after_ms: before.retry_after_ms, ..Error::new(kind, message) })
    }

    /// A message of this group was not sent.
    pub fn note(&mut self, group: Option<String>, error: &Error) {
        if is_fifo(self.queue)
            && let Some(group) = group
        {
            self.groups.entry(group).or_insert_with(|| error.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_message_that_was_not_sent_waits() {
        let of = |group: &str, body: &str| Message { group_id: Some(group.to_owned()), ..Message::new(body) };
        let kinds = |queue: &str| {
            let mut stopped = Stopped::new(queue);
            let messages = [of("a", ""), of("a", "behind"), of("b", "other"), of("a", "behind")];
            messages.map(|message| stopped.check(message).err().map(|error| error.kind))
        };
        let waits = Some(ErrorKind::Throttled);
        assert_eq!(kinds("q.fifo"), [Some(ErrorKind::Invalid), waits, None, waits]);
        assert_eq!(kinds("q"), [Some(ErrorKind::Invalid), None, None, None], "no order there");
        let mut stopped = Stopped::new("q.fifo");
        stopped.note(Some("a".to_owned()), &Error::new(ErrorKind::Unavailable, "down"));
        assert_eq!(stopped.in_turn(Some("a")).map_err(|error| error.kind), Err(ErrorKind::Unavailable));
    }

    #[test]
    fn a_dead_letter_queue_is_of_its_queues_type() {
        assert_eq!(tagged("saveEntriesQueue", "Dlq"), "saveEntriesQueueDlq");
        assert_eq!(tagged("orders.fifo", "Dlq"), "ordersDlq.fifo");
    }
}
