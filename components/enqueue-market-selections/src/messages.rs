//! The messages for saveSelections, one a fan.

use crate::failed::Failed;
use crate::input::Selection;
use crate::plan::Winner;
use crate::ports::Ports;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use worker_kit::platform::{Error, ErrorKind};

/// Messages in one call. Their bodies are made call by call, so that a worker holds few of them.
const PER_CALL: usize = 500;
/// Calls at a time.
const CALLS: usize = 4;
/// How often a message is sent before the attempt fails.
const SENDS: usize = 4;

/// The body of a message to saveSelectionQueue.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    task_id: &'a str,
    campaign_id: &'a str,
    market_id: &'a str,
    global_user_id: &'a str,
    verdict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

/// A fan, and the code of a winner.
type Told<'a> = (&'a str, Option<&'a str>);

/// Queues a message for each fan, winners first.
pub async fn send(
    ports: &impl Ports,
    selection: &Selection,
    winners: &[Winner],
    losers: &[String],
) -> Result<(), Failed> {
    let winners = winners.iter().map(|(fan, code)| (fan.as_str(), Some(code.as_str())));
    let told: Vec<Told<'_>> = winners.chain(losers.iter().map(|fan| (fan.as_str(), None))).collect();
    let calls = stream::iter(told.chunks(PER_CALL)).map(|told| send_call(ports, selection, told));
    calls.buffered(CALLS).try_collect().await
}

/// Sends some messages, and again those that fail.
async fn send_call(ports: &impl Ports, selection: &Selection, told: &[Told<'_>]) -> Result<(), Failed> {
    let mut unsent = told.to_vec();
    let mut problem = Error::new(ErrorKind::Unavailable, "the response does not mention every message");
    for _ in 0..SENDS {
        match ports.send(unsent.iter().map(|told| body(selection, told)).collect()).await {
            Err(error) => problem = error,
            Ok(results) => {
                let mut results = results.into_iter();
                unsent.retain(|_| match results.next() {
                    Some(Ok(_)) => false,
                    Some(Err(error)) => {
                        problem = error;
                        true
                    }
                    None => true,
                });
            }
        }
        if unsent.is_empty() {
            return Ok(());
        }
        if !problem.is_retryable() {
            break;
        }
    }
    let message = format!("{} messages are not queued: {}", unsent.len(), problem.message);
    Err(Error { message, ..problem }.into())
}

fn body(selection: &Selection, (global_user_id, code): &Told<'_>) -> String {
    let Selection { task_id, campaign_id, market_id, .. } = selection;
    let body = Body { task_id, campaign_id, market_id, global_user_id, verdict: code.is_some(), code: *code };
    // Text and booleans can always be serialised.
    serde_json::to_string(&body).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{World, selection};
    use futures::executor::block_on;

    fn winner(n: usize) -> Winner {
        (format!("winner-{n}"), format!("CODE-{n}"))
    }

    #[test]
    fn a_message_has_the_documents_members() {
        let selection = selection("task-1");
        assert_eq!(
            body(&selection, &("u", Some("CODE-1"))),
            r#"{"taskId":"task-1","campaignId":"c","marketId":"m","globalUserId":"u","verdict":true,"code":"CODE-1"}"#
        );
        assert_eq!(
            body(&selection, &("u", None)),
            r#"{"taskId":"task-1","campaignId":"c","marketId":"m","globalUserId":"u","verdict":false}"#
        );
    }

    #[test]
    fn each_fan_gets_a_message_winners_first() {
        let world = World::default();
        let winners: Vec<_> = (0..1_200).map(winner).collect();
        let losers: Vec<_> = (0..2_000).map(|n| format!("loser-{n}")).collect();
        block_on(send(&world, &selection("t"), &winners, &losers)).unwrap();
        let sent: Vec<_> = world.messages().into_iter().map(|message| message.fan).collect();
        let expected: Vec<_> = winners.into_iter().map(|(fan, _)| fan).chain(losers).collect();
        assert_eq!(sent, expected);
    }

    #[test]
    fn messages_that_fail_are_sent_again_and_no_others() {
        let world = World { refuses_every: Some(7), ..World::default() };
        let winners: Vec<_> = (0..100).map(winner).collect();
        block_on(send(&world, &selection("t"), &winners, &[])).unwrap();
        let mut sent: Vec<_> = world.messages().into_iter().map(|message| message.fan).collect();
        sent.sort();
        let mut expected: Vec<_> = winners.into_iter().map(|(fan, _)| fan).collect();
        expected.sort();
        assert_eq!(sent, expected);
    }

    #[test]
    fn what_cannot_be_queued_is_a_failure_of_its_kind() {
        let send = |kind| {
            let world = World { queue: Some(Error::new(kind, "why")), ..World::default() };
            let sent = block_on(send(&world, &selection("t"), &[winner(1)], &[]));
            (sent.unwrap_err(), world.sends.get())
        };
        let later = Failed::Later("1 messages are not queued: why".to_owned());
        assert_eq!(send(ErrorKind::Unavailable), (later.clone(), SENDS));
        assert_eq!(send(ErrorKind::Denied), (later, 1));
        let fatal = Failed::fatal(422, "INVALID", "1 messages are not queued: why");
        assert_eq!(send(ErrorKind::Invalid), (fatal, 1));
    }
}
