//! `[tables]` with `type = "dynamodb"`.

use crate::lease::DEFAULT_TABLE as LEASE_TABLE;
use crate::{Dynamodb, DynamodbFailures, DynamodbStreams};
use backend_aws::{Aws, AwsConfig};
use host_adapters_platform::{Backend, Declared, Opened, Result, names};
use host_adapters_records::ErrorKind;
use host_adapters_settings::settings;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The default name of the table of failures, after the prefix.
const FAILURE_TABLE: &str = "host-adapters-failures";
/// How long a start waits to learn that a table is not ours. A server that is down does not keep the host from starting;
/// what is read as a stream is checked again before it is read.
const PROBE: Duration = Duration::from_secs(5);

settings! {
    /// Tables and their streams in DynamoDB.
    pub struct DynamodbConfig {
        /// What all backends on AWS have in common.
        pub aws: AwsConfig;
        /// Precedes the name of each table.
        pub prefix: Option<String> = None, ();
        /// The table of leases and checkpoints, prefix included; by default `host-adapters-leases` after the prefix.
        pub lease_table: Option<String> = None, ();
        /// The table of messages' failures, prefix included; by default `host-adapters-failures` after the prefix.
        pub failure_table: Option<String> = None, ();
    }
}

impl DynamodbConfig {
    fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    /// The table of leases and checkpoints.
    pub fn lease_table(&self) -> String {
        self.lease_table.clone().unwrap_or_else(|| format!("{}{LEASE_TABLE}", self.prefix()))
    }

    /// The table of messages' failures.
    pub fn failure_table(&self) -> String {
        self.failure_table.clone().unwrap_or_else(|| format!("{}{FAILURE_TABLE}", self.prefix()))
    }

    async fn failures(&self) -> DynamodbFailures {
        DynamodbFailures::new(&Aws::load(&self.aws).await, &self.failure_table())
    }

    async fn clients(&self, declared: &Declared, host: &str) -> (Dynamodb, DynamodbStreams) {
        let (aws, names) =
            (Aws::load(&self.aws).await, declared.tables.keys().cloned().collect::<std::collections::BTreeSet<_>>());
        let tables = Dynamodb::new(&aws, self.prefix(), names.clone());
        (tables, DynamodbStreams::new(&aws, self.prefix(), names, &self.lease_table(), host))
    }
}

#[async_trait::async_trait]
impl Backend for DynamodbConfig {
    fn address(&self) -> String {
        self.aws.address()
    }

    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let ours = [("lease_table", &self.lease_table), ("failure_table", &self.failure_table)];
        let ours = ours.into_iter().filter_map(|(key, name)| Some((key, names::table_fault(name.as_ref()?)?)));
        let with_prefix = [LEASE_TABLE, FAILURE_TABLE].map(str::to_owned);
        let with_prefix = declared.tables.keys().chain(&with_prefix);
        let prefix = names::prefix_fault(self.prefix(), with_prefix, names::table_fault);
        ours.chain(prefix.map(|fault| ("prefix", fault))).collect()
    }

    async fn open(&self, declared: &Declared, data: &Path) -> std::result::Result<Opened, String> {
        let (tables, streams) = self.clients(declared, &host_id(data)?).await;
        if let Ok(Err(error)) = tokio::time::timeout(PROBE, probe(&tables, declared)).await
            && error.kind == ErrorKind::Invalid
        {
            return Err(error.to_string());
        }
        Ok(Opened::Tables(Arc::new(tables), Arc::new(streams), Arc::new(self.failures().await)))
    }

    async fn probe(&self, declared: &Declared) -> Result<()> {
        let (tables, streams) = self.clients(declared, "probe").await;
        probe(&tables, declared).await?;
        streams.probe().await?;
        self.failures().await.probe().await
    }

    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String> {
        let (tables, streams) = self.clients(declared, "provision").await;
        streams.provision().await.map_err(|error| format!("table {}: {error}", self.lease_table()))?;
        let failures = self.failures().await.provision().await;
        failures.map_err(|error| format!("table {}: {error}", self.failure_table()))?;
        for (name, table) in &declared.tables {
            tables.provision(name, table.stream).await.map_err(|error| format!("table {name}: {error}"))?;
        }
        Ok(())
    }
}

/// Checks the tables, one after the other.
async fn probe(tables: &Dynamodb, declared: &Declared) -> Result<()> {
    for (name, table) in &declared.tables {
        tables.probe(name, table.stream).await?;
    }
    Ok(())
}

/// The name of this host in the lease table. It is kept with the host's data, so that after a restart the host takes
/// its own leases up at once instead of waiting for them to expire.
///
/// # Errors
/// When it cannot be written.
pub fn host_id(data: &Path) -> std::result::Result<String, String> {
    let file = data.join("host-id");
    match std::fs::read_to_string(&file) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        _ => {}
    }
    let id = uuid::Uuid::new_v4().to_string();
    std::fs::write(&file, &id).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(id)
}
