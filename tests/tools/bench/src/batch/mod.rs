//! `batch10_*`: save-entries on ten records, with all its requests answered from memory: in the sandbox, natively and
//! in Node. All three get the same bytes and must produce the same.

mod memory;
mod native;
mod node;
mod records;
mod sandbox;

use crate::report::{Beside, Figure};
use crate::rounds::{Effort, interleaved};
use anyhow::{Result, ensure};
pub use memory::{Memory, Outside};
pub use records::nothing;

use host_adapters_runtime::Disposition;
use native::Native;
use node::Node;
use sandbox::Sandbox;
use serde_json::{Value, json};
use std::sync::Arc;

/// Calls in one round, which take about a tenth of a second.
const CALLS: usize = 1_000;
/// Calls of the first check, which also warm Node up: its compiler has settled long before.
const WARM_UP: usize = 20_000;

/// Measures all three.
///
/// # Errors
/// When the component cannot be loaded, a call fails, or the three do not do the same.
pub fn measure(effort: Effort) -> Result<Vec<Figure>> {
    let memory = Arc::new(Memory::new(records::batch()));
    let sandbox = Sandbox::start(memory.clone())?;
    let native = Native::new(memory.clone())?;
    let mut node = Node::start(&memory)?;
    let done = sandbox.transcript()?;
    same("the native rule", &done, &native.transcript()?)?;
    if let Some(node) = &mut node {
        same("Node", &done, &node.transcript()?)?;
        node.run(effort.of(WARM_UP, 10))?;
    }

    let calls = effort.of(CALLS, 5);
    let mut reused = || sandbox.reused(calls);
    let mut fresh = || sandbox.fresh(calls);
    let mut native = || native.run(calls);
    let mut in_node = || node.as_mut().map_or(Ok(f64::NAN), |node| node.run(calls));
    let [reused, native, in_node, fresh] = interleaved(effort, [&mut reused, &mut native, &mut in_node, &mut fresh])?;
    Ok(vec![
        Figure::new("batch10_reused_us", reused, &[Beside::AtMost(1.0, NODE), Beside::AtMost(4.0, NATIVE)]),
        Figure::new("batch10_fresh_us", fresh, &[Beside::AtMost(8.0, NODE)]),
        Figure::new(NATIVE, native, &[]),
        Figure { key: NODE, value: Some(in_node).filter(|value| !value.is_nan()), beside: &[] },
    ])
}

const NATIVE: &str = "batch10_native_us";
const NODE: &str = "batch10_node_us";

/// The requests, log lines and dispositions of one call, line by line.
type Transcript = Vec<String>;

fn same(who: &str, expected: &Transcript, found: &Transcript) -> Result<()> {
    let differs = expected.iter().zip(found).find(|(expected, found)| expected != found);
    if let Some((expected, found)) = differs {
        anyhow::bail!("{who} does not do the same as the component:\n  component: {expected}\n  {who}: {found}");
    }
    ensure!(expected.len() == found.len(), "{who} does {} things, the component {}", found.len(), expected.len());
    Ok(())
}

/// A disposition in a transcript.
fn disposition(disposition: &Disposition) -> Value {
    match disposition {
        Disposition::Ack => json!("ack"),
        Disposition::Retry(retry) => json!({ "retry": retry.after_ms }),
        Disposition::Reject(reason) | Disposition::GiveUp(reason) => json!({ "reject": reason }),
        Disposition::Skip(reason) => json!({ "skip": reason }),
    }
}
