//! `GetActivityTask`: a long poll that the service holds for up to a minute.

use crate::{StepFunctions, attempt};
use aws_sdk_sfn::config::StalledStreamProtectionConfig;
use aws_sdk_sfn::config::timeout::TimeoutConfig;
use backend_aws::error;
use host_adapters_platform::task::TaskAttempt;
use host_adapters_platform::{Result, left_out};
use host_adapters_records::source_name;
use std::time::Duration;

use crate::waiting::LongPoll;

/// The time-out of a poll. The service holds one for 60 s, and asks for at least 65 s ([GetActivityTask]).
///
/// [GetActivityTask]: https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html
const POLL: Duration = Duration::from_secs(70);

/// The polls for the executions of one worker.
#[derive(Clone)]
pub struct Polls {
    pub activities: StepFunctions,
    pub worker: String,
}

impl LongPoll for Polls {
    type Item = Result<TaskAttempt>;

    async fn poll(&self) -> Option<Result<TaskAttempt>> {
        self.next().await.transpose()
    }

    /// The state machine hands it over again at once.
    async fn give_back(&self, item: Result<TaskAttempt>) {
        let Ok(attempt) = item else { return };
        if let Err(error) = self.activities.return_drained(&attempt).await {
            let (worker, task) = (&attempt.worker, &attempt.name);
            tracing::warn!(worker, task, %error, "an execution that nobody takes could not be handed back");
        }
    }
}

impl Polls {
    /// The next execution that the worker can be handed. Others fail here, once and for all.
    async fn next(&self) -> Result<Option<TaskAttempt>> {
        loop {
            let Some((token, input)) = self.activities.poll(&self.worker).await? else { return Ok(None) };
            match attempt::read(&self.worker, token.clone(), &input) {
                Ok(attempt) => return Ok(Some(attempt)),
                Err(wrong) => self.refuse(&token, &wrong).await,
            }
        }
    }

    async fn refuse(&self, token: &str, wrong: &str) {
        left_out(&source_name::of_tasks(&self.worker), "an execution without taskId, attempt and input");
        let cause = format!("the activity's input is not {{taskId, attempt, input}}: {wrong}");
        if let Err(error) = self.activities.refuse(&self.worker, token, &cause).await {
            tracing::warn!(worker = self.worker, %error, cause, "an execution could not be refused");
        }
    }
}

impl StepFunctions {
    /// Token and input of the next execution; `None` if there is none for a minute.
    async fn poll(&self, worker: &str) -> Result<Option<(String, String)>> {
        let arn = self.arn(worker).await?;
        let timeouts = TimeoutConfig::builder().read_timeout(POLL).operation_attempt_timeout(POLL).build();
        // A held poll receives nothing for a long time, which is not a stall.
        let config = aws_sdk_sfn::Config::builder()
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let request = self.client.get_activity_task().activity_arn(arn).worker_name(&self.host);
        let answer = request.customize().config_override(config).send().await;
        let answer = answer.map_err(|failed| error(worker, &failed))?;
        let token = answer.task_token.filter(|token| !token.is_empty());
        Ok(token.map(|token| (token, answer.input.unwrap_or_default())))
    }
}
