//! `spin:redis` over whatever cache the host opens.

use crate::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, Payload, RedisParameter, RedisResult,
};
use crate::state::State;
use platform_wire::cache::{CacheArgument, CacheBackend, CacheError, CacheReply};
use std::sync::Arc;
use wasmtime::component::{Accessor, HasSelf, Resource};

/// An open connection of a guest.
pub struct Connection(Arc<dyn CacheBackend>);

impl Host for State {}
impl HostConnection for State {
    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

fn cache<T>(
    store: &Accessor<T, HasSelf<State>>,
    connection: &Resource<Connection>,
) -> Result<Arc<dyn CacheBackend>, Error> {
    store.with(|mut access| match access.get().table.get(connection) {
        Ok(connection) => Ok(connection.0.clone()),
        Err(error) => Err(Error::Other(error.to_string())),
    })
}

impl<T: Send> HostConnectionWithStore<T> for HasSelf<State> {
    async fn open(store: &Accessor<T, Self>, address: String) -> Result<Resource<Connection>, Error> {
        let (host, component, digest) = store.with(|mut access| {
            let state = access.get();
            (state.host.clone(), state.component.clone(), state.digest.clone())
        });
        let cache = host.open_cache(&component, &digest, &address).await.ok_or(Error::InvalidAddress)?;
        store.with(|mut access| access.get().table.push(Connection(cache)).map_err(|_| Error::TooManyConnections))
    }

    async fn publish(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        channel: String,
        payload: Payload,
    ) -> Result<(), Error> {
        Ok(cache(store, &connection)?.publish(&channel, &payload).await?)
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
        Ok(cache(store, &connection)?.set(&key, &value).await?)
    }

    async fn incr(store: &Accessor<T, Self>, connection: Resource<Connection>, key: String) -> Result<i64, Error> {
        Ok(cache(store, &connection)?.incr(&key).await?)
    }

    async fn del(store: &Accessor<T, Self>, connection: Resource<Connection>, keys: Vec<String>) -> Result<u32, Error> {
        Ok(cache(store, &connection)?.del(&keys).await?)
    }

    async fn sadd(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        Ok(cache(store, &connection)?.sadd(&key, &values).await?)
    }

    async fn smembers(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Vec<String>, Error> {
        Ok(cache(store, &connection)?.smembers(&key).await?)
    }

    async fn srem(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        Ok(cache(store, &connection)?.srem(&key, &values).await?)
    }

    async fn execute(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<RedisResult>, Error> {
        let arguments: Vec<_> = arguments.into_iter().map(CacheArgument::from).collect();
        let results = cache(store, &connection)?.execute(&command, &arguments).await?;
        Ok(results.into_iter().map(RedisResult::from).collect())
    }
}

impl From<CacheError> for Error {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::WrongType => Self::TypeError,
            CacheError::Invalid(message) | CacheError::Unavailable(message) => Self::Other(message),
        }
    }
}

impl From<RedisParameter> for CacheArgument {
    fn from(parameter: RedisParameter) -> Self {
        match parameter {
            RedisParameter::Int64(value) => Self::Int(value),
            RedisParameter::Binary(value) => Self::Bytes(value),
        }
    }
}

impl From<CacheReply> for RedisResult {
    fn from(reply: CacheReply) -> Self {
        match reply {
            CacheReply::Nil => Self::Nil,
            CacheReply::Status(status) => Self::Status(status),
            CacheReply::Int(value) => Self::Int64(value),
            CacheReply::Bytes(value) => Self::Binary(value),
        }
    }
}
