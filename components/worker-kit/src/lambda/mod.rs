//! The event JSON that AWS Lambda passes to a function, and the response that it reads. Pure.

pub mod answer;
pub mod appsync;

#[cfg(test)]
mod tests;

pub use host_adapters_sources::lambda::{Context, Incoming, MalformedEvent, parse};
