//! Counts the records of a batch: one update of each campaign and shard, all together, again for those whose condition
//! failed.

use scoring::counts::{Beside, Counts, Group, Groups, Outcome, Record, by_update, update};
use scoring::table::Change;
use scoring_io::table::{Table, unmentioned};
use std::collections::{BTreeMap, BTreeSet};
use worker_kit::Disposition;
use worker_kit::platform::{Error, ErrorKind};

/// Rounds at most. A second one is needed where the response of an update was lost, or two shards began a campaign at once;
/// more only while hosts that have lost the lease of the shard are still at work.
const MAX_ROUNDS: usize = 8;

/// Counts records, each with its index in the batch; returns what becomes of them.
pub(crate) async fn count(
    table: &impl Table,
    records: Vec<(usize, Record)>,
    beside: &BTreeMap<String, Beside>,
) -> Vec<(usize, Disposition)> {
    let mut open = by_update(records);
    let mut settled = vec![];
    for _ in 0..MAX_ROUNDS {
        if open.is_empty() {
            return settled;
        }
        open = round(table, open, beside, &mut settled).await;
    }
    let left = Disposition::retry("table demand-table: other hosts keep changing the counts of the campaign");
    open.into_values().for_each(|group| settle(group, &left, &mut settled));
    settled
}

/// Reads the counts of all campaigns, and updates them; returns the groups whose condition failed.
async fn round(
    table: &impl Table,
    open: Groups,
    beside: &BTreeMap<String, Beside>,
    settled: &mut Vec<(usize, Disposition)>,
) -> Groups {
    let items = match read(table, open.keys().map(|(campaign_id, _)| campaign_id)).await {
        Ok(items) => items,
        Err(error) => {
            let disposition = failed(&error);
            open.into_values().for_each(|group| settle(group, &disposition, settled));
            return Groups::new();
        }
    };
    let nothing = Beside::default();
    let (mut changes, mut written) = (vec![], vec![]);
    for ((campaign_id, shard), group) in open {
        let item = items.get(&campaign_id).and_then(Option::as_deref);
        let beside = beside.get(&shard).unwrap_or(&nothing);
        match Counts::read(item).map(|counts| update(&group.records, &counts, beside)) {
            Ok(Outcome::Update(change)) => {
                changes.push(change);
                written.push(((campaign_id, shard), group));
            }
            Ok(Outcome::Counted) => settle(group, &Disposition::Ack, settled),
            Ok(Outcome::Late(reason)) => settle(group, &Disposition::Reject(reason), settled),
            Err(reason) => settle(group, &uncountable(&reason, &campaign_id), settled),
        }
    }
    write(table, changes, written, settled).await
}

/// The items of campaigns; one that is not there is `None`.
async fn read(
    table: &impl Table,
    campaigns: impl Iterator<Item = &String>,
) -> Result<BTreeMap<String, Option<String>>, Error> {
    let campaigns: Vec<_> = campaigns.collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let items = table.read(campaigns.iter().map(|campaign_id| Counts::key(campaign_id)).collect()).await?;
    if items.len() != campaigns.len() {
        return Err(unmentioned());
    }
    Ok(campaigns.into_iter().zip(items).collect())
}

async fn write(
    table: &impl Table,
    changes: Vec<Change>,
    written: Vec<((String, String), Group)>,
    settled: &mut Vec<(usize, Disposition)>,
) -> Groups {
    let mut again = Groups::new();
    if changes.is_empty() {
        return again;
    }
    let mut results = match table.update(changes).await {
        Ok(results) => results.into_iter(),
        Err(error) => {
            let disposition = failed(&error);
            written.into_iter().for_each(|(_, group)| settle(group, &disposition, settled));
            return again;
        }
    };
    for (name, group) in written {
        match results.next().unwrap_or_else(|| Some(unmentioned())) {
            None => settle(group, &Disposition::Ack, settled),
            Some(error) if error.kind == ErrorKind::ConditionFailed => _ = again.insert(name, group),
            Some(error) if error.is_wrong() => {
                settle(group, &uncountable(&format!("invalid: {error}"), &name.0), settled);
            }
            Some(error) => settle(group, &failed(&error), settled),
        }
    }
    again
}

/// The disposition of records when a call fails: none is given up, because the position would pass it.
fn failed(error: &Error) -> Disposition {
    match error.disposition() {
        Disposition::GiveUp(reason) => Disposition::retry(reason),
        other => other,
    }
}

/// The disposition of records whose campaign has a malformed item. They can never be counted, and would block the other
/// campaigns of their shard.
fn uncountable(reason: &str, campaign_id: &str) -> Disposition {
    Disposition::Reject(format!("{reason}; recount campaign {campaign_id}"))
}

fn settle(group: Group, disposition: &Disposition, settled: &mut Vec<(usize, Disposition)>) {
    settled.extend(group.indices.into_iter().map(|index| (index, disposition.clone())));
}
