//! Reads a file from where it stands to its end, or until the call's time is over.
//!
//! Ranges of the file's version are read one ahead; rows are sent in batches, several at a time. Once all that was read is
//! sent, the progress is stored, on condition that no other call has stored any. So a crash repeats at most the rows since
//! then, and of two calls that read one file one stops.

use crate::created;
use crate::listed::Listed;
use crate::ports::Ports;
use crate::send::send;
use crate::table::change;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, future::LocalBoxFuture};
use scoring::csv::Place;
use scoring::file::File;
use scoring::progress::{self, Begin, Ending, MAX_TAIL, Progress};
use scoring::record::ScoreRecord;
use scoring::rows::{Counts, Outcome, Rows};
use scoring::schema::Kind;
use serde_json::json;
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::{Disposition, Event, batch};

/// How long a call reads before it has itself continued, milliseconds: a drain waits for it, and its wall time (300 s by
/// default) is far longer than the batch that it ends with.
const CALL_MS: u64 = 20_000;
/// Bytes of a range.
const RANGE_BYTES: u32 = 1024 * 1024;
/// Rows of a batch, at most.
const BATCH_ROWS: usize = 1_000;
/// Bytes of the file in a batch, about: rows may be 64 KiB long.
const BATCH_BYTES: u64 = 512 * 1024;
/// Batches under way.
const BATCHES: usize = 4;
/// Progress is stored after so many rows,
const STORED_ROWS: u64 = 5_000;
/// or so many bytes of the file.
const STORED_BYTES: u64 = 4 * 1024 * 1024;
/// The rows that are done, by `outcome`.
const ROWS: &str = "scoring_rows_total";
/// How long a call waits that finds the file read by another one, milliseconds.
const OTHER_CALL_MS: u64 = 5_000;

/// Handles events of files, one after the other.
pub async fn handle(ports: &impl Ports, kind: Kind, batch: Vec<Event>) -> Vec<Disposition> {
    let until_ms = ports.now_ms() + CALL_MS;
    batch::handle_readable(batch, created::read, async |files| {
        let mut settled = vec![];
        for (index, file) in files {
            settled.push((index, load(ports, kind, file, until_ms).await));
        }
        settled
    })
    .await
}

async fn load(ports: &impl Ports, kind: Kind, file: File, until_ms: u64) -> Disposition {
    let loader = Loader { ports, kind, file, until_ms, listed: Listed::default() };
    let disposition = loader.load().await.unwrap_or_else(|stopped| stopped);
    loader.listed.end(ports, &loader.file);
    disposition
}

/// A call that reads a file. Functions fail with the disposition that ends the call.
pub(crate) struct Loader<'p, P> {
    pub(crate) ports: &'p P,
    kind: Kind,
    pub(crate) file: File,
    until_ms: u64,
    listed: Listed,
}

/// How far the file is.
pub(crate) struct State {
    /// As it was read or stored last.
    stored: Option<Progress>,
    /// As it is to be stored next.
    pub(crate) progress: Progress,
}

/// What is read and not stored.
struct Under<'f> {
    /// The batch that is being filled.
    records: Vec<ScoreRecord>,
    /// Where it begins.
    begin: Place,
    /// Batches that are being sent.
    sending: FuturesUnordered<LocalBoxFuture<'f, Result<(), Disposition>>>,
    /// The last records of the batch before.
    tail: Vec<ScoreRecord>,
}

#[derive(PartialEq)]
enum Flow {
    /// The next range is needed.
    More,
    /// The file has ended, and all of it is stored.
    End,
    /// The call's time is over, and what was read is stored.
    Over,
}

impl<P: Ports> Loader<'_, P> {
    async fn load(&self) -> Result<Disposition, Disposition> {
        let name = self.file.name();
        let mut items = self.ports.read(vec![progress::key(&self.file)]).await.map_err(|error| error.disposition())?;
        let stored = progress::read(items.pop().flatten().as_deref()).map_err(Disposition::Reject)?;
        let progress = match progress::begin(&self.file, stored.as_ref()) {
            Begin::At(progress) => *progress,
            Begin::Done => return Ok(Disposition::Skip(format!("read already: {name}"))),
            Begin::Replaced => return Ok(Disposition::Skip(format!("replaced: {name}"))),
        };
        let mut state = State { stored, progress };
        if state.progress.ending.is_none() && self.read(&mut state).await? == Flow::Over {
            return Ok(self.goes_on());
        }
        self.report(&mut state).await
    }

    /// The disposition of a call that is to be continued.
    pub(crate) fn goes_on(&self) -> Disposition {
        Disposition::retry_after(Some(0), format!("{} is not done yet", self.file.name()))
    }

    /// Whether the call's time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.ports.now_ms() >= self.until_ms
    }

    /// Stores the progress.
    pub(crate) async fn store(&self, state: &mut State) -> Result<(), Disposition> {
        match change(self.ports, state.progress.store(&self.file, state.stored.as_ref())).await {
            Ok(true) => {
                self.count_rows(state);
                state.stored = Some(state.progress.clone());
            }
            Ok(false) => {
                let reason = format!("another call reads {}, or another version of it", self.file.name());
                return Err(Disposition::retry_after(Some(OTHER_CALL_MS), reason));
            }
            Err(error) => return Err(error.disposition()),
        }
        Ok(())
    }

    /// Counts the rows that are done since the progress was stored last: all outcomes, so that each has its series from
    /// the first rows on.
    fn count_rows(&self, state: &State) {
        let before = state.stored.as_ref().filter(|stored| stored.is_version(&self.file));
        let before = before.map_or_else(Counts::default, |stored| stored.position.counts);
        let now = state.progress.position.counts;
        let (rows, invalid) = (now.rows.saturating_sub(before.rows), now.invalid.saturating_sub(before.invalid));
        let lost = self.listed.take_lost();
        if rows > 0 {
            let valid = rows.saturating_sub(invalid + lost);
            for (outcome, number) in [("valid", valid), ("invalid", invalid), ("lost", lost)] {
                self.ports.count(ROWS, number, &[("outcome", outcome)]);
            }
        }
    }

    async fn range(&self, offset: u64) -> Result<Vec<u8>, Disposition> {
        self.ports.range(&self.file, offset, RANGE_BYTES).await.map_err(|error| self.unread(&error))
    }

    /// What becomes of an event whose file cannot be read.
    fn unread(&self, error: &Error) -> Disposition {
        match error.kind {
            ErrorKind::Changed => {
                Disposition::Skip(format!("replaced: {}, of which another event tells", self.file.name()))
            }
            ErrorKind::NotFound => Disposition::Skip(format!("gone: {}", self.file.name())),
            _ => error.disposition(),
        }
    }

    async fn read(&self, state: &mut State) -> Result<Flow, Disposition> {
        let mut rows = Rows::new(self.kind, self.file.clone(), state.progress.position.clone());
        let begin = rows.place();
        let mut under = Under { records: vec![], begin, sending: FuturesUnordered::new(), tail: vec![] };
        let mut offset = begin.offset;
        let mut bytes = self.range(offset).await?;
        loop {
            offset += bytes.len() as u64;
            let is_last = bytes.len() < RANGE_BYTES as usize;
            rows.push(&bytes);
            drop(bytes);
            if is_last {
                rows.finish();
            }
            let ahead = async { if is_last { Ok(vec![]) } else { self.range(offset).await } };
            let (ahead, flow) = futures::join!(ahead, self.read_range(&mut rows, &mut under, state));
            match flow? {
                Flow::More => bytes = ahead?,
                flow => return Ok(flow),
            }
        }
    }

    /// Reads the rows of what has arrived.
    async fn read_range<'f>(
        &'f self,
        rows: &mut Rows,
        under: &mut Under<'f>,
        state: &mut State,
    ) -> Result<Flow, Disposition> {
        loop {
            match rows.read() {
                Outcome::More => return Ok(Flow::More),
                Outcome::Record(record) => {
                    state.progress.add_campaign(&record.campaign_id);
                    under.records.push(*record);
                }
                Outcome::Invalid(row) => self.listed.invalid(self.ports, &self.file, &row),
                Outcome::Unreadable(problem) => {
                    return Err(Disposition::Reject(format!("unreadable: {}: {problem}", self.file.name())));
                }
                Outcome::End => {
                    self.finish_batches(rows, under, state).await?;
                    self.end(state).await?;
                    return Ok(Flow::End);
                }
            }
            if under.records.len() < BATCH_ROWS && rows.place().offset < under.begin.offset + BATCH_BYTES {
                continue;
            }
            self.send_batch(rows, under).await?;
            let stored = &state.progress.position;
            let is_over = self.is_over();
            if is_over
                || rows.counts().rows >= stored.counts.rows + STORED_ROWS
                || rows.place().offset >= stored.place.offset + STORED_BYTES
            {
                self.finish_batches(rows, under, state).await?;
                self.store(state).await?;
            }
            if is_over {
                return Ok(Flow::Over);
            }
        }
    }

    /// Begins to send the batch; waits while too many are under way.
    async fn send_batch<'f>(&'f self, rows: &Rows, under: &mut Under<'f>) -> Result<(), Disposition> {
        let records = std::mem::take(&mut under.records);
        under.begin = rows.place();
        if records.is_empty() {
            return Ok(());
        }
        if self.kind == Kind::Scrubbed {
            under.tail = records.get(records.len().saturating_sub(MAX_TAIL)..).unwrap_or_default().to_vec();
        }
        let sending = send(self.ports, self.kind, &self.file, records, &self.listed);
        under.sending.push(sending.boxed_local());
        // The call begins now, and not only when somebody waits for it.
        if let Some(Some(sent)) = under.sending.next().now_or_never() {
            sent?;
        }
        while under.sending.len() >= BATCHES {
            under.sending.next().await.unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    /// Sends all that was read, and notes that in the progress.
    async fn finish_batches<'f>(
        &'f self,
        rows: &Rows,
        under: &mut Under<'f>,
        state: &mut State,
    ) -> Result<(), Disposition> {
        self.send_batch(rows, under).await?;
        while let Some(sent) = under.sending.next().await {
            sent?;
        }
        state.progress.position = rows.position();
        if !under.tail.is_empty() {
            state.progress.set_tail(std::mem::take(&mut under.tail));
        }
        Ok(())
    }

    /// Stores that all rows are done.
    async fn end(&self, state: &mut State) -> Result<(), Disposition> {
        state.progress.ending = Some(Ending { since_ms: self.ports.now_ms(), ..Ending::default() });
        self.store(state).await?;
        let counts = state.progress.position.counts;
        let data = json!({"file": self.file.name(), "rows": counts.rows, "invalid": counts.invalid});
        for warning in [counts.warning(&self.file), state.progress.warning(&self.file)].into_iter().flatten() {
            self.ports.warn(&warning, data.clone());
        }
        self.ports.info("File read", data);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
