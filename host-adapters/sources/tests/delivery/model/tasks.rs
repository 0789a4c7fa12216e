//! Executions of tasks, in memory.

use super::{EPOCH_MS, Faults, rounded_ms};
use host_adapters_platform::Result;
use host_adapters_platform::task::{NextAttempt, TaskAttempt, TaskBackend, TaskFailure};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long an execution waits that was handed back in an outage.
const WAITS_IN_OUTAGES: Duration = Duration::from_secs(30);

/// The executions of one worker.
pub struct ModelTasks {
    pub faults: Faults,
    executions: Mutex<Vec<Execution>>,
    asked: Mutex<Vec<(u64, String)>>,
    changed: Notify,
    began: Instant,
    limits_attempts: Mutex<bool>,
}

struct Execution {
    attempt: TaskAttempt,
    due: Instant,
    /// When the lease of the attempt in progress ends.
    lease: Option<Instant>,
    ended: Option<End>,
}

/// How an execution ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    Succeeded(String),
    Failed(TaskFailure),
    Stopped,
}

impl ModelTasks {
    pub fn new(seed: u64, began: Instant) -> Self {
        Self {
            faults: Faults::new(seed),
            executions: Mutex::default(),
            asked: Mutex::default(),
            changed: Notify::new(),
            began,
            limits_attempts: Mutex::default(),
        }
    }

    /// From now on it ends executions by itself, as a state machine does.
    pub fn limit_attempts(&self) {
        *self.limits_attempts.lock().unwrap() = true;
    }

    /// Starts executions with these names; each has its name as its input, too.
    pub fn start<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            let attempt = TaskAttempt {
                worker: super::WORKER.to_owned(),
                task_id: format!("id-{name}"),
                name: name.to_owned(),
                number: 0,
                failures: 0,
                started_ms: Some(EPOCH_MS + u64::try_from(self.began.elapsed().as_millis()).unwrap()),
                input: format!("{name:?}"),
                token: String::new(),
                correlation_id: None,
                traceparent: None,
            };
            let execution = Execution { attempt, due: Instant::now(), lease: None, ended: None };
            self.executions.lock().unwrap().push(execution);
        }
        self.changed.notify_waiters();
    }

    /// Stops an execution.
    pub fn stop(&self, name: &str) {
        let mut executions = self.executions.lock().unwrap();
        let execution = executions.iter_mut().find(|it| it.attempt.name == name).unwrap();
        execution.ended.get_or_insert(End::Stopped);
    }

    /// How an execution ended, if it has.
    pub fn end(&self, name: &str) -> Option<End> {
        let executions = self.executions.lock().unwrap();
        executions.iter().find(|it| it.attempt.name == name).unwrap().ended.clone()
    }

    /// How many attempts of an execution have begun, and failed.
    pub fn attempts(&self, name: &str) -> (u32, u32) {
        let executions = self.executions.lock().unwrap();
        let attempt = &executions.iter().find(|it| it.attempt.name == name).unwrap().attempt;
        (attempt.number, attempt.failures)
    }

    /// Every call that was about an attempt, with its time, and what it asked.
    pub fn asked(&self) -> Vec<(u64, String)> {
        self.asked.lock().unwrap().clone()
    }

    /// The times of one kind of call.
    pub fn asked_at(&self, what: &str) -> Vec<u64> {
        self.asked().into_iter().filter(|(_, asked)| asked.starts_with(what)).map(|(at, _)| at).collect()
    }

    fn next(&self, lease: Duration) -> std::result::Result<TaskAttempt, Option<Instant>> {
        let (mut executions, now) = (self.executions.lock().unwrap(), Instant::now());
        let open = executions.iter_mut().filter(|it| it.ended.is_none());
        let mut open: Vec<_> = open.map(|it| (it.lease.unwrap_or(it.due), it)).collect();
        open.sort_by_key(|(due, _)| *due);
        let Some((due, execution)) = open.into_iter().next() else { return Err(None) };
        if due > now {
            return Err(Some(due));
        }
        execution.lease = Some(now + lease);
        execution.attempt.number += 1;
        execution.attempt.token = format!("{}#{}", execution.attempt.name, execution.attempt.number);
        Ok(execution.attempt.clone())
    }

    fn change(&self, what: String, attempt: &TaskAttempt, change: impl FnOnce(&mut Execution)) -> Result<bool> {
        self.asked.lock().unwrap().push((rounded_ms(self.began.elapsed()), what));
        let mut executions = self.executions.lock().unwrap();
        let now = Instant::now();
        let execution = executions.iter_mut().find(|it| it.attempt.token == attempt.token);
        let ours = execution.filter(|it| it.ended.is_none() && it.lease.is_some_and(|lease| lease > now));
        let Some(execution) = ours else { return Ok(false) };
        change(execution);
        self.changed.notify_waiters();
        Ok(true)
    }
}

#[async_trait::async_trait]
impl TaskBackend for ModelTasks {
    async fn take(&self, worker: &str, lease: Duration, wait: Duration) -> Result<Option<TaskAttempt>> {
        assert_eq!(worker, super::WORKER);
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            self.faults.check("take")?;
            let due = match self.next(lease) {
                Ok(attempt) => return Ok(Some(attempt)),
                Err(due) => due.unwrap_or(deadline).min(deadline),
            };
            if Instant::now() >= deadline {
                return Ok(None);
            }
            tokio::select! { () = changed => {}, () = tokio::time::sleep_until(due) => {} }
        }
    }

    async fn heartbeat(&self, attempt: &TaskAttempt, lease: Duration) -> Result<bool> {
        self.faults.check("heartbeat")?;
        let extend = |execution: &mut Execution| execution.lease = Some(Instant::now() + lease);
        self.change(format!("heartbeat {}", attempt.name), attempt, extend)
    }

    async fn succeed(&self, attempt: &TaskAttempt, output: &str) -> Result<bool> {
        self.faults.check("succeed")?;
        let end = End::Succeeded(output.to_owned());
        self.change(format!("succeed {}", attempt.name), attempt, |execution| execution.ended = Some(end))
    }

    async fn fail(&self, attempt: &TaskAttempt, failure: &TaskFailure, next: NextAttempt) -> Result<bool> {
        self.faults.check("fail")?;
        let failure = failure.clone();
        self.change(format!("fail {} {next:?}", attempt.name), attempt, |execution| {
            execution.attempt.failures += 1;
            match next {
                NextAttempt::After(wait) => (execution.due, execution.lease) = (Instant::now() + wait, None),
                NextAttempt::Never => execution.ended = Some(End::Failed(failure)),
            }
        })
    }

    async fn release(&self, attempt: &TaskAttempt) -> Result<bool> {
        self.faults.check("release")?;
        let release = |execution: &mut Execution| (execution.due, execution.lease) = (Instant::now(), None);
        self.change(format!("release {}", attempt.name), attempt, release)
    }

    async fn postpone(&self, attempt: &TaskAttempt, cause: &str, wait: Duration) -> Result<bool> {
        self.faults.check("postpone")?;
        let postpone = |execution: &mut Execution| (execution.due, execution.lease) = (Instant::now() + wait, None);
        self.change(format!("postpone {} {cause}", attempt.name), attempt, postpone)
    }

    async fn hand_back(&self, attempt: &TaskAttempt, reason: &str) -> Result<bool> {
        self.faults.check("hand-back")?;
        let due = Instant::now() + WAITS_IN_OUTAGES;
        let hand_back = |execution: &mut Execution| (execution.due, execution.lease) = (due, None);
        self.change(format!("hand-back {} {reason}", attempt.name), attempt, hand_back)
    }

    async fn repeat(&self, attempt: &TaskAttempt) -> Result<Option<u32>> {
        self.faults.check("repeat")?;
        let mut number = 0;
        let count = |execution: &mut Execution| {
            execution.attempt.number += 1;
            number = execution.attempt.number;
        };
        let is_ours = self.change(format!("repeat {}", attempt.name), attempt, count)?;
        Ok(is_ours.then_some(number))
    }

    fn limits_attempts(&self) -> bool {
        *self.limits_attempts.lock().unwrap()
    }
}
