//! The documentation of settings is generated from their declarations (`settings!`). `cargo xtask schema` writes it.

use expect_test::expect_file;
use host_adapters::backends::KINDS;
use host_adapters::manifest::{self, Block, SourceConfig, runtime_config};
use serde_json::Value;
use tests::programs;

/// Where the tables of all settings are.
const PAGE: &str = "docs/configuration.md";

#[test]
fn schemas_follow_from_the_declarations() {
    let text = |schema: Value| serde_json::to_string_pretty(&schema).unwrap() + "\n";
    expect_file!["../../schemas/config/host-adapters.json"].assert_eq(&text(manifest::schema()));
    expect_file!["../../schemas/config/runtime-config.json"].assert_eq(&text(runtime_config::schema(KINDS)));
}

#[test]
fn tables_follow_from_the_declarations() {
    let read = |path: &str| std::fs::read_to_string(programs::project().join(path)).unwrap();
    expect_file!["../../README.md"].assert_eq(&filled(&read("README.md"), PAGE));
    expect_file!["../../docs/configuration.md"].assert_eq(&filled(&read(PAGE), ""));
}

/// README's example of a runtime configuration, and what must not be in one.
#[test]
fn the_schema_of_the_runtime_configuration_takes_what_is_right() {
    let schema = jsonschema::validator_for(&runtime_config::schema(KINDS)).unwrap();
    let is_valid = |text: &str| schema.is_valid(&toml_edit::de::from_str(text).unwrap());
    let readme = std::fs::read_to_string(programs::project().join("README.md")).unwrap();
    let (_, example) = readme.split_once("```toml\n[tables] ").unwrap();
    let example = format!("[tables] {}", example.split_once("```").unwrap().0);
    assert!(is_valid(&example), "{example}");
    assert!(is_valid("[queues]\ntype = \"embedded\"\n"));
    let stored = "[cache]\ntype = \"redis\"\nurl = { secret = \"prd/redis\", key = \"url\" }\n";
    assert!(is_valid(stored) && !is_valid(&stored.replace("secret =", "secrets =")));
    let local = "[secrets]\ntype = \"secrets-manager\"\n\
                 credentials = { access_key_id = \"AKIA\", secret_access_key = { env = \"KEY\" } }\n";
    assert!(is_valid(local) && !is_valid(&local.replace("env =", "secret =")));
    for (right, wrong) in [
        ("type = \"sqs\"", "type = \"redis\""),
        ("{ env = \"SQS_SECRET\" }", "\"hunter2\""),
        ("{ file = \"mongodb-uri\" }", "\"mongodb://me:hunter2@h\""),
        ("database =", "databse ="),
        ("[cache]", "[metrics]"),
    ] {
        assert_eq!(example.matches(right).count(), 1, "{right}");
        assert!(!is_valid(&example.replace(right, wrong)), "{wrong}");
    }
}

/// A text with what is generated between its markers.
fn filled(text: &str, page: &str) -> String {
    let (begin, end) = ("<!-- settings: ", "<!-- end of settings -->");
    let mut parts = text.split(begin);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" -->\n").unwrap();
        let (_, rest) = rest.split_once(end).unwrap_or_else(|| panic!("{name} has no end"));
        filled += &format!("{begin}{name} -->\n\n{}\n{end}{rest}", section(name, page));
    }
    filled
}

/// What is generated for a marker.
fn section(name: &str, page: &str) -> String {
    match name {
        "kinds of source" => kinds_of_source(page),
        "kinds of backend" => kinds_of_backend(page),
        "all sources" => {
            let text =
                |block: Block| format!("#### source {}\n\n{}\n\n{}", block.name, block.about, block.markdown(page));
            SourceConfig::blocks().into_iter().map(text).collect::<Vec<_>>().join("\n")
        }
        "all backends" => {
            let text = |block: Block| format!("### {}\n\n{}\n\n{}", block.name, block.about, block.markdown(page));
            runtime_config::blocks(KINDS).into_iter().map(text).collect::<Vec<_>>().join("\n")
        }
        _ => {
            let block = manifest::blocks().into_iter().find(|block| block.name == name);
            block.unwrap_or_else(|| panic!("there are no settings {name}")).markdown(page)
        }
    }
}

fn kinds_of_source(page: &str) -> String {
    let row = |block: &Block| {
        let name = block.name;
        format!("| [`{name}`]({page}#source-{name}) | {} |\n", block.about)
    };
    let rows: String = SourceConfig::blocks().iter().map(row).collect();
    format!("| `type` | |\n|---|---|\n{rows}")
}

fn kinds_of_backend(page: &str) -> String {
    let row = |kind: &runtime_config::BackendKind| {
        let (name, about) = (kind.name, kind.block().unwrap().about);
        format!("| `{}` | [`{name}`]({page}#{name}) | {about} |\n", kind.section)
    };
    let rows: String = KINDS.iter().map(row).collect();
    format!("| section | `type` | |\n|---|---|---|\n{rows}")
}
