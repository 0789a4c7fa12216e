//! Behaviour that none of the local servers shows: throttling, unprocessed work, batches that fail in part, shards that
//! split, iterators that expire. A scripted server speaks the protocol and responds as the services are documented.

mod data_streams;
mod documents;
mod left_out;
mod mongo;
mod objects;
mod query;
mod queues;
mod rest;
mod secrets;
pub mod server;
mod streams;
mod tables;
mod tasks;
mod topics;

/// Makes a test of each case.
macro_rules! scripted {
    (() $($suite:ident: [$($case:ident),* $(,)?]),* $(,)?) => {
        mod cases {
            $(mod $suite {
                $(#[tokio::test]
                async fn $case() {
                    super::super::$suite::$case().await;
                })*
            })*
        }
    };
}

tests::scripted_cases!(scripted);
