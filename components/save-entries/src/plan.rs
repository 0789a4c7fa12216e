//! Creates jobs from checked records: one for each item, grouped by campaign across the whole invocation. Pure.

use crate::record::{Item, Record};
use crate::stale::{Check, check};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use worker_kit::Disposition;
use worker_kit::platform::table::Key;

/// A record of the invocation, with its index in the batch.
#[derive(Clone, Debug)]
pub struct Input {
    /// The index.
    pub index: usize,
    /// The attempt. Above 1, an earlier one may have sent something.
    pub attempt: u32,
    /// The content.
    pub record: Record,
}

/// The present item, `None` if it is gone; or the disposition of its records if it could not be read.
pub type Look = Result<Option<Rc<Item>>, Disposition>;

/// The dispositions of records, by their index in the batch.
pub type Settled = Vec<(usize, Disposition)>;

/// The reason of a record whose item was not read.
pub const UNREAD: &str = "table demand-table: the response does not mention the item";

/// What to send for an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The item to send, or the image to delete.
    pub item: Rc<Item>,
    /// Whether it is sent or deleted.
    pub action: Action,
    /// The records that it settles.
    pub records: Vec<usize>,
}

/// What to do with an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Send it.
    Put,
    /// Send its deletion.
    Delete,
}

/// What to send, by campaign, and the records for which nothing is sent.
#[derive(Debug, Default)]
pub struct Plan {
    /// Jobs by campaign. Puts come before deletions, so that requests are as full as possible.
    pub campaigns: BTreeMap<String, Vec<Job>>,
    /// Records that are settled already.
    pub settled: Settled,
}

/// Checks every record against its item and plans what to send. Several records of one item make one job.
pub fn plan(inputs: Vec<Input>, looks: &HashMap<Key, Look>) -> Plan {
    let mut plan = Plan::default();
    let mut jobs: BTreeMap<Key, Job> = BTreeMap::new();
    for input in inputs {
        match decide(&input, looks) {
            Ok((item, action)) => add(&mut jobs, item, action, input.index),
            Err(disposition) => plan.settled.push((input.index, disposition)),
        }
    }
    for job in jobs.into_values() {
        plan.campaigns.entry(job.item.entry.campaign_id.clone()).or_default().push(job);
    }
    for jobs in plan.campaigns.values_mut() {
        jobs.sort_by_key(|job| job.action == Action::Delete);
    }
    plan
}

fn decide(input: &Input, looks: &HashMap<Key, Look>) -> Result<(Rc<Item>, Action), Disposition> {
    let image = &input.record.image;
    let look = looks.get(&image.key).ok_or_else(|| Disposition::retry(UNREAD))?;
    let current = look.as_ref().map_err(Clone::clone)?.as_ref();
    match (check(&input.record, current.map(Rc::as_ref), input.attempt), current) {
        (Check::Put, Some(current)) => Ok((current.clone().or_version(&image.version), Action::Put)),
        (Check::Put | Check::Delete, _) => Ok((image.clone(), Action::Delete)),
        (Check::Stale(reason), _) => Err(Disposition::Skip(reason.to_owned())),
        (Check::Behind, _) => Err(Disposition::retry("the table returned an item older than the record")),
    }
}

/// If an item has several deletions, the newest counts, because its tombstone covers the others.
fn add(jobs: &mut BTreeMap<Key, Job>, item: Rc<Item>, action: Action, index: usize) {
    let job = jobs.entry(item.key.clone()).or_insert_with(|| Job { item: item.clone(), action, records: vec![] });
    if item.version > job.item.version {
        job.item = item;
    }
    job.records.push(index);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{image, item};
    use registration::entry::Operation;

    fn input(index: usize, operation: Operation, fan: &str, version: u32) -> Input {
        Input { index, attempt: 1, record: Record { operation, image: item(&image(fan, version, "a")).into() } }
    }

    fn looks(items: &[(&str, Option<u32>)]) -> HashMap<Key, Look> {
        let look = |(fan, version): &(&str, Option<u32>)| {
            (item(&image(fan, 0, "a")).key, Ok(version.map(|version| item(&image(fan, version, "a")).into())))
        };
        items.iter().map(look).collect()
    }

    #[test]
    fn records_of_one_item_make_one_job() {
        let inputs = vec![
            input(0, Operation::Insert, "u", 1),
            input(1, Operation::Modify, "u", 2),
            input(2, Operation::Modify, "u", 2),
        ];
        let plan = plan(inputs, &looks(&[("u", Some(2))]));
        let jobs: Vec<_> = plan.campaigns.values().flatten().map(|job| (job.action, job.records.clone())).collect();
        assert_eq!(jobs, [(Action::Put, vec![1, 2])]);
        assert!(matches!(plan.settled.as_slice(), [(0, Disposition::Skip(reason))] if reason.starts_with("stale")));
    }

    #[test]
    fn the_newest_of_several_deletions_counts() {
        let inputs = vec![input(0, Operation::Remove, "u", 3), input(1, Operation::Remove, "u", 1)];
        let plan = plan(inputs, &looks(&[("u", None)]));
        let jobs: Vec<_> = plan.campaigns.values().flatten().map(|job| job.item.version.as_str()).collect();
        assert_eq!(jobs, ["2024-01-01T10:00:00.003Z"]);
    }

    #[test]
    fn puts_come_before_deletions() {
        let inputs = vec![input(0, Operation::Remove, "a", 1), input(1, Operation::Insert, "b", 1)];
        let plan = plan(inputs, &looks(&[("a", None), ("b", Some(1))]));
        let actions: Vec<_> = plan.campaigns.values().flatten().map(|job| job.action).collect();
        assert_eq!(actions, [Action::Put, Action::Delete]);
    }

    #[test]
    fn records_of_unread_items_are_delivered_again() {
        let mut looks = looks(&[("u", Some(1))]);
        let key = item(&image("v", 0, "a")).key;
        looks.insert(key, Err(Disposition::retry_after(Some(7), "busy")));
        let inputs = vec![input(0, Operation::Insert, "v", 1), input(1, Operation::Insert, "unread", 1)];
        let plan = plan(inputs, &looks);
        assert!(plan.campaigns.is_empty());
        assert_eq!(plan.settled, [(0, Disposition::retry_after(Some(7), "busy")), (1, Disposition::retry(UNREAD))]);
    }
}
