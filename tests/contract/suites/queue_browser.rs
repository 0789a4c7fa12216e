//! Queues: what an operator does with single messages, which are found by their ids or page by page.

use super::backend::{Backend, LOOSE_QUEUE, QUEUE, secs};
use super::queue::{message, receive, send};
use host_adapters_platform::{Depth, Received};
use host_adapters_records::ErrorKind;
use std::collections::BTreeSet;

/// Every message of a queue, in pages of `size`.
async fn pages(backend: &impl Backend, queue: &str, size: usize) -> Vec<Vec<Received>> {
    let (mut pages, mut next) = (Vec::new(), None);
    loop {
        let page = backend.browser().browse(queue, next.as_deref(), size).await.unwrap();
        pages.push(page.messages);
        next = page.next;
        if next.is_none() {
            return pages;
        }
    }
}

async fn take(backend: &impl Backend, ids: &[&str]) -> Vec<Received> {
    let ids: Vec<_> = ids.iter().map(|id| (*id).to_owned()).collect();
    backend.browser().take(QUEUE, &ids, secs(30)).await.unwrap()
}

/// Reads all pages of a queue, in several sizes. They must show `ids`, each once, and change nothing.
async fn shows(backend: &impl Backend, queue: &str, ids: &[String], depth: Depth) {
    assert_eq!(backend.queues().depth(queue).await.unwrap(), depth);
    for size in [1, 2, 3, 10] {
        let pages = pages(backend, queue, size).await;
        assert!(pages.iter().all(|page| page.len() <= size), "{pages:?}");
        let shown: Vec<_> = pages.into_iter().flatten().collect();
        assert!(shown.iter().all(|message| message.receipt.is_empty()), "{shown:?}");
        let shown: Vec<_> = shown.into_iter().map(|message| message.id).collect();
        assert_eq!((shown.len(), shown.iter().collect()), (4, ids.iter().collect::<BTreeSet<_>>()), "pages of {size}");
    }
    assert_eq!(backend.queues().depth(queue).await.unwrap(), depth, "browsing receives nothing");
}

pub async fn pages_through_all(backend: &impl Backend) {
    send(backend, QUEUE, &["elsewhere"]).await;
    let ids = send(backend, LOOSE_QUEUE, &["a", "b", "c", "d"]).await;
    shows(backend, LOOSE_QUEUE, &ids, Depth { visible: 4, ..Depth::default() }).await;
}

pub async fn shows_what_is_in_flight_and_delayed(backend: &impl Backend) {
    let mut ids = send(backend, QUEUE, &["a", "b", "c"]).await;
    receive(backend, QUEUE, 1, 60).await;
    let delayed = host_adapters_records::queue::Message { delay_secs: 60, ..message("later") };
    ids.extend(backend.queues().send_batch(QUEUE, vec![delayed]).await.unwrap().into_iter().map(
        |answer| match answer {
            Ok(id) => id,
            Err(error) => panic!("{error}"),
        },
    ));
    shows(backend, QUEUE, &ids, Depth { visible: 2, in_flight: 1, delayed: 1 }).await;
}

pub async fn finds_one_by_its_id(backend: &impl Backend) {
    let ids = send(backend, QUEUE, &["a", "b"]).await;
    let found = backend.browser().find(QUEUE, &ids[1]).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.body.as_str(), found.receipt.as_str()), (ids[1].as_str(), "b", ""));
    assert_eq!(found.receive_count, 0);
    for (queue, id) in [(LOOSE_QUEUE, ids[1].as_str()), (QUEUE, "no id"), (QUEUE, "")] {
        assert_eq!(backend.browser().find(queue, id).await.unwrap(), None, "{id} in {queue}");
    }
}

pub async fn takes_only_what_is_named_and_visible(backend: &impl Backend) {
    let ids = send(backend, QUEUE, &["a", "b", "c"]).await;
    let taken = take(backend, &[&ids[2], &ids[0], "no id"]).await;
    assert_eq!(taken.iter().map(|it| &it.id).collect::<BTreeSet<_>>(), BTreeSet::from([&ids[0], &ids[2]]));
    assert!(taken.iter().all(|message| message.receive_count == 1 && !message.receipt.is_empty()), "{taken:?}");
    assert_eq!(take(backend, &[&ids[0]]).await, [], "it is in flight");
    assert_eq!(receive(backend, QUEUE, 10, 30).await.iter().map(|it| &it.id).collect::<Vec<_>>(), [&ids[1]]);
    backend.pass(secs(30)).await;
    assert_eq!(take(backend, &[&ids[0]]).await[0].receive_count, 2, "not in flight any more");
}

/// A message that was taken is settled by its receipt, like a received one.
pub async fn settles_what_was_taken(backend: &impl Backend) {
    let ids = send(backend, QUEUE, &["a", "b"]).await;
    let receipts: Vec<_> = take(backend, &[&ids[0], &ids[1]]).await.into_iter().map(|it| (it.id, it.receipt)).collect();
    let receipt = |id: &String| receipts.iter().find(|(taken, _)| taken == id).unwrap().1.clone();
    assert_eq!(backend.queues().delete_batch(QUEUE, &[receipt(&ids[0])]).await.unwrap(), [None]);
    let back = [(receipt(&ids[1]), secs(0))];
    assert_eq!(backend.queues().change_visibility_batch(QUEUE, &back).await.unwrap(), [None]);
    let left = receive(backend, QUEUE, 10, 30).await;
    assert_eq!(left.iter().map(|it| &it.id).collect::<Vec<_>>(), [&ids[1]]);
}

pub async fn refuses_what_it_does_not_know(backend: &impl Backend) {
    let error = backend.browser().browse("nowhere", None, 1).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error = backend.browser().browse(QUEUE, Some("no place"), 1).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
}
