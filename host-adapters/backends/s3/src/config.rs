//! `[objects]` with `type = "s3"`.

use crate::S3;
use backend_aws::{Aws, AwsConfig};
use host_adapters_platform::{Backend, Declared, Opened, Result, names};
use host_adapters_settings::settings;
use std::path::Path;
use std::sync::Arc;

settings! {
    /// Objects in S3.
    pub struct S3Config {
        /// What all backends on AWS have in common.
        pub aws: AwsConfig;
        /// Precedes the name of each bucket, which no other account of AWS may have.
        pub prefix: Option<String> = None, ();
    }
}

impl S3Config {
    fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    async fn client(&self, declared: &Declared) -> S3 {
        S3::new(&Aws::load(&self.aws).await, self.prefix(), declared.buckets.clone())
    }
}

#[async_trait::async_trait]
impl Backend for S3Config {
    fn address(&self) -> String {
        self.aws.address()
    }

    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let fault = names::prefix_fault(self.prefix(), &declared.buckets, names::bucket_fault);
        fault.into_iter().map(|fault| ("prefix", fault)).collect()
    }

    async fn open(&self, declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        Ok(Opened::Objects(Arc::new(self.client(declared).await)))
    }

    async fn probe(&self, declared: &Declared) -> Result<()> {
        self.client(declared).await.probe().await
    }

    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String> {
        self.client(declared).await.provision().await.map_err(|error| format!("buckets: {error}"))
    }
}
