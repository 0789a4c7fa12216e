//! The endpoint, region and credentials of AWS services.

use super::Aws;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_smithy_http_client::{Builder, tls};
use host_adapters_settings::{Reference, Table, Url, Value, settings};
use std::time::Duration;

/// The time-out of connecting.
const CONNECT: Duration = Duration::from_secs(3);
/// The time-out of a response: longer than SQS's longest poll, 20 s.
const READ: Duration = Duration::from_secs(30);

settings! {
    /// One account and region.
    pub struct AwsConfig {
        /// For example `us-east-1`; by default that of the environment or the profile.
        pub region: Option<String> = None, ();
        /// The address of a server other than Amazon's.
        pub endpoint: Url = Url(None), ();
        /// An access key; by default the one that the SDK finds: environment, profile, container, instance.
        pub credentials: Table<Credentials> = Table(None), "credentials";
    }
}

settings! {
    /// An access key.
    pub struct Credentials {
        /// The access key's id.
        pub access_key_id: String = String::new(), "access_key_id = \"AKIA…\"";
        /// The secret access key.
        pub secret_access_key: Value = Value::default(), Reference::Secret;
    }
}

impl AwsConfig {
    /// Where the service is, for people.
    pub fn address(&self) -> String {
        match (&self.endpoint.0, &self.region) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(region)) => format!("AWS in {region}"),
            (None, None) => "AWS".to_owned(),
        }
    }

    /// A server other than Amazon's.
    pub fn of_server(endpoint: &str, region: &str, access_key_id: &str, secret_access_key: &str) -> Self {
        let credentials = Credentials {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: Value::secret(secret_access_key.to_owned()),
        };
        let (region, endpoint) = (Some(region.to_owned()), Url(Some(endpoint.to_owned())));
        Self { region, endpoint, credentials: Table(Some(credentials)) }
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
        if let Url(Some(endpoint)) = &config.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Table(Some(Credentials { access_key_id, secret_access_key })) = &config.credentials {
            let provider = "runtime-config.toml";
            let credentials =
                aws_sdk_sqs::config::Credentials::new(access_key_id, secret_access_key.expose(), None, None, provider);
            loader = loader.credentials_provider(credentials);
        }
        Self(loader.load().await)
    }
}
