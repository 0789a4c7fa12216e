//! Where the operator keeps the secrets that the runtime configuration refers to. No component can read them.

use std::fmt::Debug;

/// A store of secrets.
#[async_trait::async_trait]
pub trait SecretStore: Debug + Send + Sync + 'static {
    /// The current texts of secrets, in the order of their names. Of one that cannot be read, a sentence says why, with
    /// its name.
    async fn read_secrets(&self, names: &[String]) -> Vec<Result<String, String>>;
}
