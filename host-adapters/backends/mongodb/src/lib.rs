//! Collections in MongoDB, by its official driver.

mod config;
mod page;

pub use config::MongodbConfig;
pub use config::MongodbConfig as Config;

use host_adapters_json::is_exact;
use host_adapters_platform::filter::Filter;
use host_adapters_platform::find::Query;
use host_adapters_platform::limits::document::Document as Checked;
use host_adapters_platform::limits::invalid;
use host_adapters_platform::names::Names;
use host_adapters_platform::update::{Overflow, Update};
use host_adapters_platform::{DocumentsBackend, Result};
use host_adapters_records::documents::{DocumentPage, UpdateResult};
use host_adapters_records::{Error, ErrorKind};
use mongodb::bson::{Bson, Document, doc, serialize_to_document};
use mongodb::error::{ErrorKind as Failure, WriteFailure};
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection, Database, IndexModel};
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a call waits for a server that can answer it.
const SERVER_SELECTION: Duration = Duration::from_secs(3);

/// The collections of one database.
#[derive(Clone)]
pub struct Mongo {
    database: Database,
    names: Names,
}

impl Mongo {
    /// The collections with these names, each with `prefix` before it, in `database` at `uri`; connects at first use.
    ///
    /// # Errors
    /// Describes the fault of the address without quoting it, because it may contain a password.
    pub async fn new(
        uri: &str,
        database: &str,
        prefix: &str,
        collections: BTreeSet<String>,
    ) -> std::result::Result<Self, String> {
        let wrong = |error: mongodb::error::Error| format!("not an address of MongoDB: {}", cause(&error));
        let mut options = ClientOptions::parse(uri).await.map_err(wrong)?;
        options.app_name.get_or_insert_with(|| "host-adapters".to_owned());
        options.server_selection_timeout.get_or_insert(SERVER_SELECTION);
        options.connect_timeout.get_or_insert(SERVER_SELECTION);
        let client = Client::with_options(options).map_err(wrong)?;
        Ok(Self { database: client.database(database), names: Names::new("collection", prefix, collections) })
    }

    /// Whether the server answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn probe(&self) -> Result<()> {
        self.database.run_command(doc! {"ping": 1}).await.map(drop).map_err(|failed| error("mongodb", &failed))
    }

    /// Makes the indexes that lookups use: `id` and `slug` of each collection.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn provision(&self) -> Result<()> {
        for name in self.names.declared() {
            let collection = self.collection(name)?;
            for field in ["id", "slug"] {
                let index = IndexModel::builder().keys(doc! {field: 1}).build();
                collection.create_index(index).await.map_err(|failed| error(name, &failed))?;
            }
        }
        Ok(())
    }

    fn collection(&self, name: &str) -> Result<Collection<Document>> {
        Ok(self.database.collection(&self.names.real(name)?))
    }
}

#[async_trait::async_trait]
impl DocumentsBackend for Mongo {
    async fn find_one(&self, collection: &str, filter: Filter) -> Result<Option<String>> {
        let (name, collection) = (collection, self.collection(collection)?);
        // `_id` is MongoDB's own; documents have an `id`.
        let found = collection.find_one(bson(filter.source())?).projection(doc! {"_id": 0}).await;
        let found = found.map_err(|failed| error(name, &failed))?;
        Ok(found.map(|document| json(Bson::Document(document)).to_string()))
    }

    async fn find(&self, collection: &str, query: Query) -> Result<DocumentPage> {
        page::find(collection, &self.collection(collection)?, &query).await
    }

    async fn replace_one(&self, collection: &str, filter: Filter, document: Checked) -> Result<()> {
        let (name, collection) = (collection, self.collection(collection)?);
        let replaced = collection.replace_one(bson(filter.source())?, bson(&document.fields)?).upsert(true).await;
        replaced.map(drop).map_err(|failed| error(name, &failed))
    }

    async fn update_one(&self, collection: &str, filter: Filter, update: Update) -> Result<UpdateResult> {
        let (name, collection) = (collection, self.collection(collection)?);
        let (filter, failed) = (bson(filter.source())?, |failed| error(name, &failed));
        let overflows: Vec<_> = update.overflows().iter().map(overflowing).collect();
        let mut safe = filter.clone();
        if !overflows.is_empty() {
            safe = doc! {"$and": [filter.clone(), {"$nor": overflows.clone()}]};
        }
        let updated = collection.update_one(safe, bson(update.source())?).await.map_err(failed)?;
        if updated.matched_count == 0 && !overflows.is_empty() {
            let refused = collection.find_one(doc! {"$and": [filter, {"$or": overflows}]}).await.map_err(failed)?;
            if refused.is_some() {
                return Err(invalid(format!("{name}: `$inc` exceeds what a number holds")));
            }
        }
        Ok(UpdateResult { matched: updated.matched_count, modified: updated.modified_count })
    }
}

/// Documents to which MongoDB would add up to infinity, where other backends refuse.
fn overflowing(overflow: &Overflow) -> Document {
    let operator = if overflow.from > 0.0 { "$gte" } else { "$lte" };
    doc! {overflow.path.clone(): {operator: overflow.from}}
}

fn bson(fields: &Map<String, Value>) -> Result<Document> {
    serialize_to_document(fields).map_err(|error| invalid(format!("cannot be stored in MongoDB: {error}")))
}

/// As JSON; times that other programs stored as dates become RFC 3339, ids hexadecimal, decimals that a number would not
/// hold to the last digit strings.
fn json(value: Bson) -> Value {
    match value {
        Bson::Document(fields) => fields.into_iter().map(|(name, value)| (name, json(value))).collect(),
        Bson::Array(values) => values.into_iter().map(json).collect(),
        Bson::DateTime(time) => time.try_to_rfc3339_string().map_or(Value::Null, Value::String),
        Bson::ObjectId(id) => Value::String(id.to_hex()),
        Bson::Decimal128(number) => {
            let text = number.to_string();
            let number = text.parse().ok().filter(|_| is_exact(&text));
            number.map_or(Value::String(text), Value::Number)
        }
        Bson::Int32(number) => number.into(),
        Bson::Int64(number) => number.into(),
        Bson::Double(number) => double(number),
        Bson::Boolean(bool) => bool.into(),
        Bson::String(text) | Bson::Symbol(text) => text.into(),
        Bson::Null | Bson::Undefined => Value::Null,
        other => other.to_string().into(),
    }
}

/// A number, or the name of what other programs stored and JSON has no number for.
fn double(number: f64) -> Value {
    let name = match number {
        _ if number.is_nan() => "NaN",
        _ if number > 0.0 => "Infinity",
        _ => "-Infinity",
    };
    Number::from_f64(number).map_or_else(|| name.into(), Value::Number)
}

/// Codes of a call that can never succeed: BadValue, FailedToParse, TypeMismatch, PathNotViable,
/// ConflictingUpdateOperators, DollarPrefixedFieldName, EmptyFieldName, ImmutableField, CannotBackfillArray,
/// CannotIndexParallelArrays, and what a document cannot be.
const INVALID: [i32; 13] = [2, 9, 14, 28, 40, 52, 56, 66, 154, 171, 10_334, 17_280, 17_419];

fn error(collection: &str, failed: &mongodb::error::Error) -> Error {
    let kind = match &*failed.kind {
        Failure::Command(command) if INVALID.contains(&command.code) => ErrorKind::Invalid,
        Failure::Write(WriteFailure::WriteError(write)) if INVALID.contains(&write.code) => ErrorKind::Invalid,
        Failure::InvalidArgument { .. } | Failure::BsonSerialization(_) => ErrorKind::Invalid,
        // A refused login, too: the operator has to fix it, and no record may be given up because of it.
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{collection}: {}", cause(failed)))
}

/// What went wrong, in one line. Addresses in it are of hosts, without credentials.
fn cause(failed: &mongodb::error::Error) -> String {
    failed.kind.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use mongodb::bson::DateTime;
    use mongodb::bson::oid::ObjectId;
    use serde_json::json as value;

    #[test]
    fn json_survives_the_way_there_and_back() {
        let document = value!({"id": "c", "n": [1, -1, 12.5, 9_007_199_254_740_993_i64], "b": true, "none": null, "deep": {"ü": {}}});
        assert_eq!(json(Bson::Document(bson(document.as_object().unwrap()).unwrap())), document);
    }

    #[test]
    fn what_other_programs_wrote_is_readable() {
        let id = ObjectId::from_bytes([7; 12]);
        let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
        let document = doc! {
            "at": DateTime::from_millis(1_705_312_800_123), "by": id, "price": decimal("12.50"), "exact": decimal("0.1234567890123456789"),
            "none": decimal("NaN"), "most": f64::INFINITY, "least": f64::NEG_INFINITY, "no": f64::NAN,
        };
        let expected = value!({
            "at": "2024-01-15T10:00:00.123Z", "by": "07".repeat(12), "price": 12.5, "exact": "0.1234567890123456789", "none": "NaN",
            "most": "Infinity", "least": "-Infinity", "no": "NaN",
        });
        assert_eq!(json(Bson::Document(document)), expected);
    }

    #[tokio::test]
    async fn a_wrong_address_is_not_quoted() {
        let error = Mongo::new("mongo://user:hunter2@h", "d", "", BTreeSet::new()).await.err().unwrap();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
