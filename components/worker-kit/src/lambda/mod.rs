//! The event JSON that AWS Lambda passes to a function, and the response that it reads. Pure.

pub mod batch_response;

#[cfg(test)]
mod tests;

pub use host_adapters_event::appsync;
pub use host_adapters_sources::lambda::{
    Call, Context, Incoming, LeftOut, MalformedEvent, Several, fails_as_a_whole, parse, parse_call,
};
