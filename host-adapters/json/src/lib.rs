//! JSON whose numbers keep every digit, for host and guests.
//!
//! `serde_json::Value` holds an integer of 64 bits or a double, and silently rounds any other number. DynamoDB's
//! numbers have 38 digits. So the project carries data as text ([`RawValue`](serde_json::value::RawValue)), and this
//! crate processes such texts:
//!
//! - [`Decimal`]: the value of a number's text.
//! - [`number`]: a number that DynamoDB spelled, as JSON spells it.
//! - [`same`]: whether two texts are the same value; [`same_values`] and [`order_values`] of values that are read already.
//! - [`Numbers`]: the numbers of a text; [`is_exact`]: whether a machine's number holds one.
//! - [`compact`], [`pretty`]: a text as `Value` would write it, but for the numbers.
//! - [`pointer`]: a part of a text.
//! - [`lenient`]: members that other programs write, among them integers with a fraction of zeros.

mod compact;
mod decimal;
pub mod lenient;
mod numbers;
mod pointer;
mod same;
mod value;

pub use compact::{compact, pretty};
pub use decimal::{Decimal, number};
pub use numbers::{Numbers, is_exact};
pub use pointer::pointer;
pub use same::same;
pub use value::{order_values, same_values};

/// How deep objects and lists are followed, as in serde_json.
const MAX_DEPTH: usize = 128;
