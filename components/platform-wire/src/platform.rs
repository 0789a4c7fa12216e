//! The platform as a host sees it: what the runtime and the gateway call, independent of the backend.

use crate::{Error, Function, documents, identity, queue, table};

/// One method per function of the platform. `caller` is the component or client whose grants hold; an implementation
/// checks them on every call.
#[async_trait::async_trait]
#[allow(missing_docs, reason = "each method is the function whose arguments it takes")]
pub trait Platform: Send + Sync + 'static {
    async fn table_batch_get(&self, caller: &str, args: table::BatchGet) -> Output<table::BatchGet>;
    async fn table_batch_write(&self, caller: &str, args: table::BatchWrite) -> Output<table::BatchWrite>;
    async fn table_batch_update(&self, caller: &str, args: table::BatchUpdate) -> Output<table::BatchUpdate>;
    async fn table_query(&self, caller: &str, args: table::Query) -> Output<table::Query>;
    async fn queue_send_batch(&self, caller: &str, args: queue::SendBatch) -> Output<queue::SendBatch>;
    async fn documents_find_one(&self, caller: &str, args: documents::FindOne) -> Output<documents::FindOne>;
    async fn documents_replace_one(&self, caller: &str, args: documents::ReplaceOne) -> Output<documents::ReplaceOne>;
    async fn identity_verify(&self, caller: &str, args: identity::Verify) -> Output<identity::Verify>;
}

/// What a method of [`Platform`] answers.
pub type Output<F> = Result<<F as Function>::Output, Error>;
