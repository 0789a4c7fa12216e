//! Failpoints: the host can be configured to abort at the n-th durable step of a kind, so that a test can end it at
//! each of them and check that a restart completes the work (`tests/faults/slow/failpoints.rs`).
//!
//! A step is counted just before or after something becomes durable, because a crash loses or repeats work only there.
//! Unless armed, a step costs one atomic load.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long an abort before a step first delays the step: code that wrongly does not wait for the step gets ahead of
/// it.
const HEAD_START: Duration = Duration::from_millis(20);

static ARMED: OnceLock<Failpoint> = OnceLock::new();
/// Steps of the armed kind that were reached since.
static REACHED: AtomicU64 = AtomicU64::new(0);

/// A kind of step. Those whose name begins with `Before` are about to be taken; the others have just been taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// A source has received records; its worker has not been called.
    Receive,
    /// A worker has responded; its dispositions have not been carried out.
    Response,
    /// A request of a worker or of a client of the gateway has taken effect: a table write, a message, a document, a
    /// call of a service. The response has not been sent.
    SideEffect,
    /// Dead letters are stored; their records are not settled.
    DeadLetter,
    /// A checkpoint is about to be stored.
    BeforeCheckpoint,
    /// A checkpoint is stored.
    Checkpoint,
    /// Settled messages are about to be deleted.
    BeforeDelete,
    /// Settled messages are deleted.
    Delete,
    /// A transaction of the embedded store is about to be committed.
    BeforeCommit,
    /// A transaction is on disk; its callers have no response yet.
    Commit,
}

impl Step {
    /// Every kind.
    const ALL: [Self; 10] = [
        Self::Receive,
        Self::Response,
        Self::SideEffect,
        Self::DeadLetter,
        Self::BeforeCheckpoint,
        Self::Checkpoint,
        Self::BeforeDelete,
        Self::Delete,
        Self::BeforeCommit,
        Self::Commit,
    ];

    /// Whether the step is counted before it is taken.
    const fn is_counted_before(self) -> bool {
        matches!(self, Self::BeforeCheckpoint | Self::BeforeDelete | Self::BeforeCommit)
    }

    /// Its name, in options and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Response => "response",
            Self::SideEffect => "side-effect",
            Self::DeadLetter => "dead-letter",
            Self::BeforeCheckpoint => "before-checkpoint",
            Self::Checkpoint => "checkpoint",
            Self::BeforeDelete => "before-delete",
            Self::Delete => "delete",
            Self::BeforeCommit => "before-commit",
            Self::Commit => "commit",
        }
    }
}

/// Where to abort. `delete:3` is the third delete, `side-effect@save-selections:3` the third side effect of that worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failpoint {
    step: Step,
    /// Whose steps are counted; `None` for everybody's.
    actor: Option<String>,
    number: NonZeroU64,
}

impl FromStr for Failpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |name: &str| Step::ALL.into_iter().find(|step| step.name() == name);
        let point = text.split_once(':').and_then(|(kind, number)| {
            let (name, actor) =
                kind.split_once('@').map_or((kind, None), |(name, actor)| (name, Some(actor.to_owned())));
            Some((named(name)?, actor, number.parse().ok()?))
        });
        let (step, actor, number) = point.ok_or_else(|| {
            format!(
                "`{text}` is not a step; write <kind>:<number from 1> or <kind>@<worker>:<number>, a kind being {}",
                Step::ALL.map(Step::name).join(", ")
            )
        })?;
        if actor.is_some() && step != Step::SideEffect {
            return Err(format!(
                "`{text}` is not a step; only side effects are counted for a worker alone: side-effect@"
            ));
        }
        Ok(Self { step, actor, number })
    }
}

impl Failpoint {
    /// Its kind of step, as it is written.
    fn kind(&self) -> String {
        let actor = self.actor.as_deref().map(|actor| format!("@{actor}")).unwrap_or_default();
        format!("{}{actor}", self.step.name())
    }
}

/// Makes the process abort, without unwinding or running destructors, at a step from now on. Only the first call
/// counts.
pub fn arm(point: Failpoint) {
    ARMED.get_or_init(|| point);
}

/// Counts a step. Does not return if it is the one to abort at.
pub fn reached(step: Step) {
    if let Some(point) = ARMED.get().filter(|point| point.step == step && point.actor.is_none()) {
        counted(point);
    }
}

/// As [`reached`], of a step for a component or a client.
pub fn reached_by(actor: &str, step: Step) {
    let is_counted = |point: &&Failpoint| point.actor.as_deref().is_none_or(|counted| counted == actor);
    if let Some(point) = ARMED.get().filter(|point| point.step == step).filter(is_counted) {
        counted(point);
    }
}

#[cold]
fn counted(point: &Failpoint) {
    let number = point.number.get();
    if REACHED.fetch_add(1, Ordering::Relaxed) + 1 == number {
        if point.step.is_counted_before() {
            std::thread::sleep(HEAD_START);
        }
        tracing::error!(step = point.kind(), number, "aborting at this failpoint");
        std::process::abort();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_is_a_kind_of_step_and_its_number() {
        let number = NonZeroU64::new(3).unwrap();
        let point = Failpoint { step: Step::BeforeDelete, actor: None, number };
        assert_eq!((point.kind().as_str(), "before-delete:3".parse()), ("before-delete", Ok(point.clone())));
        let of_one = Failpoint { step: Step::SideEffect, actor: Some("a-worker".to_owned()), number };
        assert_eq!(
            (of_one.kind().as_str(), "side-effect@a-worker:3".parse()),
            ("side-effect@a-worker", Ok(of_one.clone()))
        );
        for wrong in ["3", "delete", "delete:0", "delet:1", "delete:-1", "delete@a-worker:1"] {
            let error = wrong.parse::<Failpoint>().unwrap_err();
            assert!(error.starts_with(&format!("`{wrong}` is not a step")) && error.contains("side-effect"), "{error}");
        }
    }
}
