//! `host-adapters validate`.

use super::run;
use tests::{manifest, programs};
use toml_edit::value;

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
        (
            "batch_size = 25\nbatch_window_secs = 1\nmax_concurrency = 8\n\n[variables.retry_score_token]",
            "batch_size = 25\nmax_concurrency = 8\n\n[variables.retry_score_token]",
            "batch_window_secs",
        ),
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

/// Names are those of the file, and those that the deployment's prefix makes of them.
#[test]
fn names_that_sqs_cannot_have_are_refused_at_their_lines_in_both_files() {
    let folder = tempfile::tempdir().unwrap();
    let (manifest, config) = (folder.path().join("spin.toml"), folder.path().join("runtime-config.toml"));
    let long = "q".repeat(75);
    let text = manifest::changed(|it| {
        let queues = &mut it["application"]["tool"]["host-adapters"]["queues"];
        queues["bad name!"]["retention_secs"] = value(60);
        queues["userInfoQueue"]["dead_letter_queue"] = value("");
        queues[&long]["retention_secs"] = value(60);
    });
    std::fs::write(&manifest, &text).unwrap();
    std::fs::write(&config, "[queues]\ntype = \"sqs\"\nregion = \"us-west-2\"\nprefix = \"staging-\"\n").unwrap();
    let arguments = ["--manifest", manifest.to_str().unwrap(), "--runtime-config", config.to_str().unwrap()];
    let line = |of: &str| text.lines().position(|line| line.contains(of)).unwrap() + 1;
    let said = [
        format!("spin.toml:{}:", line("bad name!")),
        "\"bad name!\" cannot be the name of a queue in SQS".to_owned(),
        format!("spin.toml:{}:", line("userInfoQueue")),
        "\"\" cannot be the name of a queue in SQS".to_owned(),
    ];
    let outcome = run(&[&["validate"], &arguments[..]].concat());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(said.iter().all(|said| outcome.stderr.contains(said)), "{said:?}: {outcome:?}");

    let none = "dead_letter_queue = \"\"";
    let text = text.replace("\"bad name!\"", "good").replace(none, "dead_letter_queue = \"userInfoQueueDlq\"");
    std::fs::write(&manifest, text).unwrap();
    for command in ["validate", "provision", "up"] {
        let outcome = run(&[&[command], &arguments[..]].concat());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{command}: {outcome:?}");
        let said = format!("runtime-config.toml:4:10: before \"{long}\" the prefix makes a wrong name");
        assert!(outcome.stderr.contains(&said), "{command}: {outcome:?}");
    }
}

#[test]
fn a_manifest_that_does_not_exist_is_named() {
    let outcome = run(&["validate", "--manifest", "elsewhere/spin.toml"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("elsewhere/spin.toml"), "{outcome:?}");
}
