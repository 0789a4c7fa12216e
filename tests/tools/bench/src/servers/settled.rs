//! How fast a process settles a backlog, and with how much CPU time: read from its own counter and the kernel's.
//!
//! Only the middle of a run counts, from a tenth to nine tenths. The start of the process is left out, and so are the
//! last batches, for which some pollers have no messages left.

use crate::client::Connection;
use crate::process::Process;
use crate::report::{Beside, Figure};
use crate::rounds::{Effort, interleaved, median, micros};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// The host's counter of acknowledged records. The baselines have one of the same name.
pub const COUNTER: &str = "registration_acked_total";
/// The time between two readings: each costs the process some 0.2 ms of CPU time.
const LOOK: Duration = Duration::from_millis(50);
/// After this time without a record, no more are expected.
const SILENCE: Duration = Duration::from_secs(60);

/// The result of a run.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    /// Records settled a second.
    pub per_second: f64,
    /// CPU time of the process for each, microseconds.
    pub cpu_us: f64,
}

/// The keys of the four figures, and the bounds of the first two.
pub struct Figures {
    pub rate: &'static str,
    pub rate_beside: &'static [Beside],
    pub native_rate: &'static str,
    pub cpu: &'static str,
    pub cpu_beside: &'static [Beside],
    pub native_cpu: &'static str,
}

impl Figures {
    /// Measures host and baseline alternately.
    ///
    /// # Errors
    /// The first error of either.
    pub fn measure(
        &self,
        effort: Effort,
        mut host: impl FnMut() -> Result<Settled>,
        mut native: impl FnMut() -> Result<Settled>,
    ) -> Result<Vec<Figure>> {
        let (mut cpu, mut native_cpu) = (Vec::new(), Vec::new());
        let rate = |settled: Settled, cpu: &mut Vec<f64>| {
            cpu.push(settled.cpu_us);
            Ok(settled.per_second)
        };
        let [host, native] =
            interleaved(effort, [&mut || rate(host()?, &mut cpu), &mut || rate(native()?, &mut native_cpu)])?;
        Ok(vec![
            Figure::new(self.rate, host, self.rate_beside),
            Figure::new(self.native_rate, native, &[]),
            Figure::new(self.cpu, median(cpu), self.cpu_beside),
            Figure::new(self.native_cpu, median(native_cpu), &[]),
        ])
    }
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    settled: u64,
    cpu: Duration,
}

/// Waits until the process has settled `total` records, each once.
///
/// # Errors
/// When it ends early, or settles fewer or more.
pub async fn watch(process: &Process, total: u64) -> Result<Settled> {
    let mut gateway = Connection::open(process.gateway.context("it does not tell what it counts")?).await?;
    let first = sample(process, &mut gateway).await?;
    let (mut begin, mut end, mut last) = (first, None, first);
    while last.settled < total {
        tokio::time::sleep(LOOK).await;
        let next = sample(process, &mut gateway).await?;
        if next.settled == last.settled {
            let silent = next.at - last.at;
            ensure!(silent < SILENCE, "{} of {total} records are missing for {silent:?}", total - last.settled);
            continue;
        }
        last = next;
        if next.settled < total / 10 {
            begin = next;
        } else if next.settled >= total - total / 10 {
            end.get_or_insert(next);
        }
    }
    ensure!(last.settled == total, "{} records are settled, there were {total}: some came twice", last.settled);
    let end = end.unwrap_or(last);
    let records = (end.settled - begin.settled) as f64;
    let per_second = records / (end.at - begin.at).as_secs_f64();
    Ok(Settled { per_second, cpu_us: micros(end.cpu - begin.cpu) / records })
}

async fn sample(process: &Process, gateway: &mut Connection) -> Result<Sample> {
    let text = gateway.get("/metrics").await?;
    let settled = count(&String::from_utf8_lossy(&text));
    Ok(Sample { at: Instant::now(), settled, cpu: process.cpu()? })
}

/// The counter, which does not exist before the first record.
fn count(metrics: &str) -> u64 {
    let line = metrics.lines().find(|line| line.starts_with(COUNTER));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_found_among_others() {
        let text = "# TYPE registration_acked_total counter\n\
            registration_acked_total{worker=\"probe\",source=\"sqs:messages\"} 42\nregistration_in_flight 7\n";
        assert_eq!((count(text), count("registration_acked_total 1"), count("")), (42, 1, 0));
    }
}
