//! Reads a file from where it stands to its end, or until the call's time is over.
//!
//! Ranges of the file's version are read one ahead. The rows of a batch are sent in parts, several at a time, and then the
//! progress is stored, on condition that no other call has stored any, while the next batch is read. So a crash repeats at
//! most these two, and of two calls that read one file one stops. What is to be reported is stored before ([`scoring::due`]).
//!
//! Before its progress is stored, a batch ends with the rows that are held back ([`scoring::tail`]): they are put when all
//! others of it are, so that a report can wait for them.

use crate::created;
use crate::listed::{Lines, Listed};
use crate::ports::Ports;
use crate::send::send;
use crate::table::change;
use futures::future::{LocalBoxFuture, MaybeDone, maybe_done};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use scoring::due::{self, Campaigns, Due};
use scoring::file::File;
use scoring::progress::{self, Begin, Ending, Progress};
use scoring::rows::{Counts, Outcome, Rows, ValidRow};
use scoring::schema::Kind;
use scoring::table::{Change, Key};
use scoring::tail::{HeldBack, LastRows, Tail};
use serde_json::json;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use worker_kit::platform::{Error, ErrorKind};
use worker_kit::{Disposition, Event, batch, yield_now};

/// How long a call reads before it has itself continued, milliseconds: a drain waits for it, and its wall time (300 s by
/// default) is far longer than the batch that it ends with.
const CALL_MS: u64 = 20_000;
/// Bytes of a range.
const RANGE_BYTES: u32 = 1024 * 1024;
/// Rows of a batch, at most. A crash repeats two of them.
const BATCH_ROWS: u64 = 2_500;
/// Bytes of the file in a batch, about: rows may be 64 KiB long.
const BATCH_BYTES: u64 = 2 * 1024 * 1024;
/// Rows of a part, at most, invalid ones among them: after each the call looks at the clock.
const PART_ROWS: u64 = 500;
/// Bytes of the file in a part, about.
const PART_BYTES: u64 = 256 * 1024;
/// Parts under way.
const PARTS: usize = 4;
/// How often a call yields after a part. A batch has some eight responses, of which each time takes one, and the host needs
/// some of the times itself.
const YIELDS: usize = 3;
/// The rows that are done, by `outcome`.
const ROWS: &str = "scoring_rows_total";
/// How long a call waits that finds the file read by another one, milliseconds.
const OTHER_CALL_MS: u64 = 5_000;

/// Handles events of files, one after the other.
pub async fn handle(ports: &impl Ports, kind: Kind, batch: Vec<Event>) -> Vec<Disposition> {
    let until_ms = ports.now_ms() + CALL_MS;
    let lines = Lines::default();
    batch::handle_readable(batch, created::read, async |files| {
        let mut settled = vec![];
        for (index, file) in files {
            let disposition = match lines.is_full() {
                true => goes_on(&file),
                false => load(ports, kind, file, until_ms, &lines).await,
            };
            settled.push((index, disposition));
        }
        settled
    })
    .await
}

/// The disposition of a file with which another call is to go on.
fn goes_on(file: &File) -> Disposition {
    Disposition::retry_after(Some(0), format!("{} is not done yet", file.name()))
}

async fn load(ports: &impl Ports, kind: Kind, file: File, until_ms: u64, lines: &Lines) -> Disposition {
    let loader = Loader { ports, kind, file, until_ms, listed: Listed::of(lines), overtaken: Cell::new(false) };
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
    listed: Listed<'p>,
    /// Whether another call has changed an item of the file.
    overtaken: Cell<bool>,
}

/// How far the file is.
pub(crate) struct State {
    /// As it was read or stored last.
    pub(crate) stored: Option<Progress>,
    /// As it is to be stored next.
    pub(crate) progress: Progress,
    /// What is to be reported, as it was read or stored last.
    pub(crate) due: Due,
    /// The campaigns that the stored progress covers.
    pub(crate) covered: Rc<Campaigns>,
    /// The campaigns to be stored next.
    pub(crate) campaigns: Rc<Campaigns>,
    /// The last records.
    pub(crate) tail: Tail,
}

impl State {
    /// The state with which a batch is finished, while the next one is read with this one. Until that is done, this one lacks
    /// what only the storing needs.
    fn for_finishing(&mut self) -> Self {
        Self {
            stored: self.stored.take(),
            progress: self.progress.clone(),
            due: std::mem::take(&mut self.due),
            covered: self.covered.clone(),
            campaigns: self.campaigns.clone(),
            tail: std::mem::take(&mut self.tail),
        }
    }
}

/// Parts that are being sent: of each how many rows are lost.
type Sending<'f> = FuturesUnordered<LocalBoxFuture<'f, Result<u64, Disposition>>>;

/// The batch that is being read.
struct Batch<'f> {
    /// The part that is being filled.
    part: Vec<ValidRow>,
    /// Where it begins.
    begin: u64,
    /// The rows before it.
    rows_before: u64,
    /// The campaign of the last row; empty before the first one.
    campaign_id: String,
    /// Parts that are being sent.
    sending: Sending<'f>,
    /// Lost rows of the parts that are sent.
    lost: u64,
    /// The rows that are put last, of a file whose report waits for them.
    held_back: Option<HeldBack>,
    /// The batch before it, of which the rest is sent and the progress stored.
    finishing: Option<MaybeDone<LocalBoxFuture<'f, Result<State, Disposition>>>>,
}

impl Batch<'_> {
    fn at(rows: &Rows, kind: Kind) -> Self {
        Self {
            part: vec![],
            begin: rows.place().offset,
            rows_before: rows.counts().rows,
            campaign_id: String::new(),
            sending: FuturesUnordered::new(),
            lost: 0,
            held_back: (kind == Kind::Scrubbed).then(HeldBack::default),
            finishing: None,
        }
    }

    fn add(&mut self, row: ValidRow) {
        match &mut self.held_back {
            Some(held_back) => self.part.extend(held_back.push(row)),
            None => self.part.push(row),
        }
    }

    /// Notes the campaign of a row. Rows of one campaign often follow each other.
    fn note_campaign(&mut self, campaign_id: &str, campaigns: &mut Rc<Campaigns>) {
        if self.campaign_id != campaign_id {
            campaigns.add(campaign_id);
            campaign_id.clone_into(&mut self.campaign_id);
        }
    }

    /// Ends it: its last part has the rest. Returns the rows that are put when all others are.
    fn end(&mut self) -> LastRows {
        let Some(held_back) = self.held_back.take() else { return LastRows::default() };
        let (others, last) = held_back.end();
        self.part.extend(others);
        last
    }

    /// Whether the batch is to end here: that before it ended where the progress stands.
    fn is_full(&self, rows: &Rows, before: &Progress) -> bool {
        rows.counts().rows >= before.position.counts.rows + BATCH_ROWS
            || rows.place().offset >= before.position.place.offset + BATCH_BYTES
    }

    /// Waits until the batch before is done; the parts of this one go on meanwhile.
    async fn finished(&mut self, state: &mut State) -> Result<(), Disposition> {
        self.until(|_, is_finished| is_finished).await?;
        if let Some(finished) = self.finishing.take().and_then(|mut it| Pin::new(&mut it).take_output()) {
            State { stored: state.stored, due: state.due, covered: state.covered, tail: state.tail, .. } = finished?;
        }
        Ok(())
    }

    /// Waits for something, which is told whether the batch before is done.
    async fn until(&mut self, is_there: impl Fn(&Self, bool) -> bool) -> Result<(), Disposition> {
        poll_fn(|context| match self.advance(context) {
            Ok(is_finished) if !is_there(self, is_finished) => Poll::Pending,
            Ok(_) => Poll::Ready(Ok(())),
            Err(stopped) => Poll::Ready(Err(stopped)),
        })
        .await
    }

    /// Takes the responses that have arrived, and makes the calls that come next. Returns whether the batch before is done.
    fn advance(&mut self, context: &mut Context<'_>) -> Result<bool, Disposition> {
        while let Poll::Ready(Some(sent)) = self.sending.poll_next_unpin(context) {
            self.lost += sent?;
        }
        Ok(self.finishing.as_mut().is_none_or(|finishing| finishing.poll_unpin(context).is_ready()))
    }

    fn is_part_full(&self, rows: &Rows) -> bool {
        rows.counts().rows >= self.rows_before + PART_ROWS || rows.place().offset >= self.begin + PART_BYTES
    }
}

/// What ends with a progress that is stored.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    /// A batch, and another one follows.
    Batch,
    /// The call, or the file.
    Call,
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
        let item = self.item(progress::key(&self.file)).await?;
        let stored = progress::read(item.as_deref()).map_err(Disposition::Reject)?;
        let progress = match progress::begin(&self.file, stored.as_ref()) {
            Begin::At(progress) => *progress,
            Begin::Done => return Ok(Disposition::Skip(format!("read already: {name}"))),
            Begin::Replaced => return Ok(Disposition::Skip(format!("replaced: {name}"))),
        };
        let mut state = self.state(stored, progress).await?;
        let done = self.run(&mut state).await;
        if self.overtaken.get() {
            // Also what has been put of the batch behind the one that could not be stored.
            self.report_unstored(&state).await?;
        }
        done
    }

    async fn run(&self, state: &mut State) -> Result<Disposition, Disposition> {
        if state.progress.ending.is_none() && self.read(state).await? == Flow::Over {
            return Ok(self.goes_on());
        }
        self.report(state).await
    }

    async fn item(&self, key: Key) -> Result<Option<String>, Disposition> {
        let mut items = self.ports.read(vec![key]).await.map_err(|error| error.disposition())?;
        Ok(items.pop().flatten())
    }

    /// Reads what is to be reported: after the progress, so that it has at least the campaigns that the progress covers.
    async fn state(&self, stored: Option<Progress>, progress: Progress) -> Result<State, Disposition> {
        let item = self.item(due::key(&self.file)).await?;
        let (due, tail) = due::read(item.as_deref()).map_err(Disposition::Reject)?;
        let campaigns = due.campaigns(&self.file, stored.as_ref());
        let covered = stored.as_ref().map_or_else(Rc::default, |_| campaigns.clone());
        let tail = if stored.as_ref().is_some_and(|stored| stored.is_done) { Tail::default() } else { tail };
        Ok(State { stored, progress, due, covered, campaigns, tail })
    }

    /// The disposition of a call that is to be continued.
    pub(crate) fn goes_on(&self) -> Disposition {
        goes_on(&self.file)
    }

    /// Whether the call is to end: its time or its log lines are used up.
    pub(crate) fn is_over(&self) -> bool {
        self.ports.now_ms() >= self.until_ms || self.listed.is_full()
    }

    /// Stores the progress with the tail.
    pub(crate) async fn store(&self, state: &mut State) -> Result<(), Disposition> {
        self.store_with(state, Ends::Call, 0).await
    }

    /// Stores the progress, with the tail if the call ends, and counts the rows that are done: so many of them are lost.
    async fn store_with(&self, state: &mut State, ends: Ends, lost: u64) -> Result<(), Disposition> {
        let tail = (ends == Ends::Call).then_some(&state.tail);
        if let Some((change, due)) = state.due.store(&self.file, &state.campaigns, tail) {
            self.write(change).await?;
            state.due = due;
        }
        self.write(state.progress.store(&self.file, state.stored.as_ref())).await?;
        self.count_rows(state, lost);
        state.stored = Some(state.progress.clone());
        state.covered = state.campaigns.clone();
        Ok(())
    }

    /// Changes an item of the file. The call ends if another one has changed it.
    async fn write(&self, item: Change) -> Result<(), Disposition> {
        match change(self.ports, item).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.overtaken.set(true);
                let reason = format!("another call reads {}, or another version of it", self.file.name());
                Err(Disposition::retry_after(Some(OTHER_CALL_MS), reason))
            }
            Err(error) => Err(error.disposition()),
        }
    }

    /// Counts the rows that are done since the progress was stored last: all outcomes, so that each has its series from
    /// the first rows on.
    fn count_rows(&self, state: &State, lost: u64) {
        let before = state.stored.as_ref().filter(|stored| stored.is_version(&self.file));
        let before = before.map_or_else(Counts::default, |stored| stored.position.counts);
        let now = state.progress.position.counts;
        let (rows, invalid) = (now.rows.saturating_sub(before.rows), now.invalid.saturating_sub(before.invalid));
        if rows > 0 {
            let valid = rows.saturating_sub(invalid + lost);
            for (outcome, number) in [("valid", valid), ("invalid", invalid), ("lost", lost)] {
                self.ports.count(ROWS, number, &[("outcome", outcome)]);
            }
        }
    }

    async fn range(&self, offset: u64) -> Result<Vec<u8>, Error> {
        self.ports.range(&self.file, offset, RANGE_BYTES).await
    }

    async fn read(&self, state: &mut State) -> Result<Flow, Disposition> {
        let mut rows = Rows::new(self.kind, &self.file, state.progress.position.clone());
        let mut batch = Batch::at(&rows, self.kind);
        let mut offset = rows.place().offset;
        let mut range = self.range(offset).await;
        loop {
            let bytes = match range {
                Ok(bytes) => bytes,
                Err(error) => return self.stop(&error, &rows, &mut batch, state).await,
            };
            offset += bytes.len() as u64;
            let is_last = bytes.len() < RANGE_BYTES as usize;
            rows.push(&bytes);
            drop(bytes);
            if is_last {
                rows.finish();
            }
            let ahead = async { if is_last { Ok(vec![]) } else { self.range(offset).await } };
            let (ahead, flow) = futures::join!(ahead, self.read_range(&mut rows, &mut batch, state));
            match flow? {
                Flow::More => range = ahead,
                flow => return Ok(flow),
            }
        }
    }

    /// Ends a file that cannot be read further. If it no longer exists, what was read of it is reported.
    async fn stop<'f>(
        &'f self,
        error: &Error,
        rows: &Rows,
        batch: &mut Batch<'f>,
        state: &mut State,
    ) -> Result<Flow, Disposition> {
        let name = self.file.name();
        if !matches!(error.kind, ErrorKind::Changed | ErrorKind::NotFound) {
            return Err(error.disposition());
        }
        self.finish(rows, batch, state).await?;
        if error.kind == ErrorKind::Changed {
            return Err(Disposition::Skip(format!("replaced: {name}; another event reports it")));
        }
        if state.campaigns.ids.is_empty() {
            return Err(Disposition::Skip(format!("gone: {name}")));
        }
        self.end(state, "File gone before its end").await?;
        Ok(Flow::End)
    }

    /// Reads the rows of what has arrived.
    async fn read_range<'f>(
        &'f self,
        rows: &mut Rows,
        batch: &mut Batch<'f>,
        state: &mut State,
    ) -> Result<Flow, Disposition> {
        loop {
            match rows.read() {
                Outcome::More => return Ok(Flow::More),
                Outcome::Record(row) => {
                    batch.note_campaign(&row.record.campaign_id, &mut state.campaigns);
                    batch.add(*row);
                }
                Outcome::Invalid(row) => self.listed.invalid(self.ports, &self.file, &row),
                Outcome::Unreadable(problem) => {
                    return Err(Disposition::Reject(format!("unreadable: {}: {problem}", self.file.name())));
                }
                Outcome::End => {
                    self.finish(rows, batch, state).await?;
                    self.end(state, "File read").await?;
                    return Ok(Flow::End);
                }
            }
            if !batch.is_part_full(rows) {
                continue;
            }
            self.send_part(rows, batch).await?;
            if self.is_over() {
                self.finish(rows, batch, state).await?;
                return Ok(Flow::Over);
            }
            if batch.is_full(rows, &state.progress) {
                self.begin_to_finish(rows, batch, state, Ends::Batch).await?;
            }
        }
    }

    /// Begins to send a part, and lets the batch before go on; waits while too many parts are under way.
    async fn send_part<'f>(&'f self, rows: &Rows, batch: &mut Batch<'f>) -> Result<(), Disposition> {
        let part = std::mem::take(&mut batch.part);
        (batch.begin, batch.rows_before) = (rows.place().offset, rows.counts().rows);
        if !part.is_empty() {
            let send = async move { self.send(part.iter().collect()).await.map(|lost| lost.len() as u64) };
            batch.sending.push(send.boxed_local());
        }
        for _ in 0..YIELDS {
            // The first call of the part begins now, not when a response is waited for.
            batch.until(|_, _| true).await?;
            yield_now().await;
        }
        batch.until(|batch, _| batch.sending.len() < PARTS).await
    }

    /// Begins to send the rest of a batch, with the held-back rows last, and to store its progress, while the next one
    /// is read.
    async fn begin_to_finish<'f>(
        &'f self,
        rows: &Rows,
        batch: &mut Batch<'f>,
        state: &mut State,
        ends: Ends,
    ) -> Result<(), Disposition> {
        let last = batch.end();
        self.send_part(rows, batch).await?;
        batch.finished(state).await?;
        state.progress.position = rows.position();
        let full = std::mem::replace(batch, Batch::at(rows, self.kind));
        batch.finishing = Some(maybe_done(self.finished(full, last, state.for_finishing(), ends).boxed_local()));
        // Its next call begins now.
        batch.until(|_, _| true).await
    }

    /// The same for the last batch; waits for the end.
    async fn finish<'f>(&'f self, rows: &Rows, batch: &mut Batch<'f>, state: &mut State) -> Result<(), Disposition> {
        self.begin_to_finish(rows, batch, state, Ends::Call).await?;
        batch.finished(state).await
    }

    async fn finished(
        &self,
        batch: Batch<'_>,
        last: LastRows,
        mut state: State,
        ends: Ends,
    ) -> Result<State, Disposition> {
        let Batch { mut sending, lost: mut lost_rows, .. } = batch;
        while let Some(sent) = sending.next().await {
            lost_rows += sent?;
        }
        let rows = last.rows();
        if !rows.is_empty() {
            let lost = self.send(rows).await?;
            lost_rows += lost.len() as u64;
            state.tail.add(last, &lost);
        }
        self.store_with(&mut state, ends, lost_rows).await?;
        Ok(state)
    }

    async fn send(&self, rows: Vec<&ValidRow>) -> Result<Vec<u64>, Disposition> {
        send(self.ports, self.kind, &self.file, rows, &self.listed).await
    }

    /// Logs that all rows are done, then stores it. It is logged first, because no later call would log it if this one
    /// ends in between.
    async fn end(&self, state: &mut State, message: &str) -> Result<(), Disposition> {
        let counts = state.progress.position.counts;
        let data = json!({"file": self.file.name(), "rows": counts.rows, "invalid": counts.invalid});
        for warning in [counts.warning(&self.file), state.campaigns.warning(&self.file)].into_iter().flatten() {
            self.ports.warn(&warning, data.clone());
        }
        self.ports.info(message, data);
        state.progress.ending = Some(Ending { since_ms: self.ports.now_ms(), ..Ending::default() });
        self.store(state).await
    }
}

#[cfg(test)]
mod tests;
