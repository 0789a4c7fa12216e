//! ARCHITECTURE.md, "Adding an interface", shows an interface that exists: its blocks are in the files that it names.

use std::collections::BTreeMap;
use tests::programs::project;

/// The section's heading.
const HEADING: &str = "\n## Adding an interface\n";

/// The most files that an interface is written in, besides its backends' folders and the list of their crates.
const MOST_FILES: usize = 10;

/// The files of the section's list, in its order, each with its code blocks without their indentation.
fn listed(document: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let (_, rest) = document.split_once(HEADING).expect("the section");
    let mut lines = rest.split("\n## ").next().unwrap().lines();
    let mut listed: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    while let Some(line) = lines.next() {
        let item = line.split_once(". `").filter(|(number, _)| number.parse::<usize>().is_ok());
        if let Some(path) = item.and_then(|(_, item)| Some(item.split_once('`')?.0)) {
            listed.push((path.to_owned(), Vec::new()));
        } else if line.trim_start().starts_with("```") {
            let indent = line.len() - line.trim_start().len();
            let block = lines.by_ref().take_while(|line| line.trim() != "```");
            let block = block.map(|line| line.get(indent..).unwrap_or_default().to_owned()).collect();
            let (_, blocks) = listed.last_mut().expect("a file before its first block");
            blocks.push(block);
        }
    }
    listed
}

/// Where the lines of a block follow each other in a text, all indented alike.
fn found(block: &[String], text: &[&str]) -> Vec<usize> {
    let is_there = |at: &usize| {
        let window = &text[*at..*at + block.len()];
        let indent = window[0].len() - window[0].trim_start().len();
        window.iter().zip(block).all(|(line, expected)| {
            let is_same = line.get(indent..) == Some(expected.as_str()) && line[..indent].trim().is_empty();
            is_same || (line.is_empty() && expected.is_empty())
        })
    };
    (0..(text.len() + 1).saturating_sub(block.len())).filter(is_there).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_blocks_of_the_example_are_in_their_files() {
    let listed = listed(&read("ARCHITECTURE.md"));
    for (path, blocks) in &listed {
        let file = read(path);
        let lines: Vec<_> = file.lines().collect();
        for block in blocks {
            assert_eq!(found(block, &lines).len(), 1, "{path} is to have this once:\n{}", block.join("\n"));
        }
    }
    assert_eq!(listed.len(), MOST_FILES);
    let places: BTreeMap<_, _> = listed.iter().map(|(path, blocks)| (path.as_str(), blocks.len())).collect();
    assert_eq!(places.len(), listed.len(), "a file is there twice: {places:?}");
    let with_several: Vec<_> = places.into_iter().filter(|(_, places)| *places != 1).collect();
    let expected = [("host-adapters/records/src/interfaces.rs", 2), ("wit/deps/registration-platform/platform.wit", 3)];
    assert_eq!(with_several, expected, "as the section says");
}

/// The files that exist for all interfaces name the example in its row alone.
#[test]
fn a_row_is_the_only_place_of_its_file() {
    let files = [
        "components/gateway-client/src/lib.rs",
        "host-adapters/platform/src/lib.rs",
        "host-adapters/platform/src/grants.rs",
        "host-adapters/src/backends/mod.rs",
        "host-adapters/src/backends/open.rs",
    ];
    let listed = listed(&read("ARCHITECTURE.md"));
    for (path, blocks) in listed.iter().filter(|(path, _)| files.contains(&path.as_str())) {
        let file = read(path);
        let mut lines: Vec<_> = file.lines().collect();
        let row = &blocks[0];
        let at = found(row, &lines)[0];
        lines.drain(at..at + row.len());
        let names = |line: &&&str| ["data_stream", "data-stream", "DataStream"].iter().any(|name| line.contains(name));
        let code = lines.iter().filter(|line| !line.trim_start().starts_with("//"));
        // What sources read is theirs.
        let others: Vec<_> = code.filter(names).filter(|line| !line.contains("SourceStores {")).collect();
        assert!(others.is_empty(), "{path}: {others:?}");
    }
}
