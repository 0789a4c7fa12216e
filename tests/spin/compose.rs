//! Composes a component with gateway-client, as a Spin host does for `[component.X.dependencies]`.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// The interfaces that the dependency `"registration:platform@1.0.0"` of spin.toml provides.
const PLATFORM: &str = "registration:platform/";

/// The component with every import of the platform taken from an instance of `dependency`. Its exports stay the same.
pub fn with_platform(component: Vec<u8>, dependency: Vec<u8>) -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let component = register(&mut graph, "the:component", component);
    let dependency = register(&mut graph, "the:dependency", dependency);
    let imports = names(&graph, component, |world| world.imports.keys().cloned().collect());
    let exports = names(&graph, component, |world| world.exports.keys().cloned().collect());

    let main = graph.instantiate(component);
    let platform = graph.instantiate(dependency);
    let imports: Vec<_> = imports.into_iter().filter(|name| name.starts_with(PLATFORM)).collect();
    assert!(!imports.is_empty(), "the component imports nothing of the platform");
    for name in imports {
        let export = graph.alias_instance_export(platform, &name).unwrap();
        graph.set_instantiation_argument(main, &name, export).unwrap();
    }
    export_all(&mut graph, main, exports);
    graph.encode(EncodeOptions::default()).unwrap()
}

fn register(graph: &mut CompositionGraph, name: &str, bytes: Vec<u8>) -> PackageId {
    let package = Package::from_bytes(name, None, bytes, graph.types_mut()).unwrap();
    graph.register_package(package).unwrap()
}

fn names(
    graph: &CompositionGraph,
    package: PackageId,
    of: impl Fn(&wac_graph::types::World) -> Vec<String>,
) -> Vec<String> {
    of(&graph.types()[graph[package].ty()])
}

fn export_all(graph: &mut CompositionGraph, main: NodeId, names: Vec<String>) {
    for name in names {
        let export = graph.alias_instance_export(main, &name).unwrap();
        graph.export(export, name).unwrap();
    }
}
