//! The load: 32 persistent connections, each with one request at a time.

use crate::client::Connection;
use crate::registration::{PATH, Question, Registration};
use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 32;

/// The result of loading a server.
pub struct Load {
    /// Responses a second.
    pub per_second: f64,
    /// The median latency, milliseconds.
    pub p50_ms: f64,
    /// The 95th percentile of the latency, milliseconds.
    pub p95_ms: f64,
    /// The 99th percentile of the latency, milliseconds.
    pub p99_ms: f64,
}

/// Loads a server for `duration`.
pub async fn run(address: SocketAddr, questions: &[Question], duration: Duration) -> Result<Load> {
    let start = Instant::now();
    let end = start + duration;
    let mut callers = JoinSet::new();
    for number in 0..CONNECTIONS {
        // Each connection begins with another request, so that requests of all fans are sent.
        let from = number * questions.len() / CONNECTIONS;
        let questions: Vec<_> = questions.iter().cycle().skip(from).take(questions.len()).cloned().collect();
        callers.spawn(call(address, questions, end));
    }
    let mut times = Histogram::<u64>::new(3)?;
    while let Some(called) = callers.join_next().await {
        times.add(called??)?;
    }
    let ms = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    let per_second = times.len() as f64 / start.elapsed().as_secs_f64();
    Ok(Load { per_second, p50_ms: ms(0.5), p95_ms: ms(0.95), p99_ms: ms(0.99) })
}

/// Sends requests on one connection until the end. Times are microseconds.
async fn call(address: SocketAddr, questions: Vec<Question>, end: Instant) -> Result<Histogram<u64>> {
    let mut connection = Connection::open(address).await?;
    let mut times = Histogram::new(3)?;
    let mut questions = questions.iter().cycle();
    while Instant::now() < end {
        let question = questions.next().context("nobody asks")?;
        let start = Instant::now();
        let answer = connection.post(PATH, &question.token, question.body.clone()).await?;
        times.record(u64::try_from(start.elapsed().as_micros())?)?;
        if times.len() == 1 {
            Registration::admitted(&answer)?;
        }
    }
    Ok(times)
}
