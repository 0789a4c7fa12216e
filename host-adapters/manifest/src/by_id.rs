//! Defaults that follow from the id of a component of the project: its build command and artifact.
//!
//! Such a component has `source = "target/components/<id>.wasm"` and no `build`; its crate is `components/<id>`.

use super::app::{Build, Component, Profile};
use std::path::Path;

/// The profile of `host-adapters dev`.
const DEV: &str = "dev";

/// Completes a component by its id, if `source` in the manifest, which is in `folder`, shows that it is built from a
/// crate of the project. Artifact and profile are kept where the manifest names them.
pub(super) fn complete(component: &mut Component, source: &str, folder: &Path) {
    let id = component.id.clone();
    if component.build.is_some() || source != format!("target/components/{id}.wasm") {
        return;
    }
    let made = |profile: &str| {
        folder.join("target/wasm32-wasip2").join(profile).join(id.replace('-', "_")).with_extension("wasm")
    };
    let commands =
        |profile: &str| vec![format!("cargo build --profile {profile} --target wasm32-wasip2 --package {id}")];
    component.build = Some(Build { commands: commands("guest"), workdir: folder.to_owned(), watch: Vec::new() });
    component.artifact.get_or_insert_with(|| made("guest"));
    let dev = || Profile { source: Some(made("guest-dev")), commands: commands("guest-dev"), ..Profile::default() };
    component.profiles.entry(DEV.to_owned()).or_insert_with(dev);
}
