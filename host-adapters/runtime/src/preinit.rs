//! Pre-initialises a component at build time, so that a new instance starts fast.
//!
//! The export `wizer-initialize` loads what a worker needs (phone metadata, schemas), and this becomes part of the
//! component's memory image. The result is a plain component that any host can run.

use host_adapters_records::platform_functions;
use wasmtime::Store;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wizer::Wizer;

const INIT: &str = "wizer-initialize";

macro_rules! platform {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => { &[$((concat!("registration:platform/", $interface_wit, "@1.0.0"), &[$($wit),*])),*] };
}

/// The platform's interfaces, which a component may import but not call while it initialises. WASI itself is real here,
/// because stubs for all unknown imports would shadow its compatible versions.
const PLATFORM: &[(&str, &[&str])] = platform_functions!(platform);
/// The same for Spin's interfaces.
const SPIN: &[(&str, &[&str])] = &[
    ("spin:variables/variables@3.0.0", &["get"]),
    (
        "spin:redis/redis@3.0.0",
        &[
            "[static]connection.open",
            "[method]connection.publish",
            "[method]connection.get",
            "[method]connection.set",
            "[method]connection.incr",
            "[method]connection.del",
            "[method]connection.sadd",
            "[method]connection.smembers",
            "[method]connection.srem",
            "[method]connection.execute",
        ],
    ),
];

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoHttp,
}

/// Refuses outbound HTTP at build time.
struct NoHttp;

type Io = Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>;

impl wasmtime_wasi_http::WasiHttpHooks for NoHttp {
    fn send_request(
        &mut self,
        _: http::Request<wasmtime_wasi_http::WasiBody>,
        _: Option<wasmtime_wasi_http::RequestOptions>,
        _: Io,
    ) -> Box<
        dyn Future<Output = Result<(http::Response<wasmtime_wasi_http::WasiBody>, Io), wasmtime_wasi_http::Error>>
            + Send,
    > {
        Box::new(async { Err(wasmtime_wasi_http::Error::HttpRequestDenied) })
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// The component with initialised state; `None` if it does not export `wizer-initialize` and is used as it is.
///
/// # Errors
/// When the component does not compile, or its initialisation traps or calls the platform.
pub async fn preinitialize(wasm: &[u8]) -> Result<Option<Vec<u8>>, String> {
    run(wasm).await.map_err(|error| format!("{error:#}"))
}

async fn run(wasm: &[u8]) -> wasmtime::Result<Option<Vec<u8>>> {
    let mut config = wasmtime::Config::new();
    config.wasm_component_model_async(true);
    // The code runs only once, so it is compiled quickly.
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    let engine = wasmtime::Engine::new(&config)?;
    let component = wasmtime::component::Component::new(&engine, wasm)?;
    if component.get_export_index(None, INIT).is_none() {
        return Ok(None);
    }
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    stub(&mut linker)?;
    let state =
        State { table: ResourceTable::new(), wasi: WasiCtx::default(), http: WasiHttpCtx::new(), hooks: NoHttp };
    let mut store = Store::new(&engine, state);
    let mut wizer = Wizer::new();
    wizer.init_func(INIT).keep_init_func(true);
    let (frozen, _) = wizer
        .run_component(&mut store, wasm, async |store, component| linker.instantiate_async(store, component).await)
        .await?;
    Ok(Some(frozen))
}

fn stub(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for (interface, functions) in PLATFORM.iter().chain(SPIN) {
        let mut instance = linker.instance(interface)?;
        if interface.starts_with("spin:redis/") {
            instance.resource(
                "connection",
                wasmtime::component::ResourceType::host::<crate::imports::redis::Connection>(),
                |_, _| Ok(()),
            )?;
        }
        for function in *functions {
            instance.func_new_concurrent(function, |_, _, _, _| {
                Box::pin(async {
                    Err(wasmtime::Error::msg("the platform cannot be called while a component initialises"))
                })
            })?;
        }
    }
    Ok(())
}
