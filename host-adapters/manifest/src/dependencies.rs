//! `dependencies` of a component, which fill its imports on a Spin host. This host does not compose components: it
//! provides the platform to every component that imports it, and everything else that a component needs must be in its
//! file.

use super::component::Named;
use host_adapters_settings::Fields;
use std::collections::BTreeMap;

/// The package that this host provides itself.
const PLATFORM: &str = "registration:platform";

/// The keys of dependencies that Spin fetches or reads from a file.
const FETCHED: [&str; 6] = ["version", "registry", "package", "path", "url", "digest"];

/// Reads the dependencies on other components of the application, and the ids that they name with their places.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> (BTreeMap<String, String>, Vec<Named>) {
    let (mut dependencies, mut named) = (BTreeMap::new(), Vec::new());
    for (name, item, at) in fields.entries("dependencies") {
        if package(name) != PLATFORM {
            let message = format!(
                "dependency \"{name}\" is not provided by host-adapters, which composes no components; \
                 compose it into the file when you build"
            );
            fields.diagnostic(&at, message);
            continue;
        }
        let Some(mut dependency) = fields.table_of("dependencies", name, item, at) else { continue };
        if let Some(key) = FETCHED.into_iter().find(|key| dependency.has(key)) {
            dependency.unsupported(key, "the platform is the host's own; write component = \"<id>\" for Spin hosts");
            continue;
        }
        read_inheritance(&mut dependency);
        dependency.string("export");
        let component = dependency.string("component");
        let component = dependency.required("component", component, "the id of the component that exports it");
        dependency.finish();
        if let Some(component) = component {
            dependencies.insert(name.to_owned(), component.value.clone());
            named.push((component.value, component.span));
        }
    }
    (dependencies, named)
}

/// `a:b` of `a:b/interface@1.0.0`.
fn package(name: &str) -> &str {
    name.split(['/', '@']).next().unwrap_or_default()
}

/// `inherit_configuration`: true, false, or names of keys.
fn read_inheritance(dependency: &mut Fields<'_, '_>) {
    if dependency.item("inherit_configuration").is_some_and(|(item, _)| !item.is_bool()) {
        dependency.strings("inherit_configuration");
    }
}
