//! `stream_records_per_s`, `stream_cpu_us`: the source `dynamodb-stream` reads a stream of DynamoDB Local into a worker
//! that does nothing, 100 records a call. All rounds of both sides read the same records.

pub mod native;

use super::Server;
use super::application::{Application, TABLE};
use super::native::sdk;
use super::settled::{Figures, Settled, watch};
use crate::process::Process;
use crate::report::{Beside, Figure};
use crate::rounds::Effort;
use anyhow::{Result, bail};
use aws_sdk_dynamodb::Client;
use backend_aws::Aws;
use backend_dynamodb::{Dynamodb, DynamodbStreams};
use host_adapters_platform::TableBackend;
use host_adapters_records::table::BatchWrite;
use serde_json::json;
use std::cell::Cell;
use std::path::Path;

/// Records of the stream.
const RECORDS: usize = 40_000;
/// Items in one call when the table is filled.
const FILL: usize = 200;

const FIGURES: Figures = Figures {
    rate: "stream_records_per_s",
    rate_beside: &[Beside::AtLeast(0.9, "native_stream_records_per_s")],
    native_rate: "native_stream_records_per_s",
    cpu: "stream_cpu_us",
    cpu_beside: &[Beside::AtMost(2.5, "native_stream_cpu_us")],
    native_cpu: "native_stream_cpu_us",
};

/// Measures host and baseline.
///
/// # Errors
/// When DynamoDB Local cannot be started, or a record is lost or comes twice.
pub fn measure(effort: Effort, program: &Path) -> Result<Vec<Figure>> {
    let server = Server::start("dynamodb")?;
    let threads = tokio::runtime::Runtime::new()?;
    let source = format!(r#"type = "dynamodb-stream", table = "{TABLE}", batch_size = 100"#);
    let application = Application::new(program, &source)?;
    let records = effort.of(RECORDS, 500);
    threads.block_on(fill(&server, records))?;
    let rounds = Cell::new(0);
    let host = || {
        rounds.set(rounds.get() + 1);
        threads.block_on(read_by_host(&server, &application, records, rounds.get()))
    };
    let native = || {
        let process = Process::native("native-stream", &[&server.endpoint, &format!("{}{TABLE}", server.prefix)])?;
        let settled = threads.block_on(watch(&process, records as u64))?;
        process.stop()?;
        Ok(settled)
    };
    let figures = FIGURES.measure(effort, host, native)?;
    threads.block_on(delete(&server, &format!("{}{TABLE}", server.prefix)))?;
    Ok(figures)
}

/// The host begins at its checkpoints, so each round has a lease table of its own.
async fn read_by_host(server: &Server, application: &Application, records: usize, round: usize) -> Result<Settled> {
    let leases = format!("{}leases-{round}", server.prefix);
    let aws = Aws::load(&server.config()).await;
    DynamodbStreams::new(&aws, &server.prefix, [TABLE.to_owned()].into(), &leases, "bench").provision().await?;
    let section = server.section(&server.prefix);
    let process =
        application.start(&format!("[tables]\ntype = \"dynamodb\"\nlease_table = \"{leases}\"\n{section}"))?;
    let settled = watch(&process, records as u64).await?;
    process.stop()?;
    delete(server, &leases).await?;
    Ok(settled)
}

async fn fill(server: &Server, records: usize) -> Result<()> {
    let tables = Dynamodb::new(&Aws::load(&server.config()).await, &server.prefix, [TABLE.to_owned()].into());
    tables.provision(TABLE, true).await?;
    for first in (0..records).step_by(FILL) {
        let puts = (first..records.min(first + FILL)).map(item).collect();
        let written = tables.batch_write(BatchWrite { table: TABLE.to_owned(), puts, deletes: vec![] }).await?;
        if let Some(error) = written.into_iter().flatten().next() {
            bail!("the table does not take an item: {error}");
        }
    }
    Ok(())
}

/// An item about as large as a fan's entry.
fn item(number: usize) -> String {
    let item = json!({
        "pk": "CAMPAIGN#bench", "sk": format!("USER#fan-{number}"), "do": "ack", "type": "ENTRY", "score": number,
        "entry": {"fanId": format!("fan-{number}"), "fields": {"city": "London", "tickets": 2}, "verified": true},
        "date": {"created": "2026-01-15T10:00:00.000Z", "updated": "2026-01-15T10:00:00.000Z"},
        "needsReplication": true,
    });
    item.to_string()
}

async fn delete(server: &Server, table: &str) -> Result<()> {
    Client::new(&sdk(&server.endpoint).await).delete_table().table_name(table).send().await?;
    Ok(())
}
