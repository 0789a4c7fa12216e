//! What Slack is told of a campaign's counts, and when.

use crate::counts::Totals;
use crate::table::{Change, Key};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write;

/// The sort key of the counts that Slack was told last.
pub const SORT_KEY: &str = "meta:slack:counts";
/// Seconds until the counts are looked at again.
pub const DELAY_SECS: u32 = 10;
/// Milliseconds after which the counts are told as they are.
pub const PATIENCE_MS: u64 = 10 * 60 * 1_000;

/// A message of verdictReporterQueue.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The campaign.
    pub campaign_id: String,
    /// The market, of a selection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market_id: Option<String>,
    /// What is done.
    pub source: Source,
    /// The file, of scoring: `<bucket>/<key>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What the counts are at least, once all is counted.
    #[serde(default)]
    pub expected: Expected,
    /// When the first message was sent of which this one is a delayed copy, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<i64>,
    /// Of rejected fans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<i64>,
    /// Of selected fans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected: Option<i64>,
}

/// The counts that Slack was told last.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Told {
    /// The counts.
    #[serde(flatten)]
    pub totals: Totals,
    /// The message that is telling them now; absent once Slack has taken them.
    pub teller: Option<String>,
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
    /// Not all is counted: send this copy, delayed by [`DELAY_SECS`], and settle the message.
    Later(Message),
    /// Slack knows these counts. The warning, if any, is for the log.
    Known {
        /// What was expected and is not reached.
        warning: Option<String>,
    },
    /// Write the claim, if there is one; if its condition holds, post the text; then write [`told`]. If the condition fails,
    /// another message is telling: read and decide again.
    Post {
        /// Says that this message tells these counts.
        claim: Option<Change>,
        /// The text for Slack.
        text: String,
    },
}

/// The key of the counts that Slack was told last.
pub fn key(campaign_id: &str) -> Key {
    Key::of_campaign(campaign_id, SORT_KEY)
}

/// Reads that item.
///
/// # Errors
/// When the item is not what its key says.
pub fn read_told(item: Option<&str>) -> Result<Option<Told>, String> {
    let read = |item| serde_json::from_str(item).map_err(|problem| format!("malformed: {SORT_KEY}: {problem}"));
    item.map(read).transpose()
}

/// Decides by the counts as they are, and those told last.
pub fn decide(received: Received<'_>, counts: Totals, told: Option<&Told>, now_ms: u64) -> Decision {
    let Received { message, id, sent_ms } = received;
    let since_ms = message.since_ms.unwrap_or(sent_ms);
    let missing = message.expected.missing(counts);
    if missing.is_some() && now_ms.saturating_sub(since_ms) < PATIENCE_MS {
        return Decision::Later(Message { since_ms: Some(since_ms), ..message.clone() });
    }
    let warning = missing.map(|missing| format!("after 10 minutes not all is counted: {missing}"));
    let known = told.map_or(Totals::default(), |told| told.totals);
    // After a crash this message may have told nobody yet.
    let is_teller = told.and_then(|told| told.teller.as_deref()) == Some(id);
    if known == counts && !is_teller {
        return Decision::Known { warning };
    }
    let text = text(message, counts, known, warning.as_deref());
    Decision::Post { claim: (known != counts).then(|| claim(message, id, counts, told)), text }
}

/// Says in the table that a message tells these counts, on condition that what was told is as it was read.
fn claim(message: &Message, id: &str, counts: Totals, told: Option<&Told>) -> Change {
    let mut change = Change::of(key(&message.campaign_id)).set("teller", id);
    for (name, count) in counts.named() {
        change = change.set(name, count);
    }
    let Some(told) = told else { return change.if_absent("pk") };
    for (name, count) in told.totals.named() {
        change = change.if_equals(name, count);
    }
    change
}

/// Says in the table that Slack has taken what a message told.
pub fn told(message: &Message, id: &str) -> Change {
    let mut change = Change::of(key(&message.campaign_id)).if_equals("teller", id);
    change.remove.push("teller".to_owned());
    change
}

impl Expected {
    /// What the counts do not reach, in words.
    fn missing(self, counts: Totals) -> Option<String> {
        let expected = [self.verified, self.rejected, self.selected];
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

/// As Slack wants the three characters that it reads itself.
fn escaped(text: &str) -> String {
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
            since_ms: None,
        }
    }

    fn totals(verified: i64, rejected: i64, selected: i64) -> Totals {
        Totals { verified, rejected, selected }
    }

    fn told(totals: Totals, teller: Option<&str>) -> Told {
        Told { totals, teller: teller.map(str::to_owned) }
    }

    fn decide_at(age_ms: u64, counts: Totals, told: Option<&Told>) -> Decision {
        let message = message();
        decide(Received { message: &message, id: "id", sent_ms: SENT_MS }, counts, told, SENT_MS + age_ms)
    }

    fn posted(decision: Decision) -> String {
        let Decision::Post { text, .. } = decision else { panic!("{decision:?}") };
        text
    }

    #[test]
    fn req_003_slack_is_told_only_when_counts_differ_from_those_told_last() {
        let counts = totals(1_200, 300, 0);
        assert_eq!(decide_at(0, counts, Some(&told(counts, None))), Decision::Known { warning: None });
        let text = posted(decide_at(0, counts, Some(&told(totals(1_000, 305, 0), None))));
        let expected = "Scoring of campaign c, file scoringBucket/scrubbed/1.csv: 1,200 verified (+200), 300 rejected (-5), 0 selected";
        assert_eq!(text, expected);
        assert!(matches!(decide_at(0, counts, None), Decision::Post { claim: Some(_), .. }));
    }

    #[test]
    fn a_campaign_that_counts_nothing_and_was_never_told_of_is_not_told_of() {
        let message = Message { expected: Expected::default(), ..message() };
        let received = Received { message: &message, id: "id", sent_ms: SENT_MS };
        assert_eq!(decide(received, Totals::default(), None, SENT_MS), Decision::Known { warning: None });
    }

    #[test]
    fn requeue_logic_while_counts_are_below_what_is_expected_a_delayed_copy_is_sent() {
        let Decision::Later(copy) = decide_at(5, totals(1_199, 0, 0), None) else { panic!("a copy") };
        assert_eq!(copy, Message { since_ms: Some(SENT_MS), ..message() });
        // The copy's own time does not begin the ten minutes anew.
        let again = Received { message: &copy, id: "other", sent_ms: SENT_MS + 60_000 };
        assert_eq!(decide(again, totals(0, 0, 0), None, SENT_MS + PATIENCE_MS - 1), Decision::Later(copy.clone()));
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
        assert_eq!(decide_at(PATIENCE_MS, counts, Some(&told(counts, None))), known);
    }

    #[test]
    fn req_003_of_two_messages_one_tells() {
        let counts = totals(1_200, 0, 0);
        let (mut table, message) = (Table::default(), message());
        let received = |id| Received { message: &message, id, sent_ms: SENT_MS };
        let read = |table: &Table| read_told(table.get(&key("c")).as_deref()).unwrap();
        let of = |id, told: Option<&Told>| match decide(received(id), counts, told, SENT_MS) {
            Decision::Post { claim, .. } => claim,
            other => panic!("{other:?}"),
        };
        let (one, two) = (of("1", None).unwrap(), of("2", None).unwrap());
        table.apply(&one).unwrap();
        table.apply(&two).unwrap_err();
        assert_eq!(decide(received("2"), counts, read(&table).as_ref(), SENT_MS), Decision::Known { warning: None });
        // A crash before the post: the message comes again and posts, without another claim.
        assert_eq!(of("1", read(&table).as_ref()), None);
        table.apply(&super::told(&message, "1")).unwrap();
        assert_eq!(decide(received("1"), counts, read(&table).as_ref(), SENT_MS), Decision::Known { warning: None });
        // The next change.
        let more = Decision::Post { claim: None, text: String::new() };
        let next = decide(received("3"), totals(1_201, 0, 0), read(&table).as_ref(), SENT_MS);
        assert_ne!(next, more);
        let Decision::Post { claim: Some(claim), .. } = next else { panic!("{next:?}") };
        table.apply(&claim).unwrap();
    }

    #[test]
    fn names_are_escaped_for_slack() {
        let message = Message {
            campaign_id: "<!channel> & co".to_owned(),
            file: None,
            market_id: Some("m>".to_owned()),
            source: Source::Selection,
            expected: Expected::default(),
            since_ms: None,
        };
        let received = Received { message: &message, id: "id", sent_ms: SENT_MS };
        let text = posted(decide(received, totals(-1_234_567, 12, 123), None, SENT_MS));
        let begin = "Selection of campaign &lt;!channel&gt; &amp; co, market m&gt;: -1,234,567 verified (-1,234,567), 12 rejected (+12)";
        assert!(text.starts_with(begin), "{text}");
        assert_eq!(body("a"), serde_json::json!({"text": "a"}));
    }

    /// As save-selections sends it.
    #[test]
    fn a_selections_message_is_read() {
        let text = r#"{"campaignId":"c","marketId":"m","source":"selection","expected":{"selected":25}}"#;
        let message: Message = serde_json::from_str(text).unwrap();
        assert_eq!(message.expected, Expected { selected: Some(25), ..Expected::default() });
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
    }
}
