//! `registration:platform`: from the sandbox to the host's platform. Every function is linked from the list of them.

use crate::budget;
use crate::state::State;
use host_adapters_event::ServiceStatus;
use host_adapters_records::service::CallService;
use host_adapters_records::{self as records, Caller, Error, ErrorKind, Function, Platform, platform_functions};
use std::sync::Arc;
use wasmtime::component::{Accessor, Linker};

/// The platform, and who calls it.
struct Calling {
    platform: Arc<dyn Platform>,
    component: Arc<str>,
    digest: Arc<str>,
}

impl Calling {
    fn caller(&self) -> Caller<'_> {
        Caller { name: &self.component, digest: &self.digest }
    }
}

/// Runs one platform call and notes what it found down.
async fn call<A, F>(store: &Accessor<State>, args: A, run: impl FnOnce(Calling, A) -> F) -> records::Output<A>
where
    A: Function,
    F: Future<Output = records::Output<A>>,
{
    let weight = args.weight();
    let (calling, outages, permit) = store.with(|mut access| {
        let state = access.get();
        let (component, digest) = (state.component.clone(), state.digest.clone());
        let calling = Calling { platform: state.host.platform().clone(), component, digest };
        (calling, state.outages.clone(), state.budget.call(weight))
    });
    let Some(_permit) = permit else { return Err(Error::new(ErrorKind::Throttled, budget::refusal())) };
    let resource = args.resource();
    let output = run(calling, args).await;
    if output.as_ref().is_err_and(|error| error.kind == ErrorKind::Unavailable) {
        outages.add(resource);
    }
    output
}

/// Runs one call of a service. It counts against the limit of an instance's concurrent requests, and its response may
/// say that the service is down.
async fn request<F>(
    store: &Accessor<State>,
    args: CallService,
    run: impl FnOnce(Calling, CallService) -> F,
) -> records::Output<CallService>
where
    F: Future<Output = records::Output<CallService>>,
{
    let (budget, outages) = store.with(|mut access| (access.get().budget.clone(), access.get().outages.clone()));
    let (resource, route, expects) = (args.resource(), args.request.route(), args.request.expects.clone());
    let output = call(store, args, async |calling, args| {
        let _slot = budget.request().await;
        run(calling, args).await
    });
    let output = output.await;
    if let Ok(response) = &output {
        match ServiceStatus::of(response.status) {
            ServiceStatus::Done if response.has_one_of(&expects) => outages.works(&resource, &route),
            ServiceStatus::Refused => outages.works(&resource, &route),
            ServiceStatus::Unclear if response.is_not_found(&expects) => outages.works(&resource, &route),
            ServiceStatus::Busy => (),
            ServiceStatus::Down => outages.add(resource),
            ServiceStatus::Done | ServiceStatus::WrongAddress | ServiceStatus::Unclear => {
                outages.refused(&resource, &route, response.status);
            }
        }
    }
    output
}

/// How the functions of an interface run.
macro_rules! runner {
    (service) => {
        request
    };
    ($interface:ident) => {
        call
    };
}

macro_rules! link {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => {
        /// Links every function of the platform.
        pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
            $(
                let mut instance = linker.instance(concat!("registration:platform/", $interface_wit, "@1.0.0"))?;
                $(
                    instance.func_wrap_concurrent($wit, |store, ($($argument,)*): ($($type,)*)| {
                        let args = records::$interface::$arguments { $($argument),* };
                        Box::pin(async move {
                            let output = runner!($interface)(store, args, async |calling: Calling, args| {
                                calling.platform.$method(calling.caller(), args).await
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
