//! The messages for saveSelections, one a fan.

use crate::failed::Failed;
use crate::input::Selection;
use crate::plan::Winner;
use crate::ports::Ports;
use registration::selection::SelectionMessage;
use serde_json::json;
use std::borrow::Cow;
use worker_kit::messages;
use worker_kit::platform::Error;

/// A fan, and the code of a winner.
type Told<'a> = (&'a str, Option<&'a str>);

/// Fans before whose messages a task looks whether it may continue.
const FANS: usize = 10_000;
/// How many fans are named in the log who are not told.
const EXAMPLES: usize = 5;

/// Queues a message for each fan, winners first. `go_on` is called from time to time. A fan whose message no queue takes
/// costs no other: such fans are logged. Returns how many they are.
pub async fn send(
    ports: &impl Ports,
    selection: &Selection,
    winners: &[Winner],
    losers: &[String],
    go_on: impl AsyncFn() -> Result<(), Failed>,
) -> Result<usize, Failed> {
    let winners = winners.iter().map(|(fan, code)| (fan.as_str(), Some(code.as_str())));
    let told: Vec<Told<'_>> = winners.chain(losers.iter().map(|fan| (fan.as_str(), None))).collect();
    let mut lost = vec![];
    for told in told.chunks(FANS) {
        go_on().await?;
        let wrong = messages::send(told, |told| message(selection, *told).text(), |bodies| ports.send(bodies)).await?;
        lost.extend(wrong);
    }
    log_lost(ports, selection, &lost);
    Ok(lost.len())
}

fn log_lost(ports: &impl Ports, selection: &Selection, lost: &[(&Told<'_>, Error)]) {
    let Some((_, error)) = lost.first() else { return };
    let fans: Vec<&str> = lost.iter().take(EXAMPLES).map(|(told, _)| told.0).collect();
    let data = json!({
        "taskId": selection.task_id, "marketId": selection.market_id, "lost": lost.len(), "globalUserIds": fans,
        "problem": error.message,
    });
    ports.error("Fans not told, whose messages are wrong in themselves", data);
}

fn message<'a>(selection: &'a Selection, (fan, code): Told<'a>) -> SelectionMessage<'a> {
    let Selection { task_id, campaign_id, market_id, .. } = selection;
    SelectionMessage {
        task_id: Cow::from(task_id),
        campaign_id: Cow::from(campaign_id),
        market_id: Cow::from(market_id),
        global_user_id: Cow::from(fan),
        verdict: code.is_some(),
        code: code.map(Cow::from),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{World, selection};
    use futures::executor::block_on;
    use worker_kit::platform::ErrorKind;

    #[test]
    fn each_fan_gets_a_message_winners_first() {
        let world = World::default();
        let winners: Vec<_> = (0..1_200).map(|n| (format!("winner-{n}"), format!("CODE-{n}"))).collect();
        let losers: Vec<_> = (0..2_000).map(|n| format!("loser-{n}")).collect();
        block_on(send(&world, &selection("t"), &winners, &losers, async || Ok(()))).unwrap();
        let sent: Vec<_> = world.messages().into_iter().map(|message| (message.fan, message.code)).collect();
        let told = winners.into_iter().map(|(fan, code)| (fan, Some(code)));
        assert_eq!(sent, told.chain(losers.into_iter().map(|fan| (fan, None))).collect::<Vec<_>>());
    }

    #[test]
    fn point_1_a_fan_whose_message_no_queue_takes_costs_no_other() {
        let world = World::default();
        let winners =
            [("first", "A"), ("u\u{fffe}", "B"), ("last", "C")].map(|(fan, code)| (fan.to_owned(), code.to_owned()));
        let losers: Vec<_> = (0..2_000).map(|n| format!("loser-{n}{}", if n == 7 { "\u{ffff}" } else { "" })).collect();
        let lost = block_on(send(&world, &selection("t"), &winners, &losers, async || Ok(()))).unwrap();
        let told: Vec<_> = world.messages().into_iter().map(|message| message.fan).collect();
        assert_eq!((lost, told.len(), told.first(), told.last()), (2, 2_001, Some(&"first".to_owned()), losers.last()));
        let logs = world.logs.borrow();
        let [(message, data)] = logs.as_slice() else { unreachable!("{logs:?}") };
        assert_eq!(message, "Fans not told, whose messages are wrong in themselves");
        assert_eq!((&data["lost"], &data["globalUserIds"]), (&json!(2), &json!(["u\u{fffe}", "loser-7\u{ffff}"])));
    }

    #[test]
    fn what_cannot_be_queued_is_a_failure_of_its_kind() {
        let send = |kind| {
            let world = World { queue: Some(Error::new(kind, "why")), ..World::default() };
            block_on(send(&world, &selection("t"), &[], &["loser".to_owned()], async || Ok(()))).unwrap_err()
        };
        let told = "1 messages are not queued: why";
        assert_eq!(send(ErrorKind::Unavailable), Failed::Later(told.to_owned()));
        assert_eq!(send(ErrorKind::Invalid), Failed::fatal(422, "INVALID", told));
    }
}
