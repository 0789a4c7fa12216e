//! The endpoint, region and credentials of AWS services.

use super::Aws;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_smithy_http_client::{Builder, tls};
use host_adapters_manifest::runtime_config::Secrets;
use host_adapters_settings::Fields;
use std::time::Duration;

/// The time-out of connecting.
const CONNECT: Duration = Duration::from_secs(3);
/// The time-out of a response: longer than SQS's longest poll, 20 s.
const READ: Duration = Duration::from_secs(30);

/// One account and region.
#[derive(Clone, Debug, Default)]
pub struct AwsConfig {
    /// For example `us-east-1`; by default that of the environment or the profile.
    pub region: Option<String>,
    /// The address of a server other than Amazon's.
    pub endpoint: Option<String>,
    /// By default those that the SDK finds: environment, profile, container, instance.
    pub credentials: Option<Credentials>,
}

/// An access key.
#[derive(Clone)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl AwsConfig {
    /// Reads `region`, `endpoint` and `credentials` of a section.
    pub fn read(fields: &mut Fields<'_, '_>, secrets: &Secrets<'_>) -> Self {
        let endpoint = fields.string("endpoint");
        if let Some(endpoint) =
            endpoint.as_ref().filter(|it| !it.value.starts_with("http://") && !it.value.starts_with("https://"))
        {
            fields.diagnostic(&endpoint.span, format!("\"{}\" is not an http or https URL", endpoint.value));
        }
        Self {
            region: fields.string("region").map(|region| region.value),
            endpoint: endpoint.map(|endpoint| endpoint.value),
            credentials: fields.table("credentials").and_then(|fields| Credentials::read(fields, secrets)),
        }
    }
}

impl Credentials {
    fn read(mut fields: Fields<'_, '_>, secrets: &Secrets<'_>) -> Option<Self> {
        let id = fields.string("access_key_id");
        let id = fields.required("access_key_id", id, "access_key_id = \"AKIA…\"");
        let secret = secrets.secret(&mut fields, "secret_access_key");
        fields.finish();
        Some(Self { access_key_id: id?.value, secret_access_key: secret?.expose().to_owned() })
    }
}

impl Aws {
    /// Reads from the environment what `config` leaves open. Does not connect yet.
    pub async fn load(config: &AwsConfig) -> Self {
        let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(Builder::new().tls_provider(tls).build_https())
            .timeout_config(timeouts)
            // Longer outages are left to the caller: sources pause, and workers get `unavailable`.
            .retry_config(RetryConfig::standard().with_max_attempts(3));
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint) = &config.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(Credentials { access_key_id, secret_access_key }) = &config.credentials {
            let provider = "runtime-config.toml";
            let credentials =
                aws_sdk_sqs::config::Credentials::new(access_key_id, secret_access_key, None, None, provider);
            loader = loader.credentials_provider(credentials);
        }
        Self(loader.load().await)
    }
}
