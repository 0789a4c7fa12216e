//! `host-adapters events`: generates events in the format of AWS Lambda, for `invoke` or `curl`, and reads the event log.
//! The kinds of source create the events with records.

mod appsync;
mod bodies;
mod read;

use super::invoke::event::{component, text_of, unknown};
use super::{ManifestOptions, UNUSABLE, print};
use crate::manifest::App;
use anyhow::{Result, anyhow, bail};
use bodies::{Body, Fixture};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use host_adapters_sources::{CannedEvent, Records, camel_case_name, canned_events};
use serde_json::Value;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write one event to standard output.
    Generate(Generate),
    /// Show records of a topic of a running host's event log.
    Read(read::Options),
}

#[derive(Args)]
struct Generate {
    /// The kind of source that the event comes from.
    #[arg(value_parser = kinds())]
    source: Kind,
    /// The worker whose event it is: its queue, table or stream, and the body of its fixture with the message's attributes,
    /// unless `--body` gives one.
    #[arg(long)]
    worker: Option<String>,
    /// Another body: text, `@file`, or `-` for standard input. Of a change it is what workers see,
    /// `{"eventName", "newImage", "oldImage"}`, with the item's keys `pk` and `sk` in its images; of a data stream, the
    /// data.
    #[arg(long)]
    body: Option<String>,
    /// The number of records.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// The message ids or sequence numbers of the records, in order; further records get made-up ones.
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    manifest: ManifestOptions,
}

/// What an event comes from.
#[derive(Clone, Copy)]
enum Kind {
    /// A kind of source.
    Source(&'static str, &'static CannedEvent),
    /// A resolver's call, as workers get it over HTTP.
    Appsync,
}

/// The kinds by their names on the command line.
fn kinds() -> impl TypedValueParser<Value = Kind> {
    let sources = canned_events().map(|(_, event)| PossibleValue::new(event.name).help(event.about));
    let appsync = PossibleValue::new(appsync::NAME).alias(appsync::ALIAS);
    let appsync = appsync.help("A resolver's call, as workers get it over HTTP");
    PossibleValuesParser::new(sources.chain([appsync])).map(|name| {
        let source = canned_events().find(|(_, event)| event.name == name);
        source.map_or(Kind::Appsync, |(kind, event)| Kind::Source(kind, event))
    })
}

impl Kind {
    /// The name of its fixture.
    fn fixture(&self) -> &'static str {
        match self {
            Self::Source(kind, _) => kind,
            Self::Appsync => appsync::NAME,
        }
    }

    /// Where the body stands in its fixture.
    fn body(&self) -> &'static str {
        match self {
            Self::Source(_, event) => event.body,
            Self::Appsync => appsync::BODY,
        }
    }

    /// What it comes from, and its body, if nothing else is said.
    fn example(&self) -> (&'static str, &'static str) {
        match self {
            Self::Source(_, event) => event.example,
            Self::Appsync => appsync::EXAMPLE,
        }
    }
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    match options.command {
        Command::Generate(options) => generate(&options),
        Command::Read(options) => read::run(options).await,
    }
}

fn generate(options: &Generate) -> Result<ExitCode> {
    let worker = match options.worker.as_deref().map(|name| worker(options, name)).transpose() {
        Ok(worker) => worker,
        Err(code) => return Ok(code),
    };
    let (from, body) = options.source.example();
    let body = match (&options.body, &worker) {
        (Some(given), _) => Body::from(text_of(given, "body")?),
        (None, Some(worker)) => Fixture::of(&options.manifest.manifest, &worker.id, &options.source).body()?,
        (None, None) => Body::from(body.to_owned()),
    };
    let mut event = event(options, worker.as_ref().map_or(from, |worker| &worker.resource), &body.text)?;
    body.complete(&mut event);
    print(serde_json::to_string_pretty(&event)?)?;
    Ok(ExitCode::SUCCESS)
}

/// A worker of the manifest, and the name of the queue, table or stream that feeds it.
struct Worker {
    id: String,
    resource: String,
}

/// The worker. If it takes no such event, prints why and returns the exit code.
fn worker(options: &Generate, name: &str) -> Result<Worker, ExitCode> {
    let app = options.manifest.load()?;
    let refused = |why: String| {
        eprintln!("{why}");
        ExitCode::from(UNUSABLE)
    };
    let id = component(&app, name).ok_or_else(|| refused(unknown(&app, name)))?;
    let resource = resource(&app, &id, options.source).map_err(refused)?;
    Ok(Worker { id, resource })
}

fn resource(app: &App, id: &str, kind: Kind) -> Result<String, String> {
    let sources = app.components.get(id).map_or(&[][..], |component| component.sources.as_slice());
    let fed: Vec<_> = sources.iter().map(|source| source.name()).collect();
    match kind {
        Kind::Appsync if sources.is_empty() => Ok(camel_case_name(id)),
        _ if sources.is_empty() => Err(format!("{id} takes no records; generate an appsync event")),
        _ => fed
            .iter()
            // A source that a worker has once is named by its kind alone.
            .map(|name| name.split_once(':').unwrap_or((name, id)))
            .find(|(word, _)| *word == kind.fixture())
            .map(|(_, resource)| resource.to_owned())
            .ok_or_else(|| format!("{id} takes records of {}; generate such an event", fed.join(", "))),
    }
}

fn event(options: &Generate, from: &str, body: &str) -> Result<Value> {
    if options.ids.len() > options.count as usize {
        bail!("there are {} ids for {} records; raise --count", options.ids.len(), options.count);
    }
    match options.source {
        Kind::Appsync if options.count > 1 || !options.ids.is_empty() => {
            bail!("an appsync event is one call; leave out --count and --id")
        }
        Kind::Source(_, event) => {
            let records = Records { from, ids: &options.ids, count: options.count };
            (event.make)(&records, body).map_err(|wrong| anyhow!(wrong))
        }
        Kind::Appsync => appsync::event(from, body),
    }
}
