//! What is made from the list of functions: their arguments, the trait [`Platform`]. Other crates make more of it.

use crate::{Error, ErrorKind, Function, Weight};

macro_rules! arguments {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => { $(
        #[doc = concat!("`registration:platform/", $interface_wit, "`: its records, and the arguments of its functions.")]
        pub mod $interface {
            pub use crate::interfaces::$interface::*;
            use super::{Function, Weight};

            $(
                #[doc = concat!("The arguments of `", $wit, "`; meanings as in `platform.wit`.")]
                #[allow(missing_docs, reason = "meanings as in platform.wit")]
                #[derive(Clone, PartialEq, serde::Deserialize, serde::Serialize)]
                #[serde(deny_unknown_fields)]
                pub struct $arguments {
                    $(pub $argument: $type,)*
                }

                impl Weight for $arguments {
                    fn weight(&self) -> usize {
                        0 $(+ self.$argument.weight())*
                    }
                }

                impl Function for $arguments {
                    const PATH: &'static str = concat!($interface_wit, "/", $wit);
                    type Output = $output;

                    fn resource(&self) -> String {
                        $interface_wit.to_owned() $(+ ":" + &self.$resource)?
                    }
                }
            )*
        }
    )* };
}

platform_functions!(arguments);

/// Who calls the platform, and whose grants hold: a component or a client of the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The component's id, or the client's name.
    pub name: &'a str,
    /// The digest of the component's version that calls; empty for callers of the gateway.
    pub digest: &'a str,
}

impl<'a> Caller<'a> {
    /// A caller of the gateway.
    pub fn client(name: &'a str) -> Self {
        Self { name, digest: "" }
    }
}

/// The result of a method of [`Platform`].
pub type Output<F> = Result<<F as Function>::Output, Error>;

macro_rules! platform {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => {
        /// The platform as the runtime and the gateway call it, whatever the backend is. One method per function. An
        /// implementation checks the caller's grants on every call. What a host does not implement it denies.
        #[async_trait::async_trait]
        #[allow(missing_docs, reason = "each method is the function whose arguments it takes")]
        pub trait Platform: Send + Sync + 'static {
            $($(
                async fn $method(
                    &self,
                    caller: Caller<'_>,
                    _: $interface::$arguments,
                ) -> Output<$interface::$arguments> {
                    let (path, name) = ($interface::$arguments::PATH, caller.name);
                    Err(Error::new(ErrorKind::Denied, format!("this host does not offer {path} to `{name}`")))
                }
            )*)*
        }
    };
}

platform_functions!(platform);
