//! The runtime configuration of the program: diagnostics, servers that are down, secrets that stay secret.

use super::up::Up;
use super::{Outcome, command, run};
use crate::backends::scripted::server::Scripted;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::programs;
use tests::{AUDIENCE, Fan, ISSUER, Signer};

/// A part of every secret of these tests.
const PLANTED: &str = "planted-9c2d";

/// Servers at an address where no process listens, with a secret each.
const TABLES: &str = r#"
[tables]
type = "dynamodb"
region = "us-east-1"
endpoint = "http://127.0.0.1:1"
credentials = { access_key_id = "AKIA", secret_access_key = { env = "TABLES_SECRET" } }
"#;
const QUEUES: &str = r#"
[queues]
type = "sqs"
region = "us-east-1"
endpoint = "http://127.0.0.1:1"
credentials = { access_key_id = "AKIA", secret_access_key = { file = "queues-secret" } }
"#;
const DOCUMENTS: &str = r#"
[documents]
type = "mongodb"
uri = { file = "mongodb-uri" }
database = "demand"
"#;
const CACHE: &str = r#"
[cache]
type = "redis"
url = { env = "REDIS_URL" }
"#;
const TASKS: &str = r#"
[tasks]
type = "step-functions"
region = "us-east-1"
endpoint = "http://127.0.0.1:1"
credentials = { access_key_id = "AKIA", secret_access_key = { file = "queues-secret" } }
"#;
/// All of these servers.
const ALL_DOWN: [&str; 5] = [TABLES, QUEUES, DOCUMENTS, CACHE, TASKS];

/// Writes the configuration and the files that it names; returns its path.
fn write(folder: &Path, text: &str) -> String {
    let path = folder.join("runtime-config.toml");
    std::fs::write(&path, text).unwrap();
    write_secret(folder, "queues-secret", &format!("{PLANTED}-queues\n"), 0o600);
    write_secret(folder, "mongodb-uri", &format!("mongodb://app:{PLANTED}-documents@127.0.0.1:1/\n"), 0o600);
    path.display().to_string()
}

fn write_secret(folder: &Path, name: &str, text: &str, mode: u32) {
    std::fs::write(folder.join(name), text).unwrap();
    std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

fn secrets_of_the_environment(command: &mut Command, redis_port: u16) {
    command.env("TABLES_SECRET", format!("{PLANTED}-tables"));
    command.env("REDIS_URL", format!("redis://app:{PLANTED}-cache@127.0.0.1:{redis_port}"));
}

fn validate(arguments: &[&str]) -> Outcome {
    let mut command = command();
    secrets_of_the_environment(&mut command, 1);
    let output = command.arg("validate").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn diagnostics_of_both_files_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = ALL_DOWN.concat().replace("type = \"sqs\"", "type = \"sns\"").replace("database", "databse");
    let config = write(folder.path(), &config);
    write_secret(folder.path(), "mongodb-uri", &format!("mongodb://app:{PLANTED}@h/"), 0o640);
    let manifest = folder.path().join("spin.toml");
    std::fs::write(&manifest, "spin_manifest_version = 1\n").unwrap();
    let outcome = validate(&["--manifest", manifest.to_str().unwrap(), "--runtime-config", &config]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    for said in ["spin_manifest_version", "\"sns\"", "\"databse\"", "(mode 640); chmod 600 it"] {
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains(PLANTED), "{}", outcome.stderr);
}

/// Secrets Manager refuses in different ways. Each is a fault at its place, like any other of the configuration.
#[tokio::test]
async fn stored_secrets_that_cannot_be_read_are_faults_of_the_configuration() {
    let server = Scripted::start(|action, _, input| match (action, input["SecretId"].as_str()) {
        ("BatchGetSecretValue", _) | (_, Some("prd/denied")) => Err("AccessDeniedException"),
        (_, Some("prd/missing")) => Err("ResourceNotFoundException"),
        (_, Some("prd/rds")) => Ok(json!({"SecretString": json!({"username": PLANTED}).to_string()})),
        other => panic!("{other:?}"),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let store = format!(
        "[secrets]\ntype = \"secrets-manager\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
         credentials = {{ access_key_id = \"AKIA\", secret_access_key = {{ env = \"TABLES_SECRET\" }} }}\n",
        server.url()
    );
    let queues = QUEUES.replace("file = \"queues-secret\"", "secret = \"prd/denied\"");
    let documents = DOCUMENTS.replace("file = \"mongodb-uri\"", "secret = \"prd/missing\"");
    let cache = CACHE.replace("env = \"REDIS_URL\"", "secret = \"prd/rds\", key = \"password\"");
    let config = write(folder.path(), &[store, queues, documents, cache].concat());
    let outcome = tokio::task::spawn_blocking(move || validate(&["--runtime-config", &config])).await.unwrap();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{outcome:?}");
    let lines: Vec<_> = outcome.stderr.lines().collect();
    let faults = [
        ("the secret \"prd/denied\" is denied by Secrets Manager", "in queues.credentials.secret_access_key"),
        ("the secret \"prd/missing\" is not in Secrets Manager", "in documents.uri"),
        ("the secret \"prd/rds\" has no key \"password\"", "in cache.url"),
    ];
    assert_eq!(lines.len(), faults.len(), "{lines:?}");
    for (line, (fault, place)) in lines.iter().zip(faults) {
        assert!(line.contains(fault) && line.ends_with(place), "{fault} {place}: {line}");
    }
    assert!(!outcome.stderr.contains(PLANTED), "{}", outcome.stderr);
}

#[test]
fn the_readmes_example_is_valid() {
    let readme = std::fs::read_to_string(programs::project().join("README.md")).unwrap();
    let (_, section) = readme.split_once("## Real servers\n").unwrap();
    let example = section.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), example);
    test_servers::certificates::make(folder.path()).unwrap();
    for (made, named) in [("ca.pem", "kafka-ca.pem"), ("client.pem", "kafka.pem"), ("client.key", "kafka.key")] {
        std::fs::rename(folder.path().join(made), folder.path().join(named)).unwrap();
    }
    let output = command()
        .env("SQS_SECRET", "s")
        .env("REDIS_URL", "redis://h")
        .args(["validate", "--runtime-config", &config])
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn provision_without_servers_says_that_there_is_nothing_to_make() {
    let outcome = run(&["provision"]);
    let said = "nothing to make: every backend is embedded; name the servers with --runtime-config\n";
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, said), "{outcome:?}");
}

#[test]
fn a_configuration_that_does_not_exist_is_named() {
    let outcome = run(&["validate", "--runtime-config", "elsewhere/runtime-config.toml"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("elsewhere/runtime-config.toml"), "{outcome:?}");
}

#[test]
fn the_probe_says_which_server_is_down_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), &ALL_DOWN.concat());
    let without = validate(&["--runtime-config", &config]);
    assert_eq!((without.code, without.stderr.as_str()), (0, ""), "valid, and not probed");
    let outcome = validate(&["--runtime-config", &config, "--probe"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    for section in ["tables", "queues", "documents", "cache", "tasks"] {
        let line = outcome.stdout.lines().find(|line| line.starts_with(&format!("{section}: ")));
        let line = line.unwrap_or_else(|| panic!("{section}: {outcome:?}"));
        assert!(line.to_lowercase().contains("connection refused"), "{line}");
        assert!(line.contains("127.0.0.1:1: "), "the address is in the line: {line}");
    }
    assert!(!format!("{outcome:?}").contains(PLANTED), "{outcome:?}");
}

/// A Redis that refuses every login.
fn redis_that_refuses() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut request) {
                    // Each command is an array.
                    for _ in request[..read].iter().filter(|byte| **byte == b'*') {
                        let _ = stream.write_all(b"-WRONGPASS invalid username-password pair.\r\n");
                    }
                }
            });
        }
    });
    port
}

/// spin.toml, with dead letters for records that upsert-users rejects.
fn manifest(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(programs::project().join("spin.toml")).unwrap();
    let components = programs::project().join("target/components");
    let source = "type = \"sqs\"\nqueue = \"userInfoQueue\"\n";
    assert_eq!(text.matches(source).count(), 1);
    let text = text.replace(source, &format!("{source}on_reject = \"dead-letter\"\n"));
    let path = folder.join("spin.toml");
    std::fs::write(&path, text.replace("\"target/components", &format!("\"{}", components.display()))).unwrap();
    path
}

/// Every file of a folder that holds the text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(files_with(&path, text));
        } else if kind.is_file() && String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

/// All servers but the queues are down, so that dead letters can be stored. All output and all files are searched for
/// secrets.
#[tokio::test]
async fn secrets_of_servers_appear_nowhere() {
    let (files, signer, redis) = (tempfile::tempdir().unwrap(), Signer::generate(), redis_that_refuses());
    let config = write(files.path(), &[TABLES, DOCUMENTS, CACHE].concat());
    let jwks = files.path().join("jwks.json");
    std::fs::write(&jwks, signer.jwks()).unwrap();
    let mut up = Up::start_with("DEBUG", |command, _| {
        secrets_of_the_environment(command, redis);
        command.arg("--manifest").arg(manifest(files.path()));
        command.args(["--runtime-config", &config]).env("SPIN_VARIABLE_IDENTITY_JWKS", &jwks);
        command.env("SPIN_VARIABLE_IDENTITY_ISSUER", ISSUER).env("SPIN_VARIABLE_IDENTITY_AUDIENCE", AUDIENCE);
    });
    let answers = use_every_server(&up, &signer).await;
    let operator = "planted-6f1e-operator";
    let asked = [["queues", "--json"].as_slice(), &["dead-letters", "list", "--json"], &["versions", "--json"]];
    let asked: Vec<_> = asked.map(|arguments| up.ask(arguments, operator)).into();
    assert!(asked.iter().all(|outcome| outcome.code == 0), "{asked:?}");
    assert_eq!(asked[1].json()["groups"].as_array().unwrap().len(), 1, "a dead letter to search: {asked:?}");
    let (_, _, log) = up.stop();
    for fault in ["Connection refused", "Password authentication failed"] {
        assert!(log.contains(fault) || format!("{answers:?}").contains(fault), "{fault} is reported: {log}");
    }
    for (what, text) in [("answers", format!("{answers:?}")), ("commands", format!("{asked:?}")), ("log", log)] {
        assert!(!text.contains(PLANTED), "{what}: {text}");
    }
    assert_eq!(files_with(up.folder.path(), PLANTED), Vec::<String>::new());
    assert_eq!(files_with(files.path(), PLANTED), ["mongodb-uri", "queues-secret"], "the search finds what is there");
}

/// Makes workers and clients call each server, and a worker give a record up.
async fn use_every_server(up: &Up, signer: &Signer) -> Vec<Value> {
    let (seeder, resolver) = ("planted-6f1e-seeder", "planted-6f1e-resolver");
    let find = json!({"collection": "campaigns", "filter": "{}"});
    let get = json!({"table": "demand-table", "keys": [{"pk": "p", "sk": "s"}]});
    let message = json!({"body": "no JSON", "attributes": [], "delay_secs": 0});
    let send = json!({"queue": "userInfoQueue", "messages": [message]});
    let token = signer.sign(&Fan { id: "fan-1", email: "fan@example.com" }.claims());
    let registration = json!({"body": {"slug": "s", "entry": {}, "userInfo": {"globalUserId": "fan-1"}}});
    let answers = vec![
        up.platform("documents/find-one", seeder, find).await,
        up.platform("table/batch-get", seeder, get).await,
        up.worker("check-eligibility", &token, registration).await,
        up.platform("queue/send-batch", resolver, send).await,
    ];
    let bodies: Vec<Value> = answers.into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies[0]["Err"]["kind"], "Unavailable", "{bodies:?}");
    assert_eq!(bodies[1]["Err"]["kind"], "Unavailable", "{bodies:?}");
    assert!(bodies[3]["Ok"][0]["Ok"].is_string(), "{bodies:?}");
    tests::wait::eventually("a dead letter", async || {
        let list = up.ask(&["dead-letters", "list", "--json"], "planted-6f1e-operator");
        (!list.json()["groups"].as_array()?.is_empty()).then_some(())
    })
    .await;
    bodies
}
