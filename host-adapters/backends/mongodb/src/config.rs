//! `[documents]` with `type = "mongodb"`.

use crate::Mongo;
use host_adapters_manifest::Value;
use host_adapters_manifest::runtime_config::Secrets;
use host_adapters_platform::{Backend, Declared, Opened, Result};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_settings::Fields;
use std::path::Path;
use std::sync::Arc;

/// The settings.
#[derive(Clone, Debug)]
pub struct MongodbConfig {
    /// `mongodb://…`; it may hold a password.
    pub uri: Value,
    /// The database.
    pub database: String,
    /// Before the name of each collection.
    pub prefix: String,
}

/// Reads the section; what is wrong in it becomes a diagnostic.
pub fn read(fields: &mut Fields<'_, '_>, secrets: &Secrets<'_>) -> Option<Arc<dyn Backend>> {
    let uri = secrets.address(fields, "uri", "mongodb://host:27017");
    let database = fields.string("database");
    let database = fields.required("database", database, "database = \"…\"");
    let prefix = fields.string("prefix").map(|prefix| prefix.value).unwrap_or_default();
    Some(Arc::new(MongodbConfig {
        uri: uri.unwrap_or_default(),
        database: database.map(|it| it.value).unwrap_or_default(),
        prefix,
    }))
}

impl MongodbConfig {
    async fn client(&self, declared: &Declared) -> std::result::Result<Mongo, String> {
        Mongo::new(self.uri.expose(), &self.database, &self.prefix, declared.collections.clone()).await
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
