//! `spin:variables`.

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::state::State;
use wasmtime::component::{Accessor, HasSelf};

impl Host for State {}

impl<T: Send> HostWithStore<T> for HasSelf<State> {
    async fn get(store: &Accessor<T, Self>, name: String) -> Result<String, Error> {
        let (host, component) = store.with(|mut access| {
            let state = access.get();
            (state.host.clone(), state.component.clone())
        });
        host.variable(&component, &name).ok_or_else(|| {
            Error::Undefined(format!(
                "{component} declares no variable `{name}`; add it to its `variables` in spin.toml"
            ))
        })
    }
}
