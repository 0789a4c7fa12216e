//! Whole batches in the small world.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::testing::{CAMPAIGN, SlackMode, World};
use proptest::prelude::*;
use save_selections::ports::Report;
use scoring::counts::Totals;
use scoring::report::PATIENCE_MS;
use serde_json::{Value, json};
use worker_kit::Disposition;
use worker_kit::lambda::{self, Context, Incoming};

const MINUTE_MS: u64 = 60_000;

fn scoring(campaign: &str, expected: &Value) -> Value {
    json!({"campaignId": campaign, "source": "scoring", "file": "b/scrubbed/1.csv", "expected": expected})
}

/// A world in which a campaign is counted, and a message asks for a report.
fn counted(counts: [i64; 3]) -> World {
    let world = World::default();
    world.count(CAMPAIGN, counts);
    world.queue(&scoring(CAMPAIGN, &json!({"verified": 2})));
    world
}

fn warnings(world: &World) -> Vec<String> {
    world.logs.borrow().iter().filter(|line| line.starts_with("WARN")).cloned().collect()
}

#[test]
fn a_report_is_posted_once_the_counts_stand_still_and_noted() {
    let world = counted([2, 1, 0]);
    assert_eq!((world.deliver(), world.texts().len()), (vec![Disposition::Ack], 0), "first it is looked at again");
    world.pass(10_000);
    assert_eq!(world.deliver(), [Disposition::Ack]);
    assert_eq!(
        world.texts(),
        ["Scoring of campaign c, file b/scrubbed/1.csv: 2 verified (+2), 1 rejected (+1), 0 selected"]
    );
    assert_eq!(world.told(CAMPAIGN), Some(Totals { verified: 2, rejected: 1, selected: 0 }));
    assert!(world.queue.borrow().is_empty());
    assert_eq!(*world.observed.borrow(), [r#"report_seconds [("of", "scoring")] 10"#]);
    assert_eq!(*world.tables.calls.borrow(), 5, "a read and a copy, then a read, the claim and the confirmation");
}

#[test]
fn req_003_equal_counts_are_not_posted() {
    let world = counted([2, 1, 0]);
    world.run(MINUTE_MS);
    world.queue(&scoring(CAMPAIGN, &json!({})));
    world.run(MINUTE_MS);
    assert_eq!((world.texts().len(), warnings(&world)), (1, vec![]));
    world.count(CAMPAIGN, [3, 0, 0]);
    world.queue(&scoring(CAMPAIGN, &json!({})));
    world.run(MINUTE_MS);
    assert!(world.texts()[1].ends_with(": 3 verified (+1), 0 rejected (-1), 0 selected"), "{:?}", world.texts());
}

#[test]
fn req_003_messages_of_a_campaign_are_one_post() {
    let world = World::default();
    for campaign in ["c", "d"] {
        world.count(campaign, [25, 0, 50]);
        world.queue(&scoring(campaign, &json!({"verified": 20})));
        for _ in 0..4 {
            let (campaign_id, market_id) = (campaign.to_owned(), "m".to_owned());
            world.queue(&json!(Report { campaign_id, market_id, selected: 25 }));
        }
    }
    let before = *world.tables.calls.borrow();
    assert_eq!(world.deliver(), vec![Disposition::Ack; 10]);
    assert_eq!(*world.tables.calls.borrow() - before, 2, "one read and one call of the queue");
    assert_eq!(world.queue.borrow().len(), 4, "copies that say the same are one");
    world.run(MINUTE_MS);
    let texts = world.texts();
    assert_eq!((texts.len(), texts[0].lines().count()), (1, 2), "of both campaigns: {texts:?}");
    assert!(world.queue.borrow().is_empty());
}

/// Slack takes one message a second.
#[test]
fn notification_timeliness_many_campaigns_are_few_posts() {
    let world = World::default();
    world.queue_each(0..45);
    world.deliver();
    world.pass(10_000);
    let before = *world.tables.calls.borrow();
    assert_eq!(world.deliver(), vec![Disposition::Ack; 45]);
    let lines: Vec<_> = world.texts().iter().map(|text| text.lines().count()).collect();
    assert_eq!(lines, [20, 20, 5]);
    assert_eq!(*world.tables.calls.borrow() - before, 5, "a read, the claims, and the confirmations of each post");
}

/// As save-selections sends it.
#[test]
fn a_selections_report_is_told() {
    let world = World::default();
    world.count(CAMPAIGN, [0, 0, 30]);
    let (campaign_id, market_id) = (CAMPAIGN.to_owned(), "m".to_owned());
    world.queue(&json!(Report { campaign_id, market_id, selected: 25 }));
    world.run(MINUTE_MS);
    assert_eq!(world.texts(), ["Selection of campaign c, market m: 0 verified, 0 rejected, 30 selected (+30)"]);
    assert!(world.observed.borrow()[0].starts_with(r#"report_seconds [("of", "selection")] "#), "{:?}", world.observed);
}

/// A selection's minimum is reached by what was selected before.
#[test]
fn what_is_counted_after_the_message_came_is_told_too() {
    let world = counted([2, 0, 0]);
    world.deliver();
    world.count(CAMPAIGN, [5, 0, 0]);
    world.run(MINUTE_MS);
    assert_eq!(world.texts().len(), 1);
    assert!(world.texts()[0].contains("5 verified"), "{:?}", world.texts());
}

#[test]
fn requeue_logic_what_is_not_counted_yet_is_looked_at_later_without_a_failure() {
    let world = counted([1, 0, 0]);
    for _ in 0..30 {
        assert_eq!(world.deliver(), [Disposition::Ack]);
        world.pass(10_000);
    }
    assert!(world.texts().is_empty());
    world.count(CAMPAIGN, [2, 0, 0]);
    world.run(MINUTE_MS);
    assert_eq!(world.texts().len(), 1);
    assert_eq!(world.told(CAMPAIGN).unwrap().verified, 2);
    assert!(warnings(&world)[0].starts_with("WARN Verdicts reported late "), "{:?}", warnings(&world));
}

#[test]
fn after_10_minutes_what_stands_is_posted_with_a_warning() {
    let world = counted([1, 0, 0]);
    world.run(PATIENCE_MS - 1);
    assert!(world.texts().is_empty());
    world.run(MINUTE_MS);
    let texts = world.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        texts[0].ends_with("\n:warning: after 10 minutes not all is counted: 1 of at least 2 verified"),
        "{texts:?}"
    );
    assert!(world.queue.borrow().is_empty());
}

#[test]
fn notification_timeliness_counts_that_go_on_changing_are_told_within_60_seconds() {
    let world = counted([2, 0, 0]);
    for second in 0..180 {
        world.count(CAMPAIGN, [2 + second, 0, 0]);
        world.deliver();
        world.pass(1_000);
    }
    world.run(MINUTE_MS);
    let times: Vec<_> = world.posts.borrow().iter().map(|(at_ms, _)| *at_ms).collect();
    assert!(times[0] <= 50_000 && times.windows(2).all(|pair| pair[1] - pair[0] <= 60_000), "{times:?}");
    assert!(times.len() <= 5, "not each change by itself: {times:?}");
    assert_eq!(world.told(CAMPAIGN).unwrap().verified, 181, "the rest too");
}

/// Before the message was sent, its loader has waited for the last records, and counted.
#[test]
fn notification_timeliness_a_report_is_late_by_the_end_of_its_file() {
    for (ended_ms, is_late) in [(30_000, false), (29_999, true)] {
        let world = World::default();
        world.pass(90_000);
        world.count(CAMPAIGN, [2, 0, 0]);
        let mut message = scoring(CAMPAIGN, &json!({"verified": 2}));
        message["endedMs"] = json!(ended_ms);
        world.queue(&message);
        world.run(MINUTE_MS);
        assert_eq!((world.texts().len(), warnings(&world).len()), (1, usize::from(is_late)), "{ended_ms}");
        let age = format!(r#""ageMs":{}"#, world.posts.borrow()[0].0 - ended_ms);
        assert!(world.logs.borrow().iter().any(|line| line.contains(&age)), "{age}: {:?}", world.logs);
    }
}

#[test]
fn while_slack_is_down_messages_wait_and_nothing_is_told_twice() {
    let world = World::default();
    world.queue_each(0..25);
    world.deliver();
    world.pass(10_000);
    world.slack.set(SlackMode::Down);
    let down = Disposition::retry("the slack service is unavailable: down");
    for _ in 0..3 {
        assert_eq!(world.deliver(), vec![down.clone(); 25]);
        world.pass(30_000);
    }
    assert_eq!(world.asked.get(), 3, "the second post of a batch is not tried in vain");
    world.slack.set(SlackMode::Ok);
    world.run(MINUTE_MS);
    assert_eq!(world.texts().len(), 2);
    assert!(world.queue.borrow().is_empty());
}

#[test]
fn req_008_what_slack_refuses_costs_no_other_campaign() {
    let world = World::default();
    world.count("c", [2, 0, 0]);
    world.queue(&scoring("c", &json!({})));
    world.queue(&json!({"campaignId": "", "source": "scoring"}));
    world.queue(&json!({"campaignId": "d", "source": "scoring"}));
    world
        .tables
        .table
        .borrow_mut()
        .items
        .insert(scoring::counts::Counts::key("d"), json!({"verified": "many"}).as_object().unwrap().clone());
    let dispositions = world.deliver();
    assert_eq!(dispositions[..2], [Disposition::Ack, Disposition::Reject("malformed: campaignId is empty".to_owned())]);
    let Disposition::Retry(unreadable) = &dispositions[2] else { unreachable!("{dispositions:?}") };
    assert!(unreadable.reason.starts_with("campaign d: malformed: meta:counts: "), "{}", unreadable.reason);

    let world = World { refused: Some("c-03"), ..World::default() };
    world.queue_each(0..8);
    world.deliver();
    world.pass(10_000);
    let dispositions = world.deliver();
    let refused = Disposition::retry("the slack service refused with status 400: invalid_payload");
    for (n, disposition) in dispositions.iter().enumerate() {
        assert_eq!(*disposition, if n == 3 { refused.clone() } else { Disposition::Ack }, "{n}");
    }
    assert_eq!(world.texts().iter().map(|text| text.lines().count()).sum::<usize>(), 7);
}

#[test]
fn req_008_a_campaign_whose_id_no_key_can_hold_costs_no_other() {
    let world = counted([2, 0, 0]);
    world.queue(&scoring(&"x".repeat(2_100), &json!({})));
    let dispositions = world.deliver();
    assert_eq!(dispositions[0], Disposition::Ack, "it is looked at again");
    let Disposition::GiveUp(reason) = &dispositions[1] else { unreachable!("{dispositions:?}") };
    assert!(reason.starts_with("invalid: "), "{reason}");
    world.run(MINUTE_MS);
    assert_eq!(world.texts().len(), 1);
}

/// Slack has it, but the confirmation is not written, as when the host is killed in between: the message comes again, and
/// posts again what the counts are then.
#[test]
fn a_post_that_is_not_noted_is_repeated() {
    let mut world = counted([2, 0, 0]);
    world.deliver();
    world.pass(10_000);
    // By this message's own claim, which it has written before.
    let claimed = json!({"pk": "CAMPAIGN#c", "teller": "message-2", "claimedMs": 10_000});
    let key = scoring::report::key(CAMPAIGN);
    world.tables.table.borrow_mut().items.insert(key.clone(), claimed.as_object().unwrap().clone());
    world.tables.stuck.insert(key.sk.clone(), scoring_io::testing::down());
    assert_eq!(world.deliver(), [Disposition::retry("down")]);
    assert!(warnings(&world)[0].starts_with("WARN Report not recorded; Slack gets it again"), "{:?}", warnings(&world));
    world.tables.stuck.clear();
    world.run(2 * MINUTE_MS);
    let texts = world.texts();
    assert_eq!((texts.len(), &texts[0]), (2, &texts[1]));
    assert!(world.queue.borrow().is_empty());
}

#[test]
fn without_slack_the_log_has_the_report_and_it_counts_as_told() {
    let world = counted([2, 0, 0]);
    world.slack.set(SlackMode::NotSetUp);
    world.run(MINUTE_MS);
    assert!(world.queue.borrow().is_empty() && world.texts().is_empty() && warnings(&world).is_empty());
    assert_eq!(world.told(CAMPAIGN).unwrap().verified, 2);
    assert!(world.observed.borrow().is_empty());
    let logs = world.logs.borrow();
    assert!(logs.iter().any(|line| line.contains("since Slack is not set up") && line.contains("2 verified (+2)")));
}

#[test]
fn the_fixture_is_read() {
    let event = include_bytes!("../fixtures/sqs.json");
    let incoming = lambda::parse(event, &Context::default(), &mut |_| ()).unwrap();
    let sent: Vec<_> = incoming.iter().filter_map(Incoming::event).map(crate::campaign::Sent::read).collect();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|sent| sent.as_ref().unwrap().message.campaign_id == "campaign-123"));
}

proptest! {
    /// Whatever fails on the way, in the end Slack knows the counts, and nothing waits. A text is repeated only if the table
    /// or Slack failed.
    #[test]
    fn req_003_slack_ends_with_the_counts_whatever_fails(
        choices in proptest::collection::vec(any::<u8>(), 0..200),
        changes in proptest::collection::vec((0_u64..40, 0_i64..5, any::<bool>()), 1..8),
    ) {
        let world = World::default();
        let is_faultless = choices.is_empty();
        world.tables.choices.set(choices);
        let mut verified = 0;
        for (seconds, more, asks) in changes {
            verified += more;
            world.count(CAMPAIGN, [verified, 0, 0]);
            if asks {
                world.queue(&scoring(CAMPAIGN, &json!({"verified": verified})));
            }
            for _ in 0..seconds {
                world.deliver();
                world.pass(1_000);
            }
        }
        world.queue(&scoring(CAMPAIGN, &json!({"verified": verified})));
        world.run(3 * PATIENCE_MS);
        prop_assert!(world.queue.borrow().is_empty(), "{:?}", world.queue);
        prop_assert_eq!(world.told(CAMPAIGN).unwrap_or_default().verified, verified);
        let counts = |text: &String| text.split(": ").nth(1).unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        let told: Vec<_> = world.texts().iter().map(counts).collect();
        prop_assert_eq!(told.last().cloned().unwrap_or_else(|| "0".to_owned()), verified.to_string());
        prop_assert!(!is_faultless || told.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", told);
    }
}
