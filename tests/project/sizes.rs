//! The sizes of components, by which it shows what they contain.

use tests::programs::component;

/// Most bytes of a component that checks values by JSON Schemas. With a reader of schemas it would have some 3 MB more,
/// so that it is found wherever it comes from.
const MOST_BYTES: u64 = 2_000_000;

/// docs/pipeline.md, "Schemas": they contain code that is generated from their schemas, and no schema reader.
#[test]
fn components_with_schemas_have_no_schema_reader() {
    for id in ["load-scores", "process-data", "save-fanlist-scores", "send-data"] {
        let bytes = component(id).metadata().unwrap().len();
        assert!(bytes < MOST_BYTES, "{id} has {bytes} bytes");
    }
}
