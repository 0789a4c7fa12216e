//! Checks the contents of dead letters: the attempt and the component of the last call that the record was part of. A
//! call that began on one version and ended after a swap belongs to the old version.

use super::{Call, Verdict, must};
use crate::simulation::journal::DeadLetter;
use crate::simulation::schedule::Kind;
use crate::simulation::worker::digest;
use std::collections::BTreeMap;

/// The version that handled each record last, and the attempt.
#[derive(Default)]
pub struct DeadLetters(BTreeMap<(Kind, u64), (u32, u32)>);

impl DeadLetters {
    /// A call was answered.
    pub fn handled(&mut self, call: &Call) {
        let handled = call.batch.iter().map(|(record, attempt)| ((call.kind, *record), (*attempt, call.version)));
        self.0.extend(handled);
    }

    /// A dead letter is stored. If the record was in flight `twice`, it is uncertain who handled it last.
    pub fn stored(&self, dead_letter: &DeadLetter, twice: bool) -> Verdict {
        // A record that was given up for its age may never have been handed over; no component caused that.
        if dead_letter.condition.as_deref() == Some("RecordAgeExceeded") {
            return must(dead_letter.digest.is_none(), || {
                "a dead letter that blames a component for an age".to_owned()
            });
        }
        let Some((attempt, version)) = self.0.get(&(dead_letter.kind, dead_letter.record)) else {
            return Err("a dead letter of a record that the worker never answered".to_owned());
        };
        if twice {
            return Ok(());
        }
        must(dead_letter.attempt == *attempt, || format!("the last attempt was {attempt}"))?;
        let digest = digest(*version);
        must(dead_letter.digest.as_deref() == Some(digest.as_str()), || format!("{digest} handled it last"))
    }
}
