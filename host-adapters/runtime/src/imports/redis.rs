//! `spin:redis` over whatever cache the host opens.

use crate::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, Payload, RedisParameter, RedisResult,
};
use crate::host::{Cache, CacheError, CacheValue};
use crate::state::State;
use std::sync::Arc;
use wasmtime::component::{Accessor, HasSelf, Resource};

/// An open connection of a guest.
pub struct Connection(Arc<dyn Cache>);

impl Host for State {}
impl HostConnection for State {
    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

fn cache<T>(store: &Accessor<T, HasSelf<State>>, connection: &Resource<Connection>) -> Result<Arc<dyn Cache>, Error> {
    store.with(|mut access| match access.get().table.get(connection) {
        Ok(connection) => Ok(connection.0.clone()),
        Err(error) => Err(Error::Other(error.to_string())),
    })
}

impl<T: Send> HostConnectionWithStore<T> for HasSelf<State> {
    async fn open(store: &Accessor<T, Self>, address: String) -> Result<Resource<Connection>, Error> {
        let (host, component) = store.with(|mut access| {
            let state = access.get();
            (state.host.clone(), state.component.clone())
        });
        let cache = host.open_cache(&component, &address).await?;
        store.with(|mut access| access.get().table.push(Connection(cache)).map_err(|_| Error::TooManyConnections))
    }

    async fn publish(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        channel: String,
        payload: Payload,
    ) -> Result<(), Error> {
        Ok(cache(store, &connection)?.publish(&channel, payload).await?)
    }

    async fn get(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Option<Payload>, Error> {
        Ok(cache(store, &connection)?.get(&key).await?)
    }

    async fn set(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        value: Payload,
    ) -> Result<(), Error> {
        Ok(cache(store, &connection)?.set(&key, value).await?)
    }

    async fn incr(store: &Accessor<T, Self>, connection: Resource<Connection>, key: String) -> Result<i64, Error> {
        Ok(cache(store, &connection)?.incr(&key).await?)
    }

    async fn del(store: &Accessor<T, Self>, connection: Resource<Connection>, keys: Vec<String>) -> Result<u32, Error> {
        Ok(cache(store, &connection)?.del(&keys).await?)
    }

    async fn sadd(_: &Accessor<T, Self>, _: Resource<Connection>, _: String, _: Vec<String>) -> Result<u32, Error> {
        Err(no_sets("sadd"))
    }

    async fn smembers(_: &Accessor<T, Self>, _: Resource<Connection>, _: String) -> Result<Vec<String>, Error> {
        Err(no_sets("smembers"))
    }

    async fn srem(_: &Accessor<T, Self>, _: Resource<Connection>, _: String, _: Vec<String>) -> Result<u32, Error> {
        Err(no_sets("srem"))
    }

    async fn execute(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<RedisResult>, Error> {
        let arguments = arguments.into_iter().map(CacheValue::from).collect();
        let results = cache(store, &connection)?.execute(&command, arguments).await?;
        Ok(results.into_iter().map(RedisResult::from).collect())
    }
}

/// Our cache holds strings; the commands it has are those of the architecture.
fn no_sets(command: &str) -> Error {
    Error::Other(format!("`{command}` is not a command of this cache: it has get, set, del, incr, publish and execute"))
}

impl From<CacheError> for Error {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::InvalidAddress(_) => Self::InvalidAddress,
            CacheError::Type => Self::TypeError,
            CacheError::Other(message) => Self::Other(message),
        }
    }
}

impl From<RedisParameter> for CacheValue {
    fn from(parameter: RedisParameter) -> Self {
        match parameter {
            RedisParameter::Int64(value) => Self::Int(value),
            RedisParameter::Binary(value) => Self::Binary(value),
        }
    }
}

impl From<CacheValue> for RedisResult {
    fn from(value: CacheValue) -> Self {
        match value {
            CacheValue::Nil => Self::Nil,
            CacheValue::Status(status) => Self::Status(status),
            CacheValue::Int(value) => Self::Int64(value),
            CacheValue::Binary(value) => Self::Binary(value),
        }
    }
}
