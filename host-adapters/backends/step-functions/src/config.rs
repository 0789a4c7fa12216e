//! `[tasks]` with `type = "step-functions"`.

use crate::StepFunctions;
use backend_aws::{Aws, AwsConfig};
use host_adapters_platform::{Backend, Declared, Opened, Result};
use host_adapters_settings::settings;
use std::path::Path;
use std::sync::Arc;

/// Most characters of the name that a host has in the history of executions ([GetActivityTask]).
///
/// [GetActivityTask]: https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html
const MAX_HOST_CHARS: usize = 80;

settings! {
    /// Tasks in Step Functions: each worker is an activity, and state machines start the executions.
    pub struct StepFunctionsConfig {
        /// What all backends on AWS have in common.
        pub aws: AwsConfig;
        /// Precedes the id of each worker in the name of its activity.
        pub prefix: Option<String> = None, ();
        /// What the host is called in the history of executions; by default the machine's name.
        pub worker_name: Option<String> = None, ();
    }
}

impl StepFunctionsConfig {
    async fn client(&self, declared: &Declared) -> StepFunctions {
        let (prefix, host) = (self.prefix.as_deref().unwrap_or_default(), self.worker_name.clone());
        let host = host.unwrap_or_else(machine);
        StepFunctions::new(&Aws::load(&self.aws).await, prefix, declared.tasks.clone(), &host)
    }
}

/// The machine's name, in Kubernetes the pod's.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().take(MAX_HOST_CHARS).collect();
    if name.is_empty() { "host-adapters".to_owned() } else { name }
}

#[async_trait::async_trait]
impl Backend for StepFunctionsConfig {
    fn address(&self) -> String {
        self.aws.address()
    }

    fn faults(&self, _declared: &Declared) -> Vec<(&'static str, String)> {
        match self.worker_name.as_deref().map(|name| name.chars().count()) {
            None | Some(1..=MAX_HOST_CHARS) => Vec::new(),
            Some(_) => {
                let fault = format!(
                    "worker_name must have 1 to {MAX_HOST_CHARS} characters; leave it out for the machine's name"
                );
                vec![("worker_name", fault)]
            }
        }
    }

    async fn open(&self, declared: &Declared, _data: &Path) -> std::result::Result<Opened, String> {
        Ok(Opened::Tasks(Arc::new(self.client(declared).await), None))
    }

    async fn probe(&self, declared: &Declared) -> Result<()> {
        self.client(declared).await.probe().await
    }

    async fn provision(&self, declared: &Declared) -> std::result::Result<(), String> {
        let activities = self.client(declared).await;
        for worker in &declared.tasks {
            activities.provision(worker).await.map_err(|error| format!("activity of {worker}: {error}"))?;
        }
        Ok(())
    }
}
