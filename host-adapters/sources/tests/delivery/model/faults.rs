//! Injected faults: of the next calls, or of each call with a probability.

use host_adapters_records::{Error, ErrorKind};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashMap;
use std::sync::Mutex;

/// Which calls of a model fail, by the name of the call.
pub struct Faults(Mutex<State>);

struct State {
    planned: HashMap<&'static str, (usize, Error)>,
    chance: HashMap<&'static str, f64>,
    random: StdRng,
}

/// The error of a backend that is down.
pub fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "connection refused")
}

impl Faults {
    pub fn new(seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self(Mutex::new(State { planned: HashMap::new(), chance: HashMap::new(), random }))
    }

    /// The next `times` calls of `call` fail with `error`.
    pub fn plan(&self, call: &'static str, times: usize, error: Error) {
        self.0.lock().unwrap().planned.insert(call, (times, error));
    }

    /// Each call of `call` fails as down with this probability.
    pub fn chance(&self, call: &'static str, probability: f64) {
        self.0.lock().unwrap().chance.insert(call, probability);
    }

    /// From now on no call fails.
    pub fn end(&self) {
        let mut state = self.0.lock().unwrap();
        state.planned.clear();
        state.chance.clear();
    }

    pub fn check(&self, call: &'static str) -> Result<(), Error> {
        let mut state = self.0.lock().unwrap();
        if let Some((times, error)) = state.planned.get_mut(call)
            && *times > 0
        {
            *times -= 1;
            return Err(error.clone());
        }
        let chance = state.chance.get(call).copied().unwrap_or(0.0);
        if state.random.random_bool(chance) { Err(down()) } else { Ok(()) }
    }
}
