//! `[cache]` with `type = "redis"`.

use crate::Redis;
use host_adapters_platform::{Backend, Declared, Opened, Result};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_settings::{Reference, Value, settings};
use redis::Client;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

settings! {
    /// A cache in Redis.
    pub struct RedisConfig {
        /// Where the server is.
        pub url: Value = Value::default(), Reference::Address("redis://host:6379");
        /// How long a command may take, in milliseconds. After one that takes longer, a circuit breaker keeps commands
        /// from the server for 1 s to 60 s at a time, and workers go without the cache.
        pub timeout_ms: u32 = 50, 1..=10_000;
    }
}

impl RedisConfig {
    fn client(&self) -> std::result::Result<Redis, String> {
        Redis::new(self.url.expose(), Duration::from_millis(self.timeout_ms.into()))
    }
}

#[async_trait::async_trait]
impl Backend for RedisConfig {
    fn address(&self) -> String {
        Client::open(self.url.expose())
            .map(|client| client.get_connection_info().addr().to_string())
            .unwrap_or_default()
    }

    fn faults(&self, _declared: &Declared) -> Vec<(&'static str, String)> {
        let fault = Client::open(self.url.expose()).err();
        let fault = fault.map(|_| "url is not an address of Redis; write one as in redis://host:6379".to_owned());
        fault.into_iter().map(|fault| ("url", fault)).collect()
    }

    async fn open(&self, _declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        Ok(Opened::Cache(Arc::new(self.client()?)))
    }

    async fn probe(&self, _declared: &Declared) -> Result<()> {
        let redis = self.client().map_err(|wrong| Error::new(ErrorKind::Invalid, wrong))?;
        redis.probe().await.map_err(|down| Error::new(ErrorKind::Unavailable, down.to_string()))
    }

    async fn provision(&self, _declared: &Declared) -> std::result::Result<(), String> {
        Ok(())
    }
}
