//! Dead letters that would come back: a queue whose dead letters reach it again, at once or by way of others. Its
//! messages would circulate forever. A dead letter queue may feed a worker, as long as there is no cycle.

use super::component::RawComponent;
use host_adapters_platform::Declared;
use host_adapters_settings::Report;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Where a queue names its dead letter queue.
pub(super) type Places = BTreeMap<String, Range<usize>>;

/// Dead letters of `from` go to `to`.
struct Edge {
    from: String,
    to: String,
    at: Range<usize>,
}

/// Reports every circle once, at the first line that is a part of it.
pub(super) fn check(
    report: &Report<'_>,
    declared: &Declared,
    components: &BTreeMap<String, RawComponent>,
    places: &Places,
) {
    let mut edges: Vec<_> = of_queues(declared, places).chain(of_sources(components)).collect();
    edges.sort_by_key(|edge| edge.at.start);
    let mut reported = BTreeSet::new();
    for edge in &edges {
        let Some(circle) = way(&edges, &edge.to, &edge.from) else { continue };
        if reported.insert(circle.iter().copied().collect::<BTreeSet<_>>()) {
            report.diagnostic(&edge.at, message(&circle));
        }
    }
}

fn message(circle: &[&str]) -> String {
    match circle {
        [queue] => format!(
            "queue \"{queue}\" is its own dead letter queue: messages that are given up would circulate forever; name another queue"
        ),
        _ => {
            let names = circle.iter().chain(circle.first());
            let round: Vec<_> = names.map(|name| format!("\"{name}\"")).collect();
            let round = round.join(" → ");
            format!("dead letters circulate forever: {round}; name a dead letter queue outside this cycle")
        }
    }
}

fn of_queues(declared: &Declared, places: &Places) -> impl Iterator<Item = Edge> {
    declared.queues.iter().filter_map(|(name, queue)| {
        let at = places.get(name)?.clone();
        Some(Edge { from: name.clone(), to: queue.dead_letter_queue.clone()?, at })
    })
}

fn of_sources(components: &BTreeMap<String, RawComponent>) -> impl Iterator<Item = Edge> {
    components.iter().flat_map(|(id, component)| {
        component.sources.iter().filter_map(move |it| it.dead_letters(id)).map(|(from, to, at)| Edge { from, to, at })
    })
}

/// The queues on the shortest way from one to another, the last one first; one alone if they are the same.
fn way<'e>(edges: &'e [Edge], from: &'e str, to: &'e str) -> Option<Vec<&'e str>> {
    let mut seen = BTreeSet::from([from]);
    let mut ways = vec![vec![from]];
    while !ways.is_empty() {
        if let Some(way) = ways.iter().find(|way| way.last() == Some(&to)) {
            let (last, before) = way.split_last()?;
            return Some([&[*last], before].concat());
        }
        let mut longer = Vec::new();
        for way in &ways {
            for edge in edges.iter().filter(|edge| way.last() == Some(&edge.from.as_str())) {
                if seen.insert(edge.to.as_str()) {
                    longer.push([way.as_slice(), &[edge.to.as_str()]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}
