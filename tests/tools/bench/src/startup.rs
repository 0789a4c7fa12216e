//! `startup_ms`: from the start of the process `host-adapters up` to the first response to a fan, with components that
//! are already compiled, and (`startup_cold_ms`) with all of them to compile.

use crate::client::Connection;
use crate::process::Process;
use crate::registration::{PATH, Registration};
use crate::report::{Beside, Figure};
use crate::rounds::{Effort, interleaved, millis};
use anyhow::{Context, Result};
use std::path::Path;
use std::time::Instant;

/// Starts of one round.
const STARTS: usize = 3;

/// Measures both figures.
///
/// # Errors
/// When the host does not start or does not admit the fan.
pub fn measure(effort: Effort, program: &Path) -> Result<Vec<Figure>> {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let registration = Registration::new(folder.path())?;
    let data = folder.path().join("data");
    let first = Process::host(program, &data, &registration)?;
    threads.block_on(first.seed(&registration))?;
    first.stop()?;
    let start = || {
        let start = Instant::now();
        let host = Process::host(program, &data, &registration)?;
        threads.block_on(ask(&host, &registration))?;
        let took = millis(start.elapsed());
        host.stop()?;
        Ok(took)
    };
    let mut warm = || {
        let starts = effort.of(STARTS, 1);
        let took = (0..starts).map(|_| start()).sum::<Result<f64>>()?;
        Ok(took / starts as f64)
    };
    let mut cold = || {
        std::fs::remove_dir_all(data.join("compiled"))?;
        start()
    };
    let [warm, cold] = interleaved(effort, [&mut warm, &mut cold])?;
    Ok(vec![
        Figure::new("startup_ms", warm, &[Beside::Limit(500.0), Beside::Only("startup_cold_ms")]),
        Figure::new("startup_cold_ms", cold, &[]),
    ])
}

async fn ask(host: &Process, registration: &Registration) -> Result<()> {
    let question = registration.questions.first().context("nobody asks")?;
    let mut connection = Connection::open(host.http).await?;
    Registration::admitted(&connection.post(PATH, &question.token, question.body.clone()).await?)
}
