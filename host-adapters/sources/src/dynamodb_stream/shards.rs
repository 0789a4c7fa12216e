//! Which shards may be read now (peers C11): a child only after its parent is settled to the end, else a change could
//! overtake an earlier one of the same item.

use host_adapters_platform::Shard;
use std::collections::{BTreeMap, HashSet};

/// How far we are with a shard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Reading,
    Done,
}

/// What is known of the shards of a stream.
#[derive(Debug, Default)]
pub struct Shards(BTreeMap<String, Stage>);

impl Shards {
    /// Marks and returns those of `listed` that can be read now: `held` by us, not begun, and their parent done or
    /// gone.
    pub fn begin(&mut self, listed: &[Shard], held: &[String]) -> Vec<String> {
        let ids: HashSet<&str> = listed.iter().map(|shard| shard.id.as_str()).collect();
        // A shard that is no longer listed has expired; forgetting it keeps this from growing for ever.
        self.0.retain(|id, stage| *stage == Stage::Reading || ids.contains(id.as_str()));
        let free = |shard: &&Shard| match &shard.parent {
            Some(parent) if ids.contains(parent.as_str()) => self.0.get(parent) == Some(&Stage::Done),
            // An expired parent may still have records in our hands.
            Some(parent) => self.0.get(parent) != Some(&Stage::Reading),
            None => true,
        };
        let new =
            listed.iter().filter(free).filter(|shard| held.contains(&shard.id) && !self.0.contains_key(&shard.id));
        let ready: Vec<String> = new.map(|shard| shard.id.clone()).collect();
        self.0.extend(ready.iter().map(|id| (id.clone(), Stage::Reading)));
        ready
    }

    /// All of a shard is settled.
    pub fn done(&mut self, id: &str) {
        self.0.insert(id.to_owned(), Stage::Done);
    }

    /// A shard is another host's now.
    pub fn lost(&mut self, id: &str) {
        self.0.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parent: Option<&str>) -> Shard {
        Shard { id: id.to_owned(), parent: parent.map(str::to_owned) }
    }

    /// As the only host.
    fn begin(shards: &mut Shards, listed: &[Shard]) -> Vec<String> {
        shards.begin(listed, &listed.iter().map(|shard| shard.id.clone()).collect::<Vec<_>>())
    }

    #[test]
    fn only_shards_that_are_held_are_read() {
        let listed = [shard("a", None), shard("b", None)];
        let mut shards = Shards::default();
        assert_eq!(shards.begin(&listed, &["b".to_owned()]), ["b"]);
        shards.lost("b");
        assert_eq!(begin(&mut shards, &listed), ["a", "b"], "held again");
    }

    #[test]
    fn parents_come_before_their_children() {
        let listed = [shard("grandchild", Some("child")), shard("child", Some("parent")), shard("parent", None)];
        let mut shards = Shards::default();
        assert_eq!(begin(&mut shards, &listed), ["parent"]);
        assert!(begin(&mut shards, &listed).is_empty());
        shards.done("parent");
        assert_eq!(begin(&mut shards, &listed), ["child"]);
        shards.done("child");
        assert_eq!(begin(&mut shards, &listed), ["grandchild"]);
    }

    #[test]
    fn an_expired_parent_holds_up_nobody_unless_it_is_still_being_read() {
        let mut shards = Shards::default();
        assert_eq!(begin(&mut shards, &[shard("child", Some("gone"))]), ["child"]);
        assert!(begin(&mut shards, &[shard("grandchild", Some("child"))]).is_empty());
        shards.done("child");
        assert_eq!(begin(&mut shards, &[shard("grandchild", Some("child"))]), ["grandchild"]);
    }
}
