//! The thread that writes. It applies all waiting jobs, each in a savepoint of its own, commits them with one fsync,
//! and only then acknowledges them. It never waits for a group to fill: a single job is committed alone.

use super::failed;
use super::schema::OpenError;
use host_adapters_failpoint::{self as failpoint, Step};
use host_adapters_platform::Result;
use host_adapters_records::{Error, ErrorKind};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Most jobs that wait; further callers wait for a place.
const WAITING: usize = 1024;
/// Most jobs in one commit, so that the first of a group does not wait long for its acknowledgement.
const GROUP: usize = 256;
/// How often the writer does its upkeep.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);

/// The upkeep of the file: drops data that has expired.
pub(crate) type Upkeep = Box<dyn Fn(&Connection) -> rusqlite::Result<()> + Send>;

/// The handle of the callers.
pub(super) struct Writer {
    jobs: Option<Sender<Waiting>>,
    places: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

struct Waiting {
    job: Box<dyn Job>,
    _place: OwnedSemaphorePermit,
}

/// A job and its reply, as the thread sees them.
trait Job: Send {
    /// Applies the job; returns whether its changes are to be kept.
    fn apply(&mut self, conn: &Connection) -> bool;
    /// Sends the result; `commit` is the outcome of the group's commit.
    fn answer(self: Box<Self>, commit: Option<Error>);
}

struct Typed<T, F, A> {
    job: Option<F>,
    result: Option<rusqlite::Result<T>>,
    after: A,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F, A> Job for Typed<T, F, A>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    A: FnOnce(&T) + Send + 'static,
{
    fn apply(&mut self, conn: &Connection) -> bool {
        self.result = self.job.take().map(|job| job(conn));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, commit: Option<Error>) {
        let answer = match (commit, self.result) {
            (None, Some(Ok(value))) => {
                (self.after)(&value);
                Ok(value)
            }
            (Some(error), _) => Err(error),
            (None, Some(Err(error))) => Err(failed(&error)),
            (None, None) => Err(closed()),
        };
        // The caller may no longer wait; the write is still kept.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    pub(super) fn start(conn: Connection, upkeep: Upkeep) -> std::result::Result<Self, OpenError> {
        let (jobs, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("embedded-writer".to_owned())
            .spawn(move || serve(&conn, &waiting, &upkeep))?;
        Ok(Self { jobs: Some(jobs), places: Arc::new(Semaphore::new(WAITING)), thread: Some(thread) })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T> {
        let _place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Typed { job: Some(job), result: None, after, reply });
        let jobs = self.jobs.as_ref().ok_or_else(closed)?;
        jobs.send(Waiting { job, _place }).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without senders the thread ends when it has done all waiting jobs.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the embedded store is closed")
}

fn serve(conn: &Connection, waiting: &Receiver<Waiting>, upkeep: &Upkeep) {
    let mut kept_up = Instant::now();
    loop {
        match waiting.recv_timeout(UPKEEP_EVERY) {
            Ok(first) => commit_group(conn, gather(first, waiting)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if kept_up.elapsed() >= UPKEEP_EVERY {
            if let Err(error) = in_transaction(conn, || upkeep(conn)) {
                tracing::warn!(%error, "the embedded store could not drop old records; it will retry");
            }
            kept_up = Instant::now();
        }
    }
}

fn gather(first: Waiting, waiting: &Receiver<Waiting>) -> Vec<Waiting> {
    std::iter::once(first).chain(waiting.try_iter()).take(GROUP).collect()
}

fn commit_group(conn: &Connection, mut group: Vec<Waiting>) {
    let committed = in_transaction(conn, || {
        for waiting in &mut group {
            in_savepoint(conn, waiting.job.as_mut())?;
        }
        Ok(())
    });
    let error = committed.err().map(|error| failed(&error));
    for waiting in group {
        waiting.job.answer(error.clone());
    }
}

fn in_transaction(conn: &Connection, work: impl FnOnce() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = work().and_then(|()| {
        failpoint::reached(Step::BeforeCommit);
        conn.prepare_cached("COMMIT")?.execute([])?;
        failpoint::reached(Step::Commit);
        Ok(())
    });
    if done.is_err() && !conn.is_autocommit() {
        conn.prepare_cached("ROLLBACK")?.execute([])?;
    }
    done
}

/// Applies one job so that a failure undoes this job and nothing else. The error of the job itself is kept in the job.
fn in_savepoint(conn: &Connection, job: &mut dyn Job) -> rusqlite::Result<()> {
    conn.prepare_cached("SAVEPOINT job")?.execute([])?;
    if !job.apply(conn) {
        conn.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    conn.prepare_cached("RELEASE job")?.execute([])?;
    Ok(())
}
