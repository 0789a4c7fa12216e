//! Putting records: 500 or 5 MiB a request, one request after the other. Kinesis takes some records of a request and refuses
//! others; those are put again, before what follows them.

use super::Kinesis;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use backend_aws::error;
use backon::{BackoffBuilder, ExponentialBuilder};
use host_adapters_platform::Result;
use host_adapters_platform::data_streams::{bytes, check_record};
use host_adapters_records::data_streams::DataRecord;
use host_adapters_records::{Error, ErrorKind};
use std::collections::VecDeque;
use std::time::Duration;

/// Kinesis's limit for a `PutRecords`.
const RECORDS: usize = 500;
/// Most bytes of a request, keys included. Kinesis takes 10 MiB since the end of 2025, and took 5 MiB before, as other
/// servers do.
const REQUEST_BYTES: usize = 5 * 1024 * 1024;
/// The first wait before what was refused is put again; the waits double. A shard takes 1,000 records in any second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// How often a record is put again.
const AGAIN: usize = 5;

/// A record, the index of its result, and how often it was refused.
struct Open {
    place: usize,
    record: DataRecord,
    refused: usize,
}

impl Kinesis {
    /// Returns each record's sequence number, or its error.
    pub(super) async fn put_all(&self, stream: &str, records: Vec<DataRecord>) -> Result<Vec<Result<String>>> {
        let real = self.names.real(stream)?;
        let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_max_times(AGAIN).with_jitter();
        let waits: Vec<Duration> = waits.build().collect();
        let mut answers = Vec::with_capacity(records.len());
        let mut open = VecDeque::with_capacity(records.len());
        for (place, record) in records.into_iter().enumerate() {
            answers.push(match check_record(&record) {
                Ok(()) => {
                    open.push_back(Open { place, record, refused: 0 });
                    // A placeholder: the result below replaces it.
                    Err(no_answer(stream))
                }
                Err(error) => Err(error),
            });
        }
        while !open.is_empty() {
            let request = next_request(&mut open);
            let put = match self.put_once(stream, &real, &request).await {
                // The SDK has already tried again. What follows would meet the same.
                Err(error) if error.kind != ErrorKind::Throttled => {
                    for it in request.iter().chain(&open) {
                        set(&mut answers, it.place, Err(error.clone()));
                    }
                    break;
                }
                put => put,
            };
            let mut again = Vec::new();
            for (nth, it) in request.into_iter().enumerate() {
                let answer = match &put {
                    Ok(put) => put.get(nth).map_or_else(|| Err(no_answer(stream)), |put| answer_of(stream, put)),
                    Err(error) => Err(error.clone()),
                };
                match answer {
                    Err(_) if it.refused < waits.len() => again.push(Open { refused: it.refused + 1, ..it }),
                    answer => set(&mut answers, it.place, answer),
                }
            }
            let most = again.iter().map(|it| it.refused).max().unwrap_or(0);
            if let Some(wait) = most.checked_sub(1).and_then(|nth| waits.get(nth)) {
                tokio::time::sleep(*wait).await;
            }
            again.into_iter().rev().for_each(|it| open.push_front(it));
        }
        Ok(answers)
    }

    /// Makes one request; returns the result of each record.
    async fn put_once(&self, stream: &str, real: &str, request: &[Open]) -> Result<Vec<PutRecordsResultEntry>> {
        let wrong = |error: aws_sdk_kinesis::error::BuildError| Error::new(ErrorKind::Invalid, error.to_string());
        let entries: Vec<_> =
            request.iter().map(|it| entry(&it.record)).collect::<std::result::Result<_, _>>().map_err(wrong)?;
        let answer = self.client.put_records().stream_name(real).set_records(Some(entries)).send().await;
        match answer.map_err(|failed| error(stream, &failed)) {
            Ok(answer) => Ok(answer.records),
            // The operator has to make it: an outage, and no record's fault.
            Err(Error { kind: ErrorKind::NotFound, message, .. }) => Err(Error::new(ErrorKind::Unavailable, message)),
            Err(error) => Err(error),
        }
    }
}

fn set(answers: &mut [Result<String>], place: usize, answer: Result<String>) {
    if let Some(slot) = answers.get_mut(place) {
        *slot = answer;
    }
}

fn no_answer(stream: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{stream}: no answer"))
}

fn answer_of(stream: &str, put: &PutRecordsResultEntry) -> Result<String> {
    match (&put.sequence_number, &put.error_code) {
        (Some(sequence), None) => Ok(sequence.clone()),
        (_, code) => {
            let code = code.as_deref().unwrap_or_default();
            let kind = match code {
                "ProvisionedThroughputExceededException" => ErrorKind::Throttled,
                _ => ErrorKind::Unavailable,
            };
            let said = put.error_message.as_deref().unwrap_or_default();
            Err(Error::new(kind, format!("{stream}: {code}: {said}")))
        }
    }
}

fn entry(record: &DataRecord) -> std::result::Result<PutRecordsRequestEntry, aws_sdk_kinesis::error::BuildError> {
    let entry = PutRecordsRequestEntry::builder().partition_key(&record.partition_key);
    entry.data(Blob::new(record.data.clone())).build()
}

/// Takes the records of the next request, within Kinesis's limits, from the front.
fn next_request(open: &mut VecDeque<Open>) -> Vec<Open> {
    let (mut request, mut sum) = (Vec::new(), 0);
    while let Some(next) = open.front() {
        sum += bytes(&next.record);
        if request.len() == RECORDS || (sum > REQUEST_BYTES && !request.is_empty()) {
            break;
        }
        request.extend(open.pop_front());
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(records: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let record = |bytes: usize| DataRecord { partition_key: "k".to_owned(), data: vec![0; bytes - 1] };
        let mut open: VecDeque<_> = records
            .into_iter()
            .enumerate()
            .map(|(place, bytes)| Open { place, record: record(bytes), refused: 0 })
            .collect();
        std::iter::from_fn(|| Some(next_request(&mut open).len()).filter(|size| *size > 0)).collect()
    }

    #[test]
    fn requests_keep_both_limits() {
        assert_eq!(sizes(vec![10; 1_200]), [500, 500, 200]);
        assert_eq!(sizes(vec![1 << 20; 11]), [5, 5, 1]);
        assert_eq!(sizes([1 << 20, 1]), [2]);
        assert_eq!(sizes([]), Vec::<usize>::new());
    }
}
