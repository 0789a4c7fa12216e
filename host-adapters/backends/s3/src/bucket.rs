//! Checks buckets, and creates missing ones.

use super::{NOT_FOUND, S3, error_of_head, status};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use backend_aws::error;
use host_adapters_platform::Result;
use host_adapters_platform::limits::object::ObjectKey;
use host_adapters_platform::objects::absent;
use host_adapters_records::{Error, ErrorKind};

/// The region whose name no request to make a bucket may hold.
const FIRST_REGION: &str = "us-east-1";

impl S3 {
    /// Checks that the service answers and has the buckets.
    ///
    /// # Errors
    /// When it does not answer, or lacks a bucket.
    pub async fn probe(&self) -> Result<()> {
        for bucket in self.names.declared() {
            let real = self.names.real(bucket)?;
            if !self.has(&real).await? {
                return Err(Error::new(ErrorKind::NotFound, format!("there is no bucket {real}")));
            }
        }
        Ok(())
    }

    /// Makes the buckets that are missing.
    ///
    /// # Errors
    /// When S3 refuses, for instance because the bucket is another account's.
    pub async fn provision(&self) -> Result<()> {
        for bucket in self.names.declared() {
            let real = self.names.real(bucket)?;
            if !self.has(&real).await? {
                self.make(&real).await?;
            }
        }
        Ok(())
    }

    /// The error for a key at which HEAD found nothing: its response has no body that says what is missing. A bucket
    /// that is missing is for the operator to make, so it is an outage.
    pub(super) async fn absent(&self, bucket: &str, key: &ObjectKey) -> Error {
        let has = async { self.has(&self.names.real(bucket)?).await };
        match has.await {
            Ok(true) => absent(bucket, key),
            Ok(false) => Error::new(ErrorKind::Unavailable, format!("{bucket}: its bucket does not exist")),
            Err(error) => error,
        }
    }

    async fn has(&self, real: &str) -> Result<bool> {
        match self.client.head_bucket().bucket(real).send().await {
            Ok(_) => Ok(true),
            Err(failed) if status(&failed) == Some(NOT_FOUND) => Ok(false),
            Err(failed) => Err(error_of_head(real, &failed)),
        }
    }

    async fn make(&self, real: &str) -> Result<()> {
        let region =
            self.region.as_deref().filter(|region| *region != FIRST_REGION).map(BucketLocationConstraint::from);
        let place = region.map(|region| CreateBucketConfiguration::builder().location_constraint(region).build());
        let request = self.client.create_bucket().bucket(real).set_create_bucket_configuration(place);
        request.send().await.map(drop).map_err(|failed| error(real, &failed))
    }
}
