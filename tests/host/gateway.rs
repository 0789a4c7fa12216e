//! The gateway and the workers over HTTP: which tokens are read (case 15), and which bodies are refused.

use host_adapters_records::{self as records, Function, platform_functions};
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use tests::{Fan, OPERATOR_TOKEN, TESTER_TOKEN, TestHost, WORKER_TOKEN};

/// A header as different clients write it.
fn written(token: &str) -> [String; 5] {
    [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER {token}"),
        format!("Bearer  {token}"),
        format!("bEaReR \t {token}"),
    ]
}

async fn status(host: &TestHost, url: String, authorization: &str, body: &Value) -> (u16, Value) {
    let request = host.http().post(url).header(AUTHORIZATION, authorization).json(body);
    let reply = host.send(request).await;
    (reply.status, reply.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_15_the_authorization_header_is_read_alike_everywhere() {
    let host = TestHost::start().await;
    let fan = host.signer.sign(&Fan { id: "fan-15", email: "fan@example.com" }.claims());
    let registration = json!({"body": {"slug": "nowhere", "entry": {}, "userInfo": {"globalUserId": "fan-15"}}});
    let records = json!({"Records": [{"messageId": "m1", "body": "{}"}]});
    let query = json!({"table": "demand-table", "pk": "p", "prefix": "", "after": null, "limit": 1});
    for (url, token, body) in [
        (host.url("/workers/check-eligibility"), fan.as_str(), &registration),
        (host.url("/workers/save-entries"), WORKER_TOKEN, &records),
        (host.gateway_url("/platform/table/query"), TESTER_TOKEN, &query),
        (host.gateway_url("/operator/queues"), OPERATOR_TOKEN, &json!({})),
    ] {
        for authorization in written(token) {
            let (status, body) = status(&host, url.clone(), &authorization, body).await;
            assert_eq!(status, 200, "{url} with {authorization:?}: {body}");
        }
        for authorization in ["Bearer", "Basic", "Bearer guess"] {
            let (status, _) = status(&host, url.clone(), authorization, body).await;
            assert_eq!(status, 401, "{url} with {authorization:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_and_repeated_members_are_refused_by_name() {
    let host = TestHost::start().await;
    let message = r#"{"body": "{}", "attributes": [], "delay_secs": 0"#;
    for (body, named) in [
        (r#"{"queue": "userInfoQueue", "messages": [], "mesages": []}"#.to_owned(), "`mesages`"),
        (r#"{"queue": "userInfoQueue", "queue": "userInfoQueue", "messages": []}"#.to_owned(), "`queue`"),
        (format!(r#"{{"queue": "userInfoQueue", "messages": [{message}, "delaySecs": 5}}]}}"#), "`delaySecs`"),
        (format!(r#"{{"queue": "userInfoQueue", "messages": [{message}, "delay_secs": 5}}]}}"#), "`delay_secs`"),
    ] {
        let request = host.http().post(host.gateway_url("/platform/queue/send-batch")).bearer_auth(TESTER_TOKEN);
        let response = request.header("content-type", "application/json").body(body.clone()).send().await.unwrap();
        let (status, answer) = (response.status(), response.json::<Value>().await.unwrap());
        assert_eq!((status.as_u16(), &answer["error"]["code"]), (422, &json!("INVALID_ARGUMENTS")), "{body}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(named), "{body}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_the_section_of_a_client_or_the_name_that_is_not_declared() {
    let host = TestHost::start().await;
    let authorization = format!("Bearer {OPERATOR_TOKEN}");
    for (collection, said) in [
        ("campaigns", "[application.tool.host-adapters.clients.operator.grants]"),
        ("campaingns", "`operator` asks for the collection `campaingns`, and spin.toml declares none of this name"),
    ] {
        let find = json!({"collection": collection, "filter": "{}"});
        let url = host.gateway_url("/platform/documents/find-one");
        let (_, answer) = status(&host, url, &authorization, &find).await;
        let message = answer["Err"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{message}");
    }
}

macro_rules! paths {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => {
        [$($(<records::$interface::$arguments as Function>::PATH),*),*]
    };
}

/// Every route of the gateway, and how it is refused what it cannot take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_has_the_form_of_an_error() {
    const JSON: &str = "application/json";
    let host = TestHost::start().await;
    let routes = platform_functions!(paths).map(|path| format!("/platform/{path}")).into_iter();
    let dead_letters = ["dead-letters/list", "dead-letters/show", "dead-letters/redrive", "dead-letters/drop"];
    let operator = ["peek", "events/partitions", "events/read"].into_iter().chain(dead_letters);
    let routes: Vec<_> = routes.chain(operator.map(|what| format!("/operator/{what}"))).collect();
    assert!(routes.len() > 10, "{routes:?}");
    let large = format!(r#"{{"unknown": "{}"}}"#, "x".repeat(17 << 20));
    for (method, path, kind, body, refused) in routes
        .iter()
        .flat_map(|path| {
            let path = path.as_str();
            [
                ("POST", path, JSON, r#"{"unknown": 1}"#, (422, "INVALID_ARGUMENTS")),
                ("POST", path, JSON, "{", (400, "BAD_REQUEST")),
                ("POST", path, "text/plain", "{}", (415, "UNSUPPORTED_MEDIA_TYPE")),
                ("GET", path, JSON, "", (405, "METHOD_NOT_ALLOWED")),
            ]
        })
        .chain([
            ("POST", "/platform/table/query", JSON, large.as_str(), (413, "PAYLOAD_TOO_LARGE")),
            ("POST", "/platform/table/none", JSON, "{}", (404, "NOT_FOUND")),
            ("GET", "/nowhere", JSON, "", (404, "NOT_FOUND")),
            ("DELETE", "/metrics", JSON, "", (405, "METHOD_NOT_ALLOWED")),
        ])
    {
        let request = host.http().request(method.parse().unwrap(), host.gateway_url(path)).bearer_auth(TESTER_TOKEN);
        let reply = host.send(request.header("content-type", kind).body(body.to_owned())).await;
        let said = (reply.status, reply.body["error"]["code"].as_str().unwrap_or_default());
        assert_eq!(said, refused, "{method} {path}: {}", reply.body);
        assert!(reply.body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", reply.body);
    }
    let request = host.http().post(host.gateway_url("/operator/swap/%ff")).bearer_auth(OPERATOR_TOKEN);
    let reply = host.send(request.body("")).await;
    assert_eq!((reply.status, &reply.body["Err"]["kind"]), (200, &json!("NotFound")), "{}", reply.body);
}
