//! SQS.

use super::server::{Reply, Scripted};
use backend_sqs::Sqs;
use host_adapters_platform::{QueueBackend, QueueBrowser, QueueSpec};
use host_adapters_records::queue::Message;
use host_adapters_records::{Error, ErrorKind};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

async fn queues(server: &Scripted) -> Sqs {
    Sqs::new(&server.aws().await, "p-", ["q", "qDlq", "q.fifo"].map(str::to_owned).into())
}

/// A server on which all queues exist.
async fn start(script: impl Fn(&str, usize, &Value) -> Reply + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |action, before, input| match action {
        "GetQueueUrl" => Ok(json!({"QueueUrl": format!("http://queues/{}", input["QueueName"].as_str().unwrap())})),
        action => script(action, before, input),
    })
    .await
}

fn message(body: &str) -> Message {
    Message::new(body)
}

fn failed(id: &Value, sender_fault: bool) -> Value {
    json!({"Id": id, "SenderFault": sender_fault, "Code": "Code", "Message": "as scripted"})
}

fn kinds(results: &[Option<Error>]) -> Vec<Option<ErrorKind>> {
    results.iter().map(|result| result.as_ref().map(|error| error.kind)).collect()
}

/// Entries by their bodies: `wrong` always fails by the sender's fault, `later` fails once by SQS's.
pub async fn sends_again_what_failed_on_its_side() {
    let server = start(|_, before, input| {
        let (mut successful, mut refused) = (vec![], vec![]);
        for entry in input["Entries"].as_array().unwrap() {
            match entry["MessageBody"].as_str().unwrap() {
                "wrong" => refused.push(failed(&entry["Id"], true)),
                "later" if before == 0 => refused.push(failed(&entry["Id"], false)),
                body => successful
                    .push(json!({"Id": entry["Id"], "MessageId": format!("id of {body}"), "MD5OfMessageBody": ""})),
            }
        }
        Ok(json!({"Successful": successful, "Failed": refused}))
    })
    .await;
    let messages = ["a", "later", "wrong", "b"].map(message).to_vec();
    let answers = queues(&server).await.send_batch("q", messages).await.unwrap();
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            Ok(id) => Ok(id),
            Err(error) => Err(error.kind),
        })
        .collect();
    let id = |body: &str| Ok(format!("id of {body}"));
    assert_eq!(answers, [id("a"), id("later"), Err(ErrorKind::Invalid), id("b")]);
    let requests = server.requests("SendMessageBatch");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1]["Entries"].as_array().unwrap().len(), 1, "only what failed is sent again");
}

/// Twelve receipts: in the second call one fails by SQS's fault, and one is invalid.
pub async fn deletes_fail_one_by_one() {
    let server = start(|_, _, input| {
        let entries = input["Entries"].as_array().unwrap();
        let of = |receipt: &str| entries.iter().find(|entry| entry["ReceiptHandle"] == receipt);
        let refused = [("r10", false), ("r11", true)];
        let refused: Vec<_> = refused.iter().filter_map(|(it, fault)| Some(failed(&of(it)?["Id"], *fault))).collect();
        Ok(json!({"Successful": [], "Failed": refused}))
    })
    .await;
    let receipts: Vec<_> = (0..12).map(|n| format!("r{n}")).collect();
    let results = queues(&server).await.delete_batch("q", &receipts).await.unwrap();
    let (told, rest) = (kinds(&results[10..]), kinds(&results[..10]));
    assert_eq!(told, [Some(ErrorKind::Unavailable), Some(ErrorKind::Invalid)]);
    assert_eq!(rest, vec![None; 10]);
    assert_eq!(server.requests("DeleteMessageBatch").len(), 2, "ten a call");
}

pub async fn visibility_fails_one_by_one() {
    let server =
        start(|_, _, input| Ok(json!({"Successful": [], "Failed": [failed(&input["Entries"][1]["Id"], true)]}))).await;
    // The second is refused before it is sent, so the server's second entry is the third one here.
    let changes = [("a", 1), ("b", 13 * 3600), ("c", 2)].map(|(it, secs)| (it.to_owned(), Duration::from_secs(secs)));
    let results = queues(&server).await.change_visibility_batch("q", &changes).await.unwrap();
    assert_eq!(kinds(&results), [None, Some(ErrorKind::Invalid), Some(ErrorKind::Invalid)]);
    assert!(results[2].as_ref().unwrap().message.contains("as scripted"), "{results:?}");
}

/// The queue's own redrive only names the ARN of the queue; the other attributes are those of a dead letter.
pub async fn tells_where_a_moved_message_came_from() {
    let server = start(|_, _, _| {
        let attributes = json!({"ApproximateReceiveCount": "4", "SentTimestamp": "1705312800000",
            "DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:123456789012:p-q"});
        Ok(json!({"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": "b", "Attributes": attributes}]}))
    })
    .await;
    let second = Duration::from_secs(1);
    let received = queues(&server).await.receive("qDlq", 1, Duration::ZERO, second).await.unwrap().remove(0);
    let told: BTreeSet<_> =
        received.attributes.iter().filter_map(|it| Some((it.name.as_str(), it.as_text()?))).collect();
    assert_eq!(told, [("reason", "receives exhausted"), ("source", "sqs:q"), ("sourceMessageId", "m")].into());
    assert_eq!((received.receive_count, received.sent_ms), (4, 1_705_312_800_000));
}

/// Received messages are returned although another call failed.
pub async fn keeps_what_one_call_received_when_another_fails() {
    let server = start(|_, before, input| match before {
        0 => {
            let message = |n| json!({"MessageId": format!("m{n}"), "ReceiptHandle": "r", "Body": "b"});
            Ok(json!({"Messages": (0..input["MaxNumberOfMessages"].as_u64().unwrap()).map(message).collect::<Vec<_>>()}))
        }
        _ => Err("OverLimit"),
    })
    .await;
    let received = queues(&server).await.receive("q", 20, Duration::ZERO, Duration::from_secs(30)).await.unwrap();
    assert_eq!(received.len(), 10);
}

/// A receive may return fewer messages than there are; only an empty one ends the page.
pub async fn fills_a_page_by_several_receives() {
    let server = start(|action, before, _| match action {
        "ReceiveMessage" => {
            let message = |n: &usize| json!({"MessageId": format!("m{n}"), "ReceiptHandle": "r", "Body": "b"});
            let answers: [&[usize]; 4] = [&[0, 1], &[2], &[3], &[]];
            Ok(json!({"Messages": answers[before].iter().map(message).collect::<Vec<_>>()}))
        }
        _ => Ok(json!({"Successful": [], "Failed": []})),
    })
    .await;
    let queues = queues(&server).await;
    let page = queues.browse("q", None, 3).await.unwrap();
    let ids: Vec<_> = page.messages.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids, ["m0", "m1", "m2"]);
    assert!(server.requests("ChangeMessageVisibilityBatch").is_empty(), "hidden until the last page");
    let last = queues.browse("q", page.next.as_deref(), 3).await.unwrap();
    assert_eq!((last.messages.len(), last.next), (1, None));
    let given_back = server.requests("ChangeMessageVisibilityBatch");
    assert_eq!(given_back[0]["Entries"].as_array().unwrap().len(), 4);
}

/// SQS takes `a1` the second time, `b1` never, and refuses `c1`: what is behind the last two is not sent.
pub async fn stops_a_group_behind_what_was_not_taken() {
    let server = start(|_, before, input| {
        let (mut successful, mut refused) = (vec![], vec![]);
        for entry in input["Entries"].as_array().unwrap() {
            match entry["MessageBody"].as_str().unwrap() {
                "b1" => refused.push(failed(&entry["Id"], false)),
                "c1" => refused.push(failed(&entry["Id"], true)),
                "a1" if before == 0 => refused.push(failed(&entry["Id"], false)),
                body => successful.push(json!({"Id": entry["Id"], "MessageId": body, "MD5OfMessageBody": ""})),
            }
        }
        Ok(json!({"Successful": successful, "Failed": refused}))
    })
    .await;
    let of_group = |body: &str| Message { group_id: Some(body[..1].to_owned()), ..message(body) };
    let messages = ["a1", "a2", "b1", "b2", "c1", "a3", "c2", "d1"].map(of_group).to_vec();
    let answers = queues(&server).await.send_batch("q.fifo", messages).await.unwrap();
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.kind)).collect();
    let taken = |body: &str| Ok(body.to_owned());
    let (down, waits) = (Err(ErrorKind::Unavailable), Err(ErrorKind::Throttled));
    let invalid = Err(ErrorKind::Invalid);
    let expected = [taken("a1"), taken("a2"), down.clone(), down, invalid, taken("a3"), waits, taken("d1")];
    assert_eq!(answers, expected);
    let bodies = server.requests("SendMessageBatch").into_iter().flat_map(|request| {
        let entries = request["Entries"].as_array().unwrap().clone();
        entries.into_iter().map(|entry| entry["MessageBody"].as_str().unwrap().to_owned())
    });
    let sent: Vec<String> = bodies.collect();
    assert!(!sent.iter().any(|body| body == "b2" || body == "c2"), "{sent:?}");
    let last = |body: &str| sent.iter().rposition(|it| it == body).unwrap();
    assert!(last("a1") < last("a2") && last("a2") < last("a3"), "{sent:?}");
}

/// The body is good.
pub async fn names_attributes_that_cannot_be_read() {
    let server = start(|_, _, _| {
        let attributes = json!({"odd": {"DataType": "Binary"}, "good": {"DataType": "String", "StringValue": "v"}});
        Ok(json!({"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": "b", "MessageAttributes": attributes}]}))
    })
    .await;
    let second = Duration::from_secs(1);
    let received = queues(&server).await.receive("q", 1, Duration::ZERO, second).await.unwrap().remove(0);
    assert_eq!((received.body.as_str(), received.attributes.len()), ("b", 1));
    assert_eq!(received.unreadable, ["odd"]);
}

/// A queue of an earlier version, whose messages had three receives.
pub async fn says_how_an_existing_queue_differs() {
    let server = start(|action, _, input| match action {
        "CreateQueue" => Err("QueueNameExists"),
        _ => {
            let policy = r#"{"deadLetterTargetArn":"arn:dlq","maxReceiveCount":"3"}"#;
            let all = json!({"QueueArn": "arn:dlq", "VisibilityTimeout": "30", "MessageRetentionPeriod": "345600", "RedrivePolicy": policy});
            assert_eq!(input["AttributeNames"], json!(["All"]));
            Ok(json!({ "Attributes": all }))
        }
    })
    .await;
    let spec = QueueSpec { dead_letter_queue: Some("qDlq".to_owned()), ..QueueSpec::default() };
    let error = queues(&server).await.provision("q", &spec).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    for part in [
        "p-q exists with settings that differ from spin.toml's: RedrivePolicy is ",
        r#""maxReceiveCount":"3"}, not {"#,
        r#""maxReceiveCount":100}. "#,
        r#"aws sqs set-queue-attributes --queue-url http://queues/p-q --attributes '{"RedrivePolicy":"#,
    ] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
    assert!(!error.message.contains("VisibilityTimeout"), "the same: {}", error.message);
}
