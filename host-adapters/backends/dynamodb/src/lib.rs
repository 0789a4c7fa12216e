//! DynamoDB: [`Dynamodb`] has the tables, [`DynamodbStreams`] their change streams with leases and checkpoints.

mod stream;
mod table;

pub use stream::DynamodbStreams;
pub use table::Dynamodb;
