//! Ctrl-C while executions are started or awaited: they run in the host, and continue without the command.

use crate::shutdown::INTERRUPTED;
use anyhow::Result;
use std::process::ExitCode;

/// The result of work that Ctrl-C may end.
pub(super) enum Ended<T> {
    Done(T),
    /// Ctrl-C came first; a message says which executions continue.
    Interrupted(ExitCode),
}

/// Does `work`. If Ctrl-C comes first, it stops and prints `goes_on`.
///
/// # Errors
/// Those of the work.
pub(super) async fn or_interrupted<T>(
    work: impl Future<Output = Result<T>>,
    goes_on: impl FnOnce() -> String,
) -> Result<Ended<T>> {
    tokio::select! {
        biased;
        Ok(()) = tokio::signal::ctrl_c() => {
            eprintln!("host-adapters: {}", goes_on());
            Ok(Ended::Interrupted(ExitCode::from(INTERRUPTED)))
        }
        done = work => done.map(Ended::Done),
    }
}
