//! Executions of tasks in AWS Step Functions. A worker is an activity, for which the host polls; a state machine starts
//! the executions, and says how often they are tried again (`deploy/step-functions`).

mod attempt;
mod config;
mod outcome;
mod poll;
mod waiting;

pub use config::StepFunctionsConfig;
pub use config::StepFunctionsConfig as Config;
pub use outcome::{DRAINED, FAILED, OUTAGE, RETRYABLE, WAITING};

use aws_sdk_sfn::Client;
use backend_aws::{Aws, error};
use host_adapters_platform::names::Names;
use host_adapters_platform::{Result, task::TaskAttempt};
use host_adapters_records::{Error, ErrorKind};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use waiting::Waiting;

/// The activities of one account and region.
#[derive(Clone)]
pub struct StepFunctions {
    client: Client,
    names: Names,
    /// What the host is called in the history of executions.
    host: String,
    /// ARNs of activities that were looked for before.
    arns: Arc<RwLock<HashMap<String, String>>>,
    /// For each worker, who waits for its executions.
    waiting: Arc<HashMap<String, Arc<Waiting<Result<TaskAttempt>>>>>,
}

impl StepFunctions {
    /// The activities of these workers, each with `prefix` before it. `host` is what the host is called in the history of
    /// executions.
    pub fn new(aws: &Aws, prefix: &str, workers: BTreeSet<String>, host: &str) -> Self {
        let waiting = workers.iter().map(|worker| (worker.clone(), Arc::default())).collect();
        let names = Names::new("activity", prefix, workers);
        Self {
            client: Client::new(aws.sdk()),
            names,
            host: host.to_owned(),
            arns: Arc::default(),
            waiting: Arc::new(waiting),
        }
    }

    /// Checks that the service answers and has the activities.
    ///
    /// # Errors
    /// When it does not answer, or lacks an activity.
    pub async fn probe(&self) -> Result<()> {
        for worker in self.names.declared() {
            self.arn(worker).await?;
        }
        Ok(())
    }

    /// Makes the activity of a worker if it does not exist.
    ///
    /// # Errors
    /// When the service refuses, or does not answer.
    pub async fn provision(&self, worker: &str) -> Result<()> {
        let real = self.names.real(worker)?;
        let made = self.client.create_activity().name(&real).send().await;
        made.map(drop).map_err(|failed| error(&real, &failed))
    }

    /// The ARN of a worker's activity. Account and partition are part of it, so the service is asked for it.
    async fn arn(&self, worker: &str) -> Result<String> {
        if let Some(arn) = self.arns.read().unwrap_or_else(PoisonError::into_inner).get(worker) {
            return Ok(arn.clone());
        }
        let arn = self.find(worker).await?;
        self.arns.write().unwrap_or_else(PoisonError::into_inner).insert(worker.to_owned(), arn.clone());
        Ok(arn)
    }

    /// As [`StepFunctions::arn`], but asks the service in any case.
    async fn find(&self, worker: &str) -> Result<String> {
        let real = self.names.real(worker)?;
        let mut pages = self.client.list_activities().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|failed| error(&real, &failed))?;
            if let Some(found) = page.activities().iter().find(|activity| activity.name() == real) {
                return Ok(found.activity_arn().to_owned());
            }
        }
        Err(Error::new(ErrorKind::NotFound, format!("there is no activity {real}")))
    }
}
