//! Deleting and changing visibility, ten receipts a call.

use super::receive::seconds;
use super::{BATCH, Sqs};
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use backend_aws::{error, side_by_side};
use host_adapters_platform::Result;
use host_adapters_platform::limits::message::check_visibility;
use host_adapters_records::{Error, ErrorKind};
use std::time::Duration;

/// The result of each entry of a call.
type Results = Vec<Option<Error>>;

impl Sqs {
    pub(super) async fn delete_all(&self, queue: &str, receipts: &[String]) -> Result<Results> {
        let url = self.url(queue).await?;
        let calls = receipts.chunks(BATCH).map(|receipts| self.delete(queue, &url, receipts));
        Ok(side_by_side(calls).await.concat())
    }

    async fn delete(&self, queue: &str, url: &str, receipts: &[String]) -> Results {
        let entry = |(id, receipt): (usize, &String)| {
            DeleteMessageBatchRequestEntry::builder().id(id.to_string()).receipt_handle(receipt).build()
        };
        let entries = receipts.iter().enumerate().map(entry).collect::<std::result::Result<_, BuildError>>();
        let request = self.client.delete_message_batch().queue_url(url);
        let answer = match entries {
            Ok(entries) => request.set_entries(Some(entries)).send().await.map_err(|failed| error(queue, &failed)),
            Err(wrong) => Err(Error::new(ErrorKind::Invalid, wrong.to_string())),
        };
        results(queue, receipts.len(), answer.map(|answer| answer.failed))
    }

    pub(super) async fn change_visibility_all(&self, queue: &str, changes: &[(String, Duration)]) -> Result<Results> {
        let url = self.url(queue).await?;
        let calls = changes.chunks(BATCH).map(|changes| self.change_visibility(queue, &url, changes));
        Ok(side_by_side(calls).await.concat())
    }

    async fn change_visibility(&self, queue: &str, url: &str, changes: &[(String, Duration)]) -> Results {
        let mut results: Results = changes.iter().map(|(_, by)| check_visibility(*by).err()).collect();
        let good = changes.iter().enumerate().filter(|(_, (_, by))| check_visibility(*by).is_ok());
        let entry = |(id, (receipt, by)): (usize, &(String, Duration))| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(seconds(*by))
                .build()
        };
        let entries = good.map(entry).collect::<std::result::Result<Vec<_>, BuildError>>();
        let request = self.client.change_message_visibility_batch().queue_url(url);
        let answer = match entries {
            Ok(entries) if entries.is_empty() => return results,
            Ok(entries) => request.set_entries(Some(entries)).send().await.map_err(|failed| error(queue, &failed)),
            Err(wrong) => Err(Error::new(ErrorKind::Invalid, wrong.to_string())),
        };
        let said = self::results(queue, changes.len(), answer.map(|answer| answer.failed));
        for (result, said) in results.iter_mut().zip(said) {
            *result = result.take().or(said);
        }
        results
    }
}

/// Reads the results: an entry's id is its index. If the call failed, every entry has failed.
fn results(queue: &str, count: usize, answer: Result<Vec<BatchResultErrorEntry>>) -> Results {
    let failed = match answer {
        Ok(failed) => failed,
        Err(error) => return vec![Some(error); count],
    };
    let mut results = vec![None; count];
    for entry in failed {
        let kind = if entry.sender_fault { ErrorKind::Invalid } else { ErrorKind::Unavailable };
        let said = format!("{queue}: {}: {}", entry.code, entry.message.as_deref().unwrap_or_default());
        if let Some(result) = entry.id.parse::<usize>().ok().and_then(|place| results.get_mut(place)) {
            *result = Some(Error::new(kind, said));
        }
    }
    results
}
