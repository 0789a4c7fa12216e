//! `--servers`: the host's sources on real servers, each compared with a plain loop with the same SDK. Host and loop
//! run in separate processes. They are started for every round, on a queue or stream that is already full, and both
//! count what they settle where [`settled`] reads it.

mod application;
pub mod native;
mod settled;
pub mod sqs;
pub mod streams;

use anyhow::{Context, Result};
use backend_aws::AwsConfig;
use std::time::UNIX_EPOCH;
use test_servers::{Servers, named};

/// The servers do not check it.
const SECRET: &str = "not-checked-here";
const ACCESS_KEY: &str = "bench";
const REGION: &str = "us-east-1";
/// The environment variable that a runtime configuration names for [`SECRET`].
const SECRET_VARIABLE: &str = "BENCH_AWS_SECRET";

/// One server, and the names that this run has on it.
pub struct Server {
    /// Its address.
    pub endpoint: String,
    /// Precedes every name of this run.
    pub prefix: String,
}

impl Server {
    /// Installs and starts a server if it is not up.
    ///
    /// # Errors
    /// When the machine lacks something for it; says what to do.
    pub fn start(name: &str) -> Result<Self> {
        let started = Servers::open()?.start(&named(&[name])?, false)?;
        let endpoint = started.into_iter().find_map(|status| status.endpoint);
        let endpoint = endpoint.with_context(|| format!("{name} does not say where it listens"))?;
        Ok(Self { endpoint, prefix: format!("bench{}-", UNIX_EPOCH.elapsed().unwrap_or_default().as_millis()) })
    }

    /// The configuration for the host's own backends, which fill the queue and the table.
    pub fn config(&self) -> AwsConfig {
        AwsConfig::of_server(&self.endpoint, REGION, ACCESS_KEY, SECRET)
    }

    /// The keys of a section of the runtime configuration for this server and this prefix.
    fn section(&self, prefix: &str) -> String {
        let credentials =
            format!("{{ access_key_id = \"{ACCESS_KEY}\", secret_access_key = {{ env = \"{SECRET_VARIABLE}\" }} }}");
        format!(
            "region = \"{REGION}\"\nendpoint = \"{}\"\nprefix = \"{prefix}\"\ncredentials = {credentials}\n",
            self.endpoint
        )
    }
}
