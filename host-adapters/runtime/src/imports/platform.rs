//! `registration:platform`: from the sandbox to the host's platform, type by type.

use crate::bindings::registration::platform::{documents, identity, queue, table, types};
use crate::budget::{self, Weight};
use crate::state::State;
use platform_wire as wire;
use wasmtime::component::{Accessor, HasSelf};

impl types::Host for State {}
impl table::Host for State {}
impl queue::Host for State {}
impl documents::Host for State {}
impl identity::Host for State {}

/// Runs one platform call and notes what it found down.
async fn call<T, O, F>(
    store: &Accessor<T, HasSelf<State>>,
    resource: &str,
    weight: usize,
    run: impl FnOnce(std::sync::Arc<dyn wire::Platform>, std::sync::Arc<str>) -> F,
) -> Result<O, types::Error>
where
    T: 'static,
    F: Future<Output = Result<O, wire::Error>>,
{
    let (platform, component, outages, held) = store.with(|mut access| {
        let state = access.get();
        (state.host.platform().clone(), state.component.clone(), state.outages.clone(), state.budget.call(weight))
    });
    let Some(_held) = held else { return Err(wire::Error::new(wire::ErrorKind::Throttled, budget::refusal()).into()) };
    run(platform, component).await.map_err(|error| {
        if error.kind == wire::ErrorKind::Unavailable {
            outages.add(resource.to_owned());
        }
        error.into()
    })
}

impl<T: Send> table::HostWithStore<T> for HasSelf<State> {
    async fn batch_get(
        store: &Accessor<T, Self>,
        table: String,
        keys: Vec<table::Key>,
    ) -> Result<Vec<Option<String>>, types::Error> {
        let weight = keys.weight();
        let keys = keys.into_iter().map(Into::into).collect();
        let resource = format!("table:{table}");
        let args = wire::table::BatchGet { table, keys };
        call(store, &resource, weight, async move |platform, caller| platform.table_batch_get(&caller, args).await)
            .await
    }

    async fn batch_write(
        store: &Accessor<T, Self>,
        table: String,
        puts: Vec<String>,
        deletes: Vec<table::Key>,
    ) -> Result<Vec<Option<types::Error>>, types::Error> {
        let weight = puts.weight() + deletes.weight();
        let deletes = deletes.into_iter().map(Into::into).collect();
        let resource = format!("table:{table}");
        let args = wire::table::BatchWrite { table, puts, deletes };
        let results = call(store, &resource, weight, async move |platform, caller| {
            platform.table_batch_write(&caller, args).await
        })
        .await?;
        Ok(errors(results))
    }

    async fn batch_update(
        store: &Accessor<T, Self>,
        table: String,
        updates: Vec<table::Update>,
    ) -> Result<Vec<Option<types::Error>>, types::Error> {
        let weight = updates.weight();
        let updates = updates.into_iter().map(Into::into).collect();
        let resource = format!("table:{table}");
        let args = wire::table::BatchUpdate { table, updates };
        let results = call(store, &resource, weight, async move |platform, caller| {
            platform.table_batch_update(&caller, args).await
        })
        .await?;
        Ok(errors(results))
    }

    async fn query(
        store: &Accessor<T, Self>,
        table: String,
        pk: String,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<table::Page, types::Error> {
        let resource = format!("table:{table}");
        let weight = pk.weight() + prefix.weight() + after.weight();
        let args = wire::table::Query { table, pk, prefix, after, limit };
        let page =
            call(store, &resource, weight, async move |platform, caller| platform.table_query(&caller, args).await)
                .await?;
        Ok(table::Page { items: page.items, next: page.next })
    }
}

impl<T: Send> queue::HostWithStore<T> for HasSelf<State> {
    async fn send_batch(
        store: &Accessor<T, Self>,
        queue: String,
        messages: Vec<queue::Message>,
    ) -> Result<Vec<Result<String, types::Error>>, types::Error> {
        let weight = messages.weight();
        let messages = messages.into_iter().map(Into::into).collect();
        let resource = format!("queue:{queue}");
        let args = wire::queue::SendBatch { queue, messages };
        let answers = call(store, &resource, weight, async move |platform, caller| {
            platform.queue_send_batch(&caller, args).await
        })
        .await?;
        Ok(answers.into_iter().map(|answer| Result::from(answer).map_err(types::Error::from)).collect())
    }
}

impl<T: Send> documents::HostWithStore<T> for HasSelf<State> {
    async fn find_one(
        store: &Accessor<T, Self>,
        collection: String,
        filter: String,
    ) -> Result<Option<String>, types::Error> {
        let resource = format!("documents:{collection}");
        let weight = filter.weight();
        let args = wire::documents::FindOne { collection, filter };
        call(store, &resource, weight, async move |platform, caller| platform.documents_find_one(&caller, args).await)
            .await
    }

    async fn replace_one(
        store: &Accessor<T, Self>,
        collection: String,
        filter: String,
        document: String,
    ) -> Result<(), types::Error> {
        let resource = format!("documents:{collection}");
        let weight = filter.weight() + document.weight();
        let args = wire::documents::ReplaceOne { collection, filter, document };
        call(store, &resource, weight, async move |platform, caller| {
            platform.documents_replace_one(&caller, args).await
        })
        .await
    }
}

impl<T: Send> identity::HostWithStore<T> for HasSelf<State> {
    async fn verify(store: &Accessor<T, Self>, token: String) -> Result<identity::Claims, types::Error> {
        let weight = token.weight();
        let args = wire::identity::Verify { token };
        let claims = call(store, "identity", weight, async move |platform, caller| {
            platform.identity_verify(&caller, args).await
        })
        .await?;
        Ok(identity::Claims {
            subject: claims.subject,
            email: claims.email,
            member_id: claims.member_id,
            idv: claims.idv,
        })
    }
}

fn errors(results: Vec<Option<wire::Error>>) -> Vec<Option<types::Error>> {
    results.into_iter().map(|error| error.map(Into::into)).collect()
}

impl From<wire::Error> for types::Error {
    fn from(error: wire::Error) -> Self {
        let kind = match error.kind {
            wire::ErrorKind::Unavailable => types::ErrorKind::Unavailable,
            wire::ErrorKind::Throttled => types::ErrorKind::Throttled,
            wire::ErrorKind::NotFound => types::ErrorKind::NotFound,
            wire::ErrorKind::ConditionFailed => types::ErrorKind::ConditionFailed,
            wire::ErrorKind::Invalid => types::ErrorKind::Invalid,
            wire::ErrorKind::Denied => types::ErrorKind::Denied,
        };
        Self { kind, message: error.message, retry_after_ms: error.retry_after_ms }
    }
}

impl From<table::Key> for wire::table::Key {
    fn from(key: table::Key) -> Self {
        Self { pk: key.pk, sk: key.sk }
    }
}

impl From<table::Update> for wire::table::Update {
    fn from(update: table::Update) -> Self {
        let condition = update.condition.into_iter().map(|predicate| match predicate {
            table::Predicate::Exists(path) => wire::table::Predicate::Exists(path),
            table::Predicate::NotExists(path) => wire::table::Predicate::NotExists(path),
            table::Predicate::Equals((path, value)) => wire::table::Predicate::Equals(path, value),
        });
        Self { key: update.key.into(), set: update.set, remove: update.remove, condition: condition.collect() }
    }
}

impl From<queue::Message> for wire::queue::Message {
    fn from(message: queue::Message) -> Self {
        Self { body: message.body, attributes: message.attributes, delay_secs: message.delay_secs }
    }
}

impl Weight for table::Key {
    fn weight(&self) -> usize {
        self.pk.weight() + self.sk.weight()
    }
}

impl Weight for table::Update {
    fn weight(&self) -> usize {
        self.key.weight() + self.set.weight() + self.remove.weight() + self.condition.weight()
    }
}

impl Weight for table::Predicate {
    fn weight(&self) -> usize {
        match self {
            Self::Exists(path) | Self::NotExists(path) => path.weight(),
            Self::Equals((path, value)) => path.weight() + value.weight(),
        }
    }
}

impl Weight for queue::Message {
    fn weight(&self) -> usize {
        self.body.weight() + self.attributes.weight()
    }
}
