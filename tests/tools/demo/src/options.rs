//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Takes registrations end to end through the host and proves from outside that none was lost.
///
/// Starts fakes of the Campaign, Code, Entry and User services and of Slack, and the host; sends registrations as AppSync
/// would, and waits until all are replicated; lets scored files arrive, and waits until all fans are counted; closes the
/// largest campaign and has the winners of its markets selected. Then it compares the contents of the services, the table
/// and a stream with how each registration and each row was made. The exit code is 1 if any check fails.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo")]
pub struct Options {
    /// Run on real servers (DynamoDB Local, ElasticMQ, moto, kinesalite, a MongoDB, Redis, Kafka), which are installed and
    /// started if necessary.
    #[arg(long)]
    pub servers: bool,
    /// The number of registrations.
    #[arg(long, default_value_t = 50_000, value_name = "N")]
    pub registrations: usize,
    /// The seed of registrations, faults, kills and injected faults.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Arrivals a second in the first ten seconds; after that, 32 callers send as fast as they can.
    #[arg(long, default_value_t = 1_000, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub rate: u32,
    /// Let all services respond with 5 % errors, and sometimes late; 1 % of the scores fail, too. It excludes
    /// --failed-scores, which says for the scores alone how many.
    #[arg(long, conflicts_with = "failed_scores")]
    pub faults: bool,
    /// Run a scenario of the documents instead of a campaign week. 1: all register for the one market of a campaign, Los
    /// Angeles, where 500 of them win.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=1), conflicts_with_all = ["input", "inject"])]
    pub scenario: Option<u8>,
    /// Start three tasks of the market instead of one: two at once, of which the second wins nothing, and after their
    /// verdicts one by which half as many more win.
    #[arg(long, requires = "scenario")]
    pub three_tasks: bool,
    /// Leave out the disturbances at the end: wrong addresses of two services, a deploy meanwhile, slow and old profiles.
    #[arg(long)]
    pub calm: bool,
    /// Let the event log take no record for this many seconds, from the first registration on; replication must not become
    /// slow.
    #[arg(long, default_value_t = 0, value_name = "SECONDS", conflicts_with = "servers")]
    pub event_log_down: u64,
    /// Kill the host this many times during the run, as the system would, and restart it on its data.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub kills: usize,
    /// Let the host abort itself at its N-th durable step of a kind (`delete:3`), and restart it on its data.
    #[arg(long, value_name = "KIND:N")]
    pub abort_at_step: Option<String>,
    /// The same, but counted from when the selection begins, before which the host is restarted.
    #[arg(long, value_name = "KIND:N", conflicts_with = "abort_at_step")]
    pub abort_in_selection: Option<String>,
    /// Let this part of the Entry Service's scores fail, from 0 to 1, and nothing else; retry-score has them computed
    /// again. It excludes --faults.
    #[arg(long, default_value_t = 0.0, value_name = "PART")]
    pub failed_scores: f64,
    /// Inject a lost message, a stale overwrite, a flag left set, a wrong reason, a code with two fans, a loser with a code,
    /// a missing verdict, a wrong winner, a second score item, a wrong count and a lost record of the event log: the checks
    /// must find them all.
    #[arg(long)]
    pub inject: bool,
    /// Also send a message that can never be handled; the manifest must make it a dead letter.
    #[arg(long, hide = true)]
    pub poison: bool,
    /// Read campaigns, fans and registrations from a file of JSON lines instead of making them.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Write the campaigns, fans and registrations as JSON lines, which --input reads.
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    pub output: Option<PathBuf>,
    /// Print one JSON object on stdout, and the readable summary on stderr.
    #[arg(long)]
    pub json: bool,
    /// Serve on afterwards, until interrupted.
    #[arg(long)]
    pub keep: bool,
    /// The folder of keys, logs and the host's data. It must be empty, except for `host/compiled`, the components
    /// compiled by an earlier run. By default a temporary folder.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The host's manifest.
    #[arg(long, default_value = "spin.toml", value_name = "FILE")]
    pub manifest: PathBuf,
    /// The host.
    #[arg(long, env = "HOST_ADAPTERS_BIN", default_value = "target/release/host-adapters", value_name = "FILE")]
    pub host: PathBuf,
}
