//! `host-adapters validate`: reads the manifest and the runtime configuration, opens every component, and with `--probe`
//! probes the servers.

use super::{FAILED, ManifestOptions, RuntimeConfigOptions, UNUSABLE, print};
use crate::backends::{self, Probed};
use crate::components;
use crate::manifest::App;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    manifest: ManifestOptions,
    #[command(flatten)]
    runtime_config: RuntimeConfigOptions,
    /// Connect to each server of the runtime configuration and report which is down, and why.
    #[arg(long, requires = "runtime_config")]
    probe: bool,
}

pub(super) async fn run(options: &Options) -> Result<ExitCode> {
    let (app, config) = match super::load(&options.manifest, &options.runtime_config).await {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    print(summary(&app))?;
    if !components_are_fit(&app).await? {
        return Ok(ExitCode::from(UNUSABLE));
    }
    let mut down = false;
    if options.probe {
        for Probed { section, problem, differences } in backends::probe(&app, &config).await {
            down |= problem.is_some();
            print(format!("{section}: {}", problem.as_deref().unwrap_or("answers")))?;
            for difference in differences {
                print(format!("{section}: {difference}"))?;
            }
        }
    }
    Ok(if down { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// Opens every component. A file that is not there yet is not a fault of the manifest.
async fn components_are_fit(app: &App) -> Result<bool> {
    let checked = components::check(app).await?;
    for spec in checked.missing {
        print(format!(
            "{}: {} is not there, so it was not opened; `host-adapters build` makes it",
            spec.id, spec.source
        ))?;
    }
    for fault in &checked.faults {
        eprintln!("{fault}");
    }
    Ok(checked.faults.is_empty())
}

fn summary(app: &App) -> String {
    let sources: usize = app.components.values().map(|component| component.sources.len()).sum();
    let (components, routes) = (app.components.len(), app.routes.iter().count());
    format!("{}: {components} components, {routes} routes, {sources} sources", app.path.display())
}
