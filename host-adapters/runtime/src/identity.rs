//! The identity of a component's file: its id, in the custom section [`SECTION`]. worker-kit's macros add it to the
//! module, so every build has it, and `host-adapters build` adds it to components that are built in another way.
//! Without it a file with the same exports and imports could be loaded in place of another component, and would handle
//! its records by different rules.

use std::collections::BTreeSet;
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

/// The section's name. Its content is the id with a line feed; linkers join the contents of several.
pub const SECTION: &str = "registration:component";

/// The ids in a file, at any depth: a component that was composed of several has all of theirs. None for a file of others,
/// and for one that cannot be read.
pub fn ids(wasm: &[u8]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        if let Payload::CustomSection(section) = payload
            && section.name() == SECTION
        {
            let lines = String::from_utf8_lossy(section.data());
            ids.extend(lines.lines().map(str::to_owned));
        }
    }
    ids
}

/// Whether a file may be the component `id`: it is, or does not say which one it is.
///
/// # Errors
/// Whose file it is.
pub fn check(wasm: &[u8], id: &str) -> Result<(), String> {
    let ids = ids(wasm);
    if ids.contains(id) || ids.is_empty() {
        return Ok(());
    }
    let whose = ids.into_iter().collect::<Vec<_>>().join(" and ");
    Err(format!("is the component {whose}, not {id}; name the file of {id}"))
}

/// The component with its id in it; unchanged if it has it.
pub fn marked(mut wasm: Vec<u8>, id: &str) -> Vec<u8> {
    if !ids(&wasm).contains(id) {
        let data = format!("{id}\n").into_bytes();
        CustomSection { name: SECTION.into(), data: data.into() }.append_to_component(&mut wasm);
    }
    wasm
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{Component, Module, ModuleSection, NestedComponentSection, RawSection};

    fn mark(id: &str) -> CustomSection<'static> {
        CustomSection { name: SECTION.into(), data: format!("{id}\n").into_bytes().into() }
    }

    /// A component with a module that has these marks.
    fn worker(marks: &[&str]) -> Component {
        let mut module = Module::new();
        for id in marks {
            module.section(&mark(id));
        }
        let mut component = Component::new();
        component.section(&ModuleSection(&module));
        component
    }

    fn is(wasm: &[u8], expected: &[&str]) {
        let ids = ids(wasm);
        assert_eq!(ids.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn point_17_the_id_is_found_at_any_depth() {
        is(&worker(&["save-entries"]).finish(), &["save-entries"]);
        let mut composed = Component::new();
        composed.section(&NestedComponentSection(&worker(&["save-entries"])));
        let client = marked(worker(&[]).finish(), "gateway-client");
        composed.section(&RawSection { id: 4, data: &client });
        is(&composed.finish(), &["gateway-client", "save-entries"]);
        is(&worker(&[]).finish(), &[]);
        is(b"no component", &[]);
    }

    #[test]
    fn point_17_an_id_is_added_once() {
        let wasm = marked(worker(&["save-entries"]).finish(), "retry-score");
        is(&wasm, &["retry-score", "save-entries"]);
        assert_eq!(marked(wasm.clone(), "retry-score"), wasm, "it has its id already");
    }

    #[test]
    fn point_17_a_file_of_another_component_is_refused() {
        let (own, foreign) = (worker(&["save-entries"]).finish(), worker(&[]).finish());
        assert_eq!(check(&own, "save-entries"), Ok(()));
        assert_eq!(check(&foreign, "save-entries"), Ok(()));
        let refusal = check(&own, "retry-score").err();
        let expected = "is the component save-entries, not retry-score; name the file of retry-score";
        assert_eq!(refusal.as_deref(), Some(expected));
    }
}
