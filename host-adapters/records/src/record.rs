//! The macros that define a record of the WIT: a type that is serialised, weighed, and, for `runtime`, passed into the
//! sandbox without conversion. A name that differs from the WIT's is followed by the WIT's.

/// A `record`.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$field_meta:meta])* $field:ident $(= $wit:literal)?: $type:ty),* $(,)?
    }) => {
        unweighed! {
            $(#[$meta])* $name { $($(#[$field_meta])* $field $(= $wit)?: $type,)* }
        }

        impl $crate::Weight for $name {
            fn weight(&self) -> usize {
                0 $(+ $crate::Weight::weight(&self.$field))*
            }
        }
    };
}

/// A `record` whose weight is written by hand.
macro_rules! unweighed {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$field_meta:meta])* $field:ident $(= $wit:literal)?: $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields)]
        #[cfg_attr(
            feature = "component",
            derive(wasmtime::component::ComponentType, wasmtime::component::Lift, wasmtime::component::Lower),
            component(record)
        )]
        pub struct $name {
            $($(#[$field_meta])* $(#[cfg_attr(feature = "component", component(name = $wit))])? pub $field: $type,)*
        }
    };
}

/// A `variant` whose cases all have a value.
macro_rules! variant {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$case_meta:meta])* $case:ident = $wit:literal: $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
        #[cfg_attr(
            feature = "component",
            derive(wasmtime::component::ComponentType, wasmtime::component::Lift, wasmtime::component::Lower),
            component(variant)
        )]
        pub enum $name {
            $($(#[$case_meta])* #[cfg_attr(feature = "component", component(name = $wit))] $case($type),)*
        }

        impl $crate::Weight for $name {
            fn weight(&self) -> usize {
                match self { $(Self::$case(content) => $crate::Weight::weight(content),)* }
            }
        }
    };
}
