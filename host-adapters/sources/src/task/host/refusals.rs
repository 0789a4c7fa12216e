//! How often executions were refused while only refusals indicate an outage (docs/delivery.md, 13.9).

use host_adapters_delivery::retry::LONGEST;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Most executions whose refusals are kept. Beyond them, all begin to count again.
const MAX_KEPT: usize = 1_000;

/// How often, and since when, an execution was refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusals {
    count: u32,
    since: Option<Instant>,
}

impl Refusals {
    /// Counts one more. Returns whether they are the execution's own, as far as can be known: it was refused `most` times,
    /// and for longer than a pause lasts.
    pub fn are_own(&mut self, most: u32) -> bool {
        self.count += 1;
        let since = *self.since.get_or_insert_with(Instant::now);
        self.count >= most && since.elapsed() >= LONGEST
    }
}

/// The refusals of executions that were handed back, by task id: their next attempts continue to count.
#[derive(Default)]
pub struct KeptRefusals(Mutex<HashMap<String, Refusals>>);

impl KeptRefusals {
    /// Those of an execution, which are no longer kept.
    pub fn take(&self, task_id: &str) -> Refusals {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(task_id).unwrap_or_default()
    }

    /// Keeps them until the next attempt.
    pub fn keep(&self, task_id: &str, refusals: Refusals) {
        if refusals.count == 0 {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(task_id.to_owned(), refusals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn refusals_are_counted_over_attempts_that_were_handed_back() {
        let kept = KeptRefusals::default();
        let refused = async |task: &str| {
            tokio::time::advance(Duration::from_secs(31)).await;
            let mut refusals = kept.take(task);
            let are_own = refusals.are_own(3);
            kept.keep(task, refusals);
            are_own
        };
        assert_eq!([refused("a").await, refused("b").await, refused("a").await], [false; 3]);
        assert!(refused("a").await);
        let _other_outcome = kept.take("a");
        assert!(!refused("a").await, "it has had another outcome since");
    }

    #[test]
    fn only_so_many_are_kept() {
        let kept = KeptRefusals::default();
        for n in 0..=MAX_KEPT {
            kept.keep(&n.to_string(), Refusals { count: 1, since: None });
        }
        kept.keep("none", Refusals::default());
        assert_eq!(kept.0.lock().map(|kept| kept.len()).unwrap_or_default(), 1);
    }
}
