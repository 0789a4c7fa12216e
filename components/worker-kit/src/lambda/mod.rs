//! The event JSON that AWS Lambda would hand a worker, and the answer it would read. Pure.

pub mod answer;
pub mod appsync;
mod attribute_value;
mod batch;
mod sqs;
mod stream;

#[cfg(test)]
mod tests;

pub use batch::{Incoming, MalformedEvent, parse};
