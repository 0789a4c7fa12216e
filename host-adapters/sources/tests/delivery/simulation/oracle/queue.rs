//! Checks the messages of a queue: each leaves it by an `ack`, a `reject` or as a dead letter; none is with the worker
//! twice at a time; only failures are counted, and none is given up before it has failed as often as it may.

use super::{Verdict, must};
use crate::simulation::journal::{Fact, Said};
use crate::simulation::settings::Queue;
use host_adapters_delivery::OnReject;
use std::collections::{BTreeMap, BTreeSet};

const LONGEST_VISIBILITY_SECS: u64 = 12 * 60 * 60;
/// For how long a message is set aside that a service refuses while it refuses everything.
const ASIDE_SECS: u64 = 60 * 60;

pub struct QueueOracle<'a> {
    settings: &'a Queue,
    messages: BTreeMap<u64, Message>,
    calls: usize,
    draining: bool,
}

/// A message since its last receive.
#[derive(Default)]
struct Message {
    receives: u32,
    receipt: String,
    /// In flight, as far as the host may know.
    in_flight: bool,
    with_worker: bool,
    /// The disposition, and whether it was the result of an outage: then the message is handed over again.
    said: Option<(Said, bool)>,
    outages: u32,
    /// Answers by which it failed, since it arrived.
    failed: u32,
    /// How often it only waited or was set aside, since it arrived. Each time costs a receive.
    waited: u32,
    /// Invisible until a pause is over.
    aside: bool,
    /// Of these, how many were counted.
    counted: u32,
    /// Whether any is counted and not forgotten.
    remembered: bool,
    /// Whether an answer asked for a dead letter.
    due_once: bool,
    /// Permanent failures of batches that it was in with others.
    halvings: u32,
    /// Whether a dead letter has been stored since.
    given_up: bool,
    /// Whether it was settled after any of its receives.
    done_once: bool,
    /// Whether a delete with a receipt that was not its last has succeeded, which the host cannot tell from a deletion.
    seems_deleted: bool,
    /// Returned to the queue by a drain.
    returned: bool,
    deleted: bool,
    moved: bool,
    dead_letters: u32,
    /// A call for it failed, or its host ended. From then on it may be handed over more often.
    disturbed: bool,
}

impl Message {
    fn not_in_use(&self, record: u64) -> Verdict {
        let in_use = self.in_flight && (self.with_worker || self.said.is_none());
        must(!in_use || self.disturbed, || format!("{record} became visible while the host had it"))
    }
}

impl<'a> QueueOracle<'a> {
    pub fn new(settings: &'a Queue) -> Self {
        Self { settings, messages: BTreeMap::new(), calls: 0, draining: false }
    }

    pub fn hear(&mut self, fact: &Fact) -> Verdict {
        match fact {
            Fact::Arrived(super::Kind::Queue, record) => {
                self.messages.insert(*record, Message::default());
                Ok(())
            }
            Fact::Started => {
                (self.calls, self.draining) = (0, false);
                Ok(())
            }
            Fact::DrainBegan => {
                self.draining = true;
                Ok(())
            }
            Fact::Received { record, receipt, receives } => self.received(*record, receipt, *receives),
            Fact::Moved(record) => self.moved(*record),
            Fact::Deleted { record, receipt } => self.deleted(*record, receipt),
            Fact::Hidden { record, secs } => self.hidden(*record, *secs),
            Fact::Counted { record, failures } => self.counted(*record, *failures),
            Fact::Forgotten(record) => self.forgotten(*record),
            Fact::Failed { records, .. } => {
                let concerned = self.messages.iter_mut().filter(|(record, _)| records.contains(record));
                concerned.for_each(|(_, message)| message.disturbed = true);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn message(&mut self, record: u64) -> Result<&mut Message, String> {
        self.messages.get_mut(&record).ok_or_else(|| format!("{record} was never sent to the queue"))
    }

    fn received(&mut self, record: u64, receipt: &str, receives: u32) -> Verdict {
        let most = self.settings.max_receive_count;
        let message = self.message(record)?;
        must(!message.deleted && !message.moved, || format!("{record} was gone"))?;
        must(receives == message.receives + 1 && receives <= most, || format!("{receives} receives of {record}"))?;
        message.not_in_use(record)?;
        message.receives = receives;
        message.receipt = receipt.to_owned();
        (message.in_flight, message.with_worker, message.said) = (true, false, None);
        (message.outages, message.halvings, message.given_up, message.returned) = (0, 0, false, false);
        message.aside = false;
        Ok(())
    }

    /// The queue's own redrive, below the host's dead letters, is needed only where a call failed.
    fn moved(&mut self, record: u64) -> Verdict {
        let most = self.settings.max_receive_count;
        let attempts = self.settings.config.max_attempts;
        let message = self.message(record)?;
        let host_first = most >= attempts + message.waited;
        must(!message.deleted, || format!("{record} in two places"))?;
        must(message.receives == most, || format!("{record} moved after {} receives", message.receives))?;
        message.not_in_use(record)?;
        must(message.disturbed || !host_first, || format!("{record} was left to the queue's redrive"))?;
        message.moved = true;
        Ok(())
    }

    pub fn began(&mut self, batch: &[(u64, u32)]) -> Verdict {
        let config = &self.settings.config;
        self.calls += 1;
        must(self.calls <= config.max_concurrency, || format!("{} calls at once", self.calls))?;
        must(batch.len() <= config.batch_size, || "a batch larger than allowed".to_owned())?;
        let bytes: usize = batch.iter().map(|(record, _)| super::super::records::body(*record).len()).sum();
        must(batch.len() == 1 || bytes <= config.max_batch_bytes, || format!("a batch of {bytes} bytes"))?;
        let distinct: BTreeSet<u64> = batch.iter().map(|(record, _)| *record).collect();
        must(distinct.len() == batch.len(), || "the same record twice in a batch".to_owned())?;
        batch.iter().try_for_each(|(record, attempt)| self.handed_over(*record, *attempt))
    }

    fn handed_over(&mut self, record: u64, attempt: u32) -> Verdict {
        let most = self.settings.config.max_attempts;
        let message = self.message(record)?;
        message.with_worker = true;
        if message.disturbed {
            return Ok(());
        }
        must(message.in_flight && !message.deleted, || format!("{record} is not in the host's hands"))?;
        let again = message.said.as_ref().is_none_or(|(said, outage)| *outage && matches!(said, Said::Retry(_)));
        must(again, || format!("{record} twice after one receive"))?;
        let expected = message.receives + message.outages + message.halvings;
        must(attempt == expected, || format!("{record} at attempt {attempt} instead of {expected}"))?;
        must(message.failed < most, || format!("{record} comes again after {} failures", message.failed))
    }

    pub fn answered(&mut self, batch: &[(u64, u32)], said: &[Said], outage: bool) -> Verdict {
        self.calls = self.calls.saturating_sub(1);
        let drops = self.settings.config.on_reject == OnReject::Drop;
        for ((record, _), said) in batch.iter().zip(said) {
            let message = self.message(*record)?;
            message.with_worker = false;
            message.outages += u32::from(outage && matches!(said, Said::Retry(_)));
            message.due_once |= (*said == Said::Reject && !drops) || (*said == Said::FailedForGood && batch.len() == 1);
            message.done_once |= *said == Said::Ack || (*said == Said::Reject && drops);
            // A batch that failed permanently is handed over again in halves; a message that was alone is given up.
            let halved = *said == Said::FailedForGood && batch.len() > 1;
            message.halvings += u32::from(halved);
            message.failed += u32::from(!outage && *said == Said::Retry(None));
            message.waited += u32::from(!outage && matches!(said, Said::Retry(Some(_))));
            message.said = (!halved).then(|| (said.clone(), outage));
        }
        Ok(())
    }

    /// A failure is an answer by which the message failed. What ended without one, in a drain, a crash or an outage, is
    /// none.
    fn counted(&mut self, record: u64, failures: u32) -> Verdict {
        let message = self.message(record)?;
        (message.counted, message.remembered) = (message.counted + 1, true);
        must(message.counted <= message.failed, || format!("{record} counted as failed more often than it failed"))?;
        must(failures <= message.counted, || format!("{record} has {failures} failures after {}", message.counted))
    }

    fn forgotten(&mut self, record: u64) -> Verdict {
        let message = self.message(record)?;
        message.remembered = false;
        must(message.deleted || message.seems_deleted, || format!("{record} is there, and its failures forgotten"))
    }

    /// A dead letter is due for a message that has failed as often as it may, and for one that was rejected if the
    /// source keeps those. Nothing that happens to the host makes it due earlier.
    pub fn given_up(&mut self, record: u64) -> Verdict {
        let (most, on_reject) = (self.settings.config.max_attempts, self.settings.config.on_reject);
        let message = self.message(record)?;
        let due = match &message.said {
            Some((Said::Retry(None), outage)) => !outage && message.failed >= most,
            Some((Said::FailedForGood, _)) => true,
            Some((Said::Reject, _)) => on_reject == OnReject::DeadLetter,
            _ => false,
        };
        let may_be_late = message.disturbed && (message.due_once || message.failed >= most);
        must(due || may_be_late, || format!("{record} given up after {} failures", message.failed))?;
        message.dead_letters += 1;
        (message.given_up, message.done_once) = (true, true);
        must(message.dead_letters == 1 || message.disturbed, || {
            format!("{record} has {} dead letters", message.dead_letters)
        })
    }

    /// A stale receipt deletes nothing. Otherwise a message may be deleted only once it is settled.
    fn deleted(&mut self, record: u64, receipt: &str) -> Verdict {
        let on_reject = self.settings.config.on_reject;
        let message = self.message(record)?;
        if message.receipt != receipt || message.deleted || message.moved {
            message.seems_deleted = true;
            return must(message.disturbed, || format!("{record} deleted by a receipt that is not its last"));
        }
        let done = match &message.said {
            Some((Said::Ack, _)) => true,
            Some((Said::Reject, _)) => on_reject == OnReject::Drop || message.given_up,
            Some((Said::Retry(_) | Said::FailedForGood, _)) => message.given_up,
            None => false,
        };
        // Two receives of a message may be in flight, and each is settled without knowledge of the other.
        let done = (done && !message.with_worker) || (message.disturbed && message.done_once);
        must(done, || format!("{record} deleted before it is done: lost"))?;
        (message.deleted, message.in_flight) = (true, false);
        Ok(())
    }

    /// A message is hidden while it is in flight, or for as long as the worker asked, and never once it is given up.
    fn hidden(&mut self, record: u64, secs: u64) -> Verdict {
        let timeout = u64::from(self.settings.config.visibility_timeout_secs);
        let draining = self.draining;
        let message = self.message(record)?;
        message.returned |= draining && secs == 0;
        let beats = message.with_worker || message.said.as_ref().is_none_or(|(_, outage)| *outage);
        let due = match &message.said {
            _ if beats && secs == timeout => true,
            _ if beats && secs == 0 => {
                message.returned |= message.aside;
                draining || std::mem::take(&mut message.aside)
            }
            Some((Said::Retry(_), true)) if secs == ASIDE_SECS => {
                (message.aside, message.waited) = (true, message.waited + 1);
                true
            }
            Some((Said::Retry(Some(after)), _)) => secs == (*after).min(LONGEST_VISIBILITY_SECS),
            _ => false,
        };
        must(due || message.disturbed, || format!("{record} hidden for {secs} s, said {:?}", message.said))
    }

    /// Whether a message may be in flight by two receives.
    pub fn is_disturbed(&self, record: u64) -> bool {
        self.messages.get(&record).is_some_and(|message| message.disturbed)
    }

    /// A drain is over: messages that the worker had, or that an outage kept from it, must be visible at once.
    pub fn drained(&self) -> Verdict {
        let kept = |message: &Message| matches!(message.said, Some((Said::Retry(_), true)));
        let mut in_flight = self.messages.iter().filter(|(_, message)| message.in_flight && !message.disturbed);
        let left = in_flight.find(|(_, message)| !message.returned && (message.with_worker || kept(message)));
        must(left.is_none(), || format!("{:?} is not given back", left.map(|(record, _)| record)))
    }

    /// The host may have died between deleting a message and forgetting its failures, which then expire.
    pub fn crashed(&mut self) {
        self.messages.values_mut().filter(|message| message.deleted).for_each(|message| message.remembered = false);
        self.host_ended();
    }

    pub fn host_ended(&mut self) {
        self.calls = 0;
        for message in self.messages.values_mut().filter(|message| message.in_flight) {
            (message.in_flight, message.with_worker, message.disturbed) = (false, false, true);
        }
    }

    /// The queue is empty: each message was deleted after it was settled, or moved by the queue's own redrive.
    pub fn end(&self) -> Verdict {
        let lost = self.messages.iter().find(|(_, message)| !message.deleted && !message.moved);
        must(lost.is_none(), || format!("{:?} is lost", lost.map(|(record, _)| record)))?;
        let is_left = |message: &Message| message.remembered && !message.disturbed && !message.moved;
        let left = self.messages.iter().find(|(_, message)| is_left(message));
        must(left.is_none(), || format!("failures of {:?} are left", left.map(|(record, _)| record)))
    }
}
