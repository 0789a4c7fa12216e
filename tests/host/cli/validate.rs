//! `host-adapters validate`.

use super::run;
use tests::programs;

#[test]
fn the_projects_manifest_is_valid() {
    let outcome = run(&["validate"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let app = tests::workers::app();
    let (components, routes) = (app.components.len(), app.routes.iter().count());
    let sources: usize = app.components.values().map(|component| component.sources.len()).sum();
    assert_eq!(outcome.stdout, format!("spin.toml: {components} components, {routes} routes, {sources} sources\n"));
}

#[test]
fn five_diagnostics_are_reported_at_once_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    let text = std::fs::read_to_string(programs::project().join("spin.toml")).unwrap();
    // Five faults: the right text, the wrong text, and a part of the diagnostic.
    let diagnostics = [
        ("max_instances = 8\nmax_instance_conc", "max_instanzes = 8\nmax_instance_conc", "\"max_instanzes\""),
        ("gateway_token = \"{{ save_entries_token }}\"", "gateway_token = \"{{ save_token }}\"", "\"save_token\""),
        ("type = \"sqs\"\nqueue = \"userInfoQueue\"", "type = \"kinesys\"\nqueue = \"userInfoQueue\"", "\"kinesys\""),
        ("queues = { retryScoreQueue = \"send\" }", "queues = { retryQueue = \"send\" }", "\"retryQueue\""),
        ("batch_window_secs = 1\n", "", "batch_window_secs"),
    ];
    let mut planted = text;
    for (right, wrong, _) in diagnostics {
        assert_eq!(planted.matches(right).count(), 1, "{right}");
        planted = planted.replace(right, wrong);
    }
    std::fs::write(&path, &planted).unwrap();

    let outcome = run(&["validate", "--manifest", path.to_str().unwrap()]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    let lines: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 5, "{}", outcome.stderr);
    for (_, wrong, said) in diagnostics {
        let line = lines.iter().find(|line| line.contains(said)).unwrap_or_else(|| panic!("{said}: {lines:#?}"));
        let place = line.strip_prefix(&format!("{}:", path.display())).unwrap();
        if let Some(first) = wrong.lines().next() {
            let number = planted.lines().position(|line| line.contains(first)).unwrap() + 1;
            assert!(place.starts_with(&format!("{number}:")), "{first} is in line {number}: {line}");
        }
    }
}

#[test]
fn a_manifest_that_does_not_exist_is_named() {
    let outcome = run(&["validate", "--manifest", "elsewhere/spin.toml"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("elsewhere/spin.toml"), "{outcome:?}");
}
