//! What workers share that read the records of a batch before they handle them.

use crate::{Disposition, Event};
use serde_json::{Value, json};

/// Hands on the records of a batch that can be read, each with its index, and rejects the others with the reason. A record
/// that `handle` does not mention is retried.
pub async fn handle_readable<T>(
    batch: Vec<Event>,
    read: impl Fn(&Event) -> Result<T, String>,
    handle: impl AsyncFnOnce(Vec<(usize, T)>) -> Vec<(usize, Disposition)>,
) -> Vec<Disposition> {
    let mut dispositions = vec![Disposition::retry("the record was not planned"); batch.len()];
    let mut records = Vec::with_capacity(batch.len());
    for (index, (event, disposition)) in batch.into_iter().zip(&mut dispositions).enumerate() {
        match read(&event) {
            Ok(record) => records.push((index, record)),
            Err(reason) => *disposition = Disposition::Reject(reason),
        }
    }
    for (index, settled) in handle(records).await {
        if let Some(disposition) = dispositions.get_mut(index) {
            *disposition = settled;
        }
    }
    dispositions
}

/// How many of a batch's dispositions satisfy a condition.
pub fn count(dispositions: &[Disposition], wanted: fn(&Disposition) -> bool) -> usize {
    dispositions.iter().filter(|it| wanted(it)).count()
}

/// The counts of a batch's dispositions, for the log.
pub fn counts(dispositions: &[Disposition]) -> Value {
    let count = |wanted| count(dispositions, wanted);
    json!({
        "received": dispositions.len(),
        "processed": count(|it| matches!(it, Disposition::Ack)),
        "failed": count(|it| matches!(it, Disposition::Retry(_) | Disposition::GiveUp(_))),
        "rejected": count(|it| matches!(it, Disposition::Reject(_))),
        "skipped": count(|it| matches!(it, Disposition::Skip(_))),
    })
}
