//! Gathering records for one call (docs/delivery.md, 1): a batch is due as soon as the first of size, bytes or window
//! is met. The window opens with the first record, or, for records left over, when the previous call has ended.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// When a batch is due.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// The most records.
    pub size: usize,
    /// The most bytes of payload. A larger record makes a batch by itself.
    pub bytes: usize,
    /// The longest time that the first record waits for others.
    pub window: Duration,
}

/// What counts towards [`BatchLimits::bytes`].
pub trait Weigh {
    /// Bytes of payload.
    fn weight(&self) -> usize;
}

/// What a batch needs next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// Up to `room` more records, if they come before `until`. `None`: the batch is still empty.
    More {
        /// How many records it has room for.
        room: usize,
        /// When its window closes.
        until: Option<Instant>,
    },
    /// Nothing: the batch is due.
    Call,
}

/// Gathers records into batches, in order.
#[derive(Debug)]
pub struct Batcher<T> {
    limits: BatchLimits,
    waiting: VecDeque<T>,
    /// How many of `waiting` form the next batch, and their weight in bytes.
    fitting: usize,
    weight: usize,
    opened: Option<Instant>,
}

impl<T: Weigh> Batcher<T> {
    /// An empty batcher.
    pub fn new(limits: BatchLimits) -> Self {
        let limits = BatchLimits { size: limits.size.max(1), ..limits };
        Self { limits, waiting: VecDeque::new(), fitting: 0, weight: 0, opened: None }
    }

    /// Starts the window of the records left over. Call it when the previous call of the worker has ended.
    pub fn open(&mut self) {
        self.opened = (!self.waiting.is_empty()).then(Instant::now);
    }

    /// Adds records at the end.
    pub fn push(&mut self, records: impl IntoIterator<Item = T>) {
        self.waiting.extend(records);
        self.fit();
        if !self.waiting.is_empty() {
            self.opened.get_or_insert_with(Instant::now);
        }
    }

    /// What is needed before the next call.
    pub fn need(&self) -> Need {
        let until = self.opened.map(|opened| opened + self.limits.window);
        if self.is_full() || until.is_some_and(|until| until <= Instant::now()) {
            return Need::Call;
        }
        Need::More { room: self.limits.size - self.fitting, until }
    }

    /// The next batch; empty only if no record waits.
    pub fn take(&mut self) -> Vec<T> {
        let batch = self.waiting.drain(..self.fitting).collect();
        (self.fitting, self.weight, self.opened) = (0, 0, None);
        self.fit();
        batch
    }

    /// Takes waiting records, in order, for which `batch` has room. The batch is about to be delivered again.
    pub fn take_beside(&mut self, batch: &[T]) -> Vec<T> {
        let mut size = batch.len();
        let mut bytes = batch.iter().map(Weigh::weight).fold(0, usize::saturating_add);
        let fits = |record: &&T| {
            (size, bytes) = (size + 1, bytes.saturating_add(record.weight()));
            size <= self.limits.size && bytes <= self.limits.bytes
        };
        let count = self.waiting.iter().take_while(fits).count();
        let taken = self.waiting.drain(..count).collect();
        self.refit();
        taken
    }

    /// All records that wait.
    pub fn waiting_mut(&mut self) -> &mut VecDeque<T> {
        &mut self.waiting
    }

    /// Removes and returns the waiting records that are wanted; the others keep their order.
    pub fn extract(&mut self, is_wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let (wanted, others): (Vec<T>, Vec<T>) = self.waiting.drain(..).partition(is_wanted);
        self.waiting = others.into();
        self.refit();
        wanted
    }

    /// Computes the next batch again after records were taken out.
    fn refit(&mut self) {
        (self.fitting, self.weight) = (0, 0);
        self.fit();
        if self.waiting.is_empty() {
            self.opened = None;
        }
    }

    /// Whether the next batch takes no more records.
    pub fn is_full(&self) -> bool {
        self.fitting == self.limits.size || self.fitting < self.waiting.len() || self.weight >= self.limits.bytes
    }

    /// Adds waiting records to the next batch while they fit. The first that does not fit ends the batch, which keeps
    /// the order.
    fn fit(&mut self) {
        for record in self.waiting.iter().skip(self.fitting) {
            let weight = self.weight.saturating_add(record.weight());
            let fits = self.fitting < self.limits.size && (self.fitting == 0 || weight <= self.limits.bytes);
            if !fits {
                break;
            }
            self.fitting += 1;
            self.weight = weight;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Weigh for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    fn batcher(size: usize, bytes: usize, window: u64) -> Batcher<usize> {
        Batcher::new(BatchLimits { size, bytes, window: Duration::from_secs(window) })
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_opens_with_the_first_record_and_again_after_the_call() {
        let mut batcher = batcher(2, 100, 5);
        assert_eq!(batcher.need(), Need::More { room: 2, until: None });
        let first = Instant::now();
        batcher.push([1]);
        tokio::time::advance(Duration::from_secs(3)).await;
        batcher.push([]);
        assert_eq!(batcher.need(), Need::More { room: 1, until: Some(first + Duration::from_secs(5)) });
        batcher.push([2, 3]);
        assert_eq!(batcher.need(), Need::Call);
        assert_eq!(batcher.take(), [1, 2]);
        tokio::time::advance(Duration::from_secs(60)).await;
        batcher.open();
        assert_eq!(batcher.need(), Need::More { room: 1, until: Some(Instant::now() + Duration::from_secs(5)) });
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_delivered_again_takes_in_what_it_has_room_for() {
        let mut batcher = batcher(4, 10, 5);
        batcher.push([3, 3, 3]);
        assert_eq!(batcher.take_beside(&[2, 2]), [3, 3]);
        assert_eq!(batcher.take_beside(&[2, 2, 3, 3]), [0; 0]);
        assert_eq!(batcher.take_beside(&[]), [3]);
        assert_eq!(batcher.need(), Need::More { room: 4, until: None });
    }

    proptest! {
        /// All records leave once, in order, within the limits, in whatever pieces they come, and no batch could have
        /// been longer.
        #[test]
        fn batches_are_the_longest_that_the_limits_allow(
            pieces in prop::collection::vec(prop::collection::vec(0usize..50, 0..20), 0..20),
            size in 1usize..12,
            bytes in 1usize..100,
        ) {
            let _time = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _entered = _time.enter();
            let mut batcher = batcher(size, bytes, 1);
            let records: Vec<usize> = pieces.iter().flatten().copied().collect();
            let mut batches = Vec::new();
            for piece in pieces {
                batcher.push(piece);
                while batcher.is_full() {
                    batches.push(batcher.take());
                }
            }
            batches.push(batcher.take());
            prop_assert!(batcher.take().is_empty());
            prop_assert_eq!(batches.concat(), records);
            for pair in batches.windows(2) {
                let [batch, next] = pair else { continue };
                let weight: usize = batch.iter().sum();
                prop_assert!(batch.len() <= size);
                prop_assert!(weight <= bytes || batch.len() == 1);
                let next_fits = next.first().is_some_and(|next| weight + next <= bytes);
                prop_assert!(batch.len() == size || weight >= bytes || !next_fits);
            }
        }
    }
}
