//! The metrics of the host that the summary shows, parsed from their text format.

use std::collections::BTreeMap;

const CACHE: &str = "registration_cache_gets_total";
const INSTANCES: &str = "registration_instances_started_total";

/// Counters at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Cache reads that found a value.
    pub hits: u64,
    /// Cache reads that found none.
    pub misses: u64,
    /// Instances started, by worker.
    pub instances: BTreeMap<String, u64>,
}

impl Counters {
    /// Reads them from the text of `/metrics`.
    pub fn parse(text: &str) -> Self {
        let mut counters = Self::default();
        for sample in text.lines().filter_map(Sample::parse) {
            match (sample.name, sample.label("result"), sample.label("worker")) {
                (CACHE, Some("hit"), _) => counters.hits += sample.value,
                (CACHE, Some(_), _) => counters.misses += sample.value,
                (INSTANCES, _, Some(worker)) => {
                    *counters.instances.entry(worker.to_owned()).or_default() += sample.value
                }
                _ => {}
            }
        }
        counters
    }

    /// The difference to an earlier moment. A restarted host counts from zero.
    pub fn since(&self, before: &Self) -> Self {
        let difference = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        let instances = self.instances.iter().map(|(worker, now)| {
            let then = before.instances.get(worker).copied().unwrap_or_default();
            (worker.clone(), difference(*now, then))
        });
        Self {
            hits: difference(self.hits, before.hits),
            misses: difference(self.misses, before.misses),
            instances: instances.collect(),
        }
    }

    /// The ratio of cache reads that found a value; `None` if there were no reads.
    pub fn hit_ratio(&self) -> Option<f64> {
        let reads = self.hits + self.misses;
        (reads > 0).then(|| self.hits as f64 / reads as f64)
    }
}

/// One line: `name{label="value",…} number`. The host's labels contain neither quotes nor commas.
struct Sample<'a> {
    name: &'a str,
    labels: &'a str,
    value: u64,
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (key, value) = line.rsplit_once(' ')?;
        let (name, labels) = key.split_once('{').unwrap_or((key, ""));
        Some(Self { name, labels: labels.trim_end_matches('}'), value: value.parse().ok()? })
    }

    fn label(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.labels.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim_matches('"'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP registration_cache_gets_total Reads\n\
        registration_cache_gets_total{result=\"hit\"} 90\n\
        registration_cache_gets_total{result=\"miss\"} 10\n\
        registration_instances_started_total{worker=\"check-eligibility\",version=\"1\"} 2\n\
        registration_instances_started_total{worker=\"check-eligibility\",version=\"2\"} 3\n\
        registration_other_total 7\n";

    #[test]
    fn the_counters_are_summed_over_other_labels() {
        let counters = Counters::parse(TEXT);
        assert_eq!((counters.hits, counters.misses, counters.hit_ratio()), (90, 10, Some(0.9)));
        assert_eq!(counters.instances, BTreeMap::from([("check-eligibility".to_owned(), 5)]));
        assert_eq!(Counters::default().hit_ratio(), None);
    }

    #[test]
    fn a_phase_counts_from_its_beginning_and_a_new_host_from_nothing() {
        let (before, after) = (Counters { hits: 80, misses: 20, ..Counters::default() }, Counters::parse(TEXT));
        let phase = after.since(&before);
        assert_eq!((phase.hits, phase.misses), (10, 10));
    }
}
