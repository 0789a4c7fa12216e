//! Serves the services, each on its own port.

use crate::campaigns::{self, Campaigns};
use crate::codes::{self, CodeStore, Codes};
use crate::contract::{self, Contract, ContractError};
use crate::entries::{self, Entries, EntryStore, Invites};
use crate::faults::{Dice, Faults};
use crate::guard::{Failure, Guard};
use crate::reply;
use crate::slack::{self, Slack};
use crate::token::{Token, TokenError};
use crate::users::{self, Users};
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How to start the fakes.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The host's public key (P-256, PEM). Without it, the signature of a token is not checked.
    pub public_key: Option<String>,
    /// The faults of all services from the start.
    pub faults: Faults,
    /// Ports of the services, in the order of [`Service::ALL`]; 0 for any free one.
    pub ports: [u16; 5],
}

/// One of the services.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// The Entry Service.
    Entry,
    /// The User Service.
    User,
    /// The Campaign Service.
    Campaign,
    /// The Code Service.
    Code,
    /// Slack: the webhook of one channel.
    Slack,
}

/// Why the fakes do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A contract is not usable.
    #[error("schemas/services/{name}.json: {source}")]
    Contract {
        /// The service.
        name: &'static str,
        /// The error in it.
        source: ContractError,
    },
    /// The public key is not usable.
    #[error(transparent)]
    Key(#[from] TokenError),
    /// A port is not free.
    #[error("the {name} service cannot listen on port {port}: {source}")]
    Listen {
        /// The service.
        name: &'static str,
        /// The port asked for.
        port: u16,
        /// The system's error.
        source: std::io::Error,
    },
}

/// The running fakes. They end when this is dropped.
pub struct FakeServices {
    entry: Server,
    user: Server,
    campaign: Server,
    code: Server,
    slack: Server,
    entries: Arc<EntryStore>,
    invites: Arc<Invites>,
    codes: Arc<CodeStore>,
    users: Users,
    told: Arc<Slack>,
}

struct Server {
    address: SocketAddr,
    guard: Arc<Guard>,
    task: JoinHandle<()>,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Entry, Self::User, Self::Campaign, Self::Code, Self::Slack];

    /// Its name in the host's configuration, which is also the audience of its tokens, if it takes any.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::User => "user",
            Self::Campaign => "campaign",
            Self::Code => "code",
            Self::Slack => "slack",
        }
    }

    const fn contract(self) -> &'static str {
        match self {
            Self::Entry => contract::ENTRY,
            Self::User => contract::USER,
            Self::Campaign => contract::CAMPAIGN,
            Self::Code => contract::CODE,
            Self::Slack => contract::SLACK,
        }
    }

    /// The guard of the service.
    fn guard(self, options: &Options) -> Result<Arc<Guard>, StartError> {
        let contract = Contract::parse(self.contract());
        let contract = contract.map_err(|source| StartError::Contract { name: self.name(), source })?;
        let token = || Token::new(options.public_key.as_deref(), self.name());
        let (token, failure): (_, Failure) = match self {
            Self::Slack => (None, slack::failure),
            _ => (Some(token()?), reply::failure),
        };
        Ok(Guard::new(contract, token, failure, Dice::new(options.faults.clone())))
    }
}

impl FakeServices {
    /// Serves all services on 127.0.0.1.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let [entry, user, campaign, code, slack] = Service::ALL.map(|service| service.guard(&options));
        let (entry, user, campaign, code, slack) = (entry?, user?, campaign?, code?, slack?);
        let codes = Arc::new(CodeStore::new(code.violations.clone()));
        let (store, invites) = (Arc::new(EntryStore::new(entry.violations.clone())), Arc::<Invites>::default());
        let entries =
            Entries { guard: entry.clone(), store: store.clone(), invites: invites.clone(), codes: codes.clone() };
        let users = Users::new(user.clone());
        let campaigns = campaigns::routes(Campaigns::new(campaign.clone(), codes.clone()));
        let pools = codes::routes(Codes { guard: code.clone(), store: codes.clone() });
        let told = Arc::new(Slack::new(slack.clone()));
        let [entry_port, user_port, campaign_port, code_port, slack_port] = options.ports;
        Ok(Self {
            entry: serve(Service::Entry, entry_port, entry, entries::routes(entries)).await?,
            user: serve(Service::User, user_port, user, users::routes(users.clone())).await?,
            campaign: serve(Service::Campaign, campaign_port, campaign, campaigns).await?,
            code: serve(Service::Code, code_port, code, pools).await?,
            slack: serve(Service::Slack, slack_port, slack, slack::routes(told.clone())).await?,
            entries: store,
            invites,
            codes,
            users,
            told,
        })
    }

    /// The address of a service's server, without a slash at the end: the control API is below it.
    pub fn url(&self, service: Service) -> String {
        format!("http://{}", self.server(service).address)
    }

    /// Where a host finds a service: its base URL, or the webhook with its secret path.
    pub fn upstream(&self, service: Service) -> String {
        let url = self.url(service);
        if service == Service::Slack { slack::webhook(&url) } else { url }
    }

    /// The posts to Slack.
    pub fn slack(&self) -> &Slack {
        &self.told
    }

    /// The contents of the Entry Service.
    pub fn entries(&self) -> &EntryStore {
        &self.entries
    }

    /// The Entry Service's invite lists.
    pub fn invites(&self) -> &Invites {
        &self.invites
    }

    /// The pools of the Code Service.
    pub fn codes(&self) -> &CodeStore {
        &self.codes
    }

    /// What no caller may ever do and one did, of all services. A run that ends with any has failed.
    pub fn violations(&self) -> Vec<String> {
        Service::ALL.into_iter().flat_map(|service| self.server(service).guard.violations.list()).collect()
    }

    /// The number of profiles in the User Service.
    pub fn user_count(&self) -> usize {
        self.users.count()
    }

    /// How many requests a service answered so, `<operation> <status>`.
    pub fn answered(&self, service: Service, answer: &str) -> u64 {
        self.server(service).guard.answers().get(answer).copied().unwrap_or_default()
    }

    /// Replaces the faults of a service.
    pub fn set_faults(&self, service: Service, faults: Faults) {
        self.server(service).guard.dice.set(faults);
    }

    /// The current faults of a service.
    pub fn faults(&self, service: Service) -> Faults {
        self.server(service).guard.dice.get()
    }

    fn server(&self, service: Service) -> &Server {
        match service {
            Service::Entry => &self.entry,
            Service::User => &self.user,
            Service::Campaign => &self.campaign,
            Service::Code => &self.code,
            Service::Slack => &self.slack,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(service: Service, port: u16, guard: Arc<Guard>, routes: Router) -> Result<Server, StartError> {
    let failed = |source| StartError::Listen { name: service.name(), port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let routes = routes.merge(control(guard.clone()));
    // Without it a small response waits 40 ms for the caller's delayed acknowledgement. If the system refuses,
    // responses are only slower.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            eprintln!("the fake of the {} service ended: {error}", service.name());
        }
    });
    Ok(Server { address, guard, task })
}

/// The control API that all services have.
fn control(guard: Arc<Guard>) -> Router {
    Router::new()
        .route("/_control/faults", get(tell_faults).put(put_faults).delete(clear_faults))
        .route("/_control/answers", get(tell_answers))
        .route("/_control/violations", get(tell_violations))
        .with_state(guard)
}

async fn tell_faults(State(guard): State<Arc<Guard>>) -> Json<Faults> {
    Json(guard.dice.get())
}

async fn put_faults(State(guard): State<Arc<Guard>>, Json(faults): Json<Faults>) -> Response {
    guard.dice.set(faults);
    reply::ok(json!({}))
}

async fn clear_faults(State(guard): State<Arc<Guard>>) -> Response {
    guard.dice.set(Faults::default());
    reply::ok(json!({}))
}

async fn tell_answers(State(guard): State<Arc<Guard>>) -> Response {
    reply::ok(json!({ "answers": guard.answers() }))
}

async fn tell_violations(State(guard): State<Arc<Guard>>) -> Response {
    reply::ok(json!({ "violations": guard.violations.list() }))
}
