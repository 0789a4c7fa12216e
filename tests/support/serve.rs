//! A server of the test's own.

use axum::Router;
use tokio::net::TcpListener;

/// Serves on a free port of loopback until the test ends; returns the base URL.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}
