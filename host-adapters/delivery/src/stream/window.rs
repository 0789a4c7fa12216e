//! The pages of a shard that were read last, shared by all workers that read it.

use crate::event::Event;
use host_adapters_platform::Position;
use host_adapters_records::Weight;
use std::collections::VecDeque;
use std::sync::Arc;

/// Most pages and bytes of events that a shard's window holds. A worker that falls further behind has pages read again:
/// one that is slower than the others for a whole backlog (its service has a rate limit) leaves any window, so a larger
/// one would only be full for longer, in every shard.
const MOST_PAGES: usize = 64;
const MOST_BYTES: usize = 512 * 1024;
/// Pages that stay whatever their size: those that were read ahead are not dropped before they are used, nor the page of
/// the worker that is furthest ahead, and the one before it, before the workers beside it have taken them.
const LEAST_PAGES: usize = 4;

/// Identifies a worker that reads the shard.
pub(super) type Subscriber = u64;

/// The result of one read, decoded once for all workers.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) from: Position,
    pub(super) events: Vec<Arc<Event>>,
    /// Where to read on; `None` at the end of the shard.
    pub(super) next: Option<Position>,
    /// Whether there are more records behind it.
    pub(super) is_full: bool,
}

impl Page {
    /// Where the next page begins, if it is worth reading ahead.
    pub(super) fn following(&self) -> Option<&Position> {
        self.next.as_ref().filter(|_| self.is_full)
    }

    fn bytes(&self) -> usize {
        self.events.iter().map(|event| bytes_of(event)).sum()
    }

    /// The number of its events before a position; `None` if the position is outside, or at the end of a page that has
    /// a next one. A position is always after all events of a record.
    fn place(&self, position: &Position) -> Option<usize> {
        if self.from == *position {
            return Some(0);
        }
        let Position::After(sequence) = position else { return None };
        let behind = self.events.iter().rposition(|event| event.sequence() == sequence)? + 1;
        (behind < self.events.len() || self.next.is_none()).then_some(behind)
    }
}

/// The memory that an event takes, about. A score's payload is a third of it.
fn bytes_of(event: &Event) -> usize {
    let Event { id, source, ordering_key, payload, attributes, correlation_id, traceparent, .. } = event;
    let names = id.len() + source.len() + correlation_id.len();
    let rest = [ordering_key, traceparent].into_iter().flatten().map(String::len).sum::<usize>();
    size_of::<Event>() + payload.len() + attributes.weight() + names + rest
}

/// The rest of a page, from a position on.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    page: Arc<Page>,
    skip: usize,
}

impl Slice {
    pub(super) fn whole(page: Arc<Page>) -> Self {
        Self { page, skip: 0 }
    }

    pub(super) fn events(&self) -> &[Arc<Event>] {
        self.page.events.get(self.skip..).unwrap_or_default()
    }

    pub(super) fn next(&self) -> Option<&Position> {
        self.page.next.as_ref()
    }

    pub(super) fn page(&self) -> &Page {
        &self.page
    }
}

struct Kept {
    page: Arc<Page>,
    bytes: usize,
    taken_by: Vec<Subscriber>,
}

/// Pages in the order in which they were read. Each stays until every subscriber has taken it, or newer pages need its
/// room.
#[derive(Default)]
pub(super) struct Window {
    pages: VecDeque<Kept>,
    bytes: usize,
    subscribers: Vec<Subscriber>,
    next_subscriber: Subscriber,
}

impl Window {
    pub(super) fn subscribe(&mut self) -> Subscriber {
        self.next_subscriber += 1;
        self.subscribers.push(self.next_subscriber);
        self.next_subscriber
    }

    pub(super) fn unsubscribe(&mut self, subscriber: Subscriber) {
        self.subscribers.retain(|other| *other != subscriber);
        self.drop_taken();
    }

    /// The events after a position, if they were read.
    pub(super) fn find(&self, position: &Position) -> Option<Slice> {
        // The newest first: that is where most workers are.
        self.pages.iter().rev().find_map(|kept| {
            let skip = kept.page.place(position)?;
            Some(Slice { page: kept.page.clone(), skip })
        })
    }

    pub(super) fn begins_at(&self, position: &Position) -> Option<&Arc<Page>> {
        self.pages.iter().map(|kept| &kept.page).find(|page| page.from == *position)
    }

    /// Whether the page before a position was read and no worker has taken it yet.
    pub(super) fn is_ahead(&self, position: &Position) -> bool {
        self.pages.iter().any(|kept| kept.taken_by.is_empty() && kept.page.next.as_ref() == Some(position))
    }

    /// Adds a page that was read. A page without events is not kept.
    pub(super) fn push(&mut self, page: &Arc<Page>) {
        if page.events.is_empty() || self.subscribers.is_empty() {
            return;
        }
        let bytes = page.bytes();
        self.bytes += bytes;
        self.pages.push_back(Kept { page: page.clone(), bytes, taken_by: Vec::new() });
        while self.pages.len() > LEAST_PAGES && (self.pages.len() > MOST_PAGES || self.bytes > MOST_BYTES) {
            self.bytes -= self.pages.pop_front().map_or(0, |dropped| dropped.bytes);
        }
    }

    pub(super) fn taken(&mut self, page: &Page, subscriber: Subscriber) {
        if let Some(kept) = self.pages.iter_mut().find(|kept| std::ptr::eq(&raw const *kept.page, page))
            && !kept.taken_by.contains(&subscriber)
        {
            kept.taken_by.push(subscriber);
        }
        self.drop_taken();
    }

    fn drop_taken(&mut self) {
        let subscribers = &self.subscribers;
        self.pages.retain(|kept| !subscribers.iter().all(|subscriber| kept.taken_by.contains(subscriber)));
        self.bytes = self.pages.iter().map(|kept| kept.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Attribute, Payload};

    fn after(sequence: u64) -> Position {
        Position::After(sequence.to_string())
    }

    /// The page of the records `first` to `last`, each of this many bytes.
    fn page(first: u64, last: u64, bytes: usize) -> Arc<Page> {
        let event = |sequence: u64| Event {
            id: sequence.to_string(),
            source: "s".into(),
            ordering_key: None,
            payload: Payload::Bytes(vec![0; bytes]),
            attributes: vec![],
            attempt: 0,
            time_ms: 0,
            correlation_id: String::new(),
            traceparent: None,
        };
        let events = (first..=last).map(|sequence| Arc::new(event(sequence))).collect();
        Arc::new(Page { from: after(first - 1), events, next: Some(after(last)), is_full: false })
    }

    fn found(window: &Window, position: u64) -> Option<Vec<String>> {
        let slice = window.find(&after(position))?;
        Some(slice.events().iter().map(|event| event.id.clone()).collect())
    }

    #[test]
    fn a_position_within_a_page_is_found() {
        let mut window = Window::default();
        window.subscribe();
        window.push(&page(1, 3, 1));
        window.push(&page(4, 4, 1));
        assert_eq!(found(&window, 0), Some(vec!["1".into(), "2".into(), "3".into()]));
        assert_eq!(found(&window, 1), Some(vec!["2".into(), "3".into()]));
        assert_eq!(found(&window, 3), Some(vec!["4".into()]));
        assert_eq!(found(&window, 4), None, "not read yet");
    }

    #[test]
    fn a_page_stays_until_every_subscriber_has_taken_it() {
        let mut window = Window::default();
        let (one, other) = (window.subscribe(), window.subscribe());
        let first = page(1, 3, 1);
        window.push(&first);
        window.taken(&first, one);
        assert!(found(&window, 0).is_some());
        window.taken(&first, other);
        assert_eq!(found(&window, 0), None);
        let second = page(4, 5, 1);
        window.push(&second);
        window.taken(&second, one);
        window.unsubscribe(other);
        assert_eq!(found(&window, 3), None, "a worker that has gone does not need it");
    }

    #[test]
    fn it_is_bounded_for_a_subscriber_that_takes_nothing() {
        let mut window = Window::default();
        window.subscribe();
        for first in 1..1_000 {
            window.push(&page(first, first, 1));
        }
        assert_eq!(window.pages.len(), MOST_PAGES);
        for first in 1_000..1_100 {
            window.push(&page(first, first, 64 * 1024));
        }
        assert_eq!(window.pages.len(), 7, "with what is around them, eight payloads are more than MOST_BYTES");
        assert!(window.bytes > 7 * 64 * 1024 && window.bytes <= MOST_BYTES, "{}", window.bytes);
        assert!(found(&window, 1_098).is_some() && found(&window, 999).is_none(), "the newest are kept");
    }
    /// As a score has it: 330 bytes of payload.
    #[test]
    fn the_whole_event_counts() {
        let scores = page(1, 100, 330);
        let attribute = |name: &str| Attribute::text(name, "x".repeat(50));
        let event = |event: &Arc<Event>| {
            let attributes = ["shardId", "parentShardId", "partitionKey"].map(attribute).into();
            Arc::new(Event { attributes, ordering_key: Some("x".repeat(50)), ..Event::clone(event) })
        };
        let whole = Page {
            from: scores.from.clone(),
            events: scores.events.iter().map(event).collect(),
            next: scores.next.clone(),
            is_full: false,
        };
        assert!(whole.bytes() > 100 * (330 + size_of::<Event>() + 3 * size_of::<Attribute>() + 4 * 50));
    }
}
