//! `swap_ms`: from the order to load a changed component to its first response. First load and replacement are one path
//! (`Runtime::load`), so this is also the time that each component adds to a start.
//!
//! The component is check-eligibility, the largest. Two versions alternate. They have the same code and another custom
//! section, so that they share the compiled code.

use crate::batch::{Memory, Outside, nothing};
use crate::place;
use crate::report::{Beside, Figure};
use crate::rounds::{Effort, interleaved, millis};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use host_adapters_runtime::{Interfaces, Limits, Runtime, RuntimeConfig};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

const COMPONENT: &str = "check-eligibility";
/// The folder of the compiled code.
const COMPILED: &str = "compiled";
/// Swaps of one round.
const SWAPS: usize = 10;

/// Measures both: with cached compiled code, and without.
///
/// # Errors
/// When a version cannot be loaded, or the other version sends the first response.
pub fn measure(effort: Effort) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let swapper = Swapper::new(folder.path())?;
    swapper.swap()?;
    let mut cached = || {
        let swaps = effort.of(SWAPS, 2);
        let took = (0..swaps).map(|_| swapper.swap()).sum::<Result<f64>>()?;
        Ok(took / swaps as f64)
    };
    let mut afresh = || {
        std::fs::remove_dir_all(folder.path().join(COMPILED))?;
        swapper.swap()
    };
    let [cached, afresh] = interleaved(effort, [&mut cached, &mut afresh])?;
    Ok(vec![
        Figure::new("swap_ms", cached, &[Beside::Limit(20.0), Beside::Only("swap_compiling_ms")]),
        Figure::new("swap_compiling_ms", afresh, &[]),
    ])
}

struct Swapper {
    versions: [PathBuf; 2],
    turn: Cell<usize>,
    runtime: Runtime,
    threads: tokio::runtime::Runtime,
}

impl Swapper {
    fn new(folder: &Path) -> Result<Self> {
        let wasm = std::fs::read(place::component(COMPONENT)?)?;
        let versions = [b'a', b'b'].map(|dead_letter| {
            let path = folder.join(format!("{}.wasm", char::from(dead_letter)));
            // A custom section: 0, its size, the size of its name, its name, its contents.
            std::fs::write(&path, [&wasm, [0, 3, 1, b'v', dead_letter].as_slice()].concat()).map(|()| path)
        });
        let [a, b] = versions;
        let config = RuntimeConfig { cache_dir: folder.join(COMPILED), max_instances: 16, interfaces: Interfaces::All };
        let outside = Outside::new(Arc::new(Memory::new(nothing())));
        Ok(Self {
            versions: [a?, b?],
            turn: Cell::new(0),
            runtime: Runtime::new(&config, Arc::new(outside)).map_err(anyhow::Error::msg)?,
            threads: tokio::runtime::Runtime::new()?,
        })
    }

    /// Swaps to the other version; returns the milliseconds to its first response.
    fn swap(&self) -> Result<f64> {
        self.turn.set(1 - self.turn.get());
        let source = self.versions.get(self.turn.get()).context("there are two versions")?;
        let spec = place::spec(COMPONENT, source, Limits::default());
        let request = http::Request::post("http://bench/workers/check-eligibility").body(Bytes::from_static(b"{}"))?;
        let start = Instant::now();
        let loaded = self.runtime.load(&spec)?;
        let called = self.threads.block_on(self.runtime.http(COMPONENT, request));
        let took = millis(start.elapsed());
        ensure!(called.digest == loaded.digest && loaded.is_new(), "the previous version answered");
        // The request had no token.
        ensure!(called.result?.status() == 401, "the first answer is not the component's");
        Ok(took)
    }
}
