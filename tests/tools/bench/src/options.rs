//! The command line.

use crate::rounds::Effort;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures what the host costs, each figure compared with a baseline of the same run.
///
/// docs/performance.md says what each figure means. Figures of a busy machine are of little use. Their ratios are still
/// valid, because a figure and its baseline are measured alternately.
#[derive(Debug, Parser)]
#[command(name = "cargo bench-host", bin_name = "cargo bench-host")]
pub struct Options {
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Rounds of each figure; the figure is their median.
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rounds: u16,
    /// Rows of the large scored file of `scores_*`, about 115 bytes each. From 2000000 on, its rate is to be that of a small
    /// file.
    #[arg(long, default_value_t = 200_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rows: u32,
    /// Measure this group only; may be given several times.
    #[arg(long, value_name = "FIGURES")]
    pub only: Vec<Group>,
    /// Measure the sources on real servers too; installs and starts ElasticMQ and DynamoDB Local unless they are up.
    #[arg(long)]
    pub servers: bool,
    /// Only check that everything runs; the figures mean nothing then.
    #[arg(long)]
    pub quick: bool,
    /// The host.
    #[arg(long, env = "HOST_ADAPTERS_BIN", default_value = "target/release/host-adapters", value_name = "FILE")]
    pub host: PathBuf,
    #[command(subcommand)]
    pub command: Option<Baseline>,
}

/// Figures that are measured together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Group {
    /// `batch10_*`: ten records of save-entries.
    Batch10,
    /// `http_*`, `native_http_*`, `rss_*`: check-eligibility under load.
    Http,
    /// `cache_*`: check-eligibility while Redis hangs, is slow, or works.
    Cache,
    /// `neighbour_p99_ms`: check-eligibility while another worker does its worst.
    Neighbours,
    /// `queue_*`, `host_cpu_us_per_msg`: a queue emptied by a worker that does nothing.
    Queue,
    /// `scores_*`: a scored file through load-scores, and through both writers.
    Scores,
    /// `startup_*`.
    Startup,
    /// `swap_*`.
    Swap,
    /// `sqs_*`, with `--servers`: a queue of ElasticMQ emptied by a worker that does nothing.
    Sqs,
    /// `stream_*`, with `--servers`: a stream of DynamoDB Local read by a worker that does nothing.
    DynamodbStreams,
}

/// The baselines: this program in a separate process.
#[derive(Debug, Subcommand)]
pub enum Baseline {
    /// Serves check-eligibility natively.
    #[command(name = "native-http", hide = true)]
    Http {
        /// The issuer's keys.
        jwks: PathBuf,
        /// The campaign in its cache.
        campaign: PathBuf,
    },
    /// Empties a queue with only the SDK, as the baseline of the source `sqs`.
    #[command(name = "native-sqs", hide = true)]
    Sqs {
        /// The server.
        endpoint: String,
        /// The queue.
        queue: String,
    },
    /// Reads a stream with only the SDK, as the baseline of the source `dynamodb-stream`.
    #[command(name = "native-stream", hide = true)]
    Stream {
        /// The server.
        endpoint: String,
        /// The table.
        table: String,
    },
}

impl Options {
    /// Whether a group is wanted.
    pub fn wants(&self, group: Group) -> bool {
        let possible = self.servers || !group.needs_servers();
        possible && (self.only.is_empty() || self.only.contains(&group))
    }

    /// Whether a group was selected that needs servers, without --servers.
    pub fn lacks_servers(&self) -> bool {
        !self.servers && self.only.iter().any(|group| group.needs_servers())
    }

    /// How much to measure.
    pub fn effort(&self) -> Effort {
        Effort { rounds: self.rounds.into(), quick: self.quick }
    }
}

impl Group {
    fn needs_servers(self) -> bool {
        matches!(self, Self::Sqs | Self::DynamodbStreams)
    }
}
