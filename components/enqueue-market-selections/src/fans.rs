//! Who is eligible, who is best, and how many win. The rules are pure.

use crate::failed::Failed;
use crate::input::Selection;
use crate::ports::Ports;
use chrono::{DateTime, Utc};
use registration::text::fits_message;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::HashSet;
use worker_kit::pages::Pages;
use worker_kit::services::campaign::Market;
use worker_kit::services::entry::{Score, ScoringRecord};

/// How many rejected records are named in the log.
const EXAMPLES: usize = 5;
/// Most bytes of a globalUserId, which is part of a sort key of 1,024.
const MAX_ID_BYTES: usize = 1_000;

/// A fan who may win. The order is that of the ranking: best score first, of equal ones the earliest registration, then
/// the globalUserId.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Candidate {
    score: Reverse<Score>,
    /// A time that cannot be read is later than any other.
    registered: (bool, Option<DateTime<Utc>>),
    id: String,
}

/// The fans of a market without a code.
#[derive(Debug, Default)]
pub struct Fans {
    /// Best first, each once.
    pub ranked: Vec<String>,
    /// Winners of the market's plans who have no code yet. The Entry Service may still give them theirs.
    pub open: HashSet<String>,
    /// The number of records without a fan, or with one to whom no message can be sent. They cannot win.
    pub rejected: u64,
}

/// Reads the eligible records of a market without a code, and ranks their fans. `planned` are the winners of the market's
/// plans, who do not win again; `go_on` is called after each page.
pub async fn read(
    ports: &impl Ports,
    selection: &Selection,
    planned: &HashSet<&str>,
    go_on: impl AsyncFn() -> Result<(), Failed>,
) -> Result<Fans, Failed> {
    let (mut candidates, mut open) = (vec![], HashSet::new());
    let (mut rejected, mut examples) = (0_u64, vec![]);
    let mut pages = Pages::default();
    while let Some(page) = pages.read(async |after| ports.unassigned(selection, after).await).await? {
        for record in page.records {
            // A fan who has a code has won, whatever the list says.
            if record.code.is_some() {
                continue;
            }
            let member_id = record.member_id.clone();
            match candidate(record) {
                Some(Candidate { id, .. }) if planned.contains(id.as_str()) => drop(open.insert(id)),
                Some(candidate) => candidates.push(candidate),
                None => {
                    rejected += 1;
                    if examples.len() < EXAMPLES {
                        examples.push(member_id);
                    }
                }
            }
        }
        go_on().await?;
    }
    if rejected > 0 {
        let data = json!({"marketId": selection.market_id, "rejected": rejected, "memberIds": examples});
        ports.warn("Scoring records without globalUserId", data);
    }
    Ok(Fans { ranked: rank(candidates), open, rejected })
}

/// `None` if the record has no fan, or one whose id no key or no message can hold.
fn candidate(record: ScoringRecord) -> Option<Candidate> {
    let id = record.global_user_id.filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()) && fits_message(id))?;
    // Compared as instants, because their time zones may differ.
    let registered = DateTime::parse_from_rfc3339(&record.registered_at).ok().map(|time| time.to_utc());
    Some(Candidate { score: Reverse(record.score), registered: (registered.is_none(), registered), id })
}

/// The fans, best first. Of several records of a fan the best counts.
fn rank(mut candidates: Vec<Candidate>) -> Vec<String> {
    candidates.sort_unstable();
    let mut seen = HashSet::with_capacity(candidates.len());
    let is_first: Vec<_> = candidates.iter().map(|candidate| seen.insert(candidate.id.as_str())).collect();
    drop(seen);
    let ranked = candidates.into_iter().zip(is_first).filter(|(_, is_first)| *is_first);
    ranked.map(|(candidate, _)| candidate.id).collect()
}

/// How many fans win now: as many as the task asks for, else the market's capacity, else its share of the eligible fans;
/// less those who have won in earlier tasks, whether or not they have their codes already. `None` if none of these is
/// set.
pub fn wanted(selection: &Selection, market: &Market, eligible: u64, earlier: usize) -> Option<usize> {
    let by_ratio = || market.selection_ratio.map(|ratio| share(eligible, ratio));
    let all = selection.count.or(market.capacity).or_else(by_ratio)?;
    Some(usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(earlier))
}

/// The next whole number above `ratio` of `eligible`. A tenth of 30 is 3, although it is a little more in doubles.
fn share(eligible: u64, ratio: f64) -> u64 {
    let exact = eligible as f64 * ratio;
    let whole = exact.round();
    if (exact - whole).abs() < 1e-6 { whole as u64 } else { exact.ceil() as u64 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{Fan, World, market, selection};
    use futures::executor::block_on;
    use serde_json::Value;

    fn candidate_of(id: &str, score: &str, registered: &str) -> Candidate {
        let record =
            json!({"campaignId": "c", "marketId": "m", "globalUserId": id, "registeredAt": registered, "score": 0});
        let record = record.to_string().replace(r#""score":0"#, &format!(r#""score":{score}"#));
        candidate(serde_json::from_str(&record).unwrap()).unwrap()
    }

    fn ranked(candidates: &[(&str, &str, &str)]) -> Vec<String> {
        rank(candidates.iter().map(|(id, score, time)| candidate_of(id, score, time)).collect())
    }

    #[test]
    fn the_best_score_is_first() {
        let time = "2024-01-01T10:00:00Z";
        let scores = [("a", "9"), ("b", "10"), ("c", "9.5"), ("d", "-1"), ("e", "1e1000"), ("f", "9007199254740993")];
        let scores = scores.map(|(id, score)| (id, score, time));
        assert_eq!(ranked(&scores), ["e", "f", "b", "c", "a", "d"]);
        assert_eq!(ranked(&[("a", "9007199254740992", time), ("b", "9007199254740993", time)]), ["b", "a"]);
    }

    #[test]
    fn of_equal_scores_the_earliest_registration_is_first_as_an_instant() {
        let times = [
            ("a", "2024-01-01T10:00:00.5Z"),
            ("b", "2024-01-01T10:00:00Z"),
            ("c", "2024-01-01T11:30:00+02:00"),
            ("d", "no time"),
            ("e", "2024-01-01T09:59:59.999-00:30"),
        ];
        assert_eq!(ranked(&times.map(|(id, time)| (id, "1.0", time))), ["c", "b", "a", "e", "d"]);
    }

    #[test]
    fn of_equal_registrations_the_first_global_user_id_is_first() {
        let time = ("1", "2024-01-01T10:00:00Z");
        assert_eq!(ranked(&["b", "a", "B", "c"].map(|id| (id, time.0, time.1))), ["B", "a", "b", "c"]);
    }

    #[test]
    fn a_fan_counts_once_with_the_best_record() {
        let time = "2024-01-01T10:00:00Z";
        assert_eq!(ranked(&[("a", "1", time), ("b", "2", time), ("a", "3", time)]), ["a", "b"]);
    }

    #[test]
    fn winners_of_the_markets_plans_do_not_win_again() {
        let world = World::with(["a", "b", "c", "b"].map(|id| Fan { id: Some(id.into()), score: 1, minute: 0 }).into());
        let fans = block_on(read(&world, &selection("one"), &HashSet::from(["b", "d"]), async || Ok(()))).unwrap();
        assert_eq!((fans.ranked, fans.open), (vec!["a".into(), "c".into()], HashSet::from(["b".into()])));
    }

    #[test]
    fn records_without_a_global_user_id_are_rejected_counted_and_logged_once() {
        let nameless = |id: Option<&str>| Fan { id: id.map(str::to_owned), score: 1, minute: 0 };
        let long = "x".repeat(MAX_ID_BYTES + 1);
        let mut all: Vec<_> = (0..2_500).map(|n| Fan { id: Some(format!("fan-{n}")), score: n, minute: 0 }).collect();
        let wrong = [None, Some(""), Some(&*long), Some("u\u{fffe}"), Some("\u{ffff}"), None];
        all.extend(wrong.map(nameless));
        // JSON escapes control characters.
        all.push(Fan { id: Some("a\u{1}b\u{1b}".to_owned()), score: 9_999, minute: 0 });
        let world = World::with(all);
        let fans = block_on(read(&world, &selection("one"), &HashSet::new(), async || Ok(()))).unwrap();
        assert_eq!((fans.ranked.len(), fans.rejected), (2_501, 6));
        assert_eq!(fans.ranked.iter().take(2).collect::<Vec<_>>(), ["a\u{1}b\u{1b}", "fan-2499"]);
        let logs = world.logs.borrow();
        let [(message, data)] = logs.as_slice() else { unreachable!("{logs:?}") };
        assert_eq!((message.as_str(), &data["rejected"]), ("Scoring records without globalUserId", &json!(6)));
        assert_eq!(data["memberIds"].as_array().map(Vec::len), Some(EXAMPLES));
    }

    #[test]
    fn the_tasks_count_goes_before_the_markets_capacity_and_that_before_its_ratio() {
        let wanted = |count: Option<u64>, market: Value, earlier| {
            wanted(&Selection { count, ..selection("one") }, &crate::testing::read_market(market), 30, earlier)
        };
        let sized = market(Some(20));
        assert_eq!(wanted(Some(5), sized.clone(), 0), Some(5));
        assert_eq!(wanted(None, sized.clone(), 0), Some(20));
        assert_eq!(wanted(None, sized.clone(), 8), Some(12), "less those who have won already");
        assert_eq!(wanted(None, sized, 21), Some(0));
        let ratio = |ratio: f64| json!({"id": "m", "campaignId": "c", "ticketer": "X", "selectionRatio": ratio});
        assert_eq!(wanted(None, ratio(0.1), 0), Some(3));
        assert_eq!(wanted(None, ratio(0.11), 0), Some(4));
        assert_eq!(wanted(None, ratio(1.0), 1), Some(29));
        assert_eq!(wanted(None, market(None), 0), None);
    }
}
