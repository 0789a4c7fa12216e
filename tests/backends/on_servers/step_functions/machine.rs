//! The state machine of `deploy/step-functions`, on LocalStack.

use crate::backends::on_servers::servers::unique;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use backend_step_functions::StepFunctions;
use serde_json::{Value, json};
use tests::aws::aws;
use tests::programs::project;
use tests::wait::eventually;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

/// The worker whose activity the state machine uses in tests: a guest that does what its input says.
pub const WORKER: &str = "errand";
/// `HeartbeatSeconds` in tests.
pub const HEARTBEAT_SECS: u64 = 3;
/// What the definition has in place of the activity's ARN.
pub const ACTIVITY: &str = "${EnqueueMarketSelections}";

/// The definition as it is deployed.
pub fn definition() -> String {
    std::fs::read_to_string(project().join("deploy/step-functions/select-winners.asl.json")).unwrap()
}

/// Starts LocalStack if it is not up. Nothing else needs it, so it is not among the servers of the other tests.
pub async fn endpoint() -> &'static str {
    static STARTED: OnceCell<String> = OnceCell::const_new();
    let start = || {
        let servers = test_servers::Servers::open().unwrap();
        let mut up = servers.start(&test_servers::named(&["localstack"]).unwrap(), false).unwrap();
        up.remove(0).endpoint.unwrap()
    };
    STARTED.get_or_init(|| async { tokio::task::spawn_blocking(start).await.unwrap() }).await
}

/// A state machine with its own activity.
pub struct Machine {
    pub activities: StepFunctions,
    /// Precedes the name of the activity.
    pub prefix: String,
    client: Client,
    arn: String,
    _turn: SemaphorePermit<'static>,
}

/// How many tests use LocalStack at the same time. With more, its executions stand still now and then.
static TURNS: Semaphore = Semaphore::const_new(2);

impl Machine {
    /// The state machine as it is deployed, apart from what would make tests take long.
    pub async fn start() -> Self {
        Self::of(WORKER).await
    }

    /// The same with the activity of another worker.
    pub async fn of(worker: &str) -> Self {
        let turn = TURNS.acquire().await.unwrap();
        let (aws, prefix) = (aws(endpoint().await).await, unique());
        let activities = StepFunctions::new(&aws, &prefix, [worker.to_owned()].into(), "test");
        activities.provision(worker).await.unwrap();
        activities.probe().await.unwrap();
        let client = Client::new(aws.sdk());
        let activity = client.create_activity().name(format!("{prefix}{worker}")).send().await.unwrap();
        let made = client.create_state_machine().name(format!("{prefix}select-winners"));
        let made = made.role_arn("arn:aws:iam::000000000000:role/select-winners");
        let made = made.definition(quick(activity.activity_arn())).send().await.unwrap();
        Self { activities, prefix, client, arn: made.state_machine_arn, _turn: turn }
    }

    /// Starts an execution; returns its ARN.
    pub async fn select(&self, markets: Value) -> String {
        let input = json!({"campaignId": "campaign-123", "markets": markets});
        let started = self.client.start_execution().state_machine_arn(&self.arn).input(input.to_string()).send().await;
        started.unwrap().execution_arn
    }

    /// The outcome of each market, once the execution has succeeded.
    pub async fn outcomes(&self, execution: &str) -> Vec<Value> {
        let output = eventually("the execution ends", async || {
            let told = self.client.describe_execution().execution_arn(execution).send().await.unwrap();
            match told.status {
                ExecutionStatus::Running => None,
                ExecutionStatus::Succeeded => told.output,
                status => panic!("{status}: {:?} {:?}", told.error, told.cause),
            }
        });
        serde_json::from_str(&output.await).unwrap()
    }

    /// Stops an execution.
    pub async fn stop(&self, execution: &str) {
        self.client.stop_execution().execution_arn(execution).send().await.unwrap();
    }

    /// The errors of attempts of an execution, in order.
    pub async fn errors(&self, execution: &str) -> Vec<String> {
        let errors = self.events(execution).await.into_iter().filter_map(|event| {
            let failed = event.activity_failed_event_details.and_then(|details| details.error);
            failed.or_else(|| event.activity_timed_out_event_details?.error)
        });
        errors.collect()
    }

    /// The names of the hosts that were handed attempts of an execution, in order.
    pub async fn hosts(&self, execution: &str) -> Vec<String> {
        let events = self.events(execution).await.into_iter();
        events.filter_map(|event| event.activity_started_event_details?.worker_name).collect()
    }

    async fn events(&self, execution: &str) -> Vec<HistoryEvent> {
        let history = self.client.get_execution_history().execution_arn(execution).max_results(1000);
        history.send().await.unwrap().events
    }
}

/// The definition with its waits cut short.
fn quick(activity: &str) -> String {
    let mut definition: Value = serde_json::from_str(&definition().replace(ACTIVITY, activity)).unwrap();
    let task = &mut definition["States"]["Markets"]["ItemProcessor"]["States"]["Select"];
    task["HeartbeatSeconds"] = json!(HEARTBEAT_SECS);
    for retry in task["Retry"].as_array_mut().unwrap() {
        retry["IntervalSeconds"] = json!(1);
        retry["MaxDelaySeconds"] = json!(2);
    }
    definition.to_string()
}
