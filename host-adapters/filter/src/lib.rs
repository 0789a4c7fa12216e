//! Filters of events: which messages a subscription takes, which records a source gives to its worker.
//!
//! The operators and the way in which they treat arrays are those of Amazon's event ruler
//! (<https://github.com/aws/event-ruler>), which EventBridge, SNS and Lambda use. A filter is compiled once, when the
//! configuration is read, and then compared with any number of events.
//!
//! - [`SubscriptionFilter`]: the filter policy of a topic's subscription, on a message's attributes or its body.
//! - [`RecordFilters`]: the filters of a source, at least one of which must match.
//! - [`Filter`]: a pattern and JSON text; the other two are built on it.
//!
//! A policy names fields, and for each the values that it may have. All fields must match, each with one of its values.
//! A field that is a list matches if one of its elements does. Fields of a list of objects must match in one and the
//! same object (the ruler's "array consistency"). The name `a.b` and the name `b` in `a` are the same field.
//!
//! # Where it differs from the ruler
//! Each is one variant of `Difference` in `tests/ruler-checks`, which compares both:
//! - Numbers are compared to the last digit. The ruler compares those that a double holds, and of the others only the
//!   text; it refuses them in `numeric` and `anything-but`.
//! - A number is not an address, and an address of IPv4 is in no range of IPv6. The ruler compares hexadecimal digits
//!   from the left, and takes 161 for an address in 22.0.0.0/8. `010.0.0.1` is not an address.
//! - `equals-ignore-case` also knows characters beyond the basic plane, and titlecase letters.
//! - A `wildcard` means the same beside other values. With `suffix` or `equals-ignore-case` in the same list, the ruler
//!   takes too much: by `[{"wildcard": "*a*"}, {"suffix": {"equals-ignore-case": "bc"}}]` it matches `xbcx`.
//! - Of a field's values, those outside of a list count even if an element of the list was chosen. That takes an event
//!   that names the field in two ways, `a.b` and `b` in `a`.
//!
//! Refused, where the ruler takes it: a field that is named twice (of which it keeps the last unless told otherwise),
//! an empty list in `anything-but` with an operator, `exactly`, and `$or` as the name of a field.

mod address;
mod alternatives;
mod event;
mod fold;
mod limits;
mod matching;
mod number;
mod operator;
mod pattern;
mod policy;
mod read;
mod records;
mod subscription;
mod tree;
mod wildcard;

pub use event::EventError;
pub use matching::Filter;
pub use policy::PolicyError;
pub use records::{MAX_FILTERS, RecordFilters};
pub use subscription::{Attribute, Scope, SubscriptionFilter};
