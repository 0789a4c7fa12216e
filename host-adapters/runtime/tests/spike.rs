//! throwaway
use bytes::Bytes;
use host_adapters_runtime::host::*;
use host_adapters_runtime::*;
use platform_wire::*;
use std::sync::Arc;
use std::time::{Duration, Instant};
struct P;
#[async_trait::async_trait]
impl Platform for P {
    async fn table_batch_get(&self, _: &str, _: table::BatchGet) -> Result<Vec<Option<String>>, Error> { todo!() }
    async fn table_batch_write(&self, _: &str, _: table::BatchWrite) -> Result<Vec<Option<Error>>, Error> { todo!() }
    async fn table_batch_update(&self, _: &str, _: table::BatchUpdate) -> Result<Vec<Option<Error>>, Error> { todo!() }
    async fn table_query(&self, _: &str, _: table::Query) -> Result<table::Page, Error> { todo!() }
    async fn queue_send_batch(&self, _: &str, _: queue::SendBatch) -> Result<Vec<Answer<String>>, Error> { todo!() }
    async fn documents_find_one(&self, _: &str, _: documents::FindOne) -> Result<Option<String>, Error> { todo!() }
    async fn documents_replace_one(&self, _: &str, _: documents::ReplaceOne) -> Result<(), Error> { todo!() }
    async fn identity_verify(&self, _: &str, _: identity::Verify) -> Result<identity::Claims, Error> { todo!() }
}
struct H(Arc<dyn Platform>);
#[async_trait::async_trait]
impl Host for H {
    fn platform(&self) -> &Arc<dyn Platform> { &self.0 }
    async fn open_cache(&self, _: &str, _: &str) -> Result<Arc<dyn Cache>, CacheError> { todo!() }
    fn variable(&self, _: &str, name: &str) -> Option<String> { (name == "worker_token").then(|| "secret".into()) }
    async fn send_http(&self, _: &str, _: http::Request<Bytes>) -> Result<Sent, SendError> {
        Ok(Sent { response: http::Response::new(Bytes::from_static(b"x")), outage: None })
    }
    fn log(&self, _: &str, _: &str, line: &str) { if !line.contains("\"line\"") { eprintln!("LOG {line}") } }
}
fn ev(order: &str) -> Event {
    Event { id: "1".into(), source: "sqs:x".into(), ordering_key: None, payload: Payload::Json(order.into()), attributes: vec![], attempt: 1, time_ms: 0, correlation_id: "c".into(), traceparent: None }
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spike() {
    let wasm = std::fs::read(std::env::var("PROBE").unwrap()).unwrap();
    let t = Instant::now();
    let frozen = preinit::preinitialize(&wasm).await.unwrap().unwrap();
    println!("preinit {:?} {} -> {}", t.elapsed(), wasm.len(), frozen.len());
    std::fs::write("/tmp/probe.frozen.wasm", &frozen).unwrap();
    let rt = Arc::new(Runtime::new(&RuntimeConfig { cache_dir: "/tmp/spike-cache".into(), max_instances: 100, interfaces: Interfaces::All }, Arc::new(H(Arc::new(P)))).unwrap());
    let spec = |id: &str, conc: usize, src: &str| ComponentSpec { id: id.into(), source: src.into(), environment: vec![], limits: Limits { max_instance_concurrent_reuse_count: conc, request_timeout: Duration::from_secs(2), max_cpu: Duration::from_millis(300), ..Default::default() } };
    for (id, c, s) in [("probe", 1, "/tmp/probe.frozen.wasm"), ("probe16", 16, "/tmp/probe.frozen.wasm"), ("cold", 1, &std::env::var("PROBE").unwrap())] {
        let t = Instant::now();
        println!("load {id} {:?} {:?}", rt.load(&spec(id, c, s)).unwrap(), t.elapsed());
    }
    for order in [r#"{"do":"warmth"}"#, r#"{"do":"ack"}"#, r#"{"do":"retry","after_ms":5}"#, r#"{"do":"fail"}"#, r#"{"do":"trap"}"#, r#"{"do":"too-many"}"#, r#"{"do":"none"}"#, r#"{"do":"loop"}"#, r#"{"do":"hog"}"#, r#"{"do":"wait","ms":5000}"#, r#"{"do":"log","lines":3000}"#, r#"{"do":"get","url":"http://x.y/"}"#, r#"{"do":"variable","name":"worker_token"}"#, r#"{"do":"variable","name":"other"}"#, r#"{"do":"ack"}"#] {
        let t = Instant::now();
        let c = rt.batch("probe", vec![ev(order)]).await;
        println!("{order}: {:?} {:?}", c.result, t.elapsed());
    }
    println!("cold: {:?}", rt.batch("cold", vec![ev(r#"{"do":"warmth"}"#)]).await.result);
    // sixteen at once, one traps
    let mut set = tokio::task::JoinSet::new();
    for i in 0..16 {
        let rt = rt.clone();
        set.spawn(async move { let t = Instant::now(); let o = if i == 7 { r#"{"do":"trap"}"#.into() } else { format!(r#"{{"do":"wait","ms":{}}}"#, 20 + i * 5) }; (i, rt.batch("probe16", vec![ev(&o)]).await.result.map_err(|e| e.to_string()), t.elapsed()) });
    }
    while let Some(r) = set.join_next().await { println!("{:?}", r.unwrap()); }
    println!("{:?}", rt.serving());
    let req = || http::Request::post("http://localhost/workers/probe").header("authorization", "Bearer secret").body(Bytes::from(r#"{"Records":[{"messageId":"a","body":"{\"do\":\"ack\"}","attributes":{"ApproximateReceiveCount":"1"}}]}"#)).unwrap();
    let r = rt.http("probe16", req()).await;
    println!("{:?} {:?}", r.result, r.outages);
    for (name, n, conc) in [("probe", 20000u32, 1), ("probe16", 20000, 16)] {
        let t = Instant::now();
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..conc { let rt = rt.clone(); let name = name.to_owned(); set.spawn(async move { for _ in 0..n / conc { rt.batch(&name, (0..10).map(|_| ev(r#"{"do":"ack"}"#)).collect()).await.result.unwrap(); } }); }
        while set.join_next().await.is_some() {}
        println!("{name} batch10 x{conc}: {:?}/call", t.elapsed() / n);
        let t = Instant::now();
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..conc { let rt = rt.clone(); let name = name.to_owned(); let req = req(); set.spawn(async move { for _ in 0..n / conc { rt.http(&name, req.clone()).await.result.unwrap(); } }); }
        while set.join_next().await.is_some() {}
        println!("{name} http x{conc}: {:?}/call", t.elapsed() / n);
    }
}
