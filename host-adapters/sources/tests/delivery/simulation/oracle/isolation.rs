//! The cost of finding the one record of a batch that fails every call it is part of: of N records, at most ⌈log2 N⌉ +
//! 1 failing calls and 2⌈log2 N⌉ + 1 in all, not counting the retries of the record once it is alone.

use super::{Verdict, must};
use crate::simulation::journal::Said;
use crate::simulation::schedule::{Schedule, Temper};
use std::collections::BTreeSet;

/// The searches of one worker of the stream.
pub struct Isolation<'a> {
    schedule: &'a Schedule,
    worker: usize,
    bisect: bool,
    searches: Vec<Search>,
}

/// The search for the culprit of a batch.
struct Search {
    records: BTreeSet<u64>,
    poison: u64,
    calls: u32,
    failing: u32,
    stood_alone: bool,
    /// A call failed for another reason than the poison record. Then there is no upper limit.
    disturbed: bool,
}

impl<'a> Isolation<'a> {
    pub fn new(schedule: &'a Schedule, worker: usize, bisect: bool) -> Self {
        Self { schedule, worker, bisect, searches: Vec::new() }
    }

    pub fn host_ended(&mut self) {
        self.searches.clear();
    }

    pub fn answered(&mut self, batch: &[(u64, u32)], said: &[Said], whole: bool, outage: bool) -> Verdict {
        if !self.bisect {
            return Ok(());
        }
        let records: BTreeSet<u64> = batch.iter().map(|(record, _)| *record).collect();
        let failing = said.iter().any(Said::fails);
        if !self.searches.iter().any(|search| search.records.is_superset(&records)) && whole {
            self.searches.extend(self.begun(&records));
        }
        let searches = self.searches.iter_mut().filter(|search| search.records.is_superset(&records));
        for search in searches {
            search.called(&records, failing, outage)?;
        }
        Ok(())
    }

    /// Starts a search if only one record of the batch fails calls.
    fn begun(&self, records: &BTreeSet<u64>) -> Option<Search> {
        let temper = |record: u64| self.schedule.temper(record, self.worker);
        let poison: Vec<u64> = records.iter().copied().filter(|record| temper(*record).is_poison()).collect();
        let unruly = records.iter().any(|record| matches!(temper(*record), Temper::Retried(..)));
        let [poison] = poison[..] else { return None };
        let (calls, failing, stood_alone) = (0, 0, false);
        (!unruly).then(|| Search { records: records.clone(), poison, calls, failing, stood_alone, disturbed: false })
    }
}

impl Search {
    fn called(&mut self, records: &BTreeSet<u64>, failing: bool, outage: bool) -> Verdict {
        let has_poison = records.contains(&self.poison);
        self.disturbed |= outage || failing != has_poison;
        if records.len() == 1 && has_poison && std::mem::replace(&mut self.stood_alone, true) {
            return Ok(());
        }
        self.calls += 1;
        self.failing += u32::from(failing);
        let log2 = self.records.len().next_power_of_two().trailing_zeros();
        let (calls, failing, count) = (self.calls, self.failing, self.records.len());
        let few = failing <= log2 + 1 && calls <= 2 * log2 + 1;
        must(few || self.disturbed, || format!("{failing} failing of {calls} calls for a poison among {count}"))
    }
}
