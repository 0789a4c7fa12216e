//! What becomes of the rows of a file, part by part: they are saved, if the file is of `fanlist/scored/`, and put to
//! the worker's data stream.

use crate::calls;
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
use worker_kit::Disposition;
use worker_kit::platform::Error;
use worker_kit::platform::data_streams::DataRecord;

/// How often a record is tried before its call fails.
const ATTEMPTS: u32 = 6;
/// The first pause between attempts, milliseconds. Each is twice as long as the one before: 3.1 s together.
const PAUSE_MS: u64 = 100;

/// A row on its way to the stream, with its line in the file.
type Sent = (u64, DataRecord);

/// Sends rows. One that is wrong in itself is logged and left out: returns the lines of these.
///
/// # Errors
/// What stands in the way of all rows, or of one that may succeed later.
pub(crate) async fn send(
    ports: &impl Ports,
    kind: Kind,
    file: &File,
    rows: Vec<ValidRow>,
    listed: &Listed,
) -> Result<Vec<u64>, Disposition> {
    let lost_row = |message, (line, record): &Sent, reason: &str| {
        let (fan, reason) = (record.partition_key.clone(), reason.to_owned());
        LostRow { message, line: *line, fan, reason }
    };
    let mut lost = vec![];
    let mut data: Vec<Sent> = rows.iter().map(|row| (row.line, data_record(&row.record))).collect();
    if kind == Kind::Fanlist {
        let unsaved = save(ports, rows.into_iter().map(|row| row.record).collect()).await?;
        let mut saved = vec![];
        for (index, sent) in data.into_iter().enumerate() {
            match unsaved.get(&index) {
                Some(reason) => lost.push(lost_row("Row not saved", &sent, reason)),
                None => saved.push(sent),
            }
        }
        data = saved;
    }
    let wrong = put(ports, &data).await.map_err(|error| error.disposition())?;
    lost.extend(wrong.into_iter().map(|(sent, error)| lost_row("Row not put", sent, &error.message)));
    // Before the progress is stored: no later call tells of them.
    listed.lost(ports, file, &lost);
    Ok(lost.into_iter().map(|row| row.line).collect())
}

/// A record of a data stream, under its [`partition_key`].
pub fn data_record(record: &ScoreRecord) -> DataRecord {
    // A record can always be serialised.
    DataRecord { partition_key: partition_key(record).to_owned(), data: serde_json::to_vec(record).unwrap_or_default() }
}

/// Saves records; those whose jobs fail for now are tried again. Returns the indices of those that are wrong in themselves,
/// each with the reason.
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

/// Puts records to the worker's data stream; those that fail alone are put again. Returns those that are wrong in
/// themselves, with their errors.
async fn put<'a>(ports: &impl Ports, records: &'a [Sent]) -> Result<Vec<(&'a Sent, Error)>, Error> {
    let (mut open, mut wrong) = (records.iter().collect::<Vec<_>>(), vec![]);
    for attempt in 1.. {
        let put = async |records: Vec<&Sent>| ports.put(records.into_iter().map(|it| it.1.clone()).collect()).await;
        let results = calls::each(&open, put).await;
        let (mut failed, mut problem) = (vec![], None);
        for (sent, result) in open.into_iter().zip(results) {
            match result.and_then(|result| result) {
                Ok(_) => {}
                Err(error) if error.is_wrong() => wrong.push((sent, error)),
                Err(error) => {
                    failed.push(sent);
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
