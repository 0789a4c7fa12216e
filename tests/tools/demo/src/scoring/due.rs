//! The expected result of the scored files, counted from the plan, in which each row names its fan.

use super::plan::{Plan, Row};
use crate::check::Name;
use std::collections::BTreeMap;

/// What should be there in the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due<'a> {
    /// By campaign and fan, what the score item says.
    pub items: BTreeMap<Name<'a>, Score>,
    /// By campaign and fan, what the Entry Service has.
    pub posted: BTreeMap<Name<'a>, Score>,
    /// By campaign, how many fans are verified and how many rejected.
    pub counts: BTreeMap<&'a str, Counts>,
}

/// A fan's score, and the verdict with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The score.
    pub score: f64,
    /// Whether the fan is rejected.
    pub rejected: bool,
}

/// The counts of a campaign.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Fans that scoring found eligible.
    pub verified: i64,
    /// Fans that it did not.
    pub rejected: i64,
    /// Fans that a selection chose.
    pub selected: i64,
}

impl<'a> Due<'a> {
    /// Recounts. Of a file the highest score of a fan counts, and the fan list, which is the later file, replaces what the
    /// other one says. The Entry Service gets rows of rank 0 and no others.
    pub fn of(plan: &Plan<'a>) -> Self {
        let scrubbed = || plan.scrubbed.iter().filter_map(|line| line.valid());
        let mut items = highest(scrubbed());
        items.extend(highest(plan.fanlist.iter().filter_map(|line| line.valid())));
        let posted = highest(scrubbed().filter(|row| row.rank == Some(0)));
        let mut counts = BTreeMap::<&str, Counts>::new();
        for ((campaign, _), score) in &items {
            let counts = counts.entry(*campaign).or_default();
            counts.rejected += i64::from(score.rejected);
            counts.verified += i64::from(!score.rejected);
        }
        Self { items, posted, counts }
    }
}

/// The highest score of each fan.
fn highest<'p, 'a: 'p>(rows: impl Iterator<Item = &'p Row<'a>>) -> BTreeMap<Name<'a>, Score> {
    let mut highest = BTreeMap::<Name<'a>, Score>::new();
    for row in rows {
        let score = Score { score: row.score, rejected: row.rejected };
        let held = highest.entry(row.name()).or_insert(score);
        if score.score > held.score {
            *held = score;
        }
    }
    highest
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::super::plan::{Fault, Line, Named};
    use super::*;
    use crate::generate::{Fan, generate};

    fn row(fan: &Fan, rank: u32, score: f64, rejected: bool) -> Row<'_> {
        let named = Named { member: false, user: true, email: false };
        Row { campaign: "c", fan, named, rank: Some(rank), score, rejected }
    }

    #[test]
    fn the_highest_score_of_the_later_file_counts_and_rank_0_is_posted() {
        let fans = generate(300, 1).fans;
        let [a, b, c, d] = [&fans[0], &fans[1], &fans[2], &fans[3]];
        let scrubbed = [row(a, 0, 1.0, true), row(a, 0, 2.0, false), row(b, 0, 5.0, false), row(b, 1, 7.0, true)];
        let mut scrubbed: Vec<_> = scrubbed.into_iter().map(Line::Row).collect();
        scrubbed.push(Line::Row(row(c, 1, 3.0, false)));
        scrubbed.push(Line::Invalid(row(d, 0, 9.0, false), Fault::WordScore));
        let fanlist = vec![Line::Row(row(c, 0, 1.0, true)), Line::Row(row(c, 0, 0.5, false))];
        let due = Due::of(&Plan { scrubbed, fanlist });
        let score = |score, rejected| Score { score, rejected };
        let name = |fan: &'_ Fan| fan.global_user_id.clone();
        let items: Vec<_> = due.items.iter().map(|((_, fan), score)| ((*fan).to_owned(), *score)).collect();
        assert_eq!(items, [(name(a), score(2.0, false)), (name(b), score(7.0, true)), (name(c), score(1.0, true))]);
        let posted: Vec<_> = due.posted.iter().map(|((_, fan), score)| ((*fan).to_owned(), *score)).collect();
        assert_eq!(posted, [(name(a), score(2.0, false)), (name(b), score(5.0, false))]);
        assert_eq!(due.counts["c"], Counts { verified: 1, rejected: 2, selected: 0 });
    }
}
