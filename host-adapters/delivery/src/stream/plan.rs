//! Which shards may be read now: a child only after its parents are settled to their ends. Otherwise a record
//! could overtake an earlier one of its key.

use host_adapters_platform::Shard;
use std::collections::{BTreeMap, HashSet};

/// The state of a shard on this host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Reading,
    Done,
}

/// The state of the shards of a stream.
#[derive(Debug, Default)]
pub(super) struct ShardPlan(BTreeMap<String, Stage>);

impl ShardPlan {
    /// Marks and returns those of `listed` that can be read now: `owned` by this host, not begun, and each parent done
    /// or gone.
    pub(super) fn begin(&mut self, listed: &[Shard], owned: &[String]) -> Vec<String> {
        let ids: HashSet<&str> = listed.iter().map(|shard| shard.id.as_str()).collect();
        // A shard that is no longer listed has expired; forgetting it bounds the memory.
        self.0.retain(|id, stage| *stage == Stage::Reading || ids.contains(id.as_str()));
        let is_settled = |parent: &String| match self.0.get(parent) {
            Some(stage) => *stage == Stage::Done,
            // An expired parent does not block its children, unless its last records are still in flight.
            None => !ids.contains(parent.as_str()),
        };
        let new = listed.iter().filter(|shard| owned.contains(&shard.id) && !self.0.contains_key(&shard.id));
        let ready: Vec<String> =
            new.filter(|shard| shard.parents.iter().all(is_settled)).map(|shard| shard.id.clone()).collect();
        self.0.extend(ready.iter().map(|id| (id.clone(), Stage::Reading)));
        ready
    }

    /// Marks that all of a shard is settled.
    pub(super) fn done(&mut self, id: &str) {
        self.0.insert(id.to_owned(), Stage::Done);
    }

    /// Those of `ids` that are not being read.
    pub(super) fn unread(&self, ids: &[String]) -> Vec<String> {
        ids.iter().filter(|id| self.0.get(*id) != Some(&Stage::Reading)).cloned().collect()
    }

    /// Marks that another host has taken a shard.
    pub(super) fn lost(&mut self, id: &str) {
        self.0.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parents: &[&str]) -> Shard {
        Shard { id: id.to_owned(), parents: parents.iter().map(ToString::to_string).collect(), ..Shard::default() }
    }

    /// [`ShardPlan::begin`] for the only host.
    fn begin(plan: &mut ShardPlan, listed: &[Shard]) -> Vec<String> {
        plan.begin(listed, &listed.iter().map(|shard| shard.id.clone()).collect::<Vec<_>>())
    }

    #[test]
    fn only_leased_shards_are_read() {
        let listed = [shard("a", &[]), shard("b", &[])];
        let mut plan = ShardPlan::default();
        assert_eq!(plan.begin(&listed, &["b".to_owned()]), ["b"]);
        plan.lost("b");
        assert_eq!(begin(&mut plan, &listed), ["a", "b"], "leased again");
    }

    #[test]
    fn parents_come_before_their_children() {
        let listed = [shard("grandchild", &["child"]), shard("child", &["parent"]), shard("parent", &[])];
        let mut plan = ShardPlan::default();
        assert_eq!(begin(&mut plan, &listed), ["parent"]);
        assert!(begin(&mut plan, &listed).is_empty());
        plan.done("parent");
        assert_eq!(begin(&mut plan, &listed), ["child"]);
        plan.done("child");
        assert_eq!(begin(&mut plan, &listed), ["grandchild"]);
    }

    #[test]
    fn a_merged_shard_waits_for_both_parents() {
        let listed = [shard("left", &[]), shard("merged", &["left", "right"]), shard("right", &[])];
        let mut plan = ShardPlan::default();
        assert_eq!(begin(&mut plan, &listed), ["left", "right"]);
        plan.done("left");
        assert!(begin(&mut plan, &listed).is_empty());
        plan.done("right");
        assert_eq!(begin(&mut plan, &listed), ["merged"]);
    }

    #[test]
    fn an_expired_parent_holds_up_a_child_only_while_it_is_being_read() {
        let mut plan = ShardPlan::default();
        assert_eq!(begin(&mut plan, &[shard("child", &["gone"])]), ["child"]);
        assert!(begin(&mut plan, &[shard("grandchild", &["child"])]).is_empty());
        plan.done("child");
        assert_eq!(begin(&mut plan, &[shard("grandchild", &["child"])]), ["grandchild"]);
    }
}
