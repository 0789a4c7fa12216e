//! Who should win a market: from what the generator knows, and without any code of the workers.

use crate::generate::{FEWEST_CODES, Score, Seats, Selection, World, instant};
use std::collections::HashMap;

/// The selection of one market, and what should come of it.
#[derive(Clone, Debug)]
pub struct Contest<'a> {
    /// The market.
    pub selection: &'a Selection,
    /// Its fans who are not rejected, best first.
    pub ranked: Vec<&'a str>,
    /// The number of its records without a fan, which are rejected.
    pub nameless: usize,
    /// How many fans win, if no fan is taken by another market.
    pub seats: usize,
    /// How many of them win by the first tasks, where a later one raises the number.
    pub first: Option<usize>,
}

impl<'a> Contest<'a> {
    /// The contests of all markets whose winners are selected.
    pub fn all(world: &'a World) -> Vec<Self> {
        let scores: HashMap<(&str, &str), &Score> = world
            .scores
            .iter()
            .filter_map(|score| Some(((score.campaign_id.as_str(), score.global_user_id.as_deref()?), score)))
            .collect();
        world.selections.iter().map(|selection| Self::new(world, selection, &scores)).collect()
    }

    fn new(world: &'a World, selection: &'a Selection, scores: &HashMap<(&str, &str), &Score>) -> Self {
        let (campaign, market) = (selection.campaign_id.as_str(), selection.market_id.as_str());
        let fans = world.fans_of(campaign, market).into_iter();
        let known = fans.filter_map(|fan| Some((scores.get(&(campaign, fan))?, fan)));
        let mut known: Vec<(&&Score, &str)> = known.filter(|(score, _)| !score.rejected).collect();
        known.sort_by(|(one, fan), (other, next)| {
            let registered = |score: &Score| instant(&score.registered_at);
            other.score.total_cmp(&one.score).then(registered(one).cmp(&registered(other))).then(fan.cmp(next))
        });
        let ranked: Vec<&str> = known.into_iter().map(|(_, fan)| fan).collect();
        let of_market = |score: &&Score| {
            score.campaign_id == campaign
                && score.global_user_id.is_none()
                && score.market_id.as_deref() == Some(market)
        };
        let nameless = world.scores.iter().filter(of_market).count();
        let seats = match selection.seats {
            Seats::Capacity(count) => count,
            // The next whole number, but for what doubles add to one.
            Seats::SelectionRatio(part) => (part * (ranked.len() + nameless) as f64 - 1e-6).ceil() as usize,
        };
        let (first, seats) = match selection.later {
            Some(later) => (Some(seats.min(ranked.len())), later),
            None => (None, seats),
        };
        Self { selection, seats: seats.min(ranked.len()), first, ranked, nameless }
    }

    /// The number of its scoring records.
    pub fn total(&self) -> usize {
        self.ranked.len() + self.nameless
    }

    /// How many codes must be reserved. A later task uses those that are left, and reserves more only if they are too few;
    /// then it has at least the fewest free.
    pub fn needed_codes(&self) -> usize {
        if self.selection.shared_code.is_some() {
            return 0;
        }
        let first = self.first.unwrap_or(self.seats);
        let (reserved, more) = (first.max(FEWEST_CODES), self.seats.saturating_sub(first));
        let left = reserved - first;
        if left < more { reserved + more.max(FEWEST_CODES) - left } else { reserved }
    }

    /// Whether it has too few codes, so that no fan gets a verdict.
    pub fn fails(&self) -> bool {
        self.needed_codes() > self.selection.codes
    }

    /// The campaign.
    pub fn campaign(&self) -> &'a str {
        &self.selection.campaign_id
    }

    /// The market.
    pub fn market(&self) -> &'a str {
        &self.selection.market_id
    }
}

/// The places of fans in a ranking that some of them should not have passed: `better` have no code although they rank
/// above someone who has, `worse` have one although they rank below someone who has none. The smaller of the two is what
/// went wrong.
pub fn out_of_order<'a>(ranked: &[&'a str], wins: impl Fn(&str) -> bool, free: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let first_free = ranked.iter().position(|fan| free(fan)).unwrap_or(ranked.len());
    let last_winner = ranked.iter().rposition(|fan| wins(fan)).map_or(0, |last| last + 1);
    if first_free >= last_winner {
        return Vec::new();
    }
    let between = ranked.get(first_free..last_winner).unwrap_or_default();
    let worse: Vec<&str> = between.iter().copied().filter(|fan| wins(fan)).collect();
    let better: Vec<&str> = between.iter().copied().filter(|fan| free(fan)).collect();
    [worse, better].into_iter().min_by_key(Vec::len).unwrap_or_default()
}

/// How many fans of a ranking hold a code of another market although they rank above the best fan without one: this
/// many seats may have stayed empty.
pub fn taken_elsewhere(ranked: &[&str], elsewhere: impl Fn(&str) -> bool, free: impl Fn(&str) -> bool) -> usize {
    ranked.iter().take_while(|fan| !free(fan)).filter(|fan| elsewhere(fan)).count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::generate::generate;

    fn score(fan: &str, score: f64, registered_at: &str) -> Score {
        let (global_user_id, registered_at) = (Some(fan.to_owned()), registered_at.to_owned());
        Score { campaign_id: "c".to_owned(), global_user_id, market_id: None, score, rejected: false, registered_at }
    }

    #[test]
    fn score_then_registration_then_id_decide() {
        let mut world = generate(1_200, 3);
        let selection = world.selections[0].clone();
        let names = |world: &World| -> Vec<String> {
            world
                .fans_of(&selection.campaign_id, &selection.market_id)
                .iter()
                .take(5)
                .map(ToString::to_string)
                .collect()
        };
        let fans = names(&world);
        // As texts the instants would compare the other way.
        let scores = [
            score(&fans[4], 10.0, "2026-05-04T00:00:09Z"),
            score(&fans[3], 9.5, "2026-05-04T00:00:00Z"),
            score(&fans[2], 9.5, "2026-05-04T00:00:00.500Z"),
            score(&fans[0], 9.5, "2026-05-04T00:00:01.000Z"),
            score(&fans[1], 9.5, "2026-05-04T00:00:01Z"),
        ];
        world.scores =
            scores.into_iter().rev().map(|it| Score { campaign_id: selection.campaign_id.clone(), ..it }).collect();
        let contest = &Contest::all(&world)[0];
        assert_eq!(contest.ranked, [&fans[4], &fans[3], &fans[2], &fans[0], &fans[1]]);
        assert_eq!((contest.total(), contest.nameless), (5, 0));

        world.scores.iter_mut().for_each(|it| it.rejected = it.global_user_id.as_ref() == Some(&fans[3]));
        let contest = &Contest::all(&world)[0];
        assert_eq!(contest.ranked, [&fans[4], &fans[2], &fans[0], &fans[1]], "a rejected fan is not eligible");
        assert_eq!(contest.total(), 4);
    }

    #[test]
    fn one_market_has_too_few_codes_one_a_shared_one_and_the_others_enough() {
        let world = generate(50_000, 1);
        let contests = Contest::all(&world);
        assert_eq!(contests.iter().filter(|it| it.fails()).count(), 1);
        assert_eq!(contests.iter().filter(|it| it.selection.shared_code.is_some()).count(), 1);
        assert!(contests.iter().any(|it| it.needed_codes() > FEWEST_CODES && !it.fails()));
        assert!(contests.iter().any(|it| it.needed_codes() == FEWEST_CODES && !it.fails()));
        assert!(contests.iter().all(|it| it.nameless == 3 && it.seats > 0 && it.seats < it.ranked.len()));
    }

    #[test]
    fn the_fewest_fans_out_of_order_are_named() {
        let ranked = ["a", "b", "c", "d", "e"];
        let named = |winners: &[&str], elsewhere: &[&str]| {
            let wins = |fan: &str| winners.contains(&fan);
            out_of_order(&ranked, wins, |fan| !wins(fan) && !elsewhere.contains(&fan))
        };
        assert!(named(&["a", "b"], &[]).is_empty() && named(&[], &[]).is_empty());
        assert!(named(&["a", "b", "c", "d", "e"], &[]).is_empty());
        assert!(named(&["a", "c"], &["b"]).is_empty(), "b has a code of another market");
        assert_eq!(named(&["a", "e"], &[]), ["e"]);
        assert_eq!(named(&["b", "c", "d"], &[]), ["a"]);
        assert_eq!(named(&["a", "c"], &[]), ["c"], "of b and c one is as good as the other");
    }

    #[test]
    fn a_seat_stays_empty_only_for_a_fan_who_won_elsewhere() {
        let ranked = ["a", "b", "c", "d", "e"];
        let empty = |elsewhere: &[&str], free: &[&str]| {
            taken_elsewhere(&ranked, |fan| elsewhere.contains(&fan), |fan| free.contains(&fan))
        };
        assert_eq!(empty(&["b", "e"], &["c", "d"]), 1);
        assert_eq!(empty(&["b", "e"], &["a"]), 0);
        assert_eq!(empty(&["b", "e"], &[]), 2);
    }
}
