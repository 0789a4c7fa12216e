//! Crash points: the host can be told to abort at the n-th durable step, so that a test can end it at every single one
//! and see that a restart makes good what was under way (`tests/slow/crash_points.rs`).
//!
//! A step is counted where something has just become durable, or is about to: whatever is lost or done twice by a
//! crash is lost or done twice in one of these windows. Unless armed, a step costs one relaxed load.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long the abort before a step holds the step up first: whoever wrongly does not wait for it gets ahead of it.
const HEAD_START: Duration = Duration::from_millis(20);

/// 0 while nobody has armed it.
static ABORT_AT: AtomicU64 = AtomicU64::new(0);
static REACHED: AtomicU64 = AtomicU64::new(0);

/// A kind of step. Those that begin with `Before` are about to be taken, the others have just been.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// A source has received records; its worker has not been called.
    Receive,
    /// A worker has answered; nothing has followed from it.
    Answer,
    /// What a worker or a client of the gateway asked for has taken effect outside the worker: a table write, a message,
    /// a document, a call of a service. Whoever asked does not know yet.
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
    /// A transaction is on disk; whoever waits for it does not know yet.
    Commit,
}

impl Step {
    /// Whether it is about to be taken.
    const fn is_ahead(self) -> bool {
        matches!(self, Self::BeforeCheckpoint | Self::BeforeDelete | Self::BeforeCommit)
    }

    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Answer => "answer",
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

/// Has the process abort, without unwinding or a destructor, at the `number`-th step from now on.
pub fn arm(number: NonZeroU64) {
    REACHED.store(0, Ordering::Relaxed);
    ABORT_AT.store(number.get(), Ordering::Relaxed);
}

/// How many steps were reached; `None` where nobody has armed it, because then nobody counts.
pub fn count() -> Option<u64> {
    (ABORT_AT.load(Ordering::Relaxed) > 0).then(|| REACHED.load(Ordering::Relaxed))
}

/// This step is reached. Does not return if it is the one to abort at.
pub fn reached(step: Step) {
    let abort_at = ABORT_AT.load(Ordering::Relaxed);
    if abort_at > 0 {
        counted(step, abort_at);
    }
}

#[cold]
fn counted(step: Step, abort_at: u64) {
    let number = REACHED.fetch_add(1, Ordering::Relaxed) + 1;
    if number == abort_at {
        if step.is_ahead() {
            std::thread::sleep(HEAD_START);
        }
        tracing::error!(step = step.name(), number, "aborts at this crash point, as told");
        std::process::abort();
    }
}
