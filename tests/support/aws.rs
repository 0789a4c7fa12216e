//! AWS clients for servers that do not check credentials.

use backend_aws::{Aws, AwsConfig};

/// A client of one endpoint.
pub async fn aws(endpoint: &str) -> Aws {
    Aws::load(&AwsConfig::of_server(endpoint, "us-east-1", "test", "test")).await
}
