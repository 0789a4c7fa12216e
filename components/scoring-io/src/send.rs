//! What becomes of the records of a file, batch by batch: they are saved, if the file is of `fanlist/scored/`, and put to
//! the worker's data stream.

use crate::calls;
use crate::listed::Listed;
use crate::ports::Ports;
use crate::save;
use scoring::fan::jobs;
use scoring::file::File;
use scoring::record::ScoreRecord;
use scoring::schema::Kind;
use serde_json::json;
use std::collections::BTreeSet;
use worker_kit::Disposition;
use worker_kit::platform::Error;
use worker_kit::platform::data_streams::DataRecord;

/// How often a record is tried before its call fails.
const ATTEMPTS: u32 = 6;
/// The first pause between attempts, milliseconds. Each is twice as long as the one before: 3.1 s together.
const PAUSE_MS: u64 = 100;

/// Sends a batch. A record that is wrong in itself is logged and left out.
///
/// # Errors
/// What stands in the way of all records, or of one that may succeed later.
pub(crate) async fn send(
    ports: &impl Ports,
    kind: Kind,
    file: &File,
    records: Vec<ScoreRecord>,
    listed: &Listed,
) -> Result<(), Disposition> {
    let lost = |message, reason: &str| listed.error(ports, message, json!({"file": file.name(), "reason": reason}));
    let mut data: Vec<_> = records.iter().map(data_record).collect();
    if kind == Kind::Fanlist {
        let unsaved = save(ports, records, |reason| lost("Row not saved", reason)).await?;
        listed.add_lost(unsaved.len());
        let saved = data.into_iter().enumerate().filter(|(index, _)| !unsaved.contains(index));
        data = saved.map(|(_, record)| record).collect();
    }
    let wrong = put(ports, &data).await.map_err(|error| error.disposition())?;
    wrong.iter().for_each(|error| lost("Row not put", &error.message));
    listed.add_lost(wrong.len());
    Ok(())
}

/// A record of a data stream. Records of one fan, as far as they themselves tell, have one key.
pub fn data_record(record: &ScoreRecord) -> DataRecord {
    // A record can always be serialised.
    DataRecord { partition_key: partition_key(record).to_owned(), data: serde_json::to_vec(record).unwrap_or_default() }
}

/// The fan's strongest name.
fn partition_key(record: &ScoreRecord) -> &str {
    let names = [&record.member_id, &record.global_user_id, &record.email];
    names.into_iter().find_map(Option::as_deref).unwrap_or_default()
}

/// Saves records; those whose jobs fail for now are tried again. Returns the indices of those that are not saved, each of
/// which `wrong` was told with the reason.
async fn save(
    ports: &impl Ports,
    records: Vec<ScoreRecord>,
    wrong: impl Fn(&str),
) -> Result<BTreeSet<usize>, Disposition> {
    let (mut open, mut unsaved) = (jobs(records.into_iter().enumerate()), BTreeSet::new());
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
                    wrong(&reason);
                    unsaved.extend(job.indices);
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

/// Puts records to the worker's data stream; those that fail alone are put again. Returns the errors of those that are wrong
/// in themselves.
async fn put(ports: &impl Ports, records: &[DataRecord]) -> Result<Vec<Error>, Error> {
    let (mut open, mut wrong) = (records.iter().collect::<Vec<_>>(), vec![]);
    for attempt in 1.. {
        let put = async |records: Vec<&DataRecord>| ports.put(records.into_iter().cloned().collect()).await;
        let results = calls::each(&open, put).await;
        let (mut failed, mut problem) = (vec![], None);
        for (record, result) in open.into_iter().zip(results) {
            match result.and_then(|result| result) {
                Ok(_) => {}
                Err(error) if error.is_wrong() => wrong.push(error),
                Err(error) => {
                    failed.push(record);
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
