//! What becomes of the rows of a file, part by part: they are saved, if the file is of `fanlist/scored/`, and put to
//! the worker's data stream.

use crate::listed::{Listed, LostRow};
use crate::ports::Ports;
use crate::save;
use scoring::fan::jobs;
use scoring::file::File;
use scoring::record::ScoreRecord;
use scoring::rows::ValidRow;
use scoring::schema::Kind;
use scoring::tail::partition_key;
use std::collections::BTreeMap;
use worker_kit::platform::Error;
use worker_kit::platform::data_streams::DataRecord;
use worker_kit::{Disposition, calls};

/// How often a record is tried before its call fails.
const ATTEMPTS: u32 = 6;
/// The first pause between attempts, milliseconds. Each is twice as long as the one before: 3.1 s together.
const PAUSE_MS: u64 = 100;
/// Bytes of most records, so that their buffer does not grow.
const RECORD_BYTES: usize = 512;

/// Sends rows. Invalid rows are logged and left out; returns their lines.
///
/// # Errors
/// The failure of all rows, or of a row that may succeed later.
pub(crate) async fn send(
    ports: &impl Ports,
    kind: Kind,
    file: &File,
    mut rows: Vec<&ValidRow>,
    listed: &Listed<'_>,
) -> Result<Vec<u64>, Disposition> {
    let lost_row = |message, row: &ValidRow, reason: &str| {
        let (fan, reason) = (partition_key(&row.record).to_owned(), reason.to_owned());
        LostRow { message, line: row.line, fan, reason }
    };
    let mut lost = vec![];
    if kind == Kind::Fanlist {
        let unsaved = save(ports, rows.iter().map(|row| row.record.clone()).collect()).await?;
        let all = std::mem::take(&mut rows);
        for (index, row) in all.into_iter().enumerate() {
            match unsaved.get(&index) {
                Some(reason) => lost.push(lost_row("Row not saved", row, reason)),
                None => rows.push(row),
            }
        }
    }
    let wrong = put(ports, rows).await.map_err(|error| error.disposition())?;
    lost.extend(wrong.into_iter().map(|(row, error)| lost_row("Row not put", row, &error.message)));
    // Before the progress is stored: no later call tells of them.
    listed.lost(ports, file, &lost);
    Ok(lost.into_iter().map(|row| row.line).collect())
}

/// A record of a data stream, under its [`partition_key`].
fn data_record(record: &ScoreRecord) -> DataRecord {
    let mut data = Vec::with_capacity(RECORD_BYTES);
    // A record can always be serialised.
    let _ = serde_json::to_writer(&mut data, record);
    DataRecord { partition_key: partition_key(record).to_owned(), data }
}

/// Saves records; those whose jobs fail for now are tried again. Returns the indices of the invalid ones, each with the
/// reason.
async fn save(ports: &impl Ports, records: Vec<ScoreRecord>) -> Result<BTreeMap<usize, String>, Disposition> {
    let (mut open, mut unsaved) = (jobs(records.into_iter().enumerate()), BTreeMap::new());
    for attempt in 1.. {
        let (mut failed, mut problem) = (vec![], None);
        for (job, disposition) in save::save(ports, open).await {
            match disposition {
                Disposition::Ack => {}
                Disposition::Retry(_) => {
                    problem = Some(disposition);
                    failed.push(job);
                }
                Disposition::Reject(reason) | Disposition::GiveUp(reason) | Disposition::Skip(reason) => {
                    unsaved.extend(job.indices.into_iter().map(|index| (index, reason.clone())));
                }
            }
        }
        match problem {
            None => break,
            Some(problem) if attempt == ATTEMPTS => return Err(problem),
            Some(_) => pause(ports, attempt).await,
        }
        open = failed;
    }
    Ok(unsaved)
}

/// Puts rows to the worker's data stream; those that fail alone are put again. Returns the invalid ones, with their
/// errors.
async fn put<'a>(ports: &impl Ports, mut open: Vec<&'a ValidRow>) -> Result<Vec<(&'a ValidRow, Error)>, Error> {
    let mut wrong = vec![];
    for attempt in 1.. {
        let put =
            async |rows: Vec<&ValidRow>| ports.put(rows.iter().map(|row| data_record(&row.record)).collect()).await;
        let results = calls::each(&open, put).await;
        let (mut failed, mut problem) = (vec![], None);
        for (row, result) in open.into_iter().zip(results) {
            match result.and_then(|result| result) {
                Ok(_) => {}
                Err(error) if error.is_wrong() => wrong.push((row, error)),
                Err(error) => {
                    failed.push(row);
                    problem = Some(error);
                }
            }
        }
        match problem {
            None => break,
            Some(problem) if attempt == ATTEMPTS || !problem.is_retryable() => return Err(problem),
            Some(_) => pause(ports, attempt).await,
        }
        open = failed;
    }
    Ok(wrong)
}

async fn pause(ports: &impl Ports, attempt: u32) {
    ports.pause(PAUSE_MS << attempt.saturating_sub(1)).await;
}
