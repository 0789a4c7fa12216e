//! What no server that we can start shows: throttles, work left undone, batches that fail in part, shards that split,
//! iterators that expire. A server that speaks the protocol answers as the services are documented to.

mod documents;
mod mongo;
mod queues;
mod server;
mod streams;
mod tables;

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
