//! The phases of a run, and how long each took.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The phases so far, and when the current one began.
pub struct Phases {
    done: Vec<Phase>,
    since: Instant,
}

/// A phase that has ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
}

impl Phases {
    /// The first phase begins.
    pub fn begin() -> Self {
        Self { done: Vec::new(), since: Instant::now() }
    }

    /// The current phase was this one; the next begins.
    pub fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.done.push(Phase { name, took: now - std::mem::replace(&mut self.since, now) });
    }

    /// All phases that have ended.
    pub fn into_done(self) -> Vec<Phase> {
        self.done
    }
}

impl Phase {
    /// How long it took, in seconds with one digit.
    pub fn seconds(&self) -> f64 {
        (self.took.as_secs_f64() * 10.0).round() / 10.0
    }

    /// The JSON for `--json`.
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "seconds": self.seconds() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_begins_where_the_one_before_ends() {
        let mut phases = Phases::begin();
        let began = Instant::now();
        std::thread::sleep(Duration::from_millis(20));
        phases.end("first");
        phases.end("second");
        let done = phases.into_done();
        let all: Duration = done.iter().map(|phase| phase.took).sum();
        assert_eq!(done.iter().map(|phase| phase.name).collect::<Vec<_>>(), ["first", "second"]);
        assert!(all >= Duration::from_millis(20) && all <= began.elapsed() + Duration::from_millis(20), "{done:?}");
    }
}
