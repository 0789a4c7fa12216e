//! `[secrets]` with `type = "secrets-manager"`.

use crate::SecretsManager;
use backend_aws::{AwsConfig, Credentials};
use host_adapters_platform::{Backend, Declared, Opened, Result};
use host_adapters_settings::{Reference, Table, Url, Value, settings};
use std::path::Path;
use std::sync::Arc;

settings! {
    /// Secrets in AWS Secrets Manager, which the other sections refer to.
    pub struct SecretsManagerConfig {
        /// For example `us-east-1`; by default that of the environment or the profile.
        pub region: Option<String> = None, ();
        /// The address of a server other than Amazon's.
        pub endpoint: Url = Url(None), ();
        /// An access key; by default the one that the SDK finds: environment, profile, container, instance.
        pub credentials: Table<LocalCredentials> = Table(None), "local-credentials";
    }
}

settings! {
    /// An access key that is not in the store of secrets, because it opens the store.
    pub struct LocalCredentials {
        /// The access key's id.
        pub access_key_id: String = String::new(), "access_key_id = \"AKIA…\"";
        /// The secret access key.
        pub secret_access_key: Value = Value::default(), Reference::Local;
    }
}

impl SecretsManagerConfig {
    fn aws(&self) -> AwsConfig {
        let credentials = self.credentials.0.clone().map(|LocalCredentials { access_key_id, secret_access_key }| {
            Credentials { access_key_id, secret_access_key }
        });
        AwsConfig { region: self.region.clone(), endpoint: self.endpoint.clone(), credentials: Table(credentials) }
    }
}

#[async_trait::async_trait]
impl Backend for SecretsManagerConfig {
    fn address(&self) -> String {
        self.aws().address()
    }

    async fn open(&self, _declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        Ok(Opened::Secrets(Arc::new(SecretsManager::load(&self.aws()).await)))
    }

    /// The secrets have been read with the configuration. To ask for anything else may not be permitted.
    async fn probe(&self, _declared: &Declared) -> Result<()> {
        Ok(())
    }

    /// The operator makes the secrets.
    async fn provision(&self, _declared: &Declared) -> std::result::Result<(), String> {
        Ok(())
    }
}
