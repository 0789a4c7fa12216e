//! Reading secrets: many with one request, and those that it does not return one by one, which tells what is wrong with
//! each. It is always the current version (`AWSCURRENT`), which both requests return by default.

use crate::SecretsManager;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::SecretValueEntry;
use backend_aws::{error, side_by_side};
use host_adapters_platform::SecretStore;

/// Most secrets of a request (API reference of Secrets Manager, "BatchGetSecretValue").
const BATCH: usize = 20;

/// A text, or why there is none.
type Read = Result<String, String>;

#[async_trait::async_trait]
impl SecretStore for SecretsManager {
    async fn read_secrets(&self, names: &[String]) -> Vec<Read> {
        let mut read = Vec::with_capacity(names.len());
        for names in names.chunks(BATCH) {
            read.extend(self.read_batch(names).await);
        }
        read
    }
}

impl SecretsManager {
    async fn read_batch(&self, names: &[String]) -> Vec<Read> {
        let found = if names.len() > 1 {
            let batch = self.client.batch_get_secret_value().set_secret_id_list(Some(names.to_vec()));
            match batch.send().await {
                Ok(found) => found.secret_values.unwrap_or_default(),
                // The service did not answer, and would not for each secret.
                Err(failed) if failed.code().is_none() => {
                    return names.iter().map(|name| Err(self.fault(name, &failed))).collect();
                }
                // It refused the whole request: this operation has a permission of its own, and one wrong name is enough.
                Err(_) => Vec::new(),
            }
        } else {
            Vec::new()
        };
        side_by_side(names.iter().map(|name| self.read_one(name, &found))).await
    }

    /// Reads a secret, unless it is among those found.
    async fn read_one(&self, name: &str, found: &[SecretValueEntry]) -> Read {
        if let Some(found) = found.iter().find(|it| it.name() == Some(name) || it.arn() == Some(name)) {
            return text(name, found.secret_string(), found.secret_binary());
        }
        match self.client.get_secret_value().secret_id(name).send().await {
            Ok(found) => text(name, found.secret_string(), found.secret_binary()),
            Err(failed) => Err(self.fault(name, &failed)),
        }
    }

    /// The sentence of a secret that could not be read.
    fn fault<E, R>(&self, name: &str, failed: &SdkError<E, R>) -> String
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let what = match failed.code() {
            Some("ResourceNotFoundException") => "is not in",
            Some("AccessDeniedException") => "is denied by",
            _ => "cannot be read from",
        };
        let told = error(&format!("the secret \"{name}\" {what} Secrets Manager ({})", self.address), failed);
        // It is the beginning of a sentence.
        told.message.trim_end_matches('.').to_owned()
    }
}

/// The text of a secret, which may be stored as bytes.
fn text(name: &str, text: Option<&str>, bytes: Option<&Blob>) -> Read {
    let not_text = || format!("the secret \"{name}\" is not a text in UTF-8");
    match (text, bytes) {
        (Some(text), _) => Ok(text.to_owned()),
        (None, Some(bytes)) => String::from_utf8(bytes.as_ref().to_vec()).map_err(|_| not_text()),
        (None, None) => Err(not_text()),
    }
}
