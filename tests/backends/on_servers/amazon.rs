//! The backends of AWS's services, for any server with their protocols; and on AWS itself the cases of the contract
//! that concern them, with `cargo verify --aws`. Each case creates its own tables, queues, buckets and streams, and
//! topics if it needs them, and deletes them.

use crate::backends::on_servers::servers::unique;
use crate::backends::on_servers::topics::Scene;
use backend_aws::{Aws, AwsConfig};
use backend_dynamodb::lease::LeaseRows;
use backend_dynamodb::{Dynamodb, DynamodbFailures, DynamodbStreams};
use backend_kinesis::Kinesis;
use backend_s3::S3;
use backend_sqs::Sqs;
use host_adapters_platform::{
    DataStreamBackend, DataStreamReader, DataStreamSpec, DocumentsBackend, FailureTable, ObjectsBackend, QueueBackend,
    QueueBrowser, QueueSpec, StreamBackend, TableBackend,
};
use host_adapters_records::cache::CacheBackend;
use std::collections::BTreeSet;
use std::time::Duration;
use tests::contract::suites::backend::{
    BUCKET, Backend, DATA_STREAM, DEAD_LETTERS, FIFO_DEAD_LETTERS, FIFO_QUEUE, LOOSE_QUEUE, MAX_RECEIVES, OTHER_BUCKET,
    PLAIN_TABLE, QUEUE, SHARDS, TABLE, Topics,
};
use tokio::sync::OnceCell;

/// Set by `cargo verify --aws`, so that credentials in the environment are not used without that option.
const ASKED_FOR: &str = "CONTRACT_ON_AWS";
/// Precedes the names of everything that is made in the AWS account.
const PREFIX: &str = "registration-workers-";
/// The services' clocks cannot be moved, and may lag a little.
const LAG: Duration = Duration::from_millis(300);
const TABLES: [&str; 2] = [TABLE, PLAIN_TABLE];
const QUEUES: [&str; 5] = [QUEUE, DEAD_LETTERS, LOOSE_QUEUE, FIFO_QUEUE, FIFO_DEAD_LETTERS];

const BUCKETS: [&str; 2] = [BUCKET, OTHER_BUCKET];

/// DynamoDB, its streams, SQS, S3 and Kinesis.
pub struct Amazon {
    pub tables: Dynamodb,
    pub streams: DynamodbStreams,
    pub queues: Sqs,
    pub failures: DynamodbFailures,
    pub objects: S3,
    pub data_streams: Kinesis,
}

impl Amazon {
    pub fn new(dynamodb: &Aws, sqs: &Aws, s3: &Aws, kinesis: &Aws, prefix: &str) -> Self {
        let rows = LeaseRows::new(dynamodb, &leases(prefix), "this-host");
        let tables: BTreeSet<_> = TABLES.map(str::to_owned).into();
        Self {
            tables: Dynamodb::new(dynamodb, prefix, tables.clone()),
            streams: DynamodbStreams::new(dynamodb, prefix, tables, &leases(prefix), "this-host"),
            queues: Sqs::new(sqs, prefix, QUEUES.map(str::to_owned).into()),
            failures: DynamodbFailures::new(dynamodb, &failures(prefix)),
            objects: S3::new(s3, prefix, BUCKETS.map(str::to_owned).into()),
            data_streams: Kinesis::new(kinesis, prefix, [DATA_STREAM.to_owned()].into(), rows),
        }
    }

    pub async fn provision(&self) {
        self.tables.provision(TABLE, true).await.unwrap();
        self.tables.provision(PLAIN_TABLE, false).await.unwrap();
        self.streams.provision().await.unwrap();
        self.failures.provision().await.unwrap();
        let spec = QueueSpec { visibility_timeout_secs: 30, retention_secs: 3600, ..QueueSpec::default() };
        self.queues.provision(DEAD_LETTERS, &spec).await.unwrap();
        self.queues.provision(LOOSE_QUEUE, &spec).await.unwrap();
        self.queues.provision(FIFO_DEAD_LETTERS, &spec).await.unwrap();
        for (queue, dead_letters) in [(QUEUE, DEAD_LETTERS), (FIFO_QUEUE, FIFO_DEAD_LETTERS)] {
            let (dead_letter_queue, max_receive_count) = (Some(dead_letters.to_owned()), MAX_RECEIVES);
            let spec = QueueSpec { dead_letter_queue, max_receive_count, ..spec.clone() };
            self.queues.provision(queue, &spec).await.unwrap();
        }
        self.objects.provision().await.unwrap();
        let spec = DataStreamSpec { shards: SHARDS };
        self.data_streams.provision(&[(DATA_STREAM.to_owned(), spec)].into()).await.unwrap();
    }
}

/// The table of leases.
pub fn leases(prefix: &str) -> String {
    format!("{prefix}leases")
}

fn failures(prefix: &str) -> String {
    format!("{prefix}failures")
}

/// AWS itself.
pub struct OnAws {
    amazon: Amazon,
    aws: Aws,
    prefix: String,
    topics: OnceCell<Scene>,
}

/// Uses the account and region of the environment (`AWS_PROFILE`, `AWS_REGION`, …).
pub async fn open() -> OnAws {
    assert!(
        std::env::var_os(ASKED_FOR).is_some(),
        "this makes tables, queues, topics, buckets and streams in AWS: run `cargo verify --aws`"
    );
    let (aws, prefix) = (Aws::load(&AwsConfig::default()).await, format!("{PREFIX}{}", unique()));
    let opened = OnAws { amazon: Amazon::new(&aws, &aws, &aws, &aws, &prefix), aws, prefix, topics: OnceCell::new() };
    opened.amazon.provision().await;
    opened
}

impl Backend for OnAws {
    fn tables(&self) -> &dyn TableBackend {
        &self.amazon.tables
    }
    fn streams(&self) -> &dyn StreamBackend {
        &self.amazon.streams
    }
    fn queues(&self) -> &dyn QueueBackend {
        &self.amazon.queues
    }
    fn browser(&self) -> &dyn QueueBrowser {
        &self.amazon.queues
    }
    fn failures(&self) -> &dyn FailureTable {
        &self.amazon.failures
    }
    fn documents(&self) -> &dyn DocumentsBackend {
        unreachable!("no case of AWS uses documents")
    }
    fn objects(&self) -> &dyn ObjectsBackend {
        &self.amazon.objects
    }
    fn data_streams(&self) -> &dyn DataStreamBackend {
        &self.amazon.data_streams
    }
    fn data_stream_reader(&self) -> &dyn DataStreamReader {
        &self.amazon.data_streams
    }
    /// Made at first use, because few cases need them.
    async fn topics(&self) -> Topics<'_> {
        let set = || async { Scene::set(self.aws.clone(), &self.prefix).await };
        self.topics.get_or_init(set).await.topics()
    }
    fn cache(&self) -> &dyn CacheBackend {
        unreachable!("no case of AWS uses a cache")
    }
    fn shortcoming(&self, suite: &str, case: &str) -> Option<&'static str> {
        crate::backends::on_servers::shortcomings::of_aws(suite, case)
    }
    async fn pass(&self, by: Duration) {
        tokio::time::sleep(by + LAG).await;
    }
    /// Names what cannot be deleted, so that it can be deleted by hand.
    async fn close(&self) {
        if let Some(topics) = self.topics.get() {
            topics.delete().await;
        }
        let (tables, queues) =
            (aws_sdk_dynamodb::Client::new(self.aws.sdk()), aws_sdk_sqs::Client::new(self.aws.sdk()));
        for table in TABLES
            .map(|table| format!("{}{table}", self.prefix))
            .into_iter()
            .chain([leases(&self.prefix), failures(&self.prefix)])
        {
            if let Err(error) = tables.delete_table().table_name(&table).send().await {
                eprintln!("the table {table} is left in AWS: {error:?}");
            }
        }
        for queue in QUEUES.map(|queue| format!("{}{queue}", self.prefix)) {
            let deleted = async {
                let url =
                    queues.get_queue_url().queue_name(&queue).send().await.map_err(|error| format!("{error:?}"))?;
                let delete = queues.delete_queue().set_queue_url(url.queue_url);
                delete.send().await.map_err(|error| format!("{error:?}"))
            };
            if let Err(error) = deleted.await {
                eprintln!("the queue {queue} is left in AWS: {error}");
            }
        }
        let (streams, stream) = (aws_sdk_kinesis::Client::new(self.aws.sdk()), format!("{}{DATA_STREAM}", self.prefix));
        if let Err(error) = streams.delete_stream().stream_name(&stream).send().await {
            eprintln!("the stream {stream} is left in AWS: {error:?}");
        }
        for bucket in BUCKETS.map(|bucket| format!("{}{bucket}", self.prefix)) {
            if let Err(error) = delete_bucket(&aws_sdk_s3::Client::new(self.aws.sdk()), &bucket).await {
                eprintln!("the bucket {bucket} is left in AWS: {error:?}");
            }
        }
    }
}

/// Deletes a bucket with its objects: fewer than a page, the cases put no more.
async fn delete_bucket(s3: &aws_sdk_s3::Client, bucket: &str) -> Result<(), aws_sdk_s3::Error> {
    for object in s3.list_objects_v2().bucket(bucket).send().await?.contents() {
        s3.delete_object().bucket(bucket).key(object.key().unwrap_or_default()).send().await?;
    }
    s3.delete_bucket().bucket(bucket).send().await?;
    Ok(())
}
