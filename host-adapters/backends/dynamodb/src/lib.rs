//! DynamoDB: [`Dynamodb`] has the tables, [`DynamodbStreams`] their change streams with leases and checkpoints.

mod config;
mod stream;
mod table;

pub use config::DynamodbConfig;
pub use config::DynamodbConfig as Config;
pub use stream::DynamodbStreams;
pub use table::Dynamodb;
