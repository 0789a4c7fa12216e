//! `invoke --dead-letter`: hands a record that a worker gave up to that worker again, or to its replacement. The
//! running host is not changed, and the dead letter stays in its queue.

use super::{Fixtures, Options, event, load, open};
use crate::cli::operator::Operator;
use crate::cli::{FAILED, UNUSABLE, dead_letters, print};
use crate::dispatch::Dispatcher;
use crate::manifest::App;
use crate::telemetry::Tracing;
use anyhow::{Context, Result, anyhow, bail};
use host_adapters_delivery::dead_letter::DeadLetter;
use host_adapters_delivery::dispatch::{Dispatch, Dispatched};
use host_adapters_delivery::event::Disposition;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Runs the dead letter that `options` name.
pub(super) async fn run(mut app: App, options: &Options, named: &str) -> Result<ExitCode> {
    let dead_letter = read(options, named).await?;
    let event = host_adapters_sources::event_of(&dead_letter).map_err(|error| anyhow!("{named}: {error}"))?;
    let worker = &dead_letter.summary.worker;
    if let Err(why) = open(&mut app, worker, options) {
        eprintln!("{why}");
        return Ok(ExitCode::from(UNUSABLE));
    }
    let data = tempfile::tempdir().context("cannot make a temporary folder")?;
    let fixtures = Fixtures { documents: &options.documents, answers: options.services.clone() };
    let components = load(app, fixtures, data.path()).await?;
    let dispatcher = Dispatcher::new(components.runtime().clone(), Tracing::from_env()?);
    let dispatched = dispatcher.dispatch(worker, vec![event]).await;
    report(&dead_letter.summary.record_id, &dispatched)
}

/// Reads a dead letter: from the running host by its id, or as `dead-letters show --json` printed it.
async fn read(options: &Options, named: &str) -> Result<DeadLetter> {
    if named == "-" || named.starts_with('@') {
        let text = event::text_of(named, "dead letter")?;
        return serde_json::from_str(&text)
            .context("that is not a dead letter as `dead-letters show --json` prints it");
    }
    let Some(token) = options.operator_token.clone() else {
        bail!("give --operator-token to fetch dead letter {named}, or the dead letter itself as @file or -");
    };
    dead_letters::fetch(&Operator::new(options.gateway.clone(), token), named).await
}

/// Prints Lambda's response on stdout, as for any event, and on stderr why the record failed. The outcome is good only
/// if the record is done: a rejected record would be lost when it is sent back.
fn report(id: &str, dispatched: &Dispatched) -> Result<ExitCode> {
    let disposition = dispatched.result.as_ref().map(|dispositions| dispositions.first());
    let (mut failures, mut rejected) = (Vec::new(), Vec::new());
    match disposition {
        Ok(Some(Disposition::Ack)) => {}
        Ok(Some(Disposition::Skip(reason))) => eprintln!("host-adapters: skipped: {reason}"),
        Ok(Some(Disposition::Reject(reason))) => rejected.push(json!({"itemIdentifier": id, "reason": reason})),
        Ok(Some(Disposition::GiveUp(reason))) => {
            eprintln!("host-adapters: given up: {reason}");
            failures.push(json!({"itemIdentifier": id, "reason": reason}));
        }
        Ok(Some(Disposition::Retry(retry))) => {
            eprintln!("host-adapters: retry: {}", retry.reason);
            failures.push(json!({"itemIdentifier": id, "reason": retry.reason}));
        }
        Ok(None) => failures.push(json!({ "itemIdentifier": id })),
        Err(failure) => {
            eprintln!("host-adapters: {failure}");
            failures.push(json!({ "itemIdentifier": id }));
        }
    }
    if !dispatched.outages.is_empty() {
        eprintln!("host-adapters: down during the call: {}", dispatched.outages.join(", "));
    }
    let done = failures.is_empty() && rejected.is_empty();
    let count = json!({
        "received": 1, "processed": u8::from(done), "failed": failures.len(), "rejected": rejected.len(),
    });
    let answer: Value = json!({"batchItemFailures": failures, "rejected": rejected, "count": count});
    print(serde_json::to_string_pretty(&answer)?)?;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
