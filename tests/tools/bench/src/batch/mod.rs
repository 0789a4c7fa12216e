//! `batch10_*`: save-entries' own work on ten records, with every call of the outside answered from memory: in the
//! sandbox, natively and in Node. All three are handed the same bytes and must hand out the same.

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

/// Calls in one round; a round of them takes about a tenth of a second.
const CALLS: usize = 1_000;
/// Calls of the first check that also warm Node up: its compiler has long settled by then.
const WARM_UP: usize = 20_000;

/// Measures all of them.
///
/// # Errors
/// When the component cannot be loaded, a call fails, or one of the three does not do what the others do.
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

/// What one call asked of the outside, logged and answered, line by line.
type Transcript = Vec<String>;

fn same(who: &str, expected: &Transcript, found: &Transcript) -> Result<()> {
    let differs = expected.iter().zip(found).find(|(expected, found)| expected != found);
    if let Some((expected, found)) = differs {
        anyhow::bail!("{who} does not do what the component does:\n  component: {expected}\n  {who}: {found}");
    }
    ensure!(expected.len() == found.len(), "{who} does {} things, the component {}", found.len(), expected.len());
    Ok(())
}

/// A disposition in a transcript.
fn disposition(disposition: &Disposition) -> Value {
    match disposition {
        Disposition::Ack => json!("ack"),
        Disposition::Retry(after) => json!({ "retry": after }),
        Disposition::Reject(reason) => json!({ "reject": reason }),
    }
}
