//! `[documents]` with `type = "mongodb"`.

use crate::Mongo;
use host_adapters_platform::{Backend, Declared, Opened, Result, names};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_settings::{Reference, Value, settings};
use mongodb::options::{ConnectionString, HostInfo};
use std::path::Path;
use std::sync::Arc;

settings! {
    /// Collections in MongoDB.
    pub struct MongodbConfig {
        /// Where the servers are.
        pub uri: Value = Value::default(), Reference::Address("mongodb://host:27017");
        /// The database.
        pub database: String = String::new(), "database = \"…\"";
        /// Precedes the name of each collection.
        pub prefix: Option<String> = None, ();
    }
}

impl MongodbConfig {
    async fn client(&self, declared: &Declared) -> std::result::Result<Mongo, String> {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        Mongo::new(self.uri.expose(), &self.database, prefix, declared.collections.clone()).await
    }
}

/// MongoDB's rule for names of databases, that of its servers on Windows (its page "MongoDB Limits and Thresholds").
fn is_name_of_a_database(name: &str) -> bool {
    let is_out = |c: char| c.is_whitespace() || c == '\0' || r#"/\."$*<>:|?"#.contains(c);
    (1..=63).contains(&name.len()) && !name.contains(is_out)
}

#[async_trait::async_trait]
impl Backend for MongodbConfig {
    fn address(&self) -> String {
        let hosts = ConnectionString::parse(self.uri.expose()).map(|uri| uri.host_info);
        match hosts {
            Ok(HostInfo::HostIdentifiers(hosts)) => hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            Ok(HostInfo::DnsRecord(name)) => name,
            _ => String::new(),
        }
    }

    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let uri = ConnectionString::parse(self.uri.expose())
            .err()
            .map(|_| ("uri", "uri is not an address of MongoDB; write one as in mongodb://host:27017".to_owned()));
        let database = (!is_name_of_a_database(&self.database)).then(|| {
            (
                "database",
                "database is not a name; write 1 to 63 bytes without / \\ . \" $ * < > : | ? and blanks".to_owned(),
            )
        });
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let prefix = names::prefix_fault(prefix, &declared.collections, names::collection_fault);
        uri.into_iter().chain(database).chain(prefix.map(|fault| ("prefix", fault))).collect()
    }

    async fn open(&self, declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        Ok(Opened::Documents(Arc::new(self.client(declared).await?)))
    }

    async fn probe(&self, declared: &Declared) -> Result<()> {
        let client = self.client(declared).await.map_err(|wrong| Error::new(ErrorKind::Invalid, wrong))?;
        client.probe().await
    }

    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String> {
        self.client(declared).await?.provision().await.map_err(|error| format!("collections: {error}"))
    }
}
