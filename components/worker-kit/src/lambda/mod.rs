//! The event JSON that AWS Lambda passes to a function, and the response that it reads. Pure.

pub mod answer;
pub mod appsync;
mod batch;

#[cfg(test)]
mod tests;

pub use batch::{Incoming, MalformedEvent, parse};
