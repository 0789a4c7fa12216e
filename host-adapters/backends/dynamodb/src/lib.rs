//! DynamoDB: [`Dynamodb`] reads and writes tables, [`DynamodbStreams`] reads their change streams and keeps leases and
//! checkpoints.

mod config;
mod stream;
mod table;

pub use config::DynamodbConfig;
pub use config::DynamodbConfig as Config;
pub use stream::DynamodbStreams;
pub use table::Dynamodb;
