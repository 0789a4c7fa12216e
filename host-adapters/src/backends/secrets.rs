//! Reads the secrets of the runtime configuration again while the host runs, so that new certificates are used without a
//! restart.

use crate::manifest::runtime_config::RuntimeConfig;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// How often the secrets are read that may change.
const EVERY: Duration = Duration::from_secs(60);

/// Keeps the secrets current as long as the result exists. `None` if the configuration has no store of secrets.
pub fn follow(config: &RuntimeConfig) -> Option<AbortOnDropHandle<()>> {
    let config = config.clone();
    config.has_secrets().then(|| AbortOnDropHandle::new(tokio::spawn(keep_current(config))))
}

/// What cannot be read keeps its last text. That is logged when it begins, not every minute.
async fn keep_current(config: RuntimeConfig) {
    let mut told: Vec<String> = Vec::new();
    loop {
        tokio::time::sleep(EVERY).await;
        let faults = config.read_secrets_again().await;
        for fault in faults.iter().filter(|fault| !told.contains(*fault)) {
            tracing::warn!(fault, "a secret cannot be read again, so its last text stays in use");
        }
        told = faults;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::manifest::runtime_config::{BackendKind, BackendSettings};
    use host_adapters_platform::{Backend, Declared, Opened, Result, SecretStore};
    use host_adapters_settings::{Reference, Value, settings};
    use std::any::Any;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Its only secret is how often it was read before.
    #[derive(Debug, Default)]
    struct Store(AtomicUsize);

    #[async_trait::async_trait]
    impl SecretStore for Store {
        async fn read_secrets(&self, names: &[String]) -> Vec<std::result::Result<String, String>> {
            let before = self.0.fetch_add(1, Ordering::Relaxed);
            names.iter().map(|_| Ok(before.to_string())).collect()
        }
    }

    settings! {
        /// A store.
        pub struct StoreConfig {
            /// Not used.
            pub region: Option<String> = None, ();
        }
    }

    settings! {
        /// What uses the current text of a secret.
        pub struct LogConfig {
            /// The secret.
            pub key: Value = Value::default(), Reference::Secret;
        }
    }

    #[async_trait::async_trait]
    impl Backend for StoreConfig {
        fn address(&self) -> String {
            "a test".to_owned()
        }

        async fn open(&self, _: &Declared, _: &Path) -> std::result::Result<Opened, String> {
            Ok(Opened::Secrets(Arc::new(Store::default())))
        }

        async fn probe(&self, _: &Declared) -> Result<()> {
            Ok(())
        }

        async fn provision(&self, _: &Declared) -> std::result::Result<(), String> {
            Ok(())
        }
    }

    #[async_trait::async_trait]
    impl Backend for LogConfig {
        fn address(&self) -> String {
            "a test".to_owned()
        }

        async fn open(&self, _: &Declared, _: &Path) -> std::result::Result<Opened, String> {
            Err("a test does not open it".to_owned())
        }

        async fn probe(&self, _: &Declared) -> Result<()> {
            Ok(())
        }

        async fn provision(&self, _: &Declared) -> std::result::Result<(), String> {
            Ok(())
        }
    }

    const KINDS: [BackendKind; 2] = [
        BackendKind { section: "event_log", name: "log", settings: Some(BackendSettings::of::<LogConfig>()) },
        BackendKind { section: "secrets", name: "store", settings: Some(BackendSettings::of::<StoreConfig>()) },
    ];

    #[tokio::test(start_paused = true)]
    async fn secrets_are_read_every_minute_until_the_host_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runtime-config.toml");
        let text = "[event_log]\ntype = \"log\"\nkey = { secret = \"k\" }\n[secrets]\ntype = \"store\"\n";
        std::fs::write(&path, text).unwrap();
        let config = RuntimeConfig::load(&path, &KINDS, &Declared::default()).await.unwrap();
        let log: &dyn Any = &**config.backend("event_log").unwrap();
        let key = &log.downcast_ref::<LogConfig>().unwrap().key;
        let text = || key.current().unwrap().expose().to_owned();
        let following = follow(&config).unwrap();
        assert_eq!(text(), "0");
        tokio::time::sleep(EVERY + Duration::from_secs(1)).await;
        assert_eq!(text(), "1");
        tokio::time::sleep(EVERY).await;
        assert_eq!(text(), "2");
        drop(following);
        tokio::time::sleep(2 * EVERY).await;
        assert_eq!(text(), "2");
        assert!(follow(&RuntimeConfig::default()).is_none());
    }
}
