//! What the backends on AWS share: the SDK's configuration, and the classification of its errors.

mod config;
mod error;
mod shard;

pub use config::{AwsConfig, Credentials};
pub use error::{error, kind};
pub use shard::{ShardIterators, check_sequence};

use aws_config::SdkConfig;
use futures::{StreamExt, stream};

/// What all clients of one account and region share: credentials, connections, time-outs, retries.
#[derive(Clone, Debug)]
pub struct Aws(SdkConfig);

impl Aws {
    /// The configuration, to build a client.
    pub const fn sdk(&self) -> &SdkConfig {
        &self.0
    }
}

/// Most requests of one call that run at the same time.
pub const CONCURRENT: usize = 8;

/// Runs requests concurrently, at most [`CONCURRENT`] at a time. Results are in the order of the requests.
pub async fn side_by_side<F: Future>(requests: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    // Collected first: a stream that makes them as it goes cannot be `Send` here (rust-lang/rust#102211).
    let requests: Vec<F> = requests.into_iter().collect();
    stream::iter(requests).buffered(CONCURRENT).collect().await
}
