//! Puts and deletes, 25 a request.

use super::Dynamodb;
use super::get::Capacity;
use super::value::{self, Attributes};
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use backend_aws::{error, side_by_side};
use host_adapters_platform::Result;
use host_adapters_platform::limits::item::{Item, check_key};
use host_adapters_records::table::Key;
use host_adapters_records::{Error, ErrorKind};
use std::collections::HashMap;

/// DynamoDB's limit for a `BatchWriteItem`.
const WRITES: usize = 25;

/// A checked write, and the index of its result.
struct Write {
    place: usize,
    key: Key,
    /// `None` to delete.
    item: Option<Attributes>,
}

impl Write {
    fn request(&self) -> Result<WriteRequest> {
        let wrong = |error: aws_sdk_dynamodb::error::BuildError| Error::new(ErrorKind::Invalid, error.to_string());
        let request = WriteRequest::builder();
        Ok(match &self.item {
            Some(item) => {
                request.put_request(PutRequest::builder().set_item(Some(item.clone())).build().map_err(wrong)?)
            }
            None => {
                let key = Some(value::key(self.key.clone()));
                request.delete_request(DeleteRequest::builder().set_key(key).build().map_err(wrong)?)
            }
        }
        .build())
    }
}

impl Dynamodb {
    /// Returns each write's error if it failed, puts first.
    pub(crate) async fn write_all(
        &self,
        table: &str,
        puts: Vec<String>,
        deletes: Vec<Key>,
    ) -> Result<Vec<Option<Error>>> {
        let puts = puts.into_iter().map(|text| {
            let Item { key, text } = Item::parse(text)?;
            Ok((key, Some(value::item(&text)?)))
        });
        let deletes = deletes.into_iter().map(|key| check_key(&key).map(|()| (key, None)));
        let mut results = Vec::new();
        let mut writes = Vec::new();
        for (place, checked) in puts.chain(deletes).enumerate() {
            match checked {
                Ok((key, item)) => {
                    results.push(None);
                    writes.push(Write { place, key, item });
                }
                Err(error) => results.push(Some(error)),
            }
        }
        for wave in waves(writes, |write| &write.key) {
            let failed = side_by_side(wave.chunks(WRITES).map(|writes| self.write(table, writes))).await;
            for (place, error) in failed.into_iter().flatten() {
                if let Some(result) = results.get_mut(place) {
                    *result = Some(error);
                }
            }
        }
        Ok(results)
    }

    /// One request. If DynamoDB refuses all of it, each write is sent alone to find out which is invalid.
    async fn write(&self, table: &str, writes: &[Write]) -> Vec<(usize, Error)> {
        match self.write_together(table, writes).await {
            Ok(()) => Vec::new(),
            Err(error) if error.kind != ErrorKind::Invalid || writes.len() == 1 => {
                writes.iter().map(|write| (write.place, error.clone())).collect()
            }
            Err(_) => {
                let mut failed = Vec::new();
                for write in writes {
                    let result = self.write_together(table, std::slice::from_ref(write)).await;
                    failed.extend(result.err().map(|error| (write.place, error)));
                }
                failed
            }
        }
    }

    /// Repeats the request until every write is processed, or DynamoDB processes none.
    async fn write_together(&self, table: &str, writes: &[Write]) -> Result<()> {
        let mut open: Vec<WriteRequest> = writes.iter().map(Write::request).collect::<Result<_>>()?;
        let mut capacity = Capacity::of(table);
        while !open.is_empty() {
            let asked = open.len();
            let answer = self.client.batch_write_item().request_items(table, open).send().await;
            let answer = answer.map_err(|failed| error(table, &failed))?;
            open = answer.unprocessed_items.into_iter().flatten().flat_map(|(_, left)| left).collect();
            capacity.wait(asked, open.len()).await?;
        }
        Ok(())
    }
}

/// Splits writes into waves in which no key occurs twice, because DynamoDB refuses such requests. The order of each
/// key's writes is kept.
pub(super) fn waves<T>(writes: Vec<T>, key: impl Fn(&T) -> &Key) -> Vec<Vec<T>> {
    let mut seen: HashMap<Key, usize> = HashMap::new();
    let mut waves: Vec<Vec<T>> = Vec::new();
    for write in writes {
        let count = seen.entry(key(&write).clone()).or_default();
        match waves.get_mut(*count) {
            Some(wave) => wave.push(write),
            None => waves.push(vec![write]),
        }
        *count += 1;
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_occurs_once_in_a_wave_and_keeps_its_order() {
        let writes = ["a1", "b1", "a2", "c1", "a3", "b2"];
        let key = |write: &&str| Key { pk: write.chars().take(1).collect(), sk: "s".to_owned() };
        let keyed: Vec<(Key, &str)> = writes.iter().map(|write| (key(write), *write)).collect();
        let waves: Vec<Vec<&str>> = waves(keyed, |(key, _)| key)
            .into_iter()
            .map(|wave| wave.into_iter().map(|(_, write)| write).collect())
            .collect();
        assert_eq!(waves, [vec!["a1", "b1", "c1"], vec!["a2", "b2"], vec!["a3"]]);
    }
}
