//! Writes the records of a batch: one call for each topic, since a topic that is down must not keep others waiting.

use futures::future::join_all;
use pipeline::send::LogRecord;
use std::collections::BTreeMap;
use worker_kit::calls;
use worker_kit::platform::{Error, event_log};

/// Writes records to their topics; `write` writes those of one topic, and returns the result of each. Returns the result
/// of each record, in their order.
pub async fn produce(
    records: Vec<LogRecord>,
    write: impl AsyncFn(String, Vec<event_log::LogRecord>) -> Result<Vec<Result<(), Error>>, Error>,
) -> Vec<Result<(), Error>> {
    let mut results = vec![Err(calls::unmentioned()); records.len()];
    let mut topics: BTreeMap<String, Vec<(usize, event_log::LogRecord)>> = BTreeMap::new();
    for (index, LogRecord { topic, key, value, headers }) in records.into_iter().enumerate() {
        topics.entry(topic).or_default().push((index, event_log::LogRecord { key, value, headers }));
    }
    let write = &write;
    let written = topics.into_iter().map(async |(topic, records)| {
        let (indices, records): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let results = calls::each(&records, async |records: Vec<_>| write(topic.clone(), records).await).await;
        indices.into_iter().zip(results)
    });
    for (index, result) in join_all(written).await.into_iter().flatten() {
        if let Some(place) = results.get_mut(index) {
            *place = result.and_then(|result| result);
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::cell::RefCell;
    use worker_kit::platform::ErrorKind;

    fn record(topic: &str, value: &str) -> LogRecord {
        let (topic, key, value) = (topic.to_owned(), "campaign".to_owned(), value.to_owned());
        LogRecord { topic, key, value, headers: vec![("dedup-id".to_owned(), "id".to_owned())] }
    }

    fn down() -> Error {
        Error::new(ErrorKind::Unavailable, "no broker can be reached")
    }

    #[test]
    fn use_case_5_the_records_of_each_topic_are_written_by_a_call_in_their_order() {
        let asked = RefCell::new(vec![]);
        let records = ["1", "2", "3", "4"].into_iter().zip(["m", "c", "m", "c"]);
        let records: Vec<_> = records.map(|(value, topic)| record(topic, value)).collect();
        let results = block_on(produce(records, async |topic: String, records: Vec<event_log::LogRecord>| {
            let values: Vec<_> = records.iter().map(|record| record.value.clone()).collect();
            assert!(records.iter().all(|record| record.key == "campaign" && record.headers.len() == 1));
            asked.borrow_mut().push(format!("{topic} {}", values.join(" ")));
            Ok(vec![Ok(()); records.len()])
        }));
        assert_eq!(results, vec![Ok(()); 4]);
        assert_eq!(*asked.borrow(), ["c 2 4", "m 1 3"]);
    }

    #[test]
    fn use_case_5_kafka_publish_failure_is_the_records_own_and_a_topic_that_is_down_keeps_back_its_own() {
        let records = vec![record("a", "1"), record("b", "2"), record("a", "3"), record("a", "4")];
        let lost = || Error::new(ErrorKind::Unavailable, "no leader");
        let results =
            block_on(produce(
                records,
                async |topic: String, _: Vec<event_log::LogRecord>| {
                    if topic == "b" { Err(down()) } else { Ok(vec![Ok(()), Err(lost())]) }
                },
            ));
        assert_eq!(results, [Ok(()), Err(down()), Err(lost()), Err(calls::unmentioned())]);
    }

    #[test]
    fn nothing_to_write_makes_no_call() {
        let write = async |_: String, _: Vec<event_log::LogRecord>| Err(down());
        assert!(block_on(produce(vec![], write)).is_empty());
    }
}
