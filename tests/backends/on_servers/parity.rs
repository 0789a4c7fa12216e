//! Writes docs/parity.md: the cases of the contract, and on which servers each ran. Every row is a test of this binary.

use crate::backends::on_servers::shortcomings;
use std::fmt::Write as _;
use test_servers::{Server, named};

/// A suite and its cases.
type Suite = (&'static str, &'static [&'static str]);

const SUITES: &[Suite] = tests::contract_cases!(contract_list);
const SCRIPTED: &[Suite] = tests::scripted_cases!(tests::contract_list);
const SUITES_OF_AWS: &[Suite] = tests::contract_cases_of_aws!(contract_list);
const SUITES_OF_EVENT_LOG: &[Suite] = tests::contract_cases_of_event_log!(contract_list);
const HEAD: &str = "# Parity

In which cases the embedded backends and the real ones behave alike. Written by the tests that need servers:
`UPDATE_EXPECT=1 cargo test --release --workspace --test all parity`; without `UPDATE_EXPECT` they check that it is up to date.
Each row is one test, the same code for every column (`tests/contract/suites`).

- **yes**: it passed.
- **no**: it runs and is known to fail, for this reason; if it ever passes, the run fails until this page says so.

A server that is not the real one shows that our client speaks the protocol, and how the service behaves as far as the server
imitates it. Behaviour that none of them shows is scripted: the last table. `cargo verify --aws` runs the rows of data streams,
objects, queues, tables, streams and topics on AWS itself, in the account and region of the environment; no table of such a run exists yet.
";

#[test]
fn the_table_is_what_this_run_shows() {
    expect_test::expect_file!["../../../docs/parity.md"].assert_eq(&table());
}

fn contract() -> impl Iterator<Item = &'static Suite> {
    SUITES.iter().chain(SUITES_OF_AWS).chain(SUITES_OF_EVENT_LOG)
}

fn table() -> String {
    let mut text = HEAD.to_owned();
    for (suite, cases) in contract() {
        let server = server_of(suite);
        let (name, what) = (title(server), server.kind.words());
        writeln!(text, "\n## {}\n\n| | embedded | {name}, {what} |\n|---|---|---|", words(suite)).unwrap();
        for case in *cases {
            let there = shortcomings::of(suite, case).map_or("yes".to_owned(), |why| format!("no: {why}"));
            writeln!(text, "| {} | yes | {there} |", words(case)).unwrap();
        }
    }
    text.push_str("\n## Scripted\n\nAnswers as the services are documented to give them, from a server of ours that speaks their protocol.\n");
    for (suite, cases) in SCRIPTED {
        writeln!(text, "\n| {} | scripted |\n|---|---|", words(suite)).unwrap();
        for case in *cases {
            writeln!(text, "| {} | yes |", words(case)).unwrap();
        }
    }
    text
}

/// The server that runs the cases of a suite.
fn server_of(suite: &str) -> &'static Server {
    let name = match suite {
        "cache" => "redis",
        _ if suite.starts_with("documents") => "mongo",
        "objects" | "topics" => "moto",
        "data_streams" => "kinesalite",
        "event_log" => "kafka",
        _ if suite.starts_with("queue") => "elasticmq",
        _ => "dynamodb",
    };
    named(&[name]).unwrap().remove(0)
}

fn title(server: &Server) -> String {
    match server.name {
        "redis" => "Redis".to_owned(),
        "mongo" => "mongo-java-server".to_owned(),
        "elasticmq" => "ElasticMQ".to_owned(),
        "kafka" => "Apache Kafka".to_owned(),
        "moto" | "kinesalite" => server.name.to_owned(),
        _ => "DynamoDB Local".to_owned(),
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[test]
fn every_shortcoming_is_of_a_case() {
    for (suite, case, why) in shortcomings::all() {
        let found = contract().any(|(of, cases)| of == suite && cases.contains(case));
        assert!(found && !why.is_empty(), "{suite}: {case}");
    }
}
