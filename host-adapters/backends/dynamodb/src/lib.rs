//! DynamoDB: [`Dynamodb`] reads and writes tables, [`DynamodbStreams`] reads their change streams and keeps leases and
//! checkpoints, [`DynamodbFailures`] counts the failures of messages.

mod config;
mod failures;
mod stream;
mod table;

pub use config::DynamodbConfig;
pub use config::DynamodbConfig as Config;
pub use config::host_id;
pub use failures::DynamodbFailures;
pub use stream::{DynamodbStreams, lease};
pub use table::Dynamodb;
