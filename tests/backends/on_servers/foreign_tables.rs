//! Tables of other applications: refused by name by `validate --probe`, `provision` and `up`, before anything runs.

use crate::backends::on_servers::servers::{endpoints, unique};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType,
};
use backend_aws::AwsConfig;
use backend_dynamodb::DynamodbConfig;
use host_adapters_platform::{Backend, Declared, TableSpec};
use tests::aws::aws;

/// Makes a table with these keys, and a stream with this view.
pub async fn make(client: &Client, table: &str, keys: &[(&str, ScalarAttributeType)], view: Option<StreamViewType>) {
    let mut request = client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    for ((name, attribute), kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        let definition = AttributeDefinition::builder().attribute_name(*name).attribute_type(attribute.clone());
        request = request
            .key_schema(KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().unwrap())
            .attribute_definitions(definition.build().unwrap());
    }
    let stream = |view| StreamSpecification::builder().stream_enabled(true).stream_view_type(view).build().unwrap();
    request.set_stream_specification(view.map(stream)).send().await.unwrap();
}

#[tokio::test]
async fn case_05_tables_made_by_others_are_refused_by_name() {
    use ScalarAttributeType::{N, S};
    let at = &endpoints().await.dynamodb;
    let client = Client::new(aws(at).await.sdk());
    let both = || Some(StreamViewType::NewAndOldImages);
    let ours = [("pk", S), ("sk", S)];
    for (keys, view, stream, problem) in [
        (&[("id", S)][..], both(), true, Some("its key is `id` of type S")),
        (&[("pk", S), ("sk", N)], both(), false, Some("`sk` of type N")),
        (&ours, Some(StreamViewType::KeysOnly), true, Some("its stream shows KEYS_ONLY")),
        (&ours, None, true, Some("it has no stream")),
        (&ours, both(), true, None),
        (&ours, Some(StreamViewType::KeysOnly), false, None),
    ] {
        let (prefix, data) = (unique(), tempfile::tempdir().unwrap());
        make(&client, &format!("{prefix}t"), keys, view).await;
        let config = DynamodbConfig {
            aws: AwsConfig::of_server(at, "us-east-1", "test", "test"),
            prefix: Some(prefix.clone()),
            ..DynamodbConfig::default()
        };
        let spec = TableSpec { stream, ..TableSpec::default() };
        let declared = Declared { tables: [("t".to_owned(), spec)].into(), ..Declared::default() };
        let told = [
            config.provision(&declared).await.err(),
            config.probe(&declared).await.err().map(|error| error.to_string()),
            config.open(&declared, data.path()).await.err(),
        ];
        for told in told {
            match (told, problem) {
                (None, None) => {}
                (Some(told), Some(problem)) => {
                    assert!(told.contains(&format!("{prefix}t: ")) && told.contains(problem), "{told}");
                }
                (told, _) => panic!("{problem:?}: {told:?}"),
            }
        }
    }
}
