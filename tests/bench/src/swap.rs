//! `swap_ms`: from the order to load a changed component until its first answer. First load and replacement are one
//! path (`Runtime::load`), so this is also what each component adds to a start.
//!
//! The component is check-eligibility, the largest. Each version is the same code with another custom section, so its
//! digest is another and its compiled form is one of its own.

use crate::batch::{Memory, Outside, nothing};
use crate::place;
use crate::report::{Beside, Figure};
use crate::rounds::{Effort, interleaved, millis};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use host_adapters_runtime::{ComponentSpec, Interfaces, Limits, Runtime, RuntimeConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

const COMPONENT: &str = "check-eligibility";
/// Swaps of one round.
const SWAPS: usize = 10;

/// Measures both: with the compiled form at hand, and without.
///
/// # Errors
/// When a version cannot be loaded, or its first answer is not its own.
pub fn measure(effort: Effort) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let swapper = Swapper::new(folder.path())?;
    let known = [swapper.version("a")?, swapper.version("b")?];
    for version in &known {
        swapper.swap(version)?;
    }
    let mut turn = 0;
    let mut cached = || {
        let swaps = effort.of(SWAPS, 2);
        let mut took = 0.0;
        for _ in 0..swaps {
            turn += 1;
            took += swapper.swap(&known[turn % 2])?;
        }
        Ok(took / swaps as f64)
    };
    let mut compiled = 0;
    let mut afresh = || {
        compiled += 1;
        swapper.swap(&swapper.version(&format!("compiled-{compiled}"))?)
    };
    let [cached, afresh] = interleaved(effort, [&mut cached, &mut afresh])?;
    Ok(vec![
        Figure::new("swap_ms", cached, &[Beside::Limit(20.0), Beside::Only("swap_compiling_ms")]),
        Figure::new("swap_compiling_ms", afresh, &[]),
    ])
}

struct Swapper {
    folder: PathBuf,
    wasm: Vec<u8>,
    runtime: Runtime,
    threads: tokio::runtime::Runtime,
}

impl Swapper {
    fn new(folder: &Path) -> Result<Self> {
        let config =
            RuntimeConfig { cache_dir: folder.join("compiled"), max_instances: 16, interfaces: Interfaces::All };
        let outside = Outside::new(Arc::new(Memory::new(nothing())));
        Ok(Self {
            folder: folder.to_owned(),
            wasm: std::fs::read(place::component(COMPONENT)?)?,
            runtime: Runtime::new(&config, Arc::new(outside)).map_err(anyhow::Error::msg)?,
            threads: tokio::runtime::Runtime::new()?,
        })
    }

    /// The component with a custom section of this content.
    fn version(&self, content: &str) -> Result<PathBuf> {
        let path = self.folder.join(content).with_extension("wasm");
        let name = "version";
        let size = u8::try_from(1 + name.len() + content.len()).ok().filter(|size| *size < 0x80);
        let mut wasm = self.wasm.clone();
        // Section 0; its size and that of its name are LEB128, one byte each as long as they are short.
        wasm.extend([0, size.context("the content is too long")?, name.len() as u8]);
        wasm.extend(name.bytes().chain(content.bytes()));
        std::fs::write(&path, wasm)?;
        Ok(path)
    }

    /// Milliseconds until the first answer of this version.
    fn swap(&self, source: &Path) -> Result<f64> {
        let spec = ComponentSpec {
            id: COMPONENT.to_owned(),
            source: source.to_owned(),
            limits: Limits::default(),
            environment: place::environment("checkEligibility"),
        };
        let request = http::Request::post("http://bench/workers/check-eligibility").body(Bytes::from_static(b"{}"))?;
        let start = Instant::now();
        let digest = self.runtime.load(&spec)?;
        let called = self.threads.block_on(self.runtime.http(COMPONENT, request));
        let took = millis(start.elapsed());
        ensure!(called.digest == digest, "the version before answered");
        // It was sent no token.
        ensure!(called.result?.status() == 401, "the first answer is not the component's");
        Ok(took)
    }
}
