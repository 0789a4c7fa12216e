//! AWS clients for servers that do not check credentials.

use backend_aws::{Aws, AwsConfig, Credentials};

/// A client of one endpoint.
pub async fn aws(endpoint: &str) -> Aws {
    let credentials = Credentials { access_key_id: "test".to_owned(), secret_access_key: "test".to_owned() };
    let region = Some("us-east-1".to_owned());
    Aws::load(&AwsConfig { region, endpoint: Some(endpoint.to_owned()), credentials: Some(credentials) }).await
}
