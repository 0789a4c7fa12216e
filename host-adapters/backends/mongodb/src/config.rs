//! `[documents]` with `type = "mongodb"`.

use crate::Mongo;
use host_adapters_platform::{Backend, Declared, Opened, Result};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_settings::{Reference, Value, settings};
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

#[async_trait::async_trait]
impl Backend for MongodbConfig {
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
