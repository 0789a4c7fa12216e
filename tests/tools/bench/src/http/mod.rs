//! `http_rps`: check-eligibility over HTTP with a warm cache, in the host and natively, each in a process of its own
//! under the same load; `rss_mb` is the host's memory before and after.

pub mod load;
pub mod native;

use crate::client::Connection;
use crate::process::Process;
use crate::registration::{PATH, Registration};
use crate::report::{Beside, Figure};
use crate::rounds::{Effort, interleaved, median};
use anyhow::{Context, Result, ensure};
use load::Load;
use std::path::Path;
use std::time::Duration;

/// How long a round loads each server.
const ROUND: Duration = Duration::from_secs(2);

/// Measures all figures of the group.
///
/// # Errors
/// When a server does not start, or the two respond differently.
pub fn measure(effort: Effort, program: &Path) -> Result<Vec<Figure>> {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let registration = Registration::new(folder.path())?;
    let (host, native) = (
        Process::host(program, &folder.path().join("data"), &registration)?,
        Process::native("native-http", &[&registration.jwks, &registration.campaign])?,
    );
    threads.block_on(host.seed(&registration))?;
    threads.block_on(alike(&host, &native, &registration))?;
    let idle = host.rss_mb()?;
    let duration = effort.of(ROUND, Duration::from_millis(50));
    let (mut times, mut native_times) = (Vec::new(), Vec::new());
    let load = |process: &Process, times: &mut Vec<Load>| {
        let load = threads.block_on(load::run(process.http, &registration.questions, duration))?;
        let rps = load.per_second;
        times.push(load);
        Ok(rps)
    };
    let [rps, native_rps] =
        interleaved(effort, [&mut || load(&host, &mut times), &mut || load(&native, &mut native_times)])?;
    let loaded = host.rss_mb()?;
    let percentile = |times: &[Load], of: fn(&Load) -> f64| median(times.iter().map(of).collect());
    Ok(vec![
        Figure::new("http_rps", rps, &[Beside::AtLeast(0.5, "native_http_rps")]),
        Figure::new("native_http_rps", native_rps, &[]),
        Figure::new("http_p50_ms", percentile(&times, |it| it.p50_ms), &[Beside::Only("native_http_p50_ms")]),
        Figure::new("native_http_p50_ms", percentile(&native_times, |it| it.p50_ms), &[]),
        Figure::new("http_p99_ms", percentile(&times, |it| it.p99_ms), &[Beside::Only("native_http_p99_ms")]),
        Figure::new("native_http_p99_ms", percentile(&native_times, |it| it.p99_ms), &[]),
        Figure::new("rss_mb.idle", idle, &[]),
        Figure::new("rss_mb.loaded", loaded, &[Beside::Only("rss_mb.idle")]),
    ])
}

/// Sends both the same requests and compares the responses. From then on the host has the campaign in its cache.
async fn alike(host: &Process, native: &Process, registration: &Registration) -> Result<()> {
    let question = registration.questions.first().context("nobody asks")?;
    let mut answers = Vec::new();
    for process in [host, native] {
        let mut connection = Connection::open(process.http).await?;
        answers.push(connection.post(PATH, &question.token, question.body.clone()).await?);
    }
    let [one, other] = answers.as_slice() else { return Ok(()) };
    Registration::admitted(one)?;
    ensure!(one == other, "the host answered {one:?}, the native server {other:?}");
    Ok(())
}
