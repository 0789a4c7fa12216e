//! What Slack is told of a campaign's counts, and when.
//!
//! Changes are counted a moment after they are written, and what a message expects is a minimum. So each message is looked
//! at again by a delayed copy, which has the counts that were seen, until the counts stand still between two looks. While
//! they go on changing for as long as [`SETTLE_MS`], those of the moment are told, and another copy tells the rest.
//!
//! The item `meta:slack:counts` has the counts that Slack has taken, and while a message tells new ones its id (`teller`)
//! and when it claimed that (`claimedMs`). Another message waits for it; when the claim is as old as [`PATIENCE_MS`], the
//! teller is taken for lost, and the other one tells.

use crate::counts::Totals;
use crate::table::{Change, Key};
use host_adapters_json::lenient::{if_readable, null_as_default, optional_whole, whole_or_zero};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt::Write;

/// The sort key of the counts that Slack was told last.
pub const SORT_KEY: &str = "meta:slack:counts";
/// Seconds until the counts are looked at again.
pub const DELAY_SECS: u32 = 5;
/// Milliseconds after the end of a file, or else the message, after which counts are told that still change: with another
/// look and the wait for Slack's rate limit, within the 60 seconds that scoring asks for.
pub const SETTLE_MS: u64 = 40 * 1_000;
/// Milliseconds after which the counts are told as they are, and after which a claim is taken over. A teller that fails for
/// good has made its attempts by then.
pub const PATIENCE_MS: u64 = 10 * 60 * 1_000;

/// A message of verdictReporterQueue.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The campaign.
    pub campaign_id: String,
    /// The market, of a selection: for people.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_readable")]
    pub market_id: Option<String>,
    /// What is done.
    pub source: Source,
    /// The file, of scoring: `<bucket>/<key>`, for people.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_readable")]
    pub file: Option<String>,
    /// What the counts are at least, once all is counted.
    #[serde(default, deserialize_with = "null_as_default")]
    pub expected: Expected,
    /// When the last row of the file was done, milliseconds since 1970: Slack is to know of it within 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub ended_ms: Option<u64>,
    /// When the first message was sent of which this one is a delayed copy, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub since_ms: Option<u64>,
    /// The counts at the last look, of a delayed copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Totals>,
}

/// Who asks for a report.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Winners of a market were saved.
    Selection,
    /// A file was read.
    Scoring,
}

/// Minimum totals; only the named ones are compared.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Expected {
    /// Of verified fans.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub verified: Option<i64>,
    /// Of rejected fans.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub rejected: Option<i64>,
    /// Of selected fans.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub selected: Option<i64>,
}

/// The counts that Slack was told last, and who tells it new ones.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// The counts that Slack has taken.
    #[serde(flatten)]
    pub totals: Totals,
    /// The message that tells new ones now.
    pub teller: Option<String>,
    /// When it said so, milliseconds since 1970.
    #[serde(default, deserialize_with = "whole_or_zero")]
    pub claimed_ms: u64,
}

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Its content.
    pub message: &'a Message,
    /// Its id: the same at each delivery.
    pub id: &'a str,
    /// When it was sent, milliseconds since 1970.
    pub sent_ms: u64,
}

/// What is to be done for a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Not all is counted, the counts still change, or another message is telling: send this copy, delayed by
    /// [`DELAY_SECS`], and settle the message.
    Later(Message),
    /// Slack has taken these counts. The warning, if any, is for the log.
    Known {
        /// What was expected and is not reached.
        warning: Option<String>,
    },
    /// Write the claim, if there is one; if its condition holds, post the text, and once Slack has taken it, write the
    /// confirmation. If the claim's condition fails, another message is telling: read and decide again. If the
    /// confirmation's fails, another one has taken over and confirms what it tells.
    Post {
        /// Says that this message is telling; `None` if it has said so at an earlier delivery.
        claim: Option<Change>,
        /// The text for Slack.
        text: String,
        /// Says that Slack has taken the counts.
        confirmation: Change,
        /// A copy to send, delayed, with the confirmation: the counts still change.
        rest: Option<Box<Message>>,
    },
}

/// The key of the counts that Slack was told last.
pub fn key(campaign_id: &str) -> Key {
    Key::of_campaign(campaign_id, SORT_KEY)
}

/// Reads that item. What is null in it is as absent.
///
/// # Errors
/// When the item is not what its key says.
pub fn read_told(item: Option<&str>) -> Result<Option<Told>, String> {
    let read = |item| {
        let mut item: Map<String, Value> = serde_json::from_str(item)?;
        item.retain(|_, value| !value.is_null());
        serde_json::from_value(Value::Object(item))
    };
    item.map(read).transpose().map_err(|problem| format!("malformed: {SORT_KEY}: {problem}"))
}

/// Decides by the counts as they are, and those told last.
pub fn decide(received: Received<'_>, counts: Totals, told: Option<&Told>, now_ms: u64) -> Decision {
    let Received { message, id, sent_ms } = received;
    let since_ms = message.since_ms.unwrap_or(sent_ms);
    let age_ms = now_ms.saturating_sub(since_ms);
    let ended_ms = message.ended_ms.unwrap_or(since_ms);
    let later = || Decision::Later(Message { since_ms: Some(since_ms), seen: Some(counts), ..message.clone() });
    let missing = message.expected.missing(counts);
    let stand_still = message.seen == Some(counts);
    let known = told.map_or(Totals::default(), |told| told.totals);
    let teller = told.and_then(|told| Some((told.teller.as_deref()?, told.claimed_ms)));
    // The teller posts itself: a copy has another id, and would have to wait for the teller.
    let is_teller = teller.is_some_and(|(teller, _)| teller == id);
    let waits =
        (missing.is_some() && age_ms < PATIENCE_MS) || (!stand_still && now_ms.saturating_sub(ended_ms) < SETTLE_MS);
    if waits && !is_teller {
        return later();
    }
    let warning = missing.filter(|_| age_ms >= PATIENCE_MS);
    let warning = warning.map(|missing| format!("after 10 minutes not all is counted: {missing}"));
    let claim = match teller {
        None if known == counts && !stand_still => return later(),
        None if known == counts => return Decision::Known { warning },
        // After a crash this message may have told nobody yet.
        Some(_) if is_teller => None,
        Some((_, claimed_ms)) if now_ms.saturating_sub(claimed_ms) < PATIENCE_MS => return later(),
        _ => Some(claim(message, id, told, now_ms)),
    };
    let text = text(message, counts, known, warning.as_deref());
    let expected = if warning.is_some() { Expected::default() } else { message.expected };
    // The file counts as reported with this post, so the copy has no `ended_ms`.
    let rest = || Message { expected, ended_ms: None, since_ms: Some(now_ms), seen: Some(counts), ..message.clone() };
    let rest = (!stand_still).then(|| Box::new(rest()));
    Decision::Post { claim, text, confirmation: confirmation(message, id, counts), rest }
}

/// Claims a campaign's report for a message in the table, on condition that the told counts and the teller are
/// unchanged since they were read.
fn claim(message: &Message, id: &str, told: Option<&Told>, now_ms: u64) -> Change {
    let change = Change::of(key(&message.campaign_id)).set("teller", id).set("claimedMs", now_ms);
    let Some(told) = told else { return change.if_absent("pk") };
    let change = match &told.teller {
        None => change.if_absent_or("teller", Value::Null),
        Some(other) => change.if_equals("teller", other.as_str()),
    };
    told.totals.named().into_iter().fold(change, |change, (name, count)| match count {
        0 => change.if_absent_or(name, count),
        _ => change.if_equals(name, count),
    })
}

/// Records in the table that Slack has taken the counts of a message.
fn confirmation(message: &Message, id: &str, counts: Totals) -> Change {
    let mut change = Change::of(key(&message.campaign_id)).if_equals("teller", id);
    for (name, count) in counts.named() {
        change = change.set(name, count);
    }
    change.remove.extend(["teller".to_owned(), "claimedMs".to_owned()]);
    change
}

impl Expected {
    /// The expected counts that are not reached, as text.
    fn missing(self, counts: Totals) -> Option<String> {
        // A later file turns verified fans into rejected ones, and back; fans who are either do not become fewer by that.
        let both = self.verified.zip(self.rejected).map(|(verified, rejected)| verified + rejected);
        let are_scored = both.is_some_and(|scored| counts.verified + counts.rejected >= scored);
        let expected = match are_scored {
            true => [None, None, self.selected],
            false => [self.verified, self.rejected, self.selected],
        };
        let missing = expected.into_iter().zip(counts.named()).filter_map(|(least, (name, count))| {
            let least = least.filter(|least| count < *least)?;
            Some(format!("{} of at least {} {name}", grouped(count), grouped(least)))
        });
        let missing = missing.collect::<Vec<_>>().join(", ");
        (!missing.is_empty()).then_some(missing)
    }
}

fn text(message: &Message, counts: Totals, known: Totals, warning: Option<&str>) -> String {
    let mut text = match message.source {
        Source::Scoring => format!("Scoring of campaign {}", escaped(&message.campaign_id)),
        Source::Selection => format!("Selection of campaign {}", escaped(&message.campaign_id)),
    };
    let details = [("market", &message.market_id), ("file", &message.file)];
    for (what, name) in details.into_iter().filter_map(|(what, name)| Some((what, name.as_deref()?))) {
        let _ = write!(text, ", {what} {}", escaped(name));
    }
    for ((index, (name, count)), (_, before)) in counts.named().into_iter().enumerate().zip(known.named()) {
        let _ = write!(text, "{}{} {name}", if index == 0 { ": " } else { ", " }, grouped(count));
        match count - before {
            0 => {}
            more @ 1.. => _ = write!(text, " (+{})", grouped(more)),
            less => _ = write!(text, " ({})", grouped(less)),
        }
    }
    if let Some(warning) = warning {
        let _ = write!(text, "\n:warning: {warning}");
    }
    text
}

/// Escapes the three characters that Slack interprets; on one line.
fn escaped(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A number with a comma between thousands.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What is posted to Slack's webhook.
pub fn body(text: &str) -> Value {
    serde_json::json!({ "text": text })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod reading;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::Table;

    const SENT_MS: u64 = 1_000_000;

    fn message() -> Message {
        Message {
            campaign_id: "c".to_owned(),
            market_id: None,
            source: Source::Scoring,
            file: Some("scoringBucket/scrubbed/1.csv".to_owned()),
            expected: Expected { verified: Some(1_200), ..Expected::default() },
            ended_ms: None,
            since_ms: None,
            seen: None,
        }
    }

    /// A copy of a message that saw these counts.
    fn looked(message: Message, seen: Totals) -> Message {
        Message { since_ms: Some(SENT_MS), seen: Some(seen), ..message }
    }

    fn totals(verified: i64, rejected: i64, selected: i64) -> Totals {
        Totals { verified, rejected, selected }
    }

    fn told(totals: Totals) -> Told {
        Told { totals, teller: None, claimed_ms: 0 }
    }

    /// The decision of a message whose counts stand still.
    fn decide_at(age_ms: u64, counts: Totals, told: Option<&Told>) -> Decision {
        let message = looked(message(), counts);
        decide(Received { message: &message, id: "id", sent_ms: SENT_MS }, counts, told, SENT_MS + age_ms)
    }

    fn posted(decision: Decision) -> String {
        let Decision::Post { text, .. } = decision else { panic!("{decision:?}") };
        text
    }

    #[test]
    fn req_003_slack_is_told_only_when_counts_differ_from_those_told_last() {
        let counts = totals(1_200, 300, 0);
        assert_eq!(decide_at(0, counts, Some(&told(counts))), Decision::Known { warning: None });
        let text = posted(decide_at(0, counts, Some(&told(totals(1_000, 305, 0)))));
        let expected = "Scoring of campaign c, file scoringBucket/scrubbed/1.csv: 1,200 verified (+200), 300 rejected (-5), 0 selected";
        assert_eq!(text, expected);
        assert!(matches!(decide_at(0, counts, None), Decision::Post { claim: Some(_), .. }));
    }

    #[test]
    fn a_campaign_that_counts_nothing_and_was_never_told_of_is_not_told_of() {
        let message = Message { expected: Expected::default(), ..looked(message(), Totals::default()) };
        let received = Received { message: &message, id: "id", sent_ms: SENT_MS };
        assert_eq!(decide(received, Totals::default(), None, SENT_MS), Decision::Known { warning: None });
    }

    /// The decision of a message of this age that saw `seen`, and whose minimum is reached.
    fn look(age_ms: u64, seen: Option<Totals>, counts: Totals, told: Option<&Told>) -> Decision {
        let message = Message { seen, since_ms: seen.map(|_| SENT_MS), ..message() };
        decide(Received { message: &message, id: "id", sent_ms: SENT_MS }, counts, told, SENT_MS + age_ms)
    }

    /// What a message expects may be reached before all is counted; then nothing else tells of the rest.
    #[test]
    fn req_002_counts_are_told_once_they_stand_still() {
        let [first, second] = [totals(1_200, 0, 0), totals(1_300, 0, 0)];
        let told_first = told(first);
        assert_eq!(look(50, None, first, None), Decision::Later(looked(message(), first)));
        assert_eq!(
            look(50, None, first, Some(&told_first)),
            Decision::Later(looked(message(), first)),
            "not known yet"
        );
        assert_eq!(look(10_000, Some(first), second, None), Decision::Later(looked(message(), second)));
        let Decision::Post { text, rest: None, .. } = look(20_000, Some(second), second, Some(&told_first)) else {
            panic!("they stand still")
        };
        assert!(text.contains("1,300 verified (+100)"), "{text}");
        assert_eq!(look(20_000, Some(first), first, Some(&told_first)), Decision::Known { warning: None });
    }

    /// "Verdict reports posted to Slack within 60 seconds of file processing completion", also while another file is read.
    #[test]
    fn notification_timeliness_counts_that_go_on_changing_are_told_and_their_rest_later() {
        let [first, second] = [totals(1_200, 0, 0), totals(1_300, 0, 0)];
        assert!(matches!(look(SETTLE_MS - 1, Some(first), second, None), Decision::Later(_)));
        let Decision::Post { text, rest: Some(rest), .. } = look(SETTLE_MS, Some(first), second, None) else {
            panic!("it is time")
        };
        assert!(text.contains("1,300 verified"), "{text}");
        let (since_ms, seen) = (Some(SENT_MS + SETTLE_MS), Some(second));
        assert_eq!(*rest, Message { since_ms, seen, ..message() });
        // What another message has told meanwhile may not be all.
        let known = look(SETTLE_MS, Some(first), second, Some(&told(second)));
        assert_eq!(known, Decision::Later(looked(message(), second)));
        const { assert!(SETTLE_MS + 1_000 * DELAY_SECS as u64 <= 60_000) };
    }

    /// A file's message may be sent late, since the last records of the file were saved late.
    #[test]
    fn notification_timeliness_is_measured_from_the_end_of_the_file() {
        let counts = totals(1_300, 0, 0);
        let look = |ended_ms| {
            let message = Message { ended_ms: Some(ended_ms), ..message() };
            let told = told(totals(1_200, 0, 0));
            decide(Received { message: &message, id: "id", sent_ms: SENT_MS }, counts, Some(&told), SENT_MS)
        };
        assert!(matches!(look(SENT_MS + 1 - SETTLE_MS), Decision::Later(Message { ended_ms: Some(_), .. })));
        let Decision::Post { rest: Some(rest), .. } = look(SENT_MS - SETTLE_MS) else { panic!("it is time") };
        assert_eq!((rest.ended_ms, rest.since_ms), (None, Some(SENT_MS)));
    }

    #[test]
    fn requeue_logic_while_counts_are_below_what_is_expected_a_delayed_copy_is_sent() {
        let missing = totals(1_199, 0, 0);
        let Decision::Later(copy) = decide_at(5, missing, None) else { panic!("a copy") };
        assert_eq!(copy, looked(message(), missing));
        // The copy's own time does not restart the ten minutes.
        let again = Received { message: &copy, id: "other", sent_ms: SENT_MS + 60_000 };
        assert_eq!(decide(again, missing, None, SENT_MS + PATIENCE_MS - 1), Decision::Later(copy.clone()));
        assert!(matches!(decide(again, totals(1, 0, 0), None, SENT_MS + PATIENCE_MS), Decision::Post { .. }));
    }

    #[test]
    fn only_the_parts_that_expected_names_are_compared() {
        let text = posted(decide_at(0, totals(1_200, 0, 0), None));
        assert!(!text.contains("warning"), "{text}");
    }

    #[test]
    fn after_10_minutes_what_stands_is_posted_with_a_warning() {
        let counts = totals(1_100, 0, 0);
        let text = posted(decide_at(PATIENCE_MS, counts, None));
        let warning = "after 10 minutes not all is counted: 1,100 of at least 1,200 verified";
        assert_eq!(text.split_once("\n:warning: ").unwrap().1, warning);
        let known = Decision::Known { warning: Some(warning.to_owned()) };
        assert_eq!(decide_at(PATIENCE_MS, counts, Some(&told(counts))), known);
    }

    /// A table and what messages with an id do to it.
    struct Slack {
        table: Table,
        counts: Totals,
    }

    impl Slack {
        fn new() -> Self {
            Self { table: Table::default(), counts: totals(1_200, 0, 0) }
        }

        fn decide(&self, id: &str, age_ms: u64) -> Decision {
            let message = looked(message(), self.counts);
            let told = read_told(self.table.get(&key("c")).as_deref()).unwrap();
            let received = Received { message: &message, id, sent_ms: SENT_MS };
            decide(received, self.counts, told.as_ref(), SENT_MS + age_ms)
        }

        fn post(&self, id: &str, age_ms: u64) -> (Option<Change>, String, Change) {
            match self.decide(id, age_ms) {
                Decision::Post { claim, text, confirmation, .. } => (claim, text, confirmation),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn req_003_of_two_messages_one_tells() {
        let mut slack = Slack::new();
        let (one, _, confirmation) = slack.post("1", 0);
        let (two, ..) = slack.post("2", 0);
        slack.table.apply(&one.unwrap()).unwrap();
        slack.table.apply(&two.unwrap()).unwrap_err();
        assert!(matches!(slack.decide("2", 0), Decision::Later(_)), "nobody has been told yet");
        // A crash before the post: the message comes again and posts the same, without another claim.
        let (again, text, _) = slack.post("1", 0);
        assert_eq!(again, None);
        assert!(text.contains("1,200 verified (+1,200)"), "{text}");
        slack.table.apply(&confirmation).unwrap();
        for id in ["1", "2"] {
            assert_eq!(slack.decide(id, 0), Decision::Known { warning: None });
        }
        // The next change.
        slack.counts.verified += 1;
        let (claim, text, confirmation) = slack.post("3", 0);
        assert!(text.contains("1,201 verified (+1)"), "{text}");
        slack.table.apply(&claim.unwrap()).unwrap();
        slack.table.apply(&confirmation).unwrap();
        assert_eq!(slack.decide("4", 0), Decision::Known { warning: None });
    }

    /// Message 1 has claimed and fails for good.
    #[test]
    fn a_teller_that_is_lost_is_replaced_after_10_minutes() {
        let mut slack = Slack::new();
        let (claim, _, lost) = slack.post("1", 1_000);
        slack.table.apply(&claim.unwrap()).unwrap();
        let Decision::Later(copy) = slack.decide("2", PATIENCE_MS) else { panic!("not told yet") };
        assert_eq!(copy, looked(message(), slack.counts));
        let (two, text, confirmation) = slack.post("2", PATIENCE_MS + 1_000);
        let (three, ..) = slack.post("3", PATIENCE_MS + 1_000);
        assert!(text.contains("1,200 verified (+1,200)"), "{text}");
        slack.table.apply(&two.unwrap()).unwrap();
        slack.table.apply(&three.unwrap()).unwrap_err();
        assert!(
            matches!(slack.decide("1", PATIENCE_MS + 1_000), Decision::Later(_)),
            "redriven, it does not tell twice"
        );
        slack.table.apply(&lost).unwrap_err();
        slack.table.apply(&confirmation).unwrap();
        assert_eq!(slack.decide("1", PATIENCE_MS + 1_000), Decision::Known { warning: None });
    }

    #[test]
    fn counts_that_go_back_while_they_are_told_are_told_too() {
        let mut slack = Slack { counts: totals(1_300, 0, 0), ..Slack::new() };
        let (claim, _, confirmation) = slack.post("1", 0);
        slack.table.apply(&claim.unwrap()).unwrap();
        slack.table.apply(&confirmation).unwrap();
        slack.counts = totals(1_301, 0, 0);
        slack.table.apply(&slack.post("2", 0).0.unwrap()).unwrap();
        slack.counts = totals(1_300, 0, 0);
        assert!(matches!(slack.decide("3", 0), Decision::Later(_)), "Slack may have taken 1,301");
        let (claim, _, confirmation) = slack.post("2", 0);
        assert_eq!(claim, None);
        slack.table.apply(&confirmation).unwrap();
        assert_eq!(slack.decide("3", 0), Decision::Known { warning: None });
    }

    /// The post fails, and when the message comes again, the counts have changed.
    #[test]
    fn who_is_telling_does_not_wait() {
        let mut slack = Slack::new();
        slack.table.apply(&slack.post("1", 0).0.unwrap()).unwrap();
        let message = looked(message(), slack.counts);
        for (counts, said) in [(totals(1_300, 0, 0), "1,300 verified"), (totals(7, 0, 0), "7 verified")] {
            slack.counts = counts;
            let told = read_told(slack.table.get(&key("c")).as_deref()).unwrap();
            let received = Received { message: &message, id: "1", sent_ms: SENT_MS };
            let Decision::Post { claim: None, text, rest: Some(_), .. } =
                decide(received, counts, told.as_ref(), SENT_MS + 30_000)
            else {
                panic!("it tells what there is")
            };
            assert!(text.contains(said) && !text.contains("warning"), "{text}");
        }
    }

    /// As an earlier version or a person may have left the item.
    #[test]
    fn a_count_that_is_absent_or_null_is_zero() {
        for item in [r#"{"verified":5}"#, r#"{"verified":5,"rejected":null,"selected":null,"teller":null}"#, "{}"] {
            let mut slack = Slack::new();
            let mut stored: Map<String, Value> = serde_json::from_str(item).unwrap();
            stored.insert("pk".to_owned(), "CAMPAIGN#c".into());
            slack.table.items.insert(key("c"), stored);
            let (claim, _, confirmation) = slack.post("1", 0);
            slack.table.apply(&claim.unwrap()).unwrap();
            slack.table.apply(&confirmation).unwrap();
            assert_eq!(slack.decide("2", 0), Decision::Known { warning: None }, "{item}");
        }
    }

    #[test]
    fn names_are_escaped_for_slack() {
        let message = Message {
            campaign_id: "<!channel> &\nco".to_owned(),
            file: None,
            market_id: Some("m>".to_owned()),
            source: Source::Selection,
            expected: Expected::default(),
            ended_ms: None,
            since_ms: None,
            seen: Some(totals(-1_234_567, 12, 123)),
        };
        let received = Received { message: &message, id: "id", sent_ms: SENT_MS };
        let text = posted(decide(received, totals(-1_234_567, 12, 123), None, SENT_MS));
        let begin = "Selection of campaign &lt;!channel&gt; &amp; co, market m&gt;: -1,234,567 verified (-1,234,567), 12 rejected (+12)";
        assert!(text.starts_with(begin), "{text}");
        assert_eq!(body("a"), serde_json::json!({"text": "a"}));
    }

    /// As save-selections sends it.
    #[test]
    fn fans_who_are_rejected_instead_of_verified_are_scored_all_the_same() {
        let expected = Expected { verified: Some(8), rejected: Some(2), selected: None };
        let counts = |verified, rejected| Totals { verified, rejected, selected: 0 };
        assert_eq!(expected.missing(counts(10, 0)), None);
        assert_eq!(expected.missing(counts(5, 5)), None);
        assert_eq!(expected.missing(counts(9, 0)).as_deref(), Some("0 of at least 2 rejected"));
    }

    #[test]
    fn a_selections_message_is_read() {
        let text = r#"{"campaignId":"c","marketId":"m","source":"selection","expected":{"selected":25}}"#;
        let message: Message = serde_json::from_str(text).unwrap();
        assert_eq!(message.expected, Expected { selected: Some(25), ..Expected::default() });
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
    }
}
