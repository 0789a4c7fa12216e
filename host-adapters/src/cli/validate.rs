//! `host-adapters validate`: reads the manifest and nothing else.

use super::ManifestOptions;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    manifest: ManifestOptions,
}

pub(super) fn run(options: &Options) -> Result<ExitCode> {
    let app = match options.manifest.load() {
        Ok(app) => app,
        Err(code) => return Ok(code),
    };
    let sources: usize = app.components.values().map(|component| component.sources.len()).sum();
    println!(
        "{}: {} components, {} routes, {sources} sources",
        app.path.display(),
        app.components.len(),
        app.routes.iter().count()
    );
    Ok(ExitCode::SUCCESS)
}
