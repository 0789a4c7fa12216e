//! `cache_*`: check-eligibility over HTTP while Redis hangs, or answers too late for its time-out, beside one that works.
//! Without the cache the campaign comes from the embedded documents.

mod redis;

use crate::http::load::{self, Load};
use crate::process::Process;
use crate::registration::Registration;
use crate::report::{Beside, Figure};
use crate::rounds::{Effort, median};
use anyhow::Result;
use redis::Manner;
use std::path::Path;
use std::time::Duration;

/// How long a round loads the host. It begins with a host of its own, whose circuit breaker is closed. All of them have one
/// data folder, one after the other, so that only the first one compiles the components: that takes seconds.
const ROUND: Duration = Duration::from_secs(2);
/// Later than the time-out of a command, 50 ms.
const LATE: Duration = Duration::from_millis(200);
/// What a client may wait for an answer at the 95th percentile, milliseconds.
const LIMIT: f64 = 100.0;

/// Measures all figures of the group.
///
/// # Errors
/// When the host does not start or does not admit a fan.
pub fn measure(effort: Effort, program: &Path) -> Result<Vec<Figure>> {
    const P95: &[Beside] = &[Beside::Only("cache_up_p95_ms"), Beside::Limit(LIMIT)];
    let folder = tempfile::tempdir()?;
    let registration = Registration::new(folder.path())?;
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let round = |manner| threads.block_on(round(effort, program, folder.path(), &registration, manner));
    let (mut up, mut hung, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        up.push(round(Manner::Prompt)?);
        hung.push(round(Manner::Hung)?);
        slow.push(round(Manner::Late(LATE))?);
    }
    let p50 = |loads: &[Load]| median(loads.iter().map(|it| it.p50_ms).collect());
    let p95 = |loads: &[Load]| median(loads.iter().map(|it| it.p95_ms).collect());
    Ok(vec![
        Figure::new("cache_up_p50_ms", p50(&up), &[]),
        Figure::new("cache_up_p95_ms", p95(&up), &[]),
        Figure::new("cache_hung_p50_ms", p50(&hung), &[Beside::Only("cache_up_p50_ms")]),
        Figure::new("cache_hung_p95_ms", p95(&hung), P95),
        Figure::new("cache_slow_p95_ms", p95(&slow), P95),
    ])
}

/// Loads a host of its own, with a Redis that answers in this manner.
async fn round(
    effort: Effort,
    program: &Path,
    folder: &Path,
    registration: &Registration,
    manner: Manner,
) -> Result<Load> {
    let config = folder.join("runtime-config.toml");
    std::fs::write(&config, format!("[cache]\ntype = \"redis\"\nurl = \"{}\"\n", redis::start(manner)?))?;
    let host = Process::host_with(program, &folder.join("data"), registration, &config)?;
    host.seed(registration).await?;
    load::run(host.http, &registration.questions, effort.of(ROUND, Duration::from_millis(100))).await
}
