//! The definition of the state machine, checked by a validator.

use crate::backends::on_servers::step_functions::machine::{ACTIVITY, definition};
use std::path::Path;
use std::process::{Command, Output};
use test_servers::{ASL_VALIDATOR, Servers};

const ARN: &str = "arn:aws:states:us-west-2:123456789012:activity:enqueue-market-selections";

fn validate(validator: &Path, text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("definition.asl.json");
    std::fs::write(&file, text).unwrap();
    Command::new(validator).arg("--json-path").arg(file).output().unwrap()
}

#[test]
fn the_definition_is_valid() {
    let validator = Servers::open().unwrap().tool(&ASL_VALIDATOR).unwrap();
    let text = definition().replace(ACTIVITY, ARN);
    let said = validate(&validator, &text);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    for (is, is_not) in [
        ("\"Next\": \"Succeeded\"", "\"Next\": \"Nowhere\""),
        ("\"TimeoutSeconds\"", "\"Timeout\""),
        ("\"$.campaignId\"", "\"$.campaignId[\""),
    ] {
        assert!(text.contains(is), "{is}");
        let said = validate(&validator, &text.replace(is, is_not));
        assert!(!said.status.success(), "{is_not} is not noticed");
    }
}
