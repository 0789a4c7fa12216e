//! What to do for the fans of a batch, by campaign. Pure.
//!
//! Winners come first, so that a fan who wins in one market and loses in another holds the code when the loss is written,
//! whose condition then fails. If the assignment has to be retried, the loss is written, and later overwritten.

use crate::selection::{Prize, Selection};
use registration::entry::SORT_KEY_PREFIX;
use std::collections::BTreeMap;
use worker_kit::Disposition;
use worker_kit::platform::table::Key;

/// The dispositions of records, by their index in the batch.
pub type Settled = Vec<(usize, Disposition)>;

/// What to do for one fan.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The campaign.
    pub campaign_id: String,
    /// The fan.
    pub global_user_id: String,
    /// What a winner has won; `None` for a loser.
    pub won: Option<Prize>,
    /// The records that it settles.
    pub records: Vec<usize>,
}

/// What to do for one campaign.
#[derive(Debug, Default, PartialEq)]
pub struct Campaign {
    /// Winners, each fan at most once in a pass: of several prizes the first in the batch is assigned first, and the
    /// Entry Service says of the others that another one is held.
    pub passes: Vec<Vec<Job>>,
    /// Losers, each fan once.
    pub losers: Vec<Job>,
}

/// Plans a batch. Several equal records of a fan make one job.
pub fn plan(selections: Vec<(usize, Selection)>) -> BTreeMap<String, Campaign> {
    let mut fans: BTreeMap<(String, String), Vec<Job>> = BTreeMap::new();
    for (index, Selection { campaign_id, global_user_id, won }) in selections {
        let jobs = fans.entry((campaign_id.clone(), global_user_id.clone())).or_default();
        match jobs.iter_mut().find(|job| job.won == won) {
            Some(job) => job.records.push(index),
            None => jobs.push(Job { campaign_id, global_user_id, won, records: vec![index] }),
        }
    }
    let mut campaigns: BTreeMap<String, Campaign> = BTreeMap::new();
    for ((campaign_id, _), jobs) in fans {
        let campaign = campaigns.entry(campaign_id).or_default();
        let (winners, losers) = jobs.into_iter().partition::<Vec<_>, _>(|job| job.won.is_some());
        for (pass, job) in winners.into_iter().enumerate() {
            match campaign.passes.get_mut(pass) {
                Some(jobs) => jobs.push(job),
                None => campaign.passes.push(vec![job]),
            }
        }
        campaign.losers.extend(losers);
    }
    campaigns
}

impl Job {
    /// The fan's item.
    pub fn key(&self) -> Key {
        let Self { campaign_id, global_user_id, .. } = self;
        Key { pk: format!("CAMPAIGN#{campaign_id}"), sk: format!("{SORT_KEY_PREFIX}{global_user_id}") }
    }

    /// The disposition of each of its records.
    pub fn settle(self, disposition: &Disposition) -> Settled {
        self.records.into_iter().map(|record| (record, disposition.clone())).collect()
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{lost, won};

    /// The fan and the records of each job.
    fn told(jobs: &[Job]) -> Vec<(&str, &[usize])> {
        jobs.iter().map(|job| (job.global_user_id.as_str(), job.records.as_slice())).collect()
    }

    #[test]
    fn records_that_say_the_same_of_a_fan_make_one_job() {
        let batch = [won("u", "m", "A"), lost("v", "m"), won("u", "m", "A"), lost("v", "n")];
        let campaigns = plan(batch.into_iter().enumerate().collect());
        assert_eq!(campaigns["c"].passes.iter().map(|jobs| told(jobs)).collect::<Vec<_>>(), [[("u", &[0, 2][..])]]);
        assert_eq!(told(&campaigns["c"].losers), [("v", &[1, 3][..])]);
    }

    #[test]
    fn a_fan_is_in_a_request_once_with_the_first_prize_first() {
        let batch = [won("u", "n", "B"), won("v", "m", "C"), won("u", "m", "A")];
        let campaigns = plan(batch.into_iter().enumerate().collect());
        let passes: Vec<_> = campaigns["c"].passes.iter().map(|jobs| told(jobs)).collect();
        assert_eq!(passes, [vec![("u", &[0][..]), ("v", &[1][..])], vec![("u", &[2][..])]]);
    }

    #[test]
    fn campaigns_are_apart() {
        let other = Selection { campaign_id: "d".to_owned(), ..won("u", "m", "A") };
        let campaigns = plan(vec![(0, won("u", "m", "A")), (1, other)]);
        assert_eq!(campaigns.keys().collect::<Vec<_>>(), ["c", "d"]);
        let key = campaigns["d"].passes[0][0].key();
        assert_eq!((key.pk.as_str(), key.sk.as_str()), ("CAMPAIGN#d", "USER#u"));
    }
}
