//! `[data_streams]` with `type = "kinesis"`.

use crate::Kinesis;
use backend_aws::{Aws, AwsConfig};
use backend_dynamodb::host_id;
use backend_dynamodb::lease::{DEFAULT_TABLE, LeaseRows};
use host_adapters_platform::{Backend, Declared, Opened, Result, data_streams, names};
use host_adapters_settings::{Url, settings};
use std::path::Path;
use std::sync::Arc;

settings! {
    /// Data streams in Kinesis, with their leases and checkpoints in DynamoDB.
    pub struct KinesisConfig {
        /// What all backends on AWS have in common.
        pub aws: AwsConfig;
        /// Precedes the name of each stream.
        pub prefix: Option<String> = None, ();
        /// The table of leases and checkpoints in DynamoDB, prefix included; by default `host-adapters-leases` after the
        /// prefix. It may be the one of `[tables]`.
        pub lease_table: Option<String> = None, ();
        /// The address of a server of DynamoDB other than Amazon's, for that table; by default `endpoint`.
        pub lease_endpoint: Url = Url(None), ();
    }
}

impl KinesisConfig {
    fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    /// The table of leases and checkpoints.
    pub fn lease_table(&self) -> String {
        self.lease_table.clone().unwrap_or_else(|| format!("{}{DEFAULT_TABLE}", self.prefix()))
    }

    async fn client(&self, declared: &Declared, host: &str) -> Kinesis {
        let endpoint = Url(self.lease_endpoint.0.clone().or_else(|| self.aws.endpoint.0.clone()));
        let of_leases = Aws::load(&AwsConfig { endpoint, ..self.aws.clone() }).await;
        let leases = LeaseRows::new(&of_leases, &self.lease_table(), host);
        let streams = declared.data_streams.keys().cloned().collect();
        Kinesis::new(&Aws::load(&self.aws).await, self.prefix(), streams, leases)
    }
}

#[async_trait::async_trait]
impl Backend for KinesisConfig {
    fn address(&self) -> String {
        self.aws.address()
    }

    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let table = self.lease_table.as_ref().and_then(|name| names::table_fault(name));
        let prefix = names::prefix_fault(self.prefix(), declared.data_streams.keys(), data_streams::name_fault)
            .or_else(|| names::prefix_fault(self.prefix(), [&DEFAULT_TABLE.to_owned()], names::table_fault));
        let faults = [table.map(|fault| ("lease_table", fault)), prefix.map(|fault| ("prefix", fault))];
        faults.into_iter().flatten().collect()
    }

    async fn open(&self, declared: &Declared, data: &Path) -> std::result::Result<Opened, String> {
        let streams = Arc::new(self.client(declared, &host_id(data)?).await);
        Ok(Opened::DataStreams(streams.clone(), streams))
    }

    async fn probe(&self, declared: &Declared) -> Result<()> {
        self.client(declared, "probe").await.probe().await
    }

    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String> {
        self.client(declared, "provision").await.provision(&declared.data_streams).await
    }
}
