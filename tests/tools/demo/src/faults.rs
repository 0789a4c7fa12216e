//! The faults of the services during a run.

use crate::options::Options;
use fake_services::{FakeServices, Faults, Service};

/// All services.
pub const SERVICES: [Service; Service::ALL.len()] = Service::ALL;

/// Ends all faults.
pub fn end(fakes: &FakeServices) {
    SERVICES.into_iter().for_each(|service| fakes.set_faults(service, Faults::default()));
}

/// Sets the faults that the options ask for.
pub fn set(fakes: &FakeServices, options: &Options) {
    let seed = options.seed;
    if options.failed_scores > 0.0 {
        let operations = vec!["upsertEntries".to_owned()];
        let score_failed = options.failed_scores;
        fakes.set_faults(Service::Entry, Faults { seed, operations, score_failed, ..Faults::default() });
    }
    if options.faults {
        inject_errors(fakes, seed);
    }
}

/// 5 % errors of every kind, and a few late responses.
fn inject_errors(fakes: &FakeServices, seed: u64) {
    for (service, salt) in SERVICES.into_iter().zip(0..) {
        let faults = Faults {
            seed: seed.wrapping_add(salt),
            throttled: 0.01,
            retry_after_secs: 1,
            unavailable: 0.02,
            cut: 0.007,
            cut_after: 0.008,
            garbled: 0.005,
            slow: 0.03,
            slow_ms: 250,
            score_failed: 0.01,
            ..Faults::default()
        };
        fakes.set_faults(service, faults);
    }
}
