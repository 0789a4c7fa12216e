//! The operator's configuration: what it may say, and every diagnostic at once.

use crate::runtime_config::{Cache, Documents, Queues, RuntimeConfig, Tables};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SECRET: &str = "hunter2";

fn parse(folder: &Path, text: &str) -> Result<RuntimeConfig, String> {
    let environment = |name: &str| (name == "SET").then(|| format!("redis://:{SECRET}@cache"));
    RuntimeConfig::parse(&folder.join("runtime-config.toml"), text, &environment).map_err(|errors| {
        let place = format!("{}/runtime-config.toml:", folder.display());
        errors.to_string().replace(&place, "").replace(&folder.display().to_string(), "<folder>")
    })
}

fn secret_file(folder: &Path, mode: u32) {
    let path = folder.join("secret");
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_left_out_is_embedded() {
    let config = parse(Path::new(""), "[queues]\ntype = \"embedded\"\n").unwrap();
    assert!(matches!(
        config,
        RuntimeConfig {
            tables: Tables::Embedded,
            queues: Queues::Embedded,
            documents: Documents::Embedded,
            cache: Cache::Embedded,
        }
    ));
}

#[test]
fn every_backend_is_named_and_secrets_come_by_reference() {
    let folder = tempfile::tempdir().unwrap();
    secret_file(folder.path(), 0o600);
    let config = parse(
        folder.path(),
        r#"
        [tables]
        type = "dynamodb"
        region = "us-west-2"
        prefix = "prd-"
        [queues]
        type = "sqs"
        endpoint = "http://127.0.0.1:9324"
        credentials = { access_key_id = "AKIA", secret_access_key = { file = "secret" } }
        [documents]
        type = "mongodb"
        uri = "mongodb://127.0.0.1"
        database = "demand"
        [cache]
        type = "redis"
        url = { env = "SET" }
    "#,
    )
    .unwrap();
    let Tables::Dynamodb { aws, prefix, lease_table } = &config.tables else { panic!("{config:?}") };
    assert_eq!((aws.region.as_deref(), prefix.as_str()), (Some("us-west-2"), "prd-"));
    assert_eq!(lease_table, "prd-host-adapters-leases");
    let Queues::Sqs { aws, .. } = &config.queues else { panic!("{config:?}") };
    assert_eq!(aws.credentials.as_ref().unwrap().secret_access_key, SECRET);
    let Cache::Redis { url } = &config.cache else { panic!("{config:?}") };
    assert_eq!(url.expose(), format!("redis://:{SECRET}@cache"));
    assert!(!format!("{config:?}").contains(SECRET), "{config:?}");
}

#[test]
fn every_mistake_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    secret_file(folder.path(), 0o644);
    let diagnostics = parse(
        folder.path(),
        r#"[tables]
type = "dynamo"
[queues]
type = "sqs"
endpoint = "127.0.0.1:9324"
credentials = { access_key_id = "AKIA", secret_access_key = "hunter2" }
[documents]
type = "mongodb"
uri = "mongodb://me:hunter2@h"
databse = "demand"
[cache]
type = "redis"
url = { file = "secret" }
[metrics]
"#,
    )
    .unwrap_err();
    expect_test::expect![[r#"
        2:8: type = "dynamo" is unknown; write "dynamodb", in tables
        5:12: "127.0.0.1:9324" is not an http or https URL, in queues
        6:61: secret_access_key is a secret in plain text; write secret_access_key = { env = "NAME" } or { file = "path" }, in queues.credentials
        7:2: "database" is missing; write database = "…", in documents
        9:7: uri holds credentials in plain text; write { env = "NAME" } or { file = "path" }, in documents
        10:1: unknown key "databse"; write "database", in documents
        13:16: <folder>/secret can be read by others (mode 644); chmod 600 it, in cache.url
        14:2: unknown key "metrics"; there is "tables", "queues", "documents", "cache""#]].assert_eq(&diagnostics);
    assert!(!diagnostics.contains(SECRET));
}

#[test]
fn references_that_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let diagnostics = parse(
        folder.path(),
        r#"[cache]
type = "redis"
url = { env = "UNSET" }
[documents]
type = "mongodb"
uri = { file = "none" }
database = "demand"
[queues]
type = "sqs"
credentials = { access_key_id = "AKIA", secret_access_key = { env = "SET", file = "secret" } }
"#,
    )
    .unwrap_err();
    expect_test::expect![[r#"
        3:15: the environment has no UNSET; set it, in cache.url
        6:16: <folder>/none cannot be read: No such file or directory (os error 2), in documents.uri
        10:61: write either env = "NAME" or file = "path", in queues.credentials.secret_access_key"#]]
    .assert_eq(&diagnostics);
}
