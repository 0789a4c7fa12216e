//! The plan of a task: its winners with their codes. A repeated task reads them from here and does not select again.
//!
//! Winners are in pages, items `PLAN#<marketId>#<taskId>#<fence>-<page>`, since an item holds 400 KB. The fence is the
//! number under which the task had its market, so that no two calls write one page. They become a plan when the last
//! step, [`Lock::commit`](crate::lock::Lock::commit), adds its head to the market's list; pages that no head names are
//! ignored.
//!
//! Losers are not stored. A repeated task reads the market's records again and queues messages for all fans who are in
//! no plan, except fans who have a code by then.

use crate::failed::Failed;
use crate::input::Selection;
use crate::ports::Ports;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use worker_kit::pages::Pages;
use worker_kit::platform::table::Key;

/// Most bytes of a page, as DynamoDB counts them; an item has at most 400 KB.
const PAGE_BYTES: usize = 300_000;
/// What DynamoDB adds for a winner: a list of two, in a list.
const WINNER_BYTES: usize = 6;
/// Pages in one request, so that a request has a few megabytes at most.
const PAGES_PER_REQUEST: usize = 8;

/// A fan and the fan's code.
pub type Winner = (String, String);

/// What the market's list has of a plan.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The task that made the plan.
    pub task_id: String,
    /// The number under which its pages are stored.
    pub fence: u64,
    /// How many pages it has.
    pub pages: usize,
    /// How many winners.
    pub winners: usize,
    /// How many records were rejected.
    pub rejected: u64,
    /// How many fans were eligible.
    pub total: u64,
    /// Whether the messages of all its winners are queued. A task may end for good before it has done that; the market's
    /// next task does it then.
    #[serde(default)]
    pub queued: bool,
    /// The number of its winners with invalid messages, once the others are queued.
    #[serde(default)]
    pub lost: u64,
}

/// A plan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// What the market's list has of it.
    pub head: Head,
    /// The winners, the best first.
    pub winners: Vec<Winner>,
}

/// The plans of a market.
#[derive(Debug, Default)]
pub struct Plans(pub Vec<Plan>);

#[derive(Deserialize)]
struct Page {
    winners: Vec<Winner>,
}

/// The partition of a campaign.
pub fn pk(selection: &Selection) -> String {
    format!("CAMPAIGN#{}", selection.campaign_id)
}

fn prefix(selection: &Selection, task_id: &str, fence: u64) -> String {
    format!("PLAN#{}#{task_id}#{fence}-", selection.market_id)
}

/// Stores the pages of a plan; returns how many. It is not a plan before its head is added to the market's list. `go_on`
/// is called before each request, here and in the functions below.
pub async fn store(
    ports: &impl Ports,
    selection: &Selection,
    fence: u64,
    winners: &[Winner],
    go_on: &impl AsyncFn() -> Result<(), Failed>,
) -> Result<usize, Failed> {
    let (pk, prefix) = (pk(selection), prefix(selection, &selection.task_id, fence));
    let pages = pages(winners);
    for (round, pages) in pages.chunks(PAGES_PER_REQUEST).enumerate() {
        let item = |(index, winners): (usize, &&[Winner])| {
            let page = round * PAGES_PER_REQUEST + index;
            json!({"pk": pk, "sk": format!("{prefix}{page}"), "winners": winners}).to_string()
        };
        go_on().await?;
        let failed = ports.write(pages.iter().enumerate().map(item).collect(), vec![]).await?;
        if let Some(error) = failed.into_iter().flatten().next() {
            return Err(error.into());
        }
    }
    Ok(pages.len())
}

/// Winners in pieces, each well below what an item holds.
fn pages(winners: &[Winner]) -> Vec<&[Winner]> {
    let (mut pages, mut start, mut bytes) = (vec![], 0, 0);
    for (index, (fan, code)) in winners.iter().enumerate() {
        let more = fan.len() + code.len() + WINNER_BYTES;
        if bytes + more > PAGE_BYTES && index > start {
            pages.extend(winners.get(start..index));
            (start, bytes) = (index, 0);
        }
        bytes += more;
    }
    pages.extend(winners.get(start..).filter(|last| !last.is_empty()));
    pages
}

/// Deletes pages that did not become a plan.
pub async fn discard(
    ports: &impl Ports,
    selection: &Selection,
    task_id: &str,
    fence: u64,
    go_on: &impl AsyncFn() -> Result<(), Failed>,
) -> Result<(), Failed> {
    let (pk, prefix) = (pk(selection), prefix(selection, task_id, fence));
    let mut pages = Pages::default();
    while let Some(page) = pages.read(async |after| ports.query(&pk, &prefix, after).await).await? {
        let keys: Vec<_> = page.items.iter().filter_map(|item| serde_json::from_str::<Key>(item).ok()).collect();
        if !keys.is_empty() {
            go_on().await?;
            ports.write(vec![], keys).await?;
        }
    }
    Ok(())
}

impl Plans {
    /// Reads the plans of a market.
    pub async fn read(
        ports: &impl Ports,
        selection: &Selection,
        heads: &[Head],
        go_on: &impl AsyncFn() -> Result<(), Failed>,
    ) -> Result<Self, Failed> {
        let mut plans = Vec::with_capacity(heads.len());
        for head in heads {
            plans.push(Plan { winners: winners(ports, selection, head, go_on).await?, head: head.clone() });
        }
        Ok(Self(plans))
    }

    /// Takes the plan of a task, which must have one.
    pub fn take(&mut self, task_id: &str) -> Result<Plan, Failed> {
        let place = self.0.iter().position(|plan| plan.head.task_id == task_id);
        let none = || Failed::Later(format!("there is no plan of task {task_id} any more"));
        place.map(|place| self.0.remove(place)).ok_or_else(none)
    }

    /// How many winners all plans have.
    pub fn count(&self) -> usize {
        self.0.iter().map(|plan| plan.winners.len()).sum()
    }

    /// The winners of all plans.
    pub fn fans(&self) -> HashSet<&str> {
        self.0.iter().flat_map(|plan| &plan.winners).map(|(fan, _)| fan.as_str()).collect()
    }

    /// For whom each code is planned. It is more than one fan if one of them could not take it.
    pub fn codes(&self) -> HashMap<&str, Vec<&str>> {
        let mut codes: HashMap<_, Vec<_>> = HashMap::new();
        for (fan, code) in self.0.iter().flat_map(|plan| &plan.winners) {
            codes.entry(code.as_str()).or_default().push(fan.as_str());
        }
        codes
    }
}

async fn winners(
    ports: &impl Ports,
    selection: &Selection,
    head: &Head,
    go_on: &impl AsyncFn() -> Result<(), Failed>,
) -> Result<Vec<Winner>, Failed> {
    let (pk, prefix) = (pk(selection), prefix(selection, &head.task_id, head.fence));
    let keys: Vec<_> = (0..head.pages).map(|page| Key { pk: pk.clone(), sk: format!("{prefix}{page}") }).collect();
    let mut winners = Vec::with_capacity(head.winners);
    for keys in keys.chunks(PAGES_PER_REQUEST) {
        go_on().await?;
        for page in ports.read(keys.to_vec()).await?.into_iter().flatten() {
            winners.extend(serde_json::from_str::<Page>(&page).map_err(|error| unreadable(head, &error))?.winners);
        }
    }
    match winners.len() == head.winners {
        true => Ok(winners),
        false => Err(unreadable(head, &format!("it has {} of {} winners", winners.len(), head.winners))),
    }
}

/// No fan may win a second time, so the task cannot continue without the plan.
fn unreadable(head: &Head, problem: &impl std::fmt::Display) -> Failed {
    Failed::Later(format!("the plan of task {} cannot be read: {problem}", head.task_id))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{World, selection};
    use futures::executor::block_on;
    use std::cell::Cell;

    fn winners(count: usize) -> Vec<Winner> {
        (0..count).map(|n| (format!("11111111-2222-3333-4444-{n:012}"), format!("CODE-{n:08}"))).collect()
    }

    #[test]
    fn every_page_is_well_below_what_an_item_holds() {
        let all = winners(50_000);
        let pages = pages(&all);
        assert_eq!(pages.concat(), all);
        let size = |page: &[Winner]| json!({"pk": "", "sk": "", "winners": page}).to_string().len();
        assert!(pages.iter().all(|page| size(page) < 400_000 && !page.is_empty()));
        assert!(pages.len() < 12, "{}", pages.len());
        assert!(super::pages(&[]).is_empty());
        let huge = [("f".repeat(PAGE_BYTES), "c".to_owned()), ("g".to_owned(), "d".to_owned())];
        assert_eq!(super::pages(&huge).len(), 2);
    }

    #[test]
    fn a_plan_of_many_pages_is_read_as_it_was_stored() {
        let (world, selection, all) = (World::default(), selection("one"), winners(50_000));
        let pages = block_on(store(&world, &selection, 7, &all, &async || Ok(()))).unwrap();
        let head = Head {
            task_id: "one".to_owned(),
            fence: 7,
            pages,
            winners: 50_000,
            rejected: 1,
            total: 60_000,
            queued: true,
            lost: 0,
        };
        let mut plans =
            block_on(Plans::read(&world, &selection, std::slice::from_ref(&head), &async || Ok(()))).unwrap();
        assert_eq!((plans.count(), plans.fans().len()), (50_000, 50_000));
        assert!(plans.take("two").is_err());
        assert_eq!(plans.take("one"), Ok(Plan { head: head.clone(), winners: all }));

        let lost = Key { pk: pk(&selection), sk: "PLAN#m#one#7-3".to_owned() };
        world.table.borrow_mut().remove(&lost).unwrap();
        let failed = block_on(Plans::read(&world, &selection, &[head], &async || Ok(()))).unwrap_err();
        assert!(failed.message().starts_with("the plan of task one cannot be read: it has "), "{failed:?}");
    }

    #[test]
    fn what_has_become_no_plan_is_deleted_and_nothing_else() {
        let (world, selection) = (World::default(), selection("one"));
        for fence in [1, 11] {
            block_on(store(&world, &selection, fence, &winners(20_000), &async || Ok(()))).unwrap();
        }
        block_on(discard(&world, &selection, "one", 1, &async || Ok(()))).unwrap();
        let keys: Vec<_> = world.table.borrow().keys().map(|key| key.sk.clone()).collect();
        assert!(!keys.is_empty() && keys.iter().all(|sk| sk.starts_with("PLAN#m#one#11-")), "{keys:?}");
    }

    #[test]
    fn a_plan_is_stored_read_and_deleted_only_while_its_task_may_go_on() {
        let (world, selection, all) = (World::default(), selection("one"), winners(50_000));
        let over = || Failed::Later("out of time".to_owned());
        let left = Cell::new(1);
        let once = async || {
            left.set(left.get() - 1);
            if left.get() >= 0 { Ok(()) } else { Err(over()) }
        };
        assert_eq!(block_on(store(&world, &selection, 7, &all, &once)), Err(over()));
        assert_eq!(world.table.borrow().len(), PAGES_PER_REQUEST, "after one request");
        let pages = block_on(store(&world, &selection, 7, &all, &async || Ok(()))).unwrap();
        let (task_id, winners, steps) = ("one".to_owned(), all.len(), world.steps.get());
        let head = Head { task_id, fence: 7, pages, winners, rejected: 0, total: 0, queued: false, lost: 0 };
        left.set(1);
        assert_eq!(block_on(Plans::read(&world, &selection, &[head], &once)).unwrap_err(), over());
        assert_eq!(world.steps.get(), steps + 1);
        left.set(1);
        assert_eq!(block_on(discard(&world, &selection, "one", 7, &once)), Err(over()));
        assert_eq!(world.table.borrow().len(), pages - 1);
    }
}
