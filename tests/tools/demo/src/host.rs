//! The host as a child process: it is started, watched, killed and restarted, and stopped.

mod process;

pub use process::{Launch, PROCESS_ID_FILE};

use anyhow::{Result, anyhow, bail};
use process::Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// How long a caller waits for the host to be back after a kill.
const PATIENCE: Duration = Duration::from_secs(120);

/// The addresses of a running host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addresses {
    /// Base URL of the components.
    pub http: String,
    /// Base URL of the gateway.
    pub gateway: String,
}

/// Whether the host runs.
#[derive(Clone, Debug)]
enum State {
    Up(Addresses),
    Down,
    Failed(String),
}

/// The host and the task that watches it.
pub struct Host {
    endpoint: Endpoint,
    commands: mpsc::Sender<Command>,
    restarts: Arc<AtomicU64>,
    watcher: JoinHandle<Result<()>>,
}

enum Command {
    Kill,
    /// Stop it and start it again with this failpoint; then tell.
    Arm(String, oneshot::Sender<()>),
    Stop,
}

/// The host's present addresses, for callers.
#[derive(Clone)]
pub struct Endpoint(watch::Receiver<State>);

impl Host {
    /// Starts the host and waits until it listens. `killed` is told each time it ended by SIGKILL or at its failpoint, before
    /// it is started again.
    pub async fn start(launch: Launch, killed: impl Fn() + Send + Sync + 'static) -> Result<Self> {
        let process = Process::start(&launch).await?;
        let (sender, receiver) = watch::channel(State::Up(process.addresses.clone()));
        let (commands, inbox) = mpsc::channel(8);
        let restarts = Arc::new(AtomicU64::new(0));
        let watcher = tokio::spawn(watch_over(process, launch, sender, inbox, restarts.clone(), killed));
        Ok(Self { endpoint: Endpoint(receiver), commands, restarts, watcher })
    }

    /// The present addresses, for callers.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// A handle that kills the host.
    pub fn killer(&self) -> Killer {
        Killer(self.commands.clone())
    }

    /// How often it was restarted.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Stops the host and starts it again on its data, so that it aborts at this durable step, counted from now on. Such a
    /// restart is not among those that are counted.
    pub async fn arm(&self, step: &str) -> Result<()> {
        let (done, told) = oneshot::channel();
        // If the watcher has ended, nobody tells.
        let _ended = self.commands.send(Command::Arm(step.to_owned(), done)).await;
        told.await.map_err(|_| anyhow!("the host has ended before its failpoint was set"))
    }

    /// Makes the host drain and end.
    pub async fn stop(self) -> Result<()> {
        // If the watcher has ended, its result says why.
        let _ended = self.commands.send(Command::Stop).await;
        self.watcher.await?
    }
}

/// Kills the host.
pub struct Killer(mpsc::Sender<Command>);

impl Killer {
    /// Kills it with SIGKILL, so that it cannot finish anything.
    pub async fn kill(&self) {
        let _ended = self.0.send(Command::Kill).await;
    }
}

impl Endpoint {
    /// The addresses of the host; waits while it is down.
    pub async fn addresses(&self) -> Result<Addresses> {
        let mut state = self.0.clone();
        let up = state.wait_for(|state| !matches!(state, State::Down));
        let state = tokio::time::timeout(PATIENCE, up).await;
        match state.map_err(|_| anyhow!("the host is not back after {} s", PATIENCE.as_secs()))?.as_deref() {
            Ok(State::Up(addresses)) => Ok(addresses.clone()),
            Ok(State::Failed(why)) => bail!("the host has ended: {why}"),
            Ok(State::Down) | Err(_) => bail!("the host was stopped"),
        }
    }

    /// Addresses that never change.
    #[cfg(test)]
    pub fn fixed(addresses: Addresses) -> Self {
        let (sender, receiver) = watch::channel(State::Up(addresses));
        // Leaked, so that the channel stays open for the life of the test process.
        std::mem::forget(sender);
        Self(receiver)
    }
}

/// Restarts the host whenever it was killed or aborted at its failpoint. Any other end is a failure.
async fn watch_over(
    mut process: Process,
    mut launch: Launch,
    state: watch::Sender<State>,
    mut inbox: mpsc::Receiver<Command>,
    restarts: Arc<AtomicU64>,
    killed: impl Fn() + Send + Sync,
) -> Result<()> {
    loop {
        let ended = tokio::select! {
            status = process.wait() => status?,
            command = inbox.recv() => match command {
                Some(Command::Kill) => {
                    process.kill()?;
                    process.wait().await?
                }
                Some(Command::Arm(step, done)) => {
                    process.stop(&launch, std::future::pending()).await?;
                    launch.abort_at_step = Some(step);
                    process = start_again(&launch, &state).await?;
                    // If no caller waits, the result is dropped.
                    let _gone = done.send(());
                    continue;
                }
                Some(Command::Stop) | None => return process.stop(&launch, told_to_kill(&mut inbox)).await,
            },
        };
        if !launch.ends(ended) {
            let why = format!("{ended}; its log is {}", launch.log.display());
            state.send_replace(State::Failed(why.clone()));
            bail!("the host has ended by itself: {why}");
        }
        state.send_replace(State::Down);
        launch.abort_at_step = None;
        // Counted before the host is up, so that a reader who finds it up finds the count, too.
        restarts.fetch_add(1, Ordering::Relaxed);
        killed();
        process = start_again(&launch, &state).await?;
    }
}

/// Starts the host again; its callers wait meanwhile.
async fn start_again(launch: &Launch, state: &watch::Sender<State>) -> Result<Process> {
    state.send_replace(State::Down);
    match Process::start(launch).await {
        Ok(process) => {
            state.send_replace(State::Up(process.addresses.clone()));
            Ok(process)
        }
        Err(error) => {
            state.send_replace(State::Failed(error.to_string()));
            Err(error)
        }
    }
}

/// Ends when the host is to be killed.
async fn told_to_kill(inbox: &mut mpsc::Receiver<Command>) {
    while let Some(command) = inbox.recv().await {
        if matches!(command, Command::Kill) {
            return;
        }
    }
    std::future::pending().await
}

#[cfg(test)]
impl Host {
    /// The reason why the watcher ended.
    pub(crate) async fn watcher_error(self) -> String {
        self.watcher
            .await
            .map(|result| result.err().map(|error| format!("{error:#}")))
            .ok()
            .flatten()
            .unwrap_or_default()
    }
}
