//! What fans change while winners are selected: whether they opt in. The campaign is closed by then, so nobody registers
//! again; the resolver updates the item, and so leaves alone what the workers write there.

use super::rank::Contest;
use crate::check::{Name, Wanted};
use crate::gateway::Gateway;
use crate::resolver::{TABLE, again, instant};
use anyhow::Result;
use chrono::Utc;
use host_adapters_records::table::{BatchUpdate, Key, Predicate, Update};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Fans of each market who change their entry: this many of those who should win, and this many others.
const CHANGED: usize = 10;
/// Most items of one write.
const BATCH: usize = 25;

/// A fan's change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The campaign.
    pub campaign_id: String,
    /// The fan.
    pub global_user_id: String,
    /// The version that it made.
    pub version: String,
    /// All fields after it.
    pub fields: Map<String, Value>,
}

impl Change {
    /// The entry that it changed.
    pub fn name(&self) -> Name<'_> {
        (&self.campaign_id, &self.global_user_id)
    }
}

/// Draws the fans who change their entry during the selection.
pub fn draw(contests: &[Contest<'_>], wanted: &BTreeMap<Name<'_>, Wanted<'_>>, seed: u64) -> Vec<Change> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x6368_616e_6765);
    let mut names = BTreeSet::new();
    for contest in contests {
        let (best, others) = contest.ranked.split_at(contest.seats);
        for fans in [best, others] {
            names.extend(fans.sample(&mut random, CHANGED).map(|fan| (contest.campaign(), *fan)));
        }
    }
    let change = |(campaign, fan): Name<'_>| {
        let mut fields = wanted.get(&(campaign, fan))?.fields.clone();
        let opted_in = fields.get("opt_in") == Some(&json!(true));
        fields.insert("opt_in".to_owned(), json!(!opted_in));
        let (campaign_id, global_user_id) = (campaign.to_owned(), fan.to_owned());
        Some(Change { campaign_id, global_user_id, version: String::new(), fields })
    };
    names.into_iter().filter_map(change).collect()
}

/// Writes changes, now; sets their versions.
pub async fn write(changes: &mut [Change], resolver: &Gateway) -> Result<()> {
    for changes in changes.chunks_mut(BATCH) {
        let now = instant(Utc::now().timestamp_millis());
        changes.iter_mut().for_each(|change| change.version.clone_from(&now));
        let (mut updates, mut attempts): (Vec<Update>, _) = (changes.iter().map(update).collect(), 0);
        while !updates.is_empty() {
            let write = BatchUpdate { table: TABLE.to_owned(), updates };
            let errors = resolver.call(&write).await?;
            updates = again(write.updates.into_iter().zip(errors), &mut attempts).await?;
        }
    }
    Ok(())
}

fn update(change: &Change) -> Update {
    let text = |text: &str| Value::from(text).to_string();
    let fields = Value::Object(change.fields.clone()).to_string();
    Update {
        key: Key { pk: format!("CAMPAIGN#{}", change.campaign_id), sk: format!("USER#{}", change.global_user_id) },
        set: vec![
            ("fields".to_owned(), text(&fields)),
            ("needsReplication".to_owned(), "true".to_owned()),
            ("date.updated".to_owned(), text(&change.version)),
            ("date.fanModified".to_owned(), text(&change.version)),
        ],
        increment: Vec::new(),
        remove: Vec::new(),
        condition: vec![Predicate::Exists("fields".to_owned())],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::check::wanted;
    use crate::generate::generate;

    #[test]
    fn some_who_should_win_and_some_others_change_whether_they_opt_in() {
        let world = generate(5_000, 1);
        let contests = Contest::all(&world);
        let wanted = wanted(&world, &[], &[]);
        let changes = draw(&contests, &wanted, 1);
        assert_eq!(changes, draw(&contests, &wanted, 1));
        assert_ne!(changes, draw(&contests, &wanted, 2));
        let best: BTreeSet<&str> = contests.iter().flat_map(|it| &it.ranked[..it.seats]).copied().collect();
        let (winning, others): (Vec<_>, Vec<_>) =
            changes.iter().partition(|change| best.contains(change.global_user_id.as_str()));
        assert!(winning.len() >= 30 && others.len() >= 10, "{} and {}", winning.len(), others.len());
        for change in &changes {
            let before = wanted[&change.name()].fields;
            let different: Vec<_> =
                change.fields.iter().filter(|(name, value)| before.get(*name) != Some(value)).collect();
            assert_eq!(different.len(), 1);
            assert_eq!(different[0].0, "opt_in");
        }
    }

    #[test]
    fn an_update_leaves_alone_what_the_workers_write() {
        let fields = json!({ "opt_in": true }).as_object().unwrap().clone();
        let (campaign_id, global_user_id) = ("c".to_owned(), "f".to_owned());
        let version = "2026-01-01T00:00:00.000Z".to_owned();
        let update = update(&Change { campaign_id, global_user_id, version, fields });
        let paths: Vec<&str> = update.set.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["fields", "needsReplication", "date.updated", "date.fanModified"]);
        assert_eq!(update.set[0].1, r#""{\"opt_in\":true}""#);
        assert_eq!((update.key.pk.as_str(), update.key.sk.as_str()), ("CAMPAIGN#c", "USER#f"));
    }
}
