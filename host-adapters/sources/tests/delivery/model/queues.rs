//! Queues with SQS's semantics: visibility, receipts, receive counts, redrive (docs/delivery.md, 3).

use super::{EPOCH_MS, Faults, rounded_ms};
use host_adapters_platform::limits::message::{MAX_MESSAGE_BYTES, bytes};
use host_adapters_platform::{Depth, QueueBackend, Received, Result, fifo};
use host_adapters_records::queue::Message;
use host_adapters_records::{Error, ErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// A request to a queue. Ids stand for receipts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    Sent(String),
    Deleted(String),
    /// With a receipt that a later receive made stale: nothing was deleted.
    DeletedStale(String),
    Visibility(String, u64),
}

/// Any number of queues. A queue is made by the first message to it.
pub struct ModelQueues {
    pub faults: Faults,
    /// Attributes that no message can be read with.
    pub unreadable: Mutex<Vec<String>>,
    queues: Mutex<BTreeMap<String, Queue>>,
    asked: Mutex<Vec<(u64, String, Request)>>,
    receives: Mutex<Vec<(u64, usize, Duration)>>,
    changed: Notify,
    began: Instant,
    max_receive_count: AtomicU32,
    most_bytes: AtomicUsize,
    ids: AtomicU64,
}

#[derive(Default)]
struct Queue {
    messages: Vec<Stored>,
    receipts: u64,
}

#[derive(Clone)]
struct Stored {
    id: String,
    message: Message,
    sent_ms: u64,
    receives: u32,
    receipt: String,
    received: Instant,
    visible: Instant,
}

impl ModelQueues {
    pub fn new(seed: u64, began: Instant) -> Self {
        let (queues, asked, receives) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (faults, changed) = (Faults::new(seed), Notify::new());
        Self {
            faults,
            unreadable: Mutex::default(),
            queues,
            asked,
            receives,
            changed,
            began,
            max_receive_count: AtomicU32::new(3),
            most_bytes: AtomicUsize::new(MAX_MESSAGE_BYTES),
            ids: AtomicU64::new(0),
        }
    }

    /// After this many receives a message goes to its DLQ; 3 by default.
    pub fn redrive_after(&self, max_receive_count: u32) {
        self.max_receive_count.store(max_receive_count, Ordering::Relaxed);
    }

    /// The size of the largest message; 1 MiB by default.
    pub fn takes_at_most(&self, bytes: usize) {
        self.most_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Sends bodies now; their ids are `m1`, `m2` and so on.
    pub fn put(&self, queue: &str, bodies: impl IntoIterator<Item = String>) {
        let messages = bodies.into_iter().map(Message::new);
        messages.for_each(|message| drop(self.store(queue, message)));
        self.changed.notify_waiters();
    }

    /// All requests to `queue`, in order, each with its time.
    pub fn asked(&self, queue: &str) -> Vec<(u64, Request)> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(_, name, _)| name == queue).map(|(at, _, asked)| (*at, asked.clone())).collect()
    }

    /// Every receive: when, at most how many messages, for how long invisible.
    pub fn receives(&self) -> Vec<(u64, usize, Duration)> {
        self.receives.lock().unwrap().clone()
    }

    /// The messages on a queue.
    pub fn messages(&self, queue: &str) -> Vec<Message> {
        self.lock()
            .get(queue)
            .map(|queue| queue.messages.iter().map(|stored| stored.message.clone()).collect())
            .unwrap_or_default()
    }

    pub fn count(&self, queue: &str) -> usize {
        self.messages(queue).len()
    }

    /// How often the message was received that was received most often.
    pub fn most_receives(&self, queue: &str) -> u32 {
        self.lock().get(queue).into_iter().flat_map(|queue| &queue.messages).map(|it| it.receives).max().unwrap_or(0)
    }

    /// How many messages can be received now.
    pub fn visible(&self, queue: &str) -> usize {
        let now = Instant::now();
        self.lock().get(queue).map_or(0, |queue| queue.messages.iter().filter(|stored| stored.visible <= now).count())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Queue>> {
        self.queues.lock().unwrap()
    }

    fn now_ms(&self) -> u64 {
        rounded_ms(self.began.elapsed())
    }

    fn log(&self, queue: &str, asked: Request) {
        self.asked.lock().unwrap().push((self.now_ms(), queue.to_owned(), asked));
    }

    fn store(&self, queue: &str, message: Message) -> String {
        let mut queues = self.lock();
        let id = format!("m{}", 1 + self.ids.fetch_add(1, Ordering::Relaxed));
        let now = Instant::now();
        let visible = now + Duration::from_secs(message.delay_secs.into());
        let (receives, receipt, sent_ms) = (0, String::new(), EPOCH_MS + self.now_ms());
        let stored = Stored { id: id.clone(), message, sent_ms, receives, receipt, received: now, visible };
        queues.entry(queue.to_owned()).or_default().messages.push(stored);
        id
    }

    fn take(&self, name: &str, max: usize, visibility: Duration) -> Vec<Received> {
        let mut queues = self.lock();
        let queue = queues.entry(name.to_owned()).or_default();
        let (now, max_receive_count) = (Instant::now(), self.max_receive_count.load(Ordering::Relaxed));
        let (mut received, mut spent) = (Vec::new(), Vec::new());
        let in_flight = queue.messages.iter().filter(|stored| fifo::is_fifo(name) && stored.visible > now);
        let blocked: BTreeSet<_> = in_flight.map(|stored| stored.message.group_id.clone()).collect();
        let is_due = |stored: &&mut Stored| stored.visible <= now && !blocked.contains(&stored.message.group_id);
        for stored in queue.messages.iter_mut().filter(is_due) {
            if stored.receives >= max_receive_count {
                spent.push(stored.id.clone());
            } else if received.len() < max {
                queue.receipts += 1;
                stored.receives += 1;
                stored.receipt = format!("{}#{}", stored.id, queue.receipts);
                (stored.received, stored.visible) = (now, now + visibility);
                received.push(stored.received());
            }
        }
        let (dead, live) = queue.messages.drain(..).partition(|stored| spent.contains(&stored.id));
        queue.messages = live;
        queues.entry(fifo::tagged(name, "Dlq")).or_default().messages.extend::<Vec<Stored>>(dead);
        received
    }

    fn next_visible(&self, name: &str) -> Option<Instant> {
        // What is visible and was not received waits for its group.
        let now = Instant::now();
        let later = |visible: &Instant| !fifo::is_fifo(name) || *visible > now;
        self.lock().get(name)?.messages.iter().map(|stored| stored.visible).filter(later).min()
    }
}

impl Stored {
    fn received(&self) -> Received {
        let Message { body, attributes, group_id: group, .. } = self.message.clone();
        let (id, receipt) = (self.id.clone(), self.receipt.clone());
        Received {
            id,
            receipt,
            body,
            attributes,
            group,
            receive_count: self.receives,
            sent_ms: self.sent_ms,
            ..Received::default()
        }
    }
}

#[async_trait::async_trait]
impl QueueBackend for ModelQueues {
    async fn send_batch(&self, queue: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        self.faults.check("send")?;
        let send = |message: Message| {
            self.faults.check("send one")?;
            assert!(message.attributes.len() <= 10, "too many attributes");
            assert!(message.attributes.iter().all(|it| !it.value.is_empty()), "an empty attribute");
            assert_eq!(fifo::is_fifo(queue), message.group_id.is_some(), "groups are those of FIFO queues");
            if bytes(&message) > self.most_bytes.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::Invalid, "message larger than the queue's maximum"));
            }
            let id = self.store(queue, message);
            self.log(queue, Request::Sent(id.clone()));
            Ok(id)
        };
        let answers = messages.into_iter().map(send).collect();
        self.changed.notify_waiters();
        Ok(answers)
    }

    async fn receive(&self, queue: &str, max: usize, wait: Duration, visibility: Duration) -> Result<Vec<Received>> {
        self.receives.lock().unwrap().push((self.now_ms(), max, visibility));
        self.faults.check("receive")?;
        let deadline = Instant::now() + wait;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let mut received = self.take(queue, max, visibility);
            received.iter_mut().for_each(|message| message.unreadable.clone_from(&self.unreadable.lock().unwrap()));
            if !received.is_empty() || Instant::now() >= deadline {
                return Ok(received);
            }
            let due = self.next_visible(queue).map_or(deadline, |due| due.min(deadline));
            tokio::select! {
                () = tokio::time::sleep_until(due) => (),
                () = changed => (),
            }
        }
    }

    async fn delete_batch(&self, queue: &str, receipts: &[String]) -> Result<Vec<Option<Error>>> {
        self.faults.check("delete")?;
        for receipt in receipts {
            let id = receipt.split('#').next().unwrap().to_owned();
            let mut queues = self.lock();
            let messages = &mut queues.get_mut(queue).unwrap().messages;
            let before = messages.len();
            messages.retain(|stored| &stored.receipt != receipt);
            let deleted = messages.len() < before;
            drop(queues);
            self.log(queue, if deleted { Request::Deleted(id) } else { Request::DeletedStale(id) });
        }
        self.changed.notify_waiters();
        Ok(vec![None; receipts.len()])
    }

    async fn change_visibility_batch(&self, queue: &str, changes: &[(String, Duration)]) -> Result<Vec<Option<Error>>> {
        self.faults.check("visibility")?;
        let now = Instant::now();
        let mut errors = Vec::new();
        for (receipt, visibility) in changes {
            let id = receipt.split('#').next().unwrap().to_owned();
            let mut queues = self.lock();
            let messages = &mut queues.get_mut(queue).unwrap().messages;
            let stored = messages.iter_mut().find(|stored| &stored.receipt == receipt);
            errors.push(match stored {
                Some(stored) if now + *visibility > stored.received + LONGEST => {
                    Some(Error::new(ErrorKind::Invalid, "total visibility beyond 12 hours"))
                }
                Some(stored) => {
                    stored.visible = now + *visibility;
                    None
                }
                None => Some(Error::new(ErrorKind::Invalid, "stale receipt")),
            });
            drop(queues);
            self.log(queue, Request::Visibility(id, visibility.as_secs()));
        }
        self.changed.notify_waiters();
        Ok(errors)
    }

    async fn depth(&self, queue: &str) -> Result<Depth> {
        let (visible, count) = (self.visible(queue) as u64, self.count(queue) as u64);
        Ok(Depth { visible, in_flight: count - visible, delayed: 0 })
    }

    async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Received>> {
        let queues = self.lock();
        let messages = queues.get(queue).map(|queue| queue.messages.iter().take(max).map(Stored::received).collect());
        Ok(messages.unwrap_or_default())
    }
}
