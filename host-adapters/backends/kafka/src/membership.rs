//! What a member of a group may read, shared by the thread that serves the group and those who ask.

use crate::client::Context;
use crate::read::id;
use host_adapters_platform::{Leases, Shard};
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How often the leases of partitions are renewed. They last three times as long.
pub(crate) const RENEWAL: Duration = Duration::from_millis(3_300);
/// For so long a member stays in its group without being asked. Its source has ended by then, or hangs.
pub(crate) const UNASKED: Duration = Duration::from_secs(10);
/// For so long a rebalance waits for calls in progress on partitions that go to other members. The rest is repeated there.
const GRACE: Duration = Duration::from_secs(60);
/// How often a waiting rebalance looks whether its member is asked.
const LOOK: Duration = Duration::from_millis(500);

/// The partitions of a member.
pub(crate) struct Membership {
    state: Mutex<State>,
    /// Held while an offset is committed. Partitions go to other members only when nothing is.
    commits: Mutex<()>,
    changed: Notify,
    left: Condvar,
}

struct State {
    /// Whether the group has ever given it partitions, or none.
    has_joined: bool,
    owned: BTreeSet<u32>,
    leaving: BTreeSet<u32>,
    /// Whether it is to give up all partitions, for a member with new certificates.
    is_retiring: bool,
    /// Whether it leaves the group.
    is_closing: bool,
    /// Counts changes, and what was the count when [`Membership::leases`] was asked last.
    changes: u64,
    told: u64,
    asked: Instant,
}

impl Membership {
    pub(crate) fn new() -> Self {
        let state = State {
            has_joined: false,
            owned: BTreeSet::new(),
            leaving: BTreeSet::new(),
            is_retiring: false,
            is_closing: false,
            changes: 0,
            told: 0,
            asked: Instant::now(),
        };
        Self { state: Mutex::new(state), commits: Mutex::default(), changed: Notify::new(), left: Condvar::new() }
    }

    /// Which partitions may be read; `None` before the group has said so.
    pub(crate) fn leases(&self, listed: &[Shard]) -> Option<Leases> {
        let mut state = self.state();
        state.told = state.changes;
        if !state.has_joined {
            return None;
        }
        let text = |numbers: &BTreeSet<u32>| numbers.iter().map(u32::to_string).collect::<Vec<_>>();
        let owned = text(&state.owned);
        let news = owned.iter().any(|number| listed.iter().all(|shard| shard.id != *number));
        let leaving = if state.is_retiring { owned.clone() } else { text(&state.leaving) };
        Some(Leases { owned, leaving, done: Vec::new(), news })
    }

    /// Waits until [`Membership::leases`] has another answer.
    pub(crate) async fn changed(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.state();
                if state.changes != state.told {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Someone has asked: its source is alive.
    pub(crate) fn asked(&self) {
        self.state().asked = Instant::now();
    }

    /// Whether its source no longer asks.
    pub(crate) fn is_unasked(&self) -> bool {
        self.state().asked.elapsed() > UNASKED
    }

    pub(crate) fn has_joined(&self) -> bool {
        self.state().has_joined
    }

    pub(crate) fn owns_none(&self) -> bool {
        self.state().owned.is_empty()
    }

    /// Nothing of a partition is in progress any more. It is no longer this member's from now on: otherwise its reading could
    /// begin again before the rebalance goes on.
    pub(crate) fn leave(&self, number: u32) {
        let mut state = self.state();
        if state.leaving.remove(&number) || state.is_retiring {
            state.owned.remove(&number);
            self.note_change(&mut state);
        }
        self.left.notify_all();
    }

    /// Gives up all partitions, one after the other.
    pub(crate) fn retire(&self) {
        let mut state = self.state();
        if !state.is_retiring {
            state.is_retiring = true;
            self.note_change(&mut state);
        }
    }

    pub(crate) fn is_retiring(&self) -> bool {
        self.state().is_retiring
    }

    /// Leaves the group; waits for nothing.
    pub(crate) fn close(&self) {
        self.state().is_closing = true;
        self.left.notify_all();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state().is_closing
    }

    /// Runs `commit` while the partition is this member's; `None` if it is not.
    pub(crate) fn while_owned<T>(&self, number: u32, commit: impl FnOnce() -> T) -> Option<T> {
        let _commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        let is_owned = self.state().owned.contains(&number);
        is_owned.then(commit)
    }

    fn assigned(&self, numbers: &BTreeSet<u32>) {
        let mut state = self.state();
        state.has_joined = true;
        state.owned.extend(numbers);
        self.note_change(&mut state);
    }

    /// Waits until the work on partitions has ended that go to other members, unless they have them already.
    fn revoked(&self, numbers: &BTreeSet<u32>, is_lost: bool) {
        let mut state = self.state();
        if !is_lost && !state.is_closing {
            let owned: Vec<u32> = state.owned.intersection(numbers).copied().collect();
            state.leaving.extend(owned);
            self.note_change(&mut state);
            let until = Instant::now() + GRACE;
            while !state.leaving.is_disjoint(numbers)
                && !state.is_closing
                && Instant::now() < until
                && state.asked.elapsed() <= UNASKED
            {
                state = self.left.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        drop(state);
        // A commit in progress is of the generation before.
        let _commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        state.owned.retain(|number| !numbers.contains(number));
        state.leaving.retain(|number| !numbers.contains(number));
        self.note_change(&mut state);
    }

    fn note_change(&self, state: &mut State) {
        state.changes += 1;
        self.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What librdkafka tells of a member.
#[derive(Clone)]
pub(crate) struct MemberContext {
    pub(crate) context: Context,
    pub(crate) membership: Arc<Membership>,
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for MemberContext {
    /// Called by the thread that serves the group, which waits here until the partitions can go.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(partitions) => self.membership.revoked(&numbers(partitions), consumer.assignment_lost()),
            Rebalance::Assign(_) => {}
            Rebalance::Error(error) => tracing::warn!(%error, "a group of Kafka's could not be rebalanced"),
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else { return };
        // A member fetches nothing: the topic's fetcher does.
        if let Err(error) = consumer.pause(partitions) {
            tracing::warn!(%error, "partitions are fetched twice: they could not be paused");
        }
        self.context.works();
        self.membership.assigned(&numbers(partitions));
    }
}

fn numbers(partitions: &TopicPartitionList) -> BTreeSet<u32> {
    partitions.elements().iter().filter_map(|partition| u32::try_from(partition.partition()).ok()).collect()
}

/// A list of one partition.
pub(crate) fn list(topic: &str, number: u32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, id(number));
    list
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn shards(ids: &[&str]) -> Vec<Shard> {
        ids.iter().map(|id| Shard { id: (*id).to_owned(), ..Shard::default() }).collect()
    }

    fn member(numbers: &[u32]) -> Arc<Membership> {
        let membership = Arc::new(Membership::new());
        membership.assigned(&numbers.iter().copied().collect());
        membership
    }

    #[test]
    fn nothing_is_known_before_the_group_has_said_so() {
        let membership = Membership::new();
        assert_eq!(membership.leases(&[]), None);
        membership.assigned(&BTreeSet::new());
        assert_eq!(membership.leases(&[]), Some(Leases::default()), "there are more members than partitions");
        membership.assigned(&BTreeSet::from([2]));
        let leases = membership.leases(&shards(&["1"])).unwrap();
        assert_eq!((leases.owned, leases.news), (vec!["2".to_owned()], true));
    }

    /// The rebalance waits until the source has left the partition, and meanwhile its offset can be committed.
    #[test]
    fn a_rebalance_waits_for_the_work_on_a_partition() {
        let membership = member(&[0, 1]);
        let revoking = membership.clone();
        let rebalance = std::thread::spawn(move || revoking.revoked(&BTreeSet::from([1]), false));
        let leaving = loop {
            let leases = membership.leases(&shards(&["0", "1"])).unwrap();
            if !leases.leaving.is_empty() {
                break leases;
            }
            std::thread::yield_now();
        };
        assert_eq!((leaving.owned.len(), leaving.leaving), (2, vec!["1".to_owned()]));
        assert_eq!(membership.while_owned(1, || "committed"), Some("committed"));
        assert!(!rebalance.is_finished());
        membership.leave(1);
        assert_eq!(membership.leases(&shards(&["0"])).unwrap().owned, ["0"], "at once");
        rebalance.join().unwrap();
        assert_eq!(membership.while_owned(1, || "committed"), None);
        assert_eq!(membership.leases(&shards(&["0"])).unwrap().owned, ["0"]);
    }

    #[test]
    fn what_is_lost_already_is_not_waited_for() {
        let membership = member(&[0]);
        membership.revoked(&BTreeSet::from([0]), true);
        assert!(membership.owns_none());
        let membership = member(&[0]);
        membership.close();
        membership.revoked(&BTreeSet::from([0]), false);
        assert!(membership.owns_none());
    }

    /// A commit that has begun ends before its partition is another member's.
    #[test]
    fn no_commit_is_in_progress_when_a_partition_goes() {
        let membership = member(&[0]);
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (end, may_end) = std::sync::mpsc::channel::<()>();
        let committing = membership.clone();
        let commit = std::thread::spawn(move || {
            committing.while_owned(0, || {
                begun.send(()).unwrap();
                may_end.recv().unwrap();
            })
        });
        has_begun.recv().unwrap();
        let revoking = membership.clone();
        let rebalance = std::thread::spawn(move || revoking.revoked(&BTreeSet::from([0]), true));
        std::thread::yield_now();
        assert!(!membership.owns_none() && !rebalance.is_finished());
        end.send(()).unwrap();
        assert_eq!(commit.join().unwrap(), Some(()));
        rebalance.join().unwrap();
        assert!(membership.owns_none());
    }

    #[tokio::test]
    async fn whoever_waits_is_told_of_changes_once() {
        let membership = member(&[0]);
        membership.changed().await;
        membership.leases(&[]).unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(20), membership.changed());
        assert!(waiting.await.is_err(), "nothing has changed since");
        membership.retire();
        membership.changed().await;
        assert_eq!(membership.leases(&shards(&["0"])).unwrap().leaving, ["0"]);
        membership.leave(0);
        assert!(membership.owns_none());
    }
}
