//! Data streams while connections to their server fail.

use super::proxy::{Line, Proxy};
use crate::backends::on_servers::servers::{endpoints, unique};
use backend_dynamodb::lease::LeaseRows;
use backend_kinesis::Kinesis;
use host_adapters_platform::{DataStreamBackend, DataStreamSpec, Position, ShardReader};
use host_adapters_records::ErrorKind;
use std::collections::BTreeSet;
use tests::aws::aws;
use tests::contract::suites::backend::DATA_STREAM;
use tests::contract::suites::data_streams::record;

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_an_outage_and_what_was_put_is_there() {
    let (mut at, prefix) = (endpoints().await.clone(), unique());
    let proxy = Proxy::before(at.of("kinesalite")).await;
    let leases = LeaseRows::new(&aws(&at.dynamodb).await, &format!("{prefix}leases"), "me");
    let streams = Kinesis::new(&aws(&at.kinesis).await, &prefix, [DATA_STREAM.to_owned()].into(), leases);
    let spec = DataStreamSpec { shards: 1 };
    streams.provision(&[(DATA_STREAM.to_owned(), spec)].into()).await.unwrap();
    let shard = streams.shards(DATA_STREAM).await.unwrap().remove(0).id;
    let put = async |n: usize| streams.put_records(DATA_STREAM, vec![record("k", n.to_string()); 3]).await.unwrap();
    let read = async || streams.records(DATA_STREAM, &shard, &Position::TrimHorizon, 100).await;

    let mut taken: BTreeSet<String> = put(0).await.into_iter().map(Result::unwrap).collect();
    proxy.set(Line::Cut);
    let kinds: Vec<_> = put(1).await.into_iter().map(|put| put.unwrap_err().kind).collect();
    assert_eq!(kinds, [ErrorKind::Unavailable; 3]);
    assert_eq!(read().await.unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(streams.shards(DATA_STREAM).await.unwrap_err().kind, ErrorKind::Unavailable);

    proxy.set(Line::Open);
    taken.extend(put(2).await.into_iter().map(Result::unwrap));
    let found: BTreeSet<_> = read().await.unwrap().records.into_iter().map(|record| record.sequence).collect();
    assert!(found.is_superset(&taken) && taken.len() == 6, "{taken:?} in {found:?}");
}
