//! The dispositions of a batch.

use host_adapters_event::Disposition;
use serde_json::{Value, json};

/// What became of a batch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcomes {
    /// The disposition of each record, in the order of the batch.
    pub dispositions: Vec<Disposition>,
    /// Records that are published.
    pub published: usize,
    /// Records that are acknowledged and not published, because their campaign's data is not.
    pub off: usize,
}

impl Outcomes {
    /// The records of a batch without a disposition yet. A record that has none in the end is delivered again.
    pub(crate) fn of(records: usize) -> Self {
        Self { dispositions: vec![Disposition::retry("the record was not planned"); records], ..Self::default() }
    }

    pub(crate) fn settle(&mut self, index: usize, disposition: Disposition) {
        self.dispositions.get_mut(index).into_iter().for_each(|it| *it = disposition.clone());
    }

    /// Settles records by the result of what was published for them.
    pub(crate) fn answer(&mut self, indices: &[usize], result: Option<Result<(), Disposition>>) {
        let unmentioned = || Err(Disposition::retry("the response does not mention the record"));
        let result = result.unwrap_or_else(unmentioned);
        self.published += if result.is_ok() { indices.len() } else { 0 };
        let disposition = result.err().unwrap_or(Disposition::Ack);
        indices.iter().for_each(|index| self.settle(*index, disposition.clone()));
    }

    /// The counts, for the log.
    pub fn counts(&self) -> Value {
        let count = |wanted: fn(&Disposition) -> bool| self.dispositions.iter().filter(|it| wanted(it)).count();
        json!({
            "received": self.dispositions.len(),
            "published": self.published,
            "off": self.off,
            "failed": count(|it| matches!(it, Disposition::Retry(_) | Disposition::GiveUp(_))),
            "rejected": count(|it| matches!(it, Disposition::Reject(_))),
        })
    }
}
