//! What the backends on Amazon's services share: the official SDK's configuration, and how its errors are read.

mod config;
mod error;

pub use config::{AwsConfig, Credentials};
pub use error::error;

use aws_config::SdkConfig;
use futures::{StreamExt, stream};

/// What all clients of one account and region share: credentials, connections, time-outs, retries.
#[derive(Clone, Debug)]
pub struct Aws(SdkConfig);

impl Aws {
    /// For clients of one's own.
    pub const fn sdk(&self) -> &SdkConfig {
        &self.0
    }
}

/// Requests of one call that are under way at once.
pub const CONCURRENT: usize = 8;

/// Runs requests side by side, not all at once; the answers are in their order.
pub async fn side_by_side<F: Future>(requests: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    // Collected first: a stream that makes them as it goes cannot be `Send` here (rust-lang/rust#102211).
    let requests: Vec<F> = requests.into_iter().collect();
    stream::iter(requests).buffered(CONCURRENT).collect().await
}
