//! The event JSON that AWS Lambda passes to a function, and the response that it reads. Pure.

pub mod answer;

#[cfg(test)]
mod tests;

pub use host_adapters_event::appsync;
pub use host_adapters_sources::lambda::{Context, Incoming, LeftOut, MalformedEvent, Several, fails_as_a_whole, parse};
