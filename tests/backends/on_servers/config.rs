//! A runtime configuration of the host for real servers.

use crate::backends::on_servers::servers::Endpoints;
use std::path::{Path, PathBuf};

/// The environment variable that the configuration names for AWS's secret.
pub const SECRET: (&str, &str) = ("SECRET", "no server here checks it");
/// The database of MongoDB.
pub const DATABASE: &str = "contract";

/// Writes a configuration into `folder`, for names with this prefix.
pub fn write(folder: &Path, name: &str, at: &Endpoints, prefix: &str) -> PathBuf {
    let aws = |endpoint: &str| {
        let credentials = "{ access_key_id = \"test\", secret_access_key = { env = \"SECRET\" } }";
        format!("region = \"us-east-1\"\nprefix = \"{prefix}\"\nendpoint = \"{endpoint}\"\ncredentials = {credentials}")
    };
    let text = format!(
        "[tables]\ntype = \"dynamodb\"\n{}\n[queues]\ntype = \"sqs\"\n{}\n[documents]\ntype = \"mongodb\"\nuri = \"{}\"\n\
         database = \"{DATABASE}\"\nprefix = \"{prefix}\"\n[objects]\ntype = \"s3\"\n{}\n\
         [data_streams]\ntype = \"kinesis\"\n{}\nlease_endpoint = \"{}\"\n[cache]\ntype = \"redis\"\nurl = \"{}\"\n",
        aws(&at.dynamodb),
        aws(&at.sqs),
        at.mongo,
        aws(&at.s3),
        aws(&at.kinesis),
        at.dynamodb,
        at.redis,
    );
    let path = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    path
}
