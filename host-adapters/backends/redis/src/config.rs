//! `[cache]` with `type = "redis"`.

use crate::Redis;
use host_adapters_manifest::Value;
use host_adapters_manifest::runtime_config::Secrets;
use host_adapters_platform::{Backend, Declared, Opened, Result};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_settings::Fields;
use std::path::Path;
use std::sync::Arc;

/// The settings.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `redis://…`; may contain a password.
    pub url: Value,
}

/// Reads the section and reports its diagnostics.
pub fn read(fields: &mut Fields<'_, '_>, secrets: &Secrets<'_>) -> Option<Arc<dyn Backend>> {
    let url = secrets.address(fields, "url", "redis://host:6379").unwrap_or_default();
    Some(Arc::new(RedisConfig { url }))
}

#[async_trait::async_trait]
impl Backend for RedisConfig {
    async fn open(&self, _declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        Ok(Opened::Cache(Arc::new(Redis::new(self.url.expose())?)))
    }

    async fn probe(&self, _declared: &Declared) -> Result<()> {
        let redis = Redis::new(self.url.expose()).map_err(|wrong| Error::new(ErrorKind::Invalid, wrong))?;
        redis.probe().await.map_err(|down| Error::new(ErrorKind::Unavailable, down.to_string()))
    }

    async fn provision(&self, _declared: &Declared) -> std::result::Result<(), String> {
        Ok(())
    }
}
