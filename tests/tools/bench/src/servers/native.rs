//! Shared by the baselines: the SDK's configuration, and the count of settled records, which is served over HTTP like
//! the host's metrics.

use super::settled::COUNTER;
use super::{ACCESS_KEY, REGION, SECRET};
use anyhow::{Context, Result};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::{Builder, tls};
use axum::Router;
use axum::routing::get;
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;

/// How many records a baseline has settled.
#[derive(Clone, Default)]
pub struct Count(Arc<AtomicU64>);

impl Count {
    /// Counts more records.
    pub fn add(&self, records: usize) {
        self.0.fetch_add(records as u64, Ordering::Relaxed);
    }
}

/// A client's configuration for a server that checks no credentials.
pub async fn sdk(endpoint: &str) -> SdkConfig {
    let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(Builder::new().tls_provider(tls).build_https())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(aws_sdk_sqs::config::Credentials::new(ACCESS_KEY, SECRET, None, None, "bench"))
        .load()
        .await
}

/// Prints where it listens and serves the count, until a loop fails or the process is killed.
pub async fn tell(count: Count, mut loops: JoinSet<Result<()>>) -> Result<()> {
    let metrics = get(move || async move { format!("{COUNTER} {}\n", count.0.load(Ordering::Relaxed)) });
    let router = Router::new().route("/metrics", metrics);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    println!("{}", json!({ "http": address, "gateway": address }));
    tokio::select! {
        served = axum::serve(listener, router) => Ok(served?),
        Some(ended) = loops.join_next() => ended?.context("a loop failed"),
    }
}
