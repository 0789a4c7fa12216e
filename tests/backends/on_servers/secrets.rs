//! Secrets in moto's Secrets Manager.

use super::servers::{endpoints, unique};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::primitives::Blob;
use backend_aws::AwsConfig;
use backend_secrets_manager::SecretsManager;
use host_adapters_platform::SecretStore;
use tests::aws::aws;

#[tokio::test]
async fn secrets_are_read_in_their_current_versions() {
    let (endpoint, prefix) = (&endpoints().await.s3, unique());
    let client = Client::new(aws(endpoint).await.sdk());
    let store = SecretsManager::load(&AwsConfig::of_server(endpoint, "us-east-1", "test", "test")).await;
    let name = |name: &str| format!("{prefix}{name}");
    let (text, bytes, missing) = (name("text"), name("bytes"), name("missing"));
    let made = client.create_secret().name(&text).secret_string("old\n").send().await.unwrap();
    client.create_secret().name(&bytes).secret_binary(Blob::new("bytes")).send().await.unwrap();
    let arn = made.arn.unwrap();
    let mut read = store.read_secrets(&[text.clone(), arn, bytes, missing.clone()]).await;
    let fault = read.pop().unwrap().unwrap_err();
    assert!(
        fault.starts_with(&format!("the secret \"{missing}\" is not in Secrets Manager ({endpoint}): ")),
        "{fault}"
    );
    let expected: [Result<String, String>; 3] = ["old\n", "old\n", "bytes"].map(|text| Ok(text.to_owned()));
    assert_eq!(read, expected);
    client.put_secret_value().secret_id(&text).secret_string("new").send().await.unwrap();
    assert_eq!(store.read_secrets(&[text]).await, [Ok("new".to_owned())]);
}
