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

/// The number of fans whose messages are invalid.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lost {
    /// Of the winners.
    pub winners: u64,
    /// Of the losers.
    pub losers: u64,
}

/// Queues a message for each fan, winners first. `go_on` is called before each request, of 500 messages at most. A fan
/// whose message is invalid does not affect the others. All such fans are named in the log, because nothing else
/// reports them.
pub async fn send(
    ports: &impl Ports,
    selection: &Selection,
    winners: &[Winner],
    losers: &[String],
    go_on: impl AsyncFn() -> Result<(), Failed>,
) -> Result<Lost, Failed> {
    let winners = winners.iter().map(|(fan, code)| (fan.as_str(), Some(code.as_str())));
    let told: Vec<Told<'_>> = winners.chain(losers.iter().map(|fan| (fan.as_str(), None))).collect();
    let body = |told: &Told<'_>| message(selection, *told).text();
    let lost = messages::send_while(&told, body, |bodies| ports.send(bodies), go_on).await?;
    log_lost(ports, selection, &lost);
    let winners = lost.iter().filter(|((_, code), _)| code.is_some()).count();
    Ok(Lost { winners: winners as u64, losers: (lost.len() - winners) as u64 })
}

fn log_lost(ports: &impl Ports, selection: &Selection, lost: &[(&Told<'_>, Error)]) {
    for (fans, problem) in messages::lines(lost, |told| told.0) {
        let data = json!({
            "taskId": selection.task_id, "marketId": selection.market_id, "lost": lost.len(), "globalUserIds": fans,
            "problem": problem,
        });
        ports.error("Fans not told: their messages are invalid", data);
    }
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
        assert_eq!((lost, told.len()), (Lost { winners: 1, losers: 1 }, 2_001));
        assert_eq!((told.first(), told.last()), (Some(&"first".to_owned()), losers.last()));
        let logs = world.logs.borrow();
        let [(message, data)] = logs.as_slice() else { unreachable!("{logs:?}") };
        assert_eq!(message, "Fans not told: their messages are invalid");
        assert_eq!((&data["lost"], &data["globalUserIds"]), (&json!(2), &json!(["u\u{fffe}", "loser-7\u{ffff}"])));
    }

    #[test]
    fn point_1_every_fan_who_is_not_told_is_named() {
        let world = World::default();
        let id = |n| format!("{n:04}{}{}", "x".repeat(900), if n % 2 == 1 { "\u{fffe}" } else { "" });
        let losers: Vec<_> = (0..3_000).map(id).collect();
        let lost = block_on(send(&world, &selection("t"), &[], &losers, async || Ok(()))).unwrap();
        assert_eq!(lost, Lost { winners: 0, losers: 1_500 });
        let logs = world.logs.borrow();
        assert!(logs.iter().all(|(_, data)| data.to_string().len() < 64_000 && data["lost"] == 1_500));
        let names = logs.iter().filter_map(|(_, data)| data["globalUserIds"].as_array()).flatten();
        assert!(names.eq(losers.iter().filter(|fan| fan.ends_with('\u{fffe}'))), "each once");
    }

    #[test]
    fn a_send_ends_between_two_requests_if_its_task_may_not_go_on() {
        let world = World::default();
        let losers: Vec<_> = (0..10_000).map(|n| format!("loser-{n}")).collect();
        let over = || Failed::Later("out of time".to_owned());
        let go_on = async || if world.sends.get() < 3 { Ok(()) } else { Err(over()) };
        assert_eq!(block_on(send(&world, &selection("t"), &[], &losers, go_on)), Err(over()));
        assert_eq!(world.messages().len(), 1_500, "three requests of 500");
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
