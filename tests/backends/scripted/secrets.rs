//! Secrets Manager: permissions that are missing, secrets that are, and a secret that changes while the host runs.

use super::server::Scripted;
use backend_aws::AwsConfig;
use backend_redis::RedisConfig;
use backend_secrets_manager::SecretsManager;
use host_adapters::backends::KINDS;
use host_adapters::manifest::runtime_config::RuntimeConfig;
use host_adapters_platform::{Declared, SecretStore};
use serde_json::{Value, json};
use std::any::Any;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A configuration that refers to the secret `prd/redis` of the server at `url`.
fn configuration(folder: &Path, url: &str) -> PathBuf {
    let (path, key) = (folder.join("runtime-config.toml"), folder.join("key"));
    std::fs::write(&key, "nobody checks it").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let credentials = "{ access_key_id = \"AKIA\", secret_access_key = { file = \"key\" } }";
    let text = format!(
        "[secrets]\ntype = \"secrets-manager\"\nregion = \"us-east-1\"\nendpoint = \"{url}\"\ncredentials = {credentials}\n\
         [cache]\ntype = \"redis\"\nurl = {{ secret = \"prd/redis\" }}\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

async fn store(url: &str) -> SecretsManager {
    SecretsManager::load(&AwsConfig::of_server(url, "us-east-1", "test", "test")).await
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:us-east-1:1:secret:{name}-AbCdEf")
}

fn secret(name: &str) -> Value {
    json!({"ARN": arn(name), "Name": name, "SecretString": format!("text of {name}")})
}

fn texts<const N: usize>(names: [&str; N]) -> Vec<Result<String, String>> {
    names.into_iter().map(|name| Ok(format!("text of {name}"))).collect()
}

/// The names in a request.
fn ids(input: &Value) -> Vec<&str> {
    input["SecretIdList"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
}

/// In any order, and by name or ARN.
pub async fn reads_many_with_one_request() {
    let server = Scripted::start(|action, _, input| {
        assert_eq!(action, "BatchGetSecretValue");
        let names = ids(input).into_iter().rev().map(|id| if id == arn("a") { "a" } else { id });
        Ok(json!({"SecretValues": names.map(secret).collect::<Vec<_>>()}))
    })
    .await;
    let store = store(server.url()).await;
    assert_eq!(store.read_secrets(&[arn("a"), "b".to_owned()]).await, texts(["a", "b"]));
    let names: Vec<String> = (0..25).map(|n| format!("s{n}")).collect();
    let expected: Vec<Result<String, String>> = names.iter().map(|name| Ok(format!("text of {name}"))).collect();
    assert_eq!(store.read_secrets(&names).await, expected);
    let sizes: Vec<_> = server.requests("BatchGetSecretValue").iter().map(|input| ids(input).len()).collect();
    assert_eq!(sizes, [2, 20, 5]);
}

/// That operation has a permission of its own.
pub async fn reads_each_where_many_are_denied() {
    let server = Scripted::start(|action, _, input| match action {
        "BatchGetSecretValue" => Err("AccessDeniedException"),
        _ => Ok(secret(input["SecretId"].as_str().unwrap())),
    })
    .await;
    let read = store(server.url()).await.read_secrets(&["a".to_owned(), "b".to_owned()]).await;
    assert_eq!(read, texts(["a", "b"]));
    assert_eq!(server.requests("GetSecretValue").len(), 2);
}

pub async fn says_what_is_wrong_with_each() {
    let server = Scripted::start(|action, _, input| match (action, input["SecretId"].as_str()) {
        ("BatchGetSecretValue", _) => {
            let error = json!({"SecretId": "denied", "ErrorCode": "AccessDeniedException", "Message": "as scripted"});
            Ok(json!({"SecretValues": [secret("good")], "Errors": [error]}))
        }
        (_, Some("denied")) => Err("AccessDeniedException"),
        (_, Some("missing")) => Err("ResourceNotFoundException"),
        (_, Some("deleted")) => Err("InvalidRequestException"),
        (_, Some("binary")) => Ok(json!({"Name": "binary", "SecretBinary": "/w=="})),
        other => panic!("{other:?}"),
    })
    .await;
    let names = ["good", "denied", "missing", "deleted", "binary"].map(str::to_owned);
    let read = store(server.url()).await.read_secrets(&names).await;
    let at = format!("Secrets Manager ({})", server.url());
    let expected = [
        Ok("text of good".to_owned()),
        Err(format!("the secret \"denied\" is denied by {at}: AccessDeniedException: as scripted")),
        Err(format!("the secret \"missing\" is not in {at}: ResourceNotFoundException: as scripted")),
        Err(format!("the secret \"deleted\" cannot be read from {at}: InvalidRequestException: as scripted")),
        Err("the secret \"binary\" is not a text in UTF-8".to_owned()),
    ];
    assert_eq!(read, expected);
}

pub async fn names_the_secrets_of_a_server_that_is_down() {
    let read = store("http://127.0.0.1:1").await.read_secrets(&["a".to_owned(), "b".to_owned()]).await;
    for (name, read) in ["a", "b"].iter().zip(read) {
        let fault = read.unwrap_err();
        let said = format!("the secret \"{name}\" cannot be read from Secrets Manager (http://127.0.0.1:1): ");
        assert!(fault.starts_with(&said) && fault.contains("Connection refused"), "{fault}");
    }
}

/// Once it is denied meanwhile.
pub async fn reads_a_used_secret_again() {
    let (old, new) = ("redis://:hunter2@h", "redis://:hunter3@h");
    let server = Scripted::start(move |_, before, _| match before {
        0 => Ok(json!({"Name": "prd/redis", "SecretString": old})),
        1 => Err("AccessDeniedException"),
        _ => Ok(json!({"Name": "prd/redis", "SecretString": new})),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = configuration(folder.path(), server.url());
    let config = RuntimeConfig::load(&path, KINDS, &Declared::default()).await.unwrap();
    let url = || {
        let cache: &dyn Any = &**config.backend("cache").unwrap();
        cache.downcast_ref::<RedisConfig>().unwrap().url.current().unwrap().expose().to_owned()
    };
    assert_eq!(config.read_secrets_again().await, Vec::<String>::new());
    assert_eq!(server.requests("GetSecretValue").len(), 1, "its current text is not used");
    assert_eq!(url(), old);
    let faults = config.read_secrets_again().await;
    assert!(matches!(&faults[..], [fault] if fault.contains("\"prd/redis\" is denied")), "{faults:?}");
    assert_eq!(url(), old, "the last text stays in use");
    assert_eq!(config.read_secrets_again().await, Vec::<String>::new());
    assert_eq!(url(), new);
    assert!(!format!("{config:?}").contains("hunter"), "{config:?}");
}
