//! The macros that make a component of a worker: the typed export, `wizer-initialize` and `wasi:http/handler`.
//!
//! They expand to nothing outside WebAssembly, so that a worker's crate links natively and its rules are tested there.
//! For the same reason the worker's type is `pub`: otherwise all of it would be dead code in native builds.

/// Exports a [`BatchWorker`](crate::BatchWorker).
#[macro_export]
macro_rules! batch_worker {
    ($worker:ty) => {
        $crate::component!(
            $worker,
            batch,
            BatchWorker,
            $crate::bindings::batch::exports::registration::workers::batch_worker,
            |batch: Vec<$crate::Event>| -> Result<Vec<$crate::Disposition>, $crate::Failure> { call_batch }
        );
    };
}

/// Exports a [`RequestWorker`](crate::RequestWorker).
#[macro_export]
macro_rules! request_worker {
    ($worker:ty) => {
        $crate::component!(
            $worker,
            request,
            RequestWorker,
            $crate::bindings::request::exports::registration::workers::request_worker,
            |request: $crate::Request| -> Result<$crate::Response, $crate::Failure> { call_request }
        );
    };
}

/// Shared by [`batch_worker!`] and [`request_worker!`].
#[doc(hidden)]
#[macro_export]
macro_rules! component {
    ($worker:ty, $world:ident, $trait:ident, $interface:path,
     |$arg:ident: $arg_ty:ty| -> $output:ty { $call:ident }) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::spin_sdk::wasip3;
            use $interface as interface;

            struct Exports;

            // The component's id is in the file, so that no host lets it serve as another.
            const ID: &str = <$worker as $crate::$trait>::NAME;
            #[used]
            #[unsafe(link_section = "registration:component")]
            static COMPONENT: [u8; ID.len() + 1] = $crate::worker::line(ID);

            impl $crate::bindings::$world::Guest for Exports {
                fn wizer_initialize() {
                    <$worker as $crate::$trait>::warm_up();
                }
            }

            impl interface::Guest for Exports {
                async fn handle($arg: $arg_ty) -> $output {
                    $crate::worker::$call::<$worker>($arg).await
                }
            }

            impl wasip3::exports::http::handler::Guest for Exports {
                async fn handle(
                    request: wasip3::http::types::Request,
                ) -> Result<wasip3::http::types::Response, wasip3::http::types::ErrorCode> {
                    $crate::endpoint::$world::<$worker>(request).await
                }
            }

    $crate::bindings::$world::export!(Exports with_types_in $crate::bindings::$world);
            $crate::spin_sdk::wasip3::http::service::export!(Exports);
        };
    };
}
