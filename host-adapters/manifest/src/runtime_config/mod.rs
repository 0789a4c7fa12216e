//! Reads `runtime-config.toml`, the operator's part (Spin's word for it): the backends of tables, queues, documents
//! and the cache. `spin.toml` and the workers are the same everywhere. Backends that the file leaves out are embedded.
//!
//! ```toml
//! [tables]                       # and their streams
//! type = "dynamodb"
//! region = "us-west-2"
//! prefix = "prd-"
//!
//! [queues]
//! type = "sqs"
//! region = "us-west-2"
//! credentials = { access_key_id = "AKIA…", secret_access_key = { env = "SQS_SECRET" } }
//!
//! [documents]
//! type = "mongodb"
//! uri = { file = "/run/secrets/mongodb-uri" }
//! database = "demand"
//!
//! [cache]
//! type = "redis"
//! url = { env = "REDIS_URL" }
//! ```

mod secret;

use crate::fields::Fields;
use crate::report::{ManifestErrors, Report, position};
use crate::variables::Value;
use backend_aws::{AwsConfig, Credentials};
use secret::Secrets;
use std::path::Path;
use toml_edit::Document;

/// The lease table's name, behind the prefix, where none is given.
const LEASE_TABLE: &str = "host-adapters-leases";

/// The backends of the platform.
#[derive(Clone, Debug, Default)]
pub struct RuntimeConfig {
    /// Tables and their streams.
    pub tables: Tables,
    /// Queues.
    pub queues: Queues,
    /// Collections of documents.
    pub documents: Documents,
    /// `spin:redis`.
    pub cache: Cache,
}

/// Behind tables and streams.
#[derive(Clone, Debug, Default)]
pub enum Tables {
    /// The host's own store.
    #[default]
    Embedded,
    /// DynamoDB and its streams.
    Dynamodb {
        /// Account and region.
        aws: AwsConfig,
        /// Before the name of each table.
        prefix: String,
        /// The table of leases and checkpoints, prefix included.
        lease_table: String,
    },
}

/// Behind queues.
#[derive(Clone, Debug, Default)]
pub enum Queues {
    /// The host's own store.
    #[default]
    Embedded,
    /// SQS.
    Sqs {
        /// Account and region.
        aws: AwsConfig,
        /// Before the name of each queue.
        prefix: String,
    },
}

/// Behind collections.
#[derive(Clone, Debug, Default)]
pub enum Documents {
    /// The host's own store.
    #[default]
    Embedded,
    /// MongoDB.
    Mongodb {
        /// `mongodb://…`; it may hold a password.
        uri: Value,
        /// The database.
        database: String,
        /// Before the name of each collection.
        prefix: String,
    },
}

/// Behind `spin:redis`.
#[derive(Clone, Debug, Default)]
pub enum Cache {
    /// The host's memory.
    #[default]
    Embedded,
    /// A Redis server.
    Redis {
        /// `redis://…`; it may hold a password.
        url: Value,
    },
}

/// Which kind a section names.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Type {
    Embedded,
    Real,
}

impl RuntimeConfig {
    /// Reads the file at `path`. Fails with every diagnostic it has; what it refers to (variables of the environment,
    /// files) must be there.
    pub fn load(path: &Path) -> Result<Self, ManifestErrors> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ManifestErrors::one(path, (1, 1), &format!("cannot be read: {error}; name an existing file"))
        })?;
        Self::parse(path, &text, &|name| std::env::var(name).ok())
    }

    /// Reads the text of the file that is, or would be, at `path`, with the environment that `environment` answers.
    pub fn parse(
        path: &Path,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ManifestErrors> {
        let document = Document::parse(text).map_err(|error| {
            let at = position(text, error.span().unwrap_or_default().start);
            ManifestErrors::one(path, at, &error.message().replace('\n', ", "))
        })?;
        let report = Report::new(text);
        let secrets = Secrets { folder: path.parent().unwrap_or(Path::new("")), environment };
        let mut root = Fields::new(&report, "", document.as_table(), 0..0);
        let config = Self {
            tables: root.table("tables").and_then(|fields| read_tables(fields, &secrets)).unwrap_or_default(),
            queues: root.table("queues").and_then(|fields| read_queues(fields, &secrets)).unwrap_or_default(),
            documents: root.table("documents").and_then(|fields| read_documents(fields, &secrets)).unwrap_or_default(),
            cache: root.table("cache").and_then(|fields| read_cache(fields, &secrets)).unwrap_or_default(),
        };
        root.finish();
        report.finish(path)?;
        Ok(config)
    }
}

fn read_type(fields: &mut Fields<'_, '_>, real: &str) -> Option<Type> {
    let chosen = fields.choice("type", &[("embedded", Type::Embedded), (real, Type::Real)]);
    fields.required("type", chosen, &format!("type = \"embedded\" or \"{real}\""))
}

fn read_tables(mut fields: Fields<'_, '_>, secrets: &Secrets<'_>) -> Option<Tables> {
    let real = read_type(&mut fields, "dynamodb")? == Type::Real;
    let tables = if real {
        let (aws, prefix) = (read_aws(&mut fields, secrets), read_prefix(&mut fields));
        let lease_table = fields.string("lease_table").map(|name| name.value);
        let lease_table = lease_table.unwrap_or_else(|| format!("{prefix}{LEASE_TABLE}"));
        Tables::Dynamodb { aws, prefix, lease_table }
    } else {
        Tables::Embedded
    };
    fields.finish();
    Some(tables)
}

fn read_queues(mut fields: Fields<'_, '_>, secrets: &Secrets<'_>) -> Option<Queues> {
    let real = read_type(&mut fields, "sqs")? == Type::Real;
    let queues = if real {
        Queues::Sqs { aws: read_aws(&mut fields, secrets), prefix: read_prefix(&mut fields) }
    } else {
        Queues::Embedded
    };
    fields.finish();
    Some(queues)
}

fn read_documents(mut fields: Fields<'_, '_>, secrets: &Secrets<'_>) -> Option<Documents> {
    let real = read_type(&mut fields, "mongodb")? == Type::Real;
    let documents = if real {
        let uri = secrets.address(&mut fields, "uri", "mongodb://host:27017");
        let database = fields.string("database");
        let database = fields.required("database", database, "database = \"…\"");
        let prefix = read_prefix(&mut fields);
        Documents::Mongodb {
            uri: uri.unwrap_or_default(),
            database: database.map(|it| it.value).unwrap_or_default(),
            prefix,
        }
    } else {
        Documents::Embedded
    };
    fields.finish();
    Some(documents)
}

fn read_cache(mut fields: Fields<'_, '_>, secrets: &Secrets<'_>) -> Option<Cache> {
    let real = read_type(&mut fields, "redis")? == Type::Real;
    let cache = if real {
        Cache::Redis { url: secrets.address(&mut fields, "url", "redis://host:6379").unwrap_or_default() }
    } else {
        Cache::Embedded
    };
    fields.finish();
    Some(cache)
}

fn read_prefix(fields: &mut Fields<'_, '_>) -> String {
    fields.string("prefix").map(|prefix| prefix.value).unwrap_or_default()
}

fn read_aws(fields: &mut Fields<'_, '_>, secrets: &Secrets<'_>) -> AwsConfig {
    let endpoint = fields.string("endpoint");
    if let Some(endpoint) =
        endpoint.as_ref().filter(|it| !it.value.starts_with("http://") && !it.value.starts_with("https://"))
    {
        fields.diagnostic(&endpoint.span, format!("\"{}\" is not an http or https URL", endpoint.value));
    }
    AwsConfig {
        region: fields.string("region").map(|region| region.value),
        endpoint: endpoint.map(|endpoint| endpoint.value),
        credentials: fields.table("credentials").and_then(|fields| read_credentials(fields, secrets)),
    }
}

fn read_credentials(mut fields: Fields<'_, '_>, secrets: &Secrets<'_>) -> Option<Credentials> {
    let id = fields.string("access_key_id");
    let id = fields.required("access_key_id", id, "access_key_id = \"AKIA…\"");
    let secret = secrets.secret(&mut fields, "secret_access_key");
    fields.finish();
    Some(Credentials { access_key_id: id?.value, secret_access_key: secret?.expose().to_owned() })
}
