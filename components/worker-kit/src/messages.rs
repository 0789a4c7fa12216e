//! Sends many messages to one queue.

use crate::platform::{Error, ErrorKind};
use futures::{StreamExt, TryStreamExt, stream};
use host_adapters_event::cut;
use serde_json::json;

/// Messages in one call of the queue. Bodies are made call by call, so that a worker holds few of them.
const PER_CALL: usize = 500;
/// Calls at a time.
const CALLS: usize = 4;
/// How often a message is sent before it counts as not queued.
const SENDS: usize = 4;
/// Most bytes of the names in a line of the log. The host takes 64 KB of a line.
const NAMES_PER_LINE: usize = 40_000;
/// Most bytes of a name there.
const MAX_NAME_BYTES: usize = 1_000;

/// Sends a message for each of the parts, in their order; `send` sends bodies and tells for each whether it was accepted.
/// Messages that fail are sent again, and no others. An invalid message does not affect the others: returns the parts
/// of such messages, with their errors.
///
/// # Errors
/// The first failure that stays; it says how many messages of its call are not queued. Also if all of several messages are
/// wrong: then the cause is probably not the messages, but what they share, such as their attributes or the queue.
pub async fn send<T>(
    parts: &[T],
    body: impl Fn(&T) -> String,
    send: impl AsyncFn(Vec<String>) -> Result<Vec<Result<String, Error>>, Error>,
) -> Result<Vec<(&T, Error)>, Error> {
    send_while(parts, body, send, async || Ok::<_, Error>(())).await
}

/// The same for so many messages that it may take long: `go_on` is called before each request, which has 500 messages at
/// most.
///
/// # Errors
/// As [`send`], and those of `go_on`.
pub async fn send_while<T, E: From<Error>>(
    parts: &[T],
    body: impl Fn(&T) -> String,
    send: impl AsyncFn(Vec<String>) -> Result<Vec<Result<String, Error>>, Error>,
    go_on: impl AsyncFn() -> Result<(), E>,
) -> Result<Vec<(&T, Error)>, E> {
    let calls = stream::iter(parts.chunks(PER_CALL)).map(|parts| send_call(parts, &body, &send, &go_on));
    let lost: Vec<_> = calls.buffered(CALLS).try_concat().await?;
    if let Some((_, error)) = lost.first()
        && lost.len() == parts.len()
        && parts.len() > 1
    {
        // Not `Invalid`: the cause may pass, so the messages are not given up because of it.
        let message = format!("none of {} messages is queued: {}", parts.len(), error.message);
        return Err(Error::new(ErrorKind::Unavailable, message).into());
    }
    Ok(lost)
}

/// The names of the parts whose messages are not queued, for the log: all of them, in as many lines as that takes, each
/// with the problem of its first part.
pub fn lines<'l, T>(lost: &'l [(&'l T, Error)], name: impl Fn(&'l T) -> &'l str) -> Vec<(Vec<&'l str>, &'l str)> {
    let mut lines: Vec<(Vec<&'l str>, &'l str)> = vec![];
    let mut bytes = 0;
    for (part, error) in lost {
        let name = cut(name(part), MAX_NAME_BYTES);
        // As it is written: JSON takes six bytes for a control character.
        let more = json!(name).to_string().len() + ",".len();
        match lines.last_mut() {
            Some((names, _)) if bytes + more <= NAMES_PER_LINE => {
                bytes += more;
                names.push(name);
            }
            _ => {
                bytes = more;
                lines.push((vec![name], error.message.as_str()));
            }
        }
    }
    lines
}

async fn send_call<'a, T, E: From<Error>>(
    parts: &'a [T],
    body: &impl Fn(&T) -> String,
    send: &impl AsyncFn(Vec<String>) -> Result<Vec<Result<String, Error>>, Error>,
    go_on: &impl AsyncFn() -> Result<(), E>,
) -> Result<Vec<(&'a T, Error)>, E> {
    let (mut unsent, mut lost): (Vec<&'a T>, Vec<(&'a T, Error)>) = (parts.iter().collect(), vec![]);
    let mut problem = Error::new(ErrorKind::Unavailable, "the response does not mention every message");
    for _ in 0..SENDS {
        go_on().await?;
        match send(unsent.iter().copied().map(body).collect()).await {
            Err(error) => problem = error,
            Ok(results) => {
                let mut results = results.into_iter();
                unsent.retain(|part| match results.next() {
                    Some(Ok(_)) => false,
                    Some(Err(error)) if error.is_wrong() => {
                        lost.push((*part, error));
                        false
                    }
                    Some(Err(error)) => {
                        problem = error;
                        true
                    }
                    None => true,
                });
            }
        }
        if unsent.is_empty() {
            return Ok(lost);
        }
        if !problem.is_retryable() {
            break;
        }
    }
    let message = format!("{} messages are not queued: {}", unsent.len(), problem.message);
    Err(Error { message, ..problem }.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeSet;

    /// Sends this many messages to a queue that answers as `accept` says to the n-th message that it is sent. Returns
    /// the accepted ones, and the result: the messages that no queue can accept.
    fn sent(count: usize, accept: impl Fn(usize) -> Result<String, Error>) -> (Vec<usize>, Result<Vec<usize>, Error>) {
        let (accepted, seen) = (RefCell::new(vec![]), Cell::new(0));
        let queue = async |bodies: Vec<String>| {
            let one = |body: String| {
                seen.set(seen.get() + 1);
                let answer = accept(seen.get());
                accepted.borrow_mut().extend(answer.is_ok().then(|| body.parse::<usize>().unwrap()));
                answer
            };
            Ok(bodies.into_iter().map(one).collect())
        };
        let parts: Vec<_> = (0..count).collect();
        let result = block_on(send(&parts, usize::to_string, queue));
        let lost = result.map(|lost| lost.into_iter().map(|(part, _)| *part).collect());
        (accepted.into_inner(), lost)
    }

    fn ok(_: usize) -> Result<String, Error> {
        Ok("id".to_owned())
    }

    #[test]
    fn every_message_is_sent_in_order() {
        let (accepted, result) = sent(1_700, ok);
        assert_eq!((accepted, result), ((0..1_700).collect(), Ok(vec![])));
        assert_eq!(sent(0, ok), (vec![], Ok(vec![])));
    }

    #[test]
    fn messages_that_fail_are_sent_again_and_no_others() {
        let every_seventh = |n: usize| {
            if n.is_multiple_of(7) { Err(Error::new(ErrorKind::Throttled, "busy")) } else { ok(n) }
        };
        let (mut accepted, result) = sent(1_000, every_seventh);
        accepted.sort_unstable();
        assert_eq!((accepted, result), ((0..1_000).collect(), Ok(vec![])), "each once");
    }

    #[test]
    fn point_1_a_message_that_is_wrong_in_itself_costs_no_other() {
        let wrong = |n: usize| match n {
            8 | 600 => Err(Error::new(ErrorKind::Invalid, "a character that no queue takes")),
            701 => Err(Error::new(ErrorKind::TooLarge, "more than 1 MiB")),
            n if n.is_multiple_of(9) => Err(Error::new(ErrorKind::Throttled, "busy")),
            n => ok(n),
        };
        let (accepted, lost) = sent(1_700, wrong);
        let lost = lost.unwrap();
        assert_eq!((accepted.len(), lost.len()), (1_697, 3));
        let all: BTreeSet<_> = accepted.into_iter().chain(lost.iter().copied()).collect();
        assert_eq!(all, (0..1_700).collect(), "each is accepted or told");
        assert_eq!(lost.first(), Some(&7));
        assert_eq!(sent(1, |_| Err(Error::new(ErrorKind::Invalid, "no"))), (vec![], Ok(vec![0])));
    }

    /// Such as an attribute that all of them have: not even one of several requests is accepted.
    #[test]
    fn point_1_what_all_messages_share_fails_the_send() {
        for count in [2, 500, 1_700] {
            let (accepted, result) = sent(count, |_| Err(Error::new(ErrorKind::Invalid, "no such attribute")));
            let message = format!("none of {count} messages is queued: no such attribute");
            assert_eq!((accepted, result), (vec![], Err(Error::new(ErrorKind::Unavailable, message))));
        }
        let all_but_last = |n: usize| if n < 1_700 { Err(Error::new(ErrorKind::Invalid, "no")) } else { ok(n) };
        let (accepted, lost) = sent(1_700, all_but_last);
        assert_eq!((accepted.len(), lost.map(|lost| lost.len())), (1, Ok(1_699)), "one is accepted");
    }

    #[test]
    fn point_1_every_part_that_is_not_queued_is_named_in_lines_that_the_host_takes() {
        let names: Vec<_> = (0..500).map(|n| format!("{n:03}{}", "\u{1}".repeat(300))).collect();
        let lost: Vec<_> = names.iter().map(|name| (name, Error::new(ErrorKind::Invalid, "why"))).collect();
        let lines = lines(&lost, String::as_str);
        assert!(lines.iter().all(|(names, why)| json!(names).to_string().len() < 50_000 && *why == "why"));
        assert_eq!(lines.into_iter().flat_map(|(names, _)| names).collect::<Vec<_>>(), names);
        let long = "x".repeat(100_000);
        let lost = [(&long, Error::new(ErrorKind::TooLarge, "why"))];
        assert_eq!(super::lines(&lost, String::as_str), [(vec!["x".repeat(MAX_NAME_BYTES).as_str()], "why")]);
    }

    #[test]
    fn a_long_send_ends_between_two_requests() {
        let (requests, sent) = (Cell::new(0), Cell::new(0));
        let queue = async |bodies: Vec<String>| {
            requests.set(requests.get() + 1);
            sent.set(sent.get() + bodies.len());
            Ok(bodies.into_iter().map(|_| Ok("id".to_owned())).collect())
        };
        let go_on = async || match requests.get() {
            3 => Err(Error::new(ErrorKind::Throttled, "out of time")),
            _ => Ok(()),
        };
        let parts: Vec<_> = (0..10_000).collect();
        let error = block_on(send_while(&parts, i32::to_string, queue, go_on)).unwrap_err();
        assert_eq!(error, Error::new(ErrorKind::Throttled, "out of time"));
        assert_eq!(sent.get(), 1_500, "three requests of 500");
    }

    #[test]
    fn what_cannot_be_queued_is_told_with_its_number() {
        let calls = Cell::new(0);
        let send = |kind| {
            calls.set(0);
            let queue = async |_: Vec<String>| {
                calls.set(calls.get() + 1);
                Err(Error::new(kind, "why"))
            };
            (block_on(super::send(&[1, 2], i32::to_string, queue)).unwrap_err(), calls.get())
        };
        let error = |kind| Error::new(kind, "2 messages are not queued: why");
        assert_eq!(send(ErrorKind::Unavailable), (error(ErrorKind::Unavailable), SENDS));
        for kind in [ErrorKind::Denied, ErrorKind::Invalid] {
            assert_eq!(send(kind), (error(kind), 1), "it is wrong each time");
        }
    }

    #[test]
    fn a_response_without_every_message_is_not_success() {
        let error = block_on(send(&[1, 2], i32::to_string, async |_: Vec<String>| Ok(vec![]))).unwrap_err();
        assert_eq!(error.message, "2 messages are not queued: the response does not mention every message");
        let one_each = async |_: Vec<String>| Ok(vec![Ok("id".to_owned())]);
        assert_eq!(block_on(send(&[1, 2], i32::to_string, one_each)), Ok(vec![]), "the other one is sent again");
    }
}
