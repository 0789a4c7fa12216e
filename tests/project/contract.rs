//! Every case of the contract's suites is in the lists that run it as a test (`tests/contract/suites/mod.rs`): a case
//! that is in no list would never run.

use std::collections::BTreeSet;
use tests::programs::project;

type Suite = (&'static str, &'static [&'static str]);

#[test]
fn every_case_is_listed() {
    let suites: &[&[Suite]] = &[
        tests::contract_cases!(contract_list),
        tests::contract_cases_of_aws!(contract_list),
        tests::contract_cases_of_tasks!(contract_list),
        tests::contract_cases_of_event_log!(contract_list),
    ];
    let listed: BTreeSet<String> = suites
        .concat()
        .iter()
        .flat_map(|(suite, cases)| cases.iter().map(move |case| format!("{suite}::{case}")))
        .collect();
    let mut written = BTreeSet::new();
    for entry in std::fs::read_dir(project().join("tests/contract/suites")).unwrap() {
        let path = entry.unwrap().path();
        let (suite, text) =
            (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap());
        let cases = text.lines().filter_map(|line| {
            let case = line.strip_prefix("pub async fn ")?;
            ["Backend", "TaskStore", "EventLogStore"]
                .iter()
                .find_map(|kind| case.strip_suffix(&format!("(backend: &impl {kind}) {{")))
        });
        written.extend(cases.map(|case| format!("{suite}::{case}")));
    }
    assert!(written.len() > 50, "only {} cases were found", written.len());
    assert_eq!(written, listed);
}
