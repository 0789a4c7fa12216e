//! The Entry Service: takes every score, and counts them.

use anyhow::Result;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

/// A running service; it ends with the process.
pub struct EntryService {
    /// Its address.
    pub url: String,
    taken: Arc<AtomicUsize>,
}

impl EntryService {
    /// Starts it.
    pub async fn start() -> Result<Self> {
        let taken = Arc::<AtomicUsize>::default();
        let router = Router::new().route("/{campaignId}/scores", post(take)).with_state(taken.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, taken })
    }

    /// How many scores it was sent, repeated ones included.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

async fn take(State(taken): State<Arc<AtomicUsize>>, Json(body): Json<Value>) -> Json<Value> {
    let count = body.get("scores").and_then(Value::as_array).map_or(0, Vec::len);
    taken.fetch_add(count, Ordering::Relaxed);
    Json(json!({ "success": true, "upsertedCount": count }))
}
