//! Secrets of the runtime configuration in AWS Secrets Manager.

mod config;
mod read;

pub use config::SecretsManagerConfig;
pub use config::SecretsManagerConfig as Config;

use aws_sdk_secretsmanager::Client;
use backend_aws::{Aws, AwsConfig};
use std::fmt;

/// The secrets of one account and region.
#[derive(Clone)]
pub struct SecretsManager {
    client: Client,
    /// Where the service is, for people.
    address: String,
}

impl SecretsManager {
    /// Does not connect yet.
    pub async fn load(config: &AwsConfig) -> Self {
        Self { client: Client::new(Aws::load(config).await.sdk()), address: config.address() }
    }
}

/// Without the client, which has credentials.
impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsManager").field("address", &self.address).finish_non_exhaustive()
    }
}
