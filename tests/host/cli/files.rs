//! Case 22: files as users' editors save them.

use super::{command, run, run_with_input};
use std::path::Path;
use std::process::Command;
use tests::programs;

/// A text as an editor on Windows saves it: with a byte order mark, its lines with CRLF.
fn windows(text: &str) -> String {
    format!("\u{feff}{}", text.replace('\n', "\r\n"))
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn project(path: &str) -> String {
    std::fs::read_to_string(programs::project().join(path)).unwrap()
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

const EVENT: &str = "components/check-eligibility/fixtures/invoke.json";

#[test]
fn case_22_events_and_documents_may_have_a_byte_order_mark_and_crlf() {
    let folder = tempfile::tempdir().unwrap();
    let event = windows(&project(EVENT));
    let file = write(folder.path(), "event.json", &event);
    for entry in std::fs::read_dir(programs::project().join("tests/fixtures/domain/campaigns")).unwrap() {
        let entry = entry.unwrap();
        let document = std::fs::read_to_string(entry.path()).unwrap();
        write(folder.path(), &format!("domain/campaigns/{}", entry.file_name().display()), windows(&document));
    }
    let documents = folder.path().join("domain").display().to_string();
    let given = format!("@{file}");
    for argument in [given.as_str(), &event, "-"] {
        let outcome = run_with_input(&["invoke", "checkEligibility", argument, "--documents", &documents], &event);
        assert_eq!((outcome.code, &outcome.json()["isEligible"]), (0, &true.into()), "{outcome:?}");
    }
}

#[test]
fn case_22_utf_16_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let event = write(folder.path(), "event.json", utf16(&project(EVENT)));
    write(folder.path(), "domain/campaigns/campaign.json", utf16("{}"));
    let documents = folder.path().join("domain").display().to_string();
    let config = write(folder.path(), "runtime-config.toml", utf16("[queues]\n"));
    let manifest = write(folder.path(), "spin.toml", utf16(&project("spin.toml")));
    let variables = format!("@{}", write(folder.path(), "variables.toml", utf16("a = \"b\"\n")));
    let event = format!("@{event}");
    for arguments in [
        vec!["invoke", "checkEligibility", &event],
        vec!["invoke", "checkEligibility", "{}", "--documents", &documents],
        vec!["events", "generate", "sqs", "--body", &event],
        vec!["validate", "--runtime-config", &config],
        vec!["validate", "--manifest", &manifest],
        vec!["validate", "--variable", &variables],
    ] {
        let outcome = run(&arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains("it is UTF-16, not UTF-8; save it as UTF-8"), "{arguments:?}: {outcome:?}");
    }
}

#[test]
fn case_22_configuration_may_have_a_byte_order_mark_and_crlf() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "runtime-config.toml", windows("[queues]\ntype = \"embedded\"\n"));
    let manifest = write(folder.path(), "spin.toml", windows(&project("spin.toml")));
    let outcome = run(&["validate", "--manifest", &manifest, "--runtime-config", &config]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
}

/// `script` runs a command at a terminal of its own.
#[test]
fn case_22_invoke_at_a_terminal_says_that_it_waits() {
    let program = command().get_program().to_string_lossy().into_owned();
    let mut script = Command::new("script");
    script
        .args(["-qec", &format!("'{program}' invoke checkEligibility"), "/dev/null"])
        .current_dir(programs::project());
    // The terminal's Ctrl-D ends its input.
    script.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = script.spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"\x04").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("waits for the event on standard input; end it with Ctrl-D"), "{said}");
    let piped = run(&["invoke", "checkEligibility"]);
    assert!(!piped.stderr.contains("waits for"), "{piped:?}");
}

/// A reader that ends early, as `head` does, is not a failure of the command.
#[test]
fn a_closed_pipe_is_not_a_failure() {
    let program = command().get_program().to_string_lossy().into_owned();
    let line = format!("'{program}' events generate sqs --count 10000 | head -c 10; exit ${{PIPESTATUS[0]}}");
    let output = Command::new("bash").args(["-c", &line]).current_dir(programs::project()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref(), output.stdout.len()), (Some(0), "", 10));
}
