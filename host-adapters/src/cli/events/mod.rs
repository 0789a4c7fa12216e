//! `host-adapters events generate`: events as AWS Lambda would hand them over, ready for `invoke` or `curl`.

mod bodies;
mod shapes;

use super::invoke::event::{component, known, text_of};
use super::{ManifestOptions, UNUSABLE};
use crate::manifest::{App, SourceConfig};
use anyhow::{Context, Result};
use bodies::{Canned, Fixture};
use clap::{Args, Subcommand, ValueEnum};
use host_adapters_sources::camel_case_name;
use serde_json::Value;
use shapes::{Change, Records};
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
}

#[derive(Args)]
struct Generate {
    /// The kind of source that the event comes from.
    source: Kind,
    /// The worker whose event it is: its queue or table, and the body of its fixture, unless `--body` gives one.
    #[arg(long)]
    worker: Option<String>,
    /// Another body: text, `@file`, or `-` for standard input. From a stream it is the change as workers see it,
    /// `{"eventName", "newImage", "oldImage"}`, with the item's keys `pk` and `sk` in its images.
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

#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Kind {
    /// Messages of a queue.
    Sqs,
    /// Changes of a table, by its own stream.
    DynamodbStream,
    /// Changes of a table, by a Kinesis stream for DynamoDB.
    Kinesis,
    /// A resolver's call, as workers get it over HTTP.
    #[value(alias = "http")]
    Appsync,
}

pub(super) fn run(options: Options) -> Result<ExitCode> {
    let Command::Generate(options) = options.command;
    let worker = match options.worker.as_deref().map(|name| worker(&options, name)).transpose() {
        Ok(worker) => worker,
        Err(code) => return Ok(code),
    };
    let body = options.body.as_deref().map(|body| text_of(body, "body")).transpose()?;
    let fixture = |worker: &Worker| Fixture::of(&options.manifest.manifest, &worker.id, options.source);
    let canned = Canned::of(worker.as_ref().map(fixture), body.as_deref());
    let event = event(&options, worker.as_ref(), &canned)?;
    println!("{}", serde_json::to_string_pretty(&event)?);
    Ok(ExitCode::SUCCESS)
}

/// A worker of the manifest, and the name of the queue or table that feeds it.
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
    let id =
        component(&app, name).ok_or_else(|| refused(format!("there is no worker `{name}` yet; {}", known(&app))))?;
    let resource = resource(&app, &id, options.source).map_err(refused)?;
    Ok(Worker { id, resource })
}

fn resource(app: &App, id: &str, kind: Kind) -> Result<String, String> {
    let sources = app.components.get(id).map_or(&[][..], |component| component.sources.as_slice());
    let resource = sources.iter().find_map(|source| match (kind, source) {
        (Kind::Sqs, SourceConfig::Sqs(source)) => Some(source.queue.clone()),
        (Kind::DynamodbStream | Kind::Kinesis, SourceConfig::DynamodbStream(source)) => Some(source.table.clone()),
        _ => None,
    });
    let fed: Vec<_> = sources.iter().map(|source| source.dead_letters(id).1.source).collect();
    match resource {
        None if kind == Kind::Appsync && sources.is_empty() => Ok(camel_case_name(id)),
        None if sources.is_empty() => Err(format!("{id} takes no records; generate an appsync event")),
        None => Err(format!("{id} takes records of {}; generate such an event", fed.join(", "))),
        Some(resource) => Ok(resource),
    }
}

fn event(options: &Generate, worker: Option<&Worker>, canned: &Canned<'_>) -> Result<Value> {
    let resource = |default: &str| worker.map_or_else(|| default.to_owned(), |worker| worker.resource.clone());
    let records = Records { ids: &options.ids, count: options.count };
    let change =
        || canned.change().and_then(|change| Change::read(&change).context("the body is not a change of an item"));
    Ok(match options.source {
        Kind::Sqs => records.sqs(&resource("exampleQueue"), &canned.message()?),
        Kind::DynamodbStream => records.dynamodb_stream(&resource("example-table"), &change()?),
        Kind::Kinesis => records.kinesis(&resource("example-table"), &change()?),
        Kind::Appsync => shapes::appsync(&resource("example"), &canned.input()?),
    })
}
