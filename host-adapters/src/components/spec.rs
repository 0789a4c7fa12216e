//! Makes the runtime's specification of a component from the manifest.

use super::requirements;
use crate::manifest::{App, Component};
use host_adapters_runtime::{ComponentSpec, Source};
use host_adapters_sources::camel_case_name;
use std::collections::BTreeMap;

pub(super) fn of(app: &App, component: &Component) -> ComponentSpec {
    ComponentSpec {
        id: component.id.clone(),
        source: Source::File(component.source.clone()),
        limits: component.limits.clone(),
        environment: environment(component),
        requirements: requirements::of(app, component),
    }
}

/// The documents' environment variables with their defaults, and the component's own. The host sets `APP_NAME`, and
/// `REQUEST_TIMEOUT_SECS`, the wall time of a call. Each name occurs once, because a guest would see only the first value.
fn environment(component: &Component) -> Vec<(String, String)> {
    let inherited = [("CONFIG_ENV", "local-dev"), ("AWS_REGION", "us-east-1"), ("LOG_LEVEL", "INFO")]
        .map(|(name, default)| (name.to_owned(), std::env::var(name).unwrap_or_else(|_| default.to_owned())));
    let app_name = ("APP_NAME".to_owned(), camel_case_name(&component.id));
    let own = component.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    let wall_time = ("REQUEST_TIMEOUT_SECS".to_owned(), component.limits.request_timeout().as_secs().to_string());
    let environment: BTreeMap<_, _> = inherited.into_iter().chain(own).chain([app_name, wall_time]).collect();
    environment.into_iter().collect()
}
