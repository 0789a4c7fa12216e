//! `host-adapters provision`: creates what spin.toml declares and is missing on the servers of the runtime
//! configuration.

use super::{ManifestOptions, RuntimeConfigOptions, print};
use crate::backends;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    manifest: ManifestOptions,
    #[command(flatten)]
    runtime_config: RuntimeConfigOptions,
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let (app, config) = match super::load(&options.manifest, &options.runtime_config).await {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    if config.backends().next().is_none() {
        print("nothing to make: every backend is embedded; name the servers with --runtime-config")?;
        return Ok(ExitCode::SUCCESS);
    }
    backends::provision(&app, &config, |section, address| print(format!("{section}: all there, at {address}"))).await?;
    Ok(ExitCode::SUCCESS)
}
