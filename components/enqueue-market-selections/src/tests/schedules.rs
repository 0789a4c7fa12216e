//! Tasks, faults, deliveries and changes in any order.

use crate::input::Selection;
use crate::testing::{Attempt, Fan, Fault, World, attempt, both, selection};
use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

const TASKS: [&str; 3] = ["one", "two", "three"];

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    /// An attempt of a task.
    Attempt(usize, Option<(usize, Fault)>),
    /// Attempts of two tasks at the same time, whose calls take this many turns and minutes.
    Both(usize, usize, Vec<(u8, u8)>),
    /// Minutes pass.
    Pass(u8),
    /// A fan wins in another market.
    Elsewhere(usize),
    /// A fan's entry is removed.
    Remove(usize),
    /// The Entry Service deletes removed entries.
    Replicate,
    /// saveSelections handles a message.
    Deliver(usize),
    /// markAssignedCodes has read the stream.
    Mark,
    /// The market's capacity changes.
    Capacity(u64),
}

fn fault() -> impl Strategy<Value = Option<(usize, Fault)>> {
    prop::option::of((0_usize..24, prop::sample::select(Fault::ALL.to_vec())))
}

fn event() -> impl Strategy<Value = Event> {
    let task = 0..TASKS.len();
    let delays = prop::collection::vec((0_u8..4, prop_oneof![9 => Just(0_u8), 1 => 1_u8..20]), 0..60);
    prop_oneof![
        4 => (task.clone(), fault()).prop_map(|(task, fault)| Event::Attempt(task, fault)),
        2 => (task.clone(), task, delays).prop_map(|(one, other, delays)| Event::Both(one, other, delays)),
        1 => (0_u8..20).prop_map(Event::Pass),
        2 => (0_usize..40).prop_map(Event::Elsewhere),
        1 => (0_usize..40).prop_map(Event::Remove),
        1 => Just(Event::Replicate),
        4 => (0_usize..100).prop_map(Event::Deliver),
        1 => Just(Event::Mark),
        1 => (0_u64..30).prop_map(Event::Capacity),
    ]
}

fn fans() -> impl Strategy<Value = Vec<Fan>> {
    let id = prop::option::weighted(0.9, (0_u32..40).prop_map(|n| format!("fan-{n}")));
    let fan = (id, 0_u32..4, 0_u32..3).prop_map(|(id, score, minute)| Fan { id, score, minute });
    prop::collection::vec(fan, 0..50)
}

/// A run of events.
struct Schedule {
    world: World,
    /// Tasks that have their answer.
    over: BTreeSet<usize>,
    /// The largest count that any task was given.
    most: u64,
    capacity: u64,
    /// How often two attempts were made at the same time: one that has lost its market may still reserve codes.
    overlaps: usize,
}

impl Schedule {
    fn happen(&mut self, event: Event) {
        let world = &self.world;
        match event {
            Event::Attempt(task, fault) => self.attempt(task, fault),
            Event::Both(one, other, delays) if !self.over.contains(&one) && !self.over.contains(&other) => {
                world.delays.replace(delays);
                let tasks = [one, other].map(|task| selection(TASKS[task]));
                let ended = both(world, [&tasks[0], &tasks[1]]);
                world.delays.take();
                self.overlaps += 1;
                ended.into_iter().zip([one, other]).for_each(|(ended, task)| self.ended(task, ended));
            }
            Event::Both(..) => {}
            Event::Pass(minutes) => world.pass(TimeDelta::minutes(minutes.into())),
            Event::Elsewhere(fan) => world.win_elsewhere(&format!("fan-{fan}")),
            Event::Remove(fan) => world.remove(&format!("fan-{fan}")),
            Event::Replicate => world.replicate(),
            Event::Mark => world.mark(),
            Event::Deliver(index) => {
                let messages = world.messages();
                messages.get(index % messages.len().max(1)).iter().for_each(|message| world.deliver(message));
            }
            Event::Capacity(capacity) => {
                world.sized(capacity);
                (self.capacity, self.most) = (capacity, self.most.max(capacity));
            }
        }
        self.world.check_sound();
    }

    fn attempt(&mut self, task: usize, fault: Option<(usize, Fault)>) {
        if self.over.contains(&task) {
            return;
        }
        let name = TASKS[task];
        let (had_plan, best) = (self.world.plans().contains_key(name), self.world.best(self.capacity as usize));
        let ended = attempt(&self.world, &selection(name), fault);
        if let Some(plan) = self.world.plans().get(name).filter(|_| !had_plan) {
            assert_eq!(plan.iter().map(|(fan, _)| fan.clone()).collect::<Vec<_>>(), best, "exactly the best");
        }
        self.ended(task, ended);
    }

    fn ended(&mut self, task: usize, ended: Attempt) {
        if ended.is_over() {
            ended.output();
            self.over.insert(task);
            self.world.check_told(TASKS[task]);
        }
    }

    /// All tasks get their answers, and all messages are handled.
    fn finish(mut self) {
        for task in 0..TASKS.len() {
            self.world.pass(TimeDelta::minutes(16));
            self.attempt(task, None);
            assert!(self.over.contains(&task));
        }
        // A task that has lost its market and is suspended between the check and its report comes last, once.
        if self.overlaps == 0 {
            self.check_last_report();
        }
        // Its outcome was not stored, so it is repeated, though others have finished since.
        attempt(&self.world, &selection(TASKS[0]), None).output();
        self.check_last_report();
        self.world.deliver_all();
        self.world.check_all_told();
        self.world.check_sound();
        let winners: usize = self.world.plans().values().map(Vec::len).sum();
        assert!(winners as u64 <= self.most, "{winners} winners of at most {}", self.most);
        let reserved = self.world.reserved_count() + self.world.codes("assigned").len();
        assert!(reserved <= 500 * (1 + self.overlaps) + winners, "{reserved} codes for {winners} winners");
    }

    /// The last report of a market counts.
    fn check_last_report(&self) {
        let winners: usize = self.world.plans().values().map(Vec::len).sum();
        let last = self.world.reports.borrow().last().cloned().unwrap();
        assert_eq!((&last["status"], &last["PROCESSED"]), (&json!("FINISHED"), &json!(winners)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// For any records, plans, counts, faults and interleavings: exactly the best win, each with a code of their own, never
    /// more than the market's count, and every other fan is told.
    #[test]
    fn whatever_happens_the_selection_is_right(
        fans in fans(),
        capacity in 0_u64..30,
        events in prop::collection::vec(event(), 0..25),
    ) {
        let world = World::with(fans);
        world.sized(capacity);
        let mut schedule = Schedule { world, over: BTreeSet::new(), most: capacity, capacity, overlaps: 0 };
        events.into_iter().for_each(|event| schedule.happen(event));
        schedule.finish();
    }

    /// One task with any count.
    #[test]
    fn exactly_the_best_win(fans in fans(), count in 0_u64..60) {
        let world = World::with(fans);
        let best = world.best(count as usize);
        let output = attempt(&world, &Selection { count: Some(count), ..selection("one") }, None).output();
        let nameless = world.fans.iter().filter(|fan| fan.id.is_none()).count();
        prop_assert_eq!(&output["stats"]["PROCESSED"], &json!(best.len()));
        prop_assert_eq!(&output["stats"]["FAILED"], &json!(nameless));
        let plan = world.plans().remove("one").unwrap_or_default();
        prop_assert_eq!(plan.into_iter().map(|(fan, _)| fan).collect::<Vec<_>>(), best);
        world.check_told("one");
        world.check_sound();
    }
}
