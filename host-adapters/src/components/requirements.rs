//! What the manifest requires of a component's file: an export for each of its triggers, and no import that its grants
//! leave out. Imports that every program has (WASI's files, sockets, environment) need no grant, because the sandbox
//! gives them nothing.

use crate::manifest::{App, Component};
use host_adapters_runtime::{Export, RefusedImport, RequiredExport, Requirements};

pub(super) fn of(app: &App, component: &Component) -> Requirements {
    // What `build` makes has its id.
    Requirements { exports: exports(app, component), refused: refused(component), id: component.artifact.is_some() }
}

fn exports(app: &App, component: &Component) -> Vec<RequiredExport> {
    let id = &component.id;
    let needed = [
        (Export::BatchWorker, component.sources.iter().any(|source| !source.does_tasks())),
        (Export::RequestWorker, component.does_tasks()),
    ];
    let sources = needed.into_iter().filter(|(_, is_needed)| *is_needed).map(|(export, _)| RequiredExport {
        export,
        needed_by: format!("[[component.{id}.tool.host-adapters.source]]"),
    });
    let route = app.routes.of(id).next().map(|route| RequiredExport {
        export: Export::HttpHandler,
        needed_by: format!("its [[trigger.http]] {}", route.route),
    });
    sources.chain(route).collect()
}

/// The interfaces that the manifest does not open to the component, each with the line that would.
fn refused(component: &Component) -> Vec<RefusedImport> {
    let grant = |line: &str| format!("write {line} under [component.{}.tool.host-adapters.grants]", component.id);
    let host = |entry: &str| format!("write allowed_outbound_hosts = [\"{entry}\"] in [component.{}]", component.id);
    let platform = component.grants.closed().map(|(interface, line)| (interface, grant(line)));
    let hosts = [
        ("spin:redis/redis", ["redis", "rediss"], host("redis://<host>")),
        ("wasi:http/client", ["http", "https"], host("http://<host>")),
        ("wasi:http/outgoing-handler", ["http", "https"], host("http://<host>")),
    ];
    let hosts = hosts.into_iter().filter(|(_, schemes, _)| !component.allowed_outbound_hosts.has_scheme(schemes));
    let refused = platform.chain(hosts.map(|(interface, _, remedy)| (interface, remedy)));
    refused.map(|(interface, remedy)| RefusedImport { interface: interface.to_owned(), remedy }).collect()
}
