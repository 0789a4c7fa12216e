//! `cargo verify`: lints and tests everything.

use crate::build::{self, Linting};
use anyhow::Result;

pub fn run() -> Result<()> {
    let built = build::native(Linting::On)?;
    build::components(&built, &[])?;
    build::run(build::cargo(Linting::On).args(["test", "--release", "--locked", "--workspace", "--all-targets"]))
}
