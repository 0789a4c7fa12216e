//! `cargo xtask servers`: the command line of `tests/servers`.

use anyhow::Result;
use clap::Subcommand;
use comfy_table::{Table, presets};

use test_servers::{Servers, Status, named};

#[derive(Subcommand)]
pub enum Command {
    /// Install what is missing, start what does not run, and wait until all answer.
    Start {
        /// Names of servers; by default all.
        names: Vec<String>,
        /// Start without data.
        #[arg(long)]
        fresh: bool,
    },
    /// Stop servers that `start` started; their data is kept.
    Stop {
        /// Names of servers; by default all.
        names: Vec<String>,
    },
    /// Show the servers, their endpoints, and whether they answer.
    Status {
        /// Names of servers; by default all.
        names: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub fn run(command: Command) -> Result<()> {
    let servers = Servers::open()?;
    match command {
        Command::Start { names, fresh } => servers.start(&named(&names)?, fresh).map(drop),
        Command::Stop { names } => servers.stop(&named(&names)?),
        Command::Status { names, json } => {
            let all = named(&names)?.into_iter().map(|server| servers.status(server)).collect::<Result<Vec<_>>>()?;
            if json {
                println!("{}", serde_json::to_string_pretty(&all)?);
            } else {
                println!("{}", table(&all));
            }
            Ok(())
        }
    }
}

fn table(all: &[Status]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["name", "version", "serves", "what it is", "state", "endpoint", "pid", "MB"]);
    for status in all {
        table.add_row([
            status.name,
            status.version.as_deref().unwrap_or("not installed"),
            status.serves,
            status.kind.words(),
            status.condition.words(),
            status.endpoint.as_deref().unwrap_or_default(),
            &status.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            &status.resident_mb.map(|memory| memory.to_string()).unwrap_or_default(),
        ]);
    }
    table
}
