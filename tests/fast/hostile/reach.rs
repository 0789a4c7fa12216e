//! What a guest was not given it does not reach.

use super::host::Hostile;
use axum::Router;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destinations_that_are_not_granted_are_refused() {
    let host = Hostile::start().await;
    let gateway = host.gateway_address().to_owned();
    let component = gateway.replace("http://", "");
    let deeds = [
        "table?other".to_owned(),
        "write?other".to_owned(),
        "query?other".to_owned(),
        "send?other".to_owned(),
        "send?orders".to_owned(),
        "document?other".to_owned(),
        "replace?other".to_owned(),
        "table?absent".to_owned(),
        "verify?guess".to_owned(),
        "redis?redis://other.embedded".to_owned(),
        "redis?redis://127.0.0.1:6379".to_owned(),
        format!("get?{gateway}/metrics"),
        format!("get?http://localhost:{}/metrics", component.rsplit(':').next().unwrap()),
        "get?http://169.254.169.254/latest/meta-data/".to_owned(),
        "get?http://[::1]:80/".to_owned(),
        "get?http://2130706433/".to_owned(),
        "get?http://slow.services.internal@169.254.169.254/".to_owned(),
        "get?http://slow.services.internal:81/".to_owned(),
        "get?https://slow.services.internal/".to_owned(),
        "get?http://example.com/".to_owned(),
        format!("sockets?{component}"),
        "variable?signing_secret".to_owned(),
        "variable?worker_token".to_owned(),
        "variable?identity_jwks".to_owned(),
    ];
    for deed in deeds {
        let told = host.told(&deed).await;
        assert!(told.starts_with("refused"), "{deed}: {told}");
    }
    for deed in ["table?granted", "send?granted", "document?granted", "redis?redis://cache.embedded", "variable?own"] {
        let told = host.told(deed).await;
        assert!(told.starts_with("value"), "{deed}: {told}");
    }
    let denied = host.log().iter().filter(|line| line.to_string().contains("allowed_outbound_hosts")).count();
    assert!(denied >= 2, "the log names what is not granted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_is_in_its_surroundings() {
    let host = Hostile::start().await;
    let found = host.told("secrets").await;
    assert!(!found.contains("planted"), "{found}");
    let names: Vec<_> = found.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["env APP_NAME", "env AWS_REGION", "env CONFIG_ENV", "env LOG_LEVEL"], "{found}");
}

/// A granted service that is slow: a thousand requests at once are not a thousand connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_wait_for_one_another() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    let service = {
        let most = most.clone();
        move || {
            let (now, most) = (now.clone(), most.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                now.fetch_sub(1, Ordering::SeqCst);
            }
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(service)).await });

    let host = Hostile::with_slow_service(&upstream).await;
    let files = host.open_files();
    let (status, told) = host.ask("hostile", "thousand?http://slow.services.internal/").await;
    // On a busy machine a thousand of them may take longer than the call may.
    assert!((status, told.as_str()) == (200, "1000 answered") || status == 504, "{status} {told}");
    let most = most.load(Ordering::SeqCst);
    assert!((2..=64).contains(&most), "{most} at once");
    assert!(host.open_files() <= files + 64 + 16, "{} open files, {files} before", host.open_files());
}
