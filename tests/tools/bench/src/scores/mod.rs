//! `scores_*`: a scored file from the embedded bucket into the embedded data stream, by load-scores in the sandbox and by a
//! plain loop; and the memory of a host while a file goes through load-scores and both writers.

mod entry;
mod file;
mod memory;
mod native;
mod sandbox;
mod store;

use crate::report::{Beside, Figure};
use crate::rounds::{Effort, interleaved};
use anyhow::{Result, ensure};
use file::File;
use native::Native;
use sandbox::Sandbox;
use std::path::Path;
use std::time::Duration;
use store::Store;

/// Rows of the small file.
const FEW: usize = 20_000;
/// Rows of both files where the figures do not matter.
const QUICK: usize = 300;
/// From so many rows on, what a file's size does to its rate is judged.
const FLAT: usize = 2_000_000;
/// How much more memory the host may take than idle, MB of 10⁶ bytes.
const MEMORY_MB: f64 = 64.0;

/// Measures all figures of the group; the large file has this many rows.
///
/// # Errors
/// When the component cannot be loaded, a call fails, rows are missing, or the host does not finish.
pub fn measure(effort: Effort, rows: usize, program: &Path) -> Result<Vec<Figure>> {
    const FEW_BESIDE: &[Beside] = &[Beside::AtLeast(0.5, "native_scores_rows_per_s.few")];
    const MANY_BESIDE: &[Beside] =
        &[Beside::AtLeast(0.5, "native_scores_rows_per_s.many"), Beside::Only("scores_rows_per_s.few")];
    const FLAT_BESIDE: &[Beside] =
        &[Beside::AtLeast(0.5, "native_scores_rows_per_s.many"), Beside::AtLeast(0.9, "scores_rows_per_s.few")];
    let folder = tempfile::tempdir()?;
    let (few, many) = (effort.of(FEW, QUICK), effort.of(rows, 2 * QUICK));
    let [few, many] = [("few", few), ("many", many)].map(|(name, rows)| File::write(folder.path(), name, rows));
    let (few, many) = (few?, many?);
    let many_beside = if many.rows >= FLAT { FLAT_BESIDE } else { MANY_BESIDE };
    let threads = tokio::runtime::Runtime::new()?;
    let (sandbox, native) = (Sandbox::start()?, Native);
    let load = |loader: &dyn Loader, file: &File| -> Result<f64> {
        threads.block_on(async {
            // Each load has a store of its own, so that none pays for what another one has written.
            let store = Store::open(file).await?;
            let took = loader.load(&store, file).await?;
            let put = store.records().await?;
            ensure!(put == file.rows, "the stream has {put} records of {} rows", file.rows);
            Ok(file.rows as f64 / took.as_secs_f64())
        })
    };
    let [few_rate, native_few, many_rate, native_many] = interleaved(
        effort,
        [&mut || load(&sandbox, &few), &mut || load(&native, &few), &mut || load(&sandbox, &many), &mut || {
            load(&native, &many)
        }],
    )?;
    let memory = threads.block_on(memory::measure(program, &many))?;
    Ok(vec![
        Figure::new("scores_rows_per_s.few", few_rate, FEW_BESIDE),
        Figure::new("native_scores_rows_per_s.few", native_few, &[]),
        Figure::new("scores_rows_per_s.many", many_rate, many_beside),
        Figure::new("native_scores_rows_per_s.many", native_many, &[]),
        Figure::new("scores_host.rows_per_s", memory.rows_per_s, &[]),
        Figure::new("scores_host.idle_mb", memory.idle_mb, &[]),
        Figure::new("scores_host.above_idle_mb", memory.above_idle_mb, &[Beside::Limit(MEMORY_MB)]),
    ])
}

/// Loads a file into the stream.
#[async_trait::async_trait(?Send)]
trait Loader {
    /// Puts all rows of the file; returns how long that took.
    async fn load(&self, store: &Store, file: &File) -> Result<Duration>;
}
