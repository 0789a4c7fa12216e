//! What dead letters say: the attempt and the component of the last call that the record was part of. A call that
//! began on one version and ended after a swap is the old version's.

use super::{Call, Verdict, must};
use crate::simulation::{journal::Letter, schedule::Kind, worker::digest};
use std::collections::BTreeMap;

/// Who handled each record last, and at which attempt.
#[derive(Default)]
pub struct Letters(BTreeMap<(Kind, u64), (u32, u32)>);

impl Letters {
    /// A call was answered.
    pub fn handled(&mut self, call: &Call) {
        let handled = call.batch.iter().map(|(record, attempt)| ((call.kind, *record), (*attempt, call.version)));
        self.0.extend(handled);
    }

    /// A letter is stored. Who handled a record last is not certain if it is in the host's hands `twice`.
    pub fn stored(&self, letter: &Letter, twice: bool) -> Verdict {
        // Given up for its age it may never have been handed over, and no component is to blame.
        if letter.condition.as_deref() == Some("RecordAgeExceeded") {
            return must(letter.digest.is_none(), || "a letter that blames a component for an age".to_owned());
        }
        let Some((attempt, version)) = self.0.get(&(letter.kind, letter.record)) else {
            return Err("a letter of a record that the worker never answered".to_owned());
        };
        if twice {
            return Ok(());
        }
        must(letter.attempt == *attempt, || format!("the last attempt was {attempt}"))?;
        let digest = digest(*version);
        must(letter.digest.as_deref() == Some(digest.as_str()), || format!("{digest} handled it last"))
    }
}
