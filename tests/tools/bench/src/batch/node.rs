//! The same work in Node. One process runs in all rounds, so that its compiler has settled.

use super::Transcript;
use super::memory::{Memory, SERVICE, timeless};
use anyhow::{Context, Result, bail};
use host_adapters_runtime::Payload;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The port, from `tests/tools/bench/node`.
const PROGRAM: &str = include_str!("../../node/save-entries.mjs");
/// The oldest version that is measured.
const MAJOR: u32 = 20;

/// A running Node.
pub struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Timed {
    us: f64,
}

#[derive(Deserialize)]
struct Written {
    transcript: Vec<String>,
}

impl Node {
    /// Starts Node on the batch; `None` if there is no Node, or only an old one.
    pub fn start(memory: &Memory) -> Result<Option<Self>> {
        if version().is_none_or(|major| major < MAJOR) {
            eprintln!("bench-host: no Node {MAJOR} or later on the PATH: its figures are left out");
            return Ok(None);
        }
        let mut command = Command::new("node");
        command.args(["--input-type=module", "--eval", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start node")?;
        let input = child.stdin.take().context("node has no stdin")?;
        let output = BufReader::new(child.stdout.take().context("node has no stdout")?);
        let mut node = Self { child, input, output };
        node.tell(&world(memory))?;
        Ok(Some(node))
    }

    /// Records one call.
    pub fn transcript(&mut self) -> Result<Transcript> {
        let written: Written = self.ask(&json!({ "writeDown": true }))?;
        Ok(written.transcript.iter().map(|line| timeless(line)).collect())
    }

    /// Microseconds for each call.
    pub fn run(&mut self, calls: usize) -> Result<f64> {
        let timed: Timed = self.ask(&json!({ "calls": calls }))?;
        Ok(timed.us)
    }

    fn ask<T: serde::de::DeserializeOwned>(&mut self, question: &Value) -> Result<T> {
        self.tell(question)?;
        let mut answer = String::new();
        if self.output.read_line(&mut answer).context("node does not answer")? == 0 {
            bail!("node ended: {}; its error is above", self.child.wait()?);
        }
        serde_json::from_str(&answer).with_context(|| format!("node answered {answer}"))
    }

    fn tell(&mut self, line: &Value) -> Result<()> {
        writeln!(self.input, "{line}").and_then(|()| self.input.flush()).context("node takes no input")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself. In either case no process is left.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn version() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    String::from_utf8(output.stdout).ok()?.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The first line for Node: its events, and the responses to its requests.
fn world(memory: &Memory) -> Value {
    let event = |event: &host_adapters_runtime::Event| {
        let Payload::Json(payload) = &event.payload else { return Value::Null };
        json!({
            "id": event.id, "source": event.source, "orderingKey": event.ordering_key, "payload": payload,
            "attributes": event.attributes, "attempt": event.attempt, "timeMs": event.time_ms,
            "correlationId": event.correlation_id, "traceparent": event.traceparent,
        })
    };
    let items = memory.items.iter().flat_map(|(pk, items)| items.iter().map(move |(sk, item)| json!([pk, sk, item])));
    json!({
        "service": SERVICE, "answer": memory.answer,
        "events": memory.events.iter().map(event).collect::<Vec<_>>(), "items": items.collect::<Vec<_>>(),
    })
}
