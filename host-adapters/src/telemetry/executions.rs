//! How many executions of tasks wait and run, for `/metrics`. Those of every worker are counted at intervals.

use host_adapters_platform::task::{ExecutionState, ExecutionTable};
use metrics::{Gauge, describe_gauge, gauge};
use std::sync::Arc;
use std::time::Duration;

/// How often they are counted.
const PERIOD: Duration = Duration::from_secs(5);

/// By worker and state.
const EXECUTIONS: &str = "registration_task_executions";

/// The measures of all workers that do tasks.
pub struct Executions {
    table: Option<Arc<dyn ExecutionTable>>,
    workers: Vec<Worker>,
}

struct Worker {
    id: String,
    scheduled: Gauge,
    running: Gauge,
}

impl Executions {
    /// The executions of these workers; none without a table, because another program counts them.
    pub fn new(table: Option<Arc<dyn ExecutionTable>>, workers: impl Iterator<Item = String>) -> Self {
        describe_gauge!(EXECUTIONS, "Executions of tasks that have not ended");
        Self { table, workers: workers.map(Worker::new).collect() }
    }

    /// Measures again and again, as long as the future is polled.
    pub async fn watch(self) {
        let Some(table) = self.table else { return };
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            for worker in &self.workers {
                worker.measure(&*table).await;
            }
        }
    }
}

impl Worker {
    fn new(id: String) -> Self {
        let of = |state: ExecutionState| gauge!(EXECUTIONS, "worker" => id.clone(), "state" => state.name());
        Self { scheduled: of(ExecutionState::Scheduled), running: of(ExecutionState::Running), id }
    }

    /// If counting fails, the last counts stay.
    #[expect(clippy::cast_precision_loss, reason = "no worker has 2^53 executions")]
    async fn measure(&self, table: &dyn ExecutionTable) {
        match table.counts(&self.id).await {
            Ok(counts) => {
                self.scheduled.set(counts.scheduled as f64);
                self.running.set(counts.running as f64);
            }
            Err(error) => tracing::debug!(worker = self.id, %error, "executions not counted"),
        }
    }
}
