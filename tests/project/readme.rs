//! Follows README.md, "Adding a worker", step by step in a copy of the project.

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Output};
use tests::programs;
use tests::project::{ProjectCopy, succeeded};

const WORKER: &str = "rescore-fans";
const FIXTURE: &str = "components/rescore-fans/fixtures/sqs.json";

/// The section "Adding a worker" of README.md.
fn section() -> String {
    let readme = std::fs::read_to_string(programs::project().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("## Adding a worker\n").unwrap();
    rest.split_once("\n## ").unwrap().0.to_owned()
}

/// The first code block of `language` behind `words`.
fn block(section: &str, words: &str, language: &str) -> String {
    let (_, rest) = section.split_once(words).unwrap_or_else(|| panic!("the README does not say {words}"));
    let (_, rest) = rest.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Runs a command line of the README in the copy, offline, with the programs at hand.
fn run(project: &ProjectCopy, line: &str) -> Output {
    succeeded(&mut shell(project, line))
}

fn shell(project: &ProjectCopy, line: &str) -> Command {
    let host = programs::host_adapters();
    let line = line.replace("target/release/host-adapters", &host.display().to_string());
    let mut shell = project.command("sh");
    shell.args(["-c", &line]);
    shell
}

#[test]
fn adding_a_worker_works_as_written() {
    let section = section();
    let project = ProjectCopy::new("readme");
    for (words, language, path) in [
        ("`components/rescore-fans/Cargo.toml`", "toml", "components/rescore-fans/Cargo.toml"),
        ("`components/rescore-fans/src/lib.rs`", "rust", "components/rescore-fans/src/lib.rs"),
        ("**The fixture**", "json", FIXTURE),
    ] {
        project.add(path, &block(&section, words, language));
    }
    let added = block(&section, "**The block**", "toml");
    let (_, worker) = added.split_once("[[trigger.http]]\n").unwrap();
    let lines = 1 + worker.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 18, "the block of a worker has {lines} lines");
    let path = project.folder().join("spin.toml");
    let manifest = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{manifest}\n{added}")).unwrap();

    project.prepare_components();
    let commands = block(&section, "\nThen:", "sh");
    let (preparing, invoking) = commands.trim_end().rsplit_once('\n').unwrap();
    preparing.lines().for_each(|line| drop(run(&project, line)));
    let invoked = shell(&project, invoking).output().unwrap();
    assert_eq!(invoked.status.code(), Some(1), "one of its records is rejected: {invoked:?}");
    assert!(project.folder().join("target/components").join(WORKER).with_extension("wasm").exists());
    let answer: Value = serde_json::from_slice(&invoked.stdout).unwrap();
    let promised: Value = serde_json::from_str(&block(&section, "\nprints", "json")).unwrap();
    assert_eq!(answer, promised);
    let log = String::from_utf8(invoked.stderr).unwrap();
    assert!(log.contains("Scores requested"), "{log}");

    let event = run(&project, &format!("target/release/host-adapters events generate sqs --worker {WORKER}"));
    let event: Value = serde_json::from_slice(&event.stdout).unwrap();
    assert!(event["Records"][0]["body"].as_str().unwrap().contains("user-2"), "the fixture's body: {event}");
}

#[test]
fn the_readme_names_what_there_is() {
    let readme = std::fs::read_to_string(programs::project().join("README.md")).unwrap();
    for name in ["ARCHITECTURE.md", "LICENSE", "spin.toml", "schemas/config/host-adapters.json"] {
        assert!(readme.contains(name) && programs::project().join(name).exists(), "{name}");
    }
    let words = readme.split(|c: char| c.is_whitespace() || matches!(c, '`' | '@' | ','));
    let events: BTreeSet<_> = words.filter(|word| word.contains("/fixtures/") && word.ends_with(".json")).collect();
    assert!(events.contains(FIXTURE) && events.len() > 2, "{events:?}");
    for event in events {
        assert!(event == FIXTURE || programs::project().join(event).exists(), "{event}");
    }
}

/// Commands and options in the README's shell blocks are the program's own.
#[test]
fn the_readme_calls_what_there_is() {
    let readme = std::fs::read_to_string(programs::project().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let lines = blocks.flat_map(|block| block.lines()).filter_map(|line| line.split('#').next());
    let calls = lines.flat_map(|line| line.split('|')).filter_map(|it| it.split_once("target/release/host-adapters "));
    let mut called = 0;
    for (_, call) in calls {
        let words: Vec<_> = call.split_whitespace().collect();
        let commands = words.iter().take_while(|word| word.bytes().all(|it| it.is_ascii_lowercase() || it == b'-'));
        let commands: Vec<_> =
            commands.take(if matches!(words[0], "events" | "dead-letters" | "tasks") { 2 } else { 1 }).collect();
        let help = Command::new(programs::host_adapters()).args(&commands).arg("--help").output().unwrap();
        assert!(help.status.success(), "{call}");
        let help = String::from_utf8(help.stdout).unwrap();
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(&format!("{option} ")), "{option} in {call}");
        }
        called += 1;
    }
    assert!(called > 10, "only {called} calls were found");
}
