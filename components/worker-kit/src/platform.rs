//! The platform's functions, in the vocabulary of `platform-wire`, so that a worker's rules need no WIT type.

use crate::bindings::batch::registration::platform as wit;
pub use platform_wire::{Error, ErrorKind};

/// Tables of JSON items with string keys `pk` and `sk`.
pub mod table {
    use super::{Error, errors, wit};
    pub use platform_wire::table::{Key, Page, Predicate, Update};

    /// The items in the order of the keys, as JSON text; `None` where there is no item.
    pub async fn batch_get(table: &str, keys: Vec<Key>) -> Result<Vec<Option<String>>, Error> {
        let keys = keys.into_iter().map(Into::into).collect();
        Ok(wit::table::batch_get(table.to_owned(), keys).await?)
    }

    /// Puts and deletes, each on its own; holds for each put, then each delete, its error if it failed.
    pub async fn batch_write(table: &str, puts: Vec<String>, deletes: Vec<Key>) -> Result<Vec<Option<Error>>, Error> {
        let deletes = deletes.into_iter().map(Into::into).collect();
        Ok(errors(wit::table::batch_write(table.to_owned(), puts, deletes).await?))
    }

    /// Conditional updates, each on its own; holds for each its error if it failed.
    pub async fn batch_update(table: &str, updates: Vec<Update>) -> Result<Vec<Option<Error>>, Error> {
        let updates = updates.into_iter().map(Into::into).collect();
        Ok(errors(wit::table::batch_update(table.to_owned(), updates).await?))
    }

    /// Items of one `pk` whose `sk` begins with `prefix`, in the order of `sk`, at most `limit`.
    pub async fn query(table: &str, pk: &str, prefix: &str, after: Option<String>, limit: u32) -> Result<Page, Error> {
        let page = wit::table::query(table.to_owned(), pk.to_owned(), prefix.to_owned(), after, limit).await?;
        Ok(Page { items: page.items, next: page.next })
    }
}

/// Queues with at-least-once delivery.
pub mod queue {
    use super::{Error, wit};
    pub use platform_wire::queue::Message;

    /// Sends any number of messages; holds for each its id or its error.
    pub async fn send_batch(queue: &str, messages: Vec<Message>) -> Result<Vec<Result<String, Error>>, Error> {
        let messages = messages.into_iter().map(Into::into).collect();
        let sent = wit::queue::send_batch(queue.to_owned(), messages).await?;
        Ok(sent.into_iter().map(|result| result.map_err(Into::into)).collect())
    }
}

/// Collections of JSON documents with MongoDB's filters, as JSON text.
pub mod documents {
    use super::{Error, wit};

    /// The first document that the filter finds.
    pub async fn find_one(collection: &str, filter: &str) -> Result<Option<String>, Error> {
        Ok(wit::documents::find_one(collection.to_owned(), filter.to_owned()).await?)
    }

    /// Replaces the document that the filter finds, or inserts it.
    pub async fn replace_one(collection: &str, filter: &str, document: &str) -> Result<(), Error> {
        Ok(wit::documents::replace_one(collection.to_owned(), filter.to_owned(), document.to_owned()).await?)
    }
}

/// Who a caller is.
pub mod identity {
    use super::{Error, wit};
    pub use platform_wire::identity::Claims;

    /// Verifies a token; [`ErrorKind::Denied`](super::ErrorKind::Denied) says why it is not accepted.
    pub async fn verify(token: &str) -> Result<Claims, Error> {
        let claims = wit::identity::verify(token.to_owned()).await?;
        let wit::identity::Claims { subject, email, member_id, idv } = claims;
        Ok(Claims { subject, email, member_id, idv })
    }
}

fn errors(errors: Vec<Option<wit::types::Error>>) -> Vec<Option<Error>> {
    errors.into_iter().map(|error| error.map(Into::into)).collect()
}

impl From<wit::types::Error> for Error {
    fn from(error: wit::types::Error) -> Self {
        Self { kind: error.kind.into(), message: error.message, retry_after_ms: error.retry_after_ms }
    }
}

impl From<wit::types::ErrorKind> for ErrorKind {
    fn from(kind: wit::types::ErrorKind) -> Self {
        match kind {
            wit::types::ErrorKind::Unavailable => Self::Unavailable,
            wit::types::ErrorKind::Throttled => Self::Throttled,
            wit::types::ErrorKind::NotFound => Self::NotFound,
            wit::types::ErrorKind::ConditionFailed => Self::ConditionFailed,
            wit::types::ErrorKind::Invalid => Self::Invalid,
            wit::types::ErrorKind::Denied => Self::Denied,
        }
    }
}

impl From<table::Key> for wit::table::Key {
    fn from(table::Key { pk, sk }: table::Key) -> Self {
        Self { pk, sk }
    }
}

impl From<table::Predicate> for wit::table::Predicate {
    fn from(predicate: table::Predicate) -> Self {
        match predicate {
            table::Predicate::Exists(path) => Self::Exists(path),
            table::Predicate::NotExists(path) => Self::NotExists(path),
            table::Predicate::Equals(path, value) => Self::Equals((path, value)),
        }
    }
}

impl From<table::Update> for wit::table::Update {
    fn from(table::Update { key, set, remove, condition }: table::Update) -> Self {
        let condition = condition.into_iter().map(Into::into).collect();
        Self { key: key.into(), set, remove, condition }
    }
}

impl From<queue::Message> for wit::queue::Message {
    fn from(queue::Message { body, attributes, delay_secs }: queue::Message) -> Self {
        Self { body, attributes, delay_secs }
    }
}
