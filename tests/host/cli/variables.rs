//! Case 23: where the values of variables come from.

use super::{Outcome, command};
use std::path::Path;

/// Its upstream is accepted only with a good value.
const MANIFEST: &str = r#"spin_manifest_version = 2
[application]
name = "variables"
[application.tool.host-adapters.services.entry]
upstream = "{{ upstream }}"
[variables]
upstream = { required = true }
"#;

/// The outcome of `validate` with more arguments, and with the variable in the environment.
fn validate(folder: &Path, arguments: &[&str], environment: Option<&str>) -> Outcome {
    let manifest = folder.join("spin.toml");
    std::fs::write(&manifest, MANIFEST).unwrap();
    let mut command = command();
    command.args(["validate", "--manifest"]).arg(&manifest).args(arguments);
    command.envs(environment.map(|value| ("SPIN_VARIABLE_UPSTREAM", value)));
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

const GOOD: &str = "http://127.0.0.1:1";
const BAD: &str = "planted-6f1e";

#[test]
fn case_23_the_environment_wins_over_env_and_the_command_line_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let missing = validate(folder.path(), &[], None);
    assert!(missing.code == 2 && missing.stderr.contains("no value given; set SPIN_VARIABLE_UPSTREAM"), "{missing:?}");
    let dotenv = |value: &str| {
        let text = format!("\u{feff}# variables\r\nOTHER=1\r\nSPIN_VARIABLE_UPSTREAM=\"{value}\"\r\n");
        std::fs::write(folder.path().join(".env"), text).unwrap();
    };
    let given = |value: &str| format!("upstream={value}");
    for (in_file, environment, argument, is_good) in [
        (GOOD, None, None, true),
        (BAD, None, None, false),
        (BAD, Some(GOOD), None, true),
        (GOOD, Some(BAD), None, false),
        (BAD, Some(BAD), Some(GOOD), true),
        (GOOD, Some(GOOD), Some(BAD), false),
    ] {
        dotenv(in_file);
        let argument = argument.map(given);
        let arguments: Vec<_> = argument.iter().flat_map(|it| ["--variable", it]).collect();
        let outcome = validate(folder.path(), &arguments, environment);
        let case = (in_file, environment, &arguments);
        assert_eq!(outcome.code, if is_good { 0 } else { 2 }, "{case:?}: {outcome:?}");
        assert!(!outcome.stderr.contains(BAD), "{case:?}: {outcome:?}");
        let from = if argument.is_some() { "--variable" } else { "SPIN_VARIABLE_UPSTREAM (environment or .env)" };
        let said = format!("\"{{{{ upstream }}}}\" with upstream from {from} is not an http or https URL");
        assert!(is_good || outcome.stderr.contains(&said), "{case:?}: {outcome:?}");
    }
}

#[test]
fn case_23_variables_come_from_files_too_and_the_last_one_holds() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let json = format!("@{}", file("good.json", format!("{{\"upstream\": \"{GOOD}\"}}")));
    let toml = format!("@{}", file("good.toml", format!("upstream = \"{GOOD}\"\n")));
    let text = format!("upstream=@{}", file("good", GOOD.to_owned()));
    let bad = format!("upstream={BAD}");
    for good in [json.as_str(), &toml, &text] {
        let outcome = validate(folder.path(), &["--variable", &bad, "--variable", good], None);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{good}: {outcome:?}");
        let outcome = validate(folder.path(), &["--variable", good, "--variable", &bad], None);
        assert_eq!(outcome.code, 2, "{good}: {outcome:?}");
    }
    let wrong = format!("@{}", file("wrong.toml", format!("upstream = 1\n# {BAD}\n")));
    let outcome = validate(folder.path(), &["--variable", &wrong], None);
    assert!(outcome.code == 2 && outcome.stderr.contains("wrong.toml:1:12: not variables"), "{outcome:?}");
}

#[test]
fn a_line_of_env_that_is_not_a_variable_is_named_without_its_text() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), format!("A=1\n{BAD} {BAD}\n")).unwrap();
    let outcome = validate(folder.path(), &[], Some(GOOD));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("/.env:2:1: ") && !outcome.stderr.contains(BAD), "{outcome:?}");
}
