//! `registration:platform`: from the sandbox to the host's platform. Every function is linked from the list of them.

use crate::budget;
use crate::state::State;
use host_adapters_records::{self as records, Error, ErrorKind, Function, Platform, platform_functions};
use std::sync::Arc;
use wasmtime::component::{Accessor, Linker};

/// Runs one platform call and notes what it found down.
async fn call<A, F>(
    store: &Accessor<State>,
    args: A,
    run: impl FnOnce(Arc<dyn Platform>, Arc<str>, A) -> F,
) -> records::Output<A>
where
    A: Function,
    F: Future<Output = records::Output<A>>,
{
    let weight = args.weight();
    let (platform, component, outages, held) = store.with(|mut access| {
        let state = access.get();
        (state.host.platform().clone(), state.component.clone(), state.outages.clone(), state.budget.call(weight))
    });
    let Some(_held) = held else { return Err(Error::new(ErrorKind::Throttled, budget::refusal())) };
    let resource = args.resource();
    let output = run(platform, component, args).await;
    if output.as_ref().is_err_and(|error| error.kind == ErrorKind::Unavailable) {
        outages.add(resource);
    }
    output
}

macro_rules! link {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => {
        /// Links every function of the platform.
        pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
            $(
                let mut instance = linker.instance($interface_wit)?;
                $(
                    instance.func_wrap_concurrent($wit, |store, ($($argument,)*): ($($type,)*)| {
                        let args = records::$interface::$arguments { $($argument),* };
                        Box::pin(async move {
                            let output = call(store, args, async |platform, component, args| {
                                platform.$method(&component, args).await
                            });
                            Ok((output.await,))
                        })
                    })?;
                )*
            )*
            Ok(())
        }
    };
}

platform_functions!(link);
