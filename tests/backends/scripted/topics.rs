//! SNS: requests that it takes in part, and topics that are not there.

use super::query::{Form, Reply, Scripted};
use backend_sns::Sns;
use host_adapters_platform::{Result, TopicBackend};
use host_adapters_records::{Attribute, AttributeValue, ErrorKind};
use std::fmt::Write as _;
use tests::contract::suites::topics::topic_message;

const ARN: &str = "arn:aws:sns:us-east-1:1:p-t";

/// A server on which the topic exists.
async fn start(script: impl Fn(usize, &Form) -> Reply + Send + Sync + 'static) -> (Scripted, Sns) {
    let server = Scripted::start(move |action, before, form| match action {
        "ListTopics" => Ok(format!("<Topics><member><TopicArn>{ARN}</TopicArn></member></Topics>")),
        _ => script(before, form),
    })
    .await;
    let sns = Sns::new(&server.aws().await, "p-", ["t".to_owned()].into());
    (server, sns)
}

/// The bodies of a request's messages, by their ids.
fn entries(form: &Form) -> Vec<(String, String)> {
    let member = |n: usize, name: &str| form.get(&format!("PublishBatchRequestEntries.member.{n}.{name}")).cloned();
    (1..).map_while(|n| Some((member(n, "Id")?, member(n, "Message")?))).collect()
}

/// The answer to a request, by what becomes of each body: an id, or the code of an error.
fn each(form: &Form, answer: impl Fn(&str) -> std::result::Result<String, &'static str>) -> Reply {
    let (mut successful, mut failed) = (String::new(), String::new());
    for (id, body) in entries(form) {
        match answer(&body) {
            Ok(message) => {
                write!(successful, "<member><Id>{id}</Id><MessageId>{message}</MessageId></member>").unwrap();
            }
            Err(code) => {
                let fault = "<Message>as scripted</Message><SenderFault>true</SenderFault>";
                write!(failed, "<member><Id>{id}</Id><Code>{code}</Code>{fault}</member>").unwrap();
            }
        }
    }
    Ok(format!("<Successful>{successful}</Successful><Failed>{failed}</Failed>"))
}

async fn publish(sns: &Sns, bodies: &[&str]) -> Vec<std::result::Result<String, ErrorKind>> {
    let messages = bodies.iter().map(|body| topic_message(body, vec![])).collect();
    let published: Vec<Result<String>> = sns.publish_batch("t", messages).await.unwrap();
    published.into_iter().map(|answer| answer.map_err(|error| error.kind)).collect()
}

fn id(body: &str) -> std::result::Result<String, ErrorKind> {
    Ok(format!("id of {body}"))
}

/// The topics are listed once.
pub async fn finds_a_topic_behind_the_first_page() {
    let server = Scripted::start(|action, _, form| match (action, form.get("NextToken").map(String::as_str)) {
        ("ListTopics", None) => {
            let others = ["arn:aws:sns:us-east-1:1:t", "arn:aws:sns:us-east-1:1:p-t2"];
            let topics = others.map(|arn| format!("<member><TopicArn>{arn}</TopicArn></member>")).concat();
            Ok(format!("<Topics>{topics}</Topics><NextToken>more</NextToken>"))
        }
        ("ListTopics", Some("more")) => Ok(format!("<Topics><member><TopicArn>{ARN}</TopicArn></member></Topics>")),
        ("PublishBatch", _) => each(form, |body| Ok(format!("id of {body}"))),
        other => panic!("{other:?}"),
    })
    .await;
    let sns = Sns::new(&server.aws().await, "p-", ["t".to_owned()].into());
    for body in ["a", "b"] {
        assert_eq!(publish(&sns, &[body]).await, [id(body)]);
    }
    let arns: Vec<_> = server.requests("PublishBatch").into_iter().map(|mut form| form.remove("TopicArn")).collect();
    assert_eq!((arns, server.requests("ListTopics").len()), (vec![Some(ARN.to_owned()); 2], 2));
}

/// `later` fails once by SNS's fault, `wrong` and `unfit` always by their own, `denied` because the operator has to permit
/// something.
pub async fn publishes_again_what_failed_on_its_side() {
    let (server, sns) = start(|before, form| {
        each(form, |body| match body {
            "later" if before == 0 => Err("InternalError"),
            "wrong" => Err("InvalidParameter"),
            "unfit" => Err("ParameterValueInvalid"),
            "denied" => Err("KMSAccessDenied"),
            body => Ok(format!("id of {body}")),
        })
    })
    .await;
    let answers = publish(&sns, &["a", "later", "wrong", "unfit", "denied", "b"]).await;
    let [wrong, unfit, denied] = [ErrorKind::Invalid, ErrorKind::Invalid, ErrorKind::Unavailable].map(Err);
    assert_eq!(answers, [id("a"), id("later"), wrong, unfit, denied, id("b")]);
    let again: Vec<Vec<String>> =
        server.requests("PublishBatch").iter().map(|form| entries(form).into_iter().map(|it| it.1).collect()).collect();
    assert_eq!(again[1..], [vec!["later", "denied"], vec!["denied"], vec!["denied"]], "only what may succeed");
}

/// SNS does not say which of them it is.
pub async fn finds_the_message_that_gets_a_batch_refused() {
    let (server, sns) = start(|_, form| match entries(form).iter().any(|(_, body)| body == "wrong") {
        true => Err("InvalidParameter"),
        false => each(form, |body| Ok(format!("id of {body}"))),
    })
    .await;
    let answers = publish(&sns, &["a", "wrong", "b"]).await;
    assert_eq!(answers, [id("a"), Err(ErrorKind::Invalid), id("b")]);
    assert_eq!(server.requests("PublishBatch").len(), 4);
}

pub async fn sends_attributes_by_their_types() {
    let (server, sns) = start(|_, form| each(form, |body| Ok(format!("id of {body}")))).await;
    let attributes = vec![
        Attribute::typed("image", "Binary", AttributeValue::Bytes(vec![0, 255, 10])),
        Attribute::typed("score", "Number", AttributeValue::Text("850".to_owned())),
    ];
    sns.publish_batch("t", vec![topic_message("a", attributes)]).await.unwrap().remove(0).unwrap();
    let form = server.requests("PublishBatch").remove(0);
    // They are in no order.
    let attributes = "PublishBatchRequestEntries.member.1.MessageAttributes.entry.";
    let mut found: Vec<Vec<&str>> = [1, 2]
        .map(|n| {
            let of = format!("{attributes}{n}.");
            form.iter().filter(|(name, _)| name.starts_with(&of)).map(|(_, value)| value.as_str()).collect()
        })
        .into();
    found.sort();
    assert_eq!(found, [["image", "AP8K", "Binary"], ["score", "Number", "850"]]);
}

/// The operator makes topics.
pub async fn takes_a_missing_topic_for_an_outage() {
    let (_server, sns) = start(|_, _| Err("NotFound")).await;
    assert_eq!(publish(&sns, &["a", "b"]).await, [Err(ErrorKind::Unavailable), Err(ErrorKind::Unavailable)]);
    let server = Scripted::start(|_, _, _| Ok("<Topics/>".to_owned())).await;
    let sns = Sns::new(&server.aws().await, "p-", ["t".to_owned()].into());
    let error = sns.publish_batch("t", vec![topic_message("a", vec![])]).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Unavailable, "there is no topic p-t"));
}

pub async fn reports_a_lasting_throttle() {
    let (server, sns) = start(|_, form| each(form, |_| Err("Throttled"))).await;
    assert_eq!(publish(&sns, &["a"]).await, [Err(ErrorKind::Throttled)]);
    assert_eq!(server.requests("PublishBatch").len(), 4, "three times again");
}
