//! Groups: which partitions this host may read, and the offsets. A member joins its group by a client of its own, which
//! fetches nothing ([`crate::fetch`] does). Rebalances are cooperative: only partitions that move are given up, and only when
//! the work on them has ended.

use crate::Kafka;
use crate::client::{Context, LOOK, base_of_reader};
use crate::config::KafkaConfig;
use crate::error::{fault_of_client, told, unavailable};
use crate::membership::{MemberContext, Membership, RENEWAL, list};
use crate::read::{blocking, id, offset};
use crate::tls::Material;
use host_adapters_platform::{Checkpoint, LeaseTable, Leases, LogPlace, Result, Shard};
use host_adapters_records::{Error, ErrorKind};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long one wait for the group's events is.
const POLL: Duration = Duration::from_millis(100);
/// How long leaving a group may take.
const LEAVING: Duration = Duration::from_secs(5);
/// How long to wait for the group's first answer.
const JOINING: Duration = Duration::from_secs(30);

/// A member of a group for one topic.
pub(crate) struct Member {
    config: KafkaConfig,
    topic: String,
    real: String,
    material: Material,
    context: Context,
    consumer: Arc<BaseConsumer<MemberContext>>,
    membership: Arc<Membership>,
    /// Serves the group.
    thread: Mutex<Option<JoinHandle<()>>>,
    /// When the files of the certificates were last looked at.
    looked: Mutex<Instant>,
}

impl Member {
    /// Joins a group.
    pub(crate) fn join(
        config: &KafkaConfig,
        topic: &str,
        real: String,
        group: &str,
        material: Material,
    ) -> Result<Self> {
        let mut client = base_of_reader(config, &material, group);
        client
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "3000")
            .set("socket.timeout.ms", config.timeout_ms.to_string())
            // New partitions are found as soon as by the sources.
            .set("topic.metadata.refresh.interval.ms", "60000")
            .set("queued.max.messages.kbytes", "1024");
        let (context, membership) = (Context::default(), Arc::new(Membership::new()));
        let told = MemberContext { context: context.clone(), membership: membership.clone() };
        let consumer = client.create_with_context(told).map_err(|failed| unavailable(fault_of_client(&failed)))?;
        let consumer: Arc<BaseConsumer<MemberContext>> = Arc::new(consumer);
        consumer.subscribe(&[real.as_str()]).map_err(|failed| unavailable(failed.to_string()))?;
        let (serving, of) = (consumer.clone(), membership.clone());
        let thread = std::thread::Builder::new().name("kafka-group".to_owned()).spawn(move || serve(&serving, &of));
        let thread = thread.map_err(|failed| unavailable(format!("no thread for the group: {failed}")))?;
        Ok(Self {
            config: config.clone(),
            topic: topic.to_owned(),
            real,
            material,
            context,
            consumer,
            membership,
            thread: Mutex::new(Some(thread)),
            looked: Mutex::new(Instant::now()),
        })
    }

    /// With other certificates than it was made with it gives up its partitions, so that another takes its place.
    fn look_at_certificates(&self) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.elapsed() < LOOK {
            return;
        }
        *looked = Instant::now();
        // Files that cannot be used change nothing.
        if Material::read(&self.config).is_ok_and(|material| material != self.material) {
            self.membership.retire();
        }
    }

    /// Leaves the group, and waits until that is done. Blocks.
    fn leave(&self) {
        self.membership.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(topic = self.topic, "the thread of a group of Kafka's has panicked");
        }
    }

    fn error(&self, failed: &KafkaError) -> Error {
        match failed.rdkafka_error_code() {
            Some(Code::IllegalGeneration | Code::UnknownMemberId | Code::FencedInstanceId | Code::AssignmentLost) => {
                let message = format!("{}: another member of the group has the partition ({failed})", self.topic);
                Error::new(ErrorKind::ConditionFailed, message)
            }
            _ => told(&self.topic, failed, self.context.last_error().as_deref()),
        }
    }

    /// The offsets of the group, of partitions that have one. Blocks.
    fn offsets(&self, numbers: &[u32]) -> Result<Vec<u64>> {
        let mut asked = TopicPartitionList::new();
        for number in numbers {
            asked.add_partition(&self.real, id(*number));
        }
        let found =
            self.consumer.committed_offsets(asked, self.config.timeout()).map_err(|failed| self.error(&failed))?;
        let mut offsets = Vec::new();
        for partition in found.elements() {
            partition.error().map_err(|failed| self.error(&failed))?;
            if let Offset::Offset(found) = partition.offset() {
                offsets.push(offset(found));
            }
        }
        Ok(offsets)
    }

    /// Commits an offset of a partition that is this member's. Blocks.
    fn commit(&self, number: u32, next: u64) -> Result<()> {
        let mut offsets = list(&self.real, number);
        let place = Offset::Offset(i64::try_from(next).unwrap_or(i64::MAX));
        let set = offsets.set_partition_offset(&self.real, id(number), place);
        let commit = || set.and_then(|()| self.consumer.commit(&offsets, CommitMode::Sync));
        match self.membership.while_owned(number, commit) {
            Some(committed) => committed.map_err(|failed| self.error(&failed)),
            None => {
                let message = format!("{}: partition {number} is not this host's", self.topic);
                Err(Error::new(ErrorKind::ConditionFailed, message))
            }
        }
    }

    /// Stores the offset that the group reads next. A member that has only just joined takes the place of one that had left
    /// the group, after which another host may have gone further: that is not taken back. Blocks.
    fn store(&self, number: u32, next: u64, is_new: bool) -> Result<()> {
        if is_new && self.offsets(&[number])?.iter().any(|stored| *stored > next) {
            let message = format!("{}: another member of the group has stored a later offset", self.topic);
            return Err(Error::new(ErrorKind::ConditionFailed, message));
        }
        self.commit(number, next)
    }

    /// Waits for the group's first answer. Returns whether it was not there yet.
    async fn joined(&self) -> Result<bool> {
        let (is_new, until) = (!self.membership.has_joined(), Instant::now() + JOINING);
        while !self.membership.has_joined() {
            self.membership.asked();
            if Instant::now() > until {
                let why = self.context.last_error().unwrap_or_else(|| "the group has not answered".to_owned());
                return Err(unavailable(format!("{}: {why}", self.topic)));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(is_new)
    }
}

impl Drop for Member {
    /// The thread ends by itself, without being waited for.
    fn drop(&mut self) {
        self.membership.close();
    }
}

/// Serves a group until its member is to leave it, or its source no longer asks.
fn serve(consumer: &BaseConsumer<MemberContext>, membership: &Membership) {
    while !membership.is_closing() && !membership.is_unasked() {
        // Records that were fetched before the pause are not this client's business, and errors are told to the context.
        drop(consumer.poll(POLL));
    }
    membership.close();
    consumer.unsubscribe();
    let until = Instant::now() + LEAVING;
    while !membership.owns_none() && Instant::now() < until {
        drop(consumer.poll(POLL));
    }
}

impl Kafka {
    /// The member of a group, which joins when it is asked for first, and again with new certificates.
    async fn member(&self, topic: &str, group: &str) -> Result<Arc<Member>> {
        let real = self.names.real(topic)?;
        if let Some(member) = self.serving_member(topic, group) {
            return Ok(member);
        }
        // One call joins, and those that wait here find its member.
        let _joining = self.joining.lock().await;
        if let Some(member) = self.serving_member(topic, group) {
            return Ok(member);
        }
        // One that no longer serves. It is not held here: the last one to have it ends its client, which blocks.
        self.part(topic, group).await?;
        let material = Material::read(&self.config).map_err(|fault| unavailable(fault.message))?;
        let (config, named, prefixed) =
            (self.config.clone(), topic.to_owned(), format!("{}{group}", self.config.prefix()));
        let joined = blocking(move || Member::join(&config, &named, real, &prefixed, material)).await?;
        let (joined, key) = (Arc::new(joined), (topic.to_owned(), group.to_owned()));
        self.members.lock().unwrap_or_else(PoisonError::into_inner).insert(key, joined.clone());
        Ok(joined)
    }

    /// Leaves a group.
    async fn part(&self, topic: &str, group: &str) -> Result<()> {
        let key = (topic.to_owned(), group.to_owned());
        let member = self.members.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let Some(member) = member else { return Ok(()) };
        blocking(move || {
            member.leave();
            Ok(())
        })
        .await
    }

    /// A member that there is already, unless it leaves its group or has given all up for one with new certificates.
    fn serving_member(&self, topic: &str, group: &str) -> Option<Arc<Member>> {
        let member = self.known_member(topic, group)?;
        member.look_at_certificates();
        let has_retired = member.membership.is_retiring() && member.membership.owns_none();
        if member.membership.is_closing() || has_retired {
            return None;
        }
        member.membership.asked();
        Some(member)
    }

    /// A member that there is already.
    fn known_member(&self, topic: &str, group: &str) -> Option<Arc<Member>> {
        let key = (topic.to_owned(), group.to_owned());
        self.members.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }
}

#[async_trait::async_trait]
impl LeaseTable for Kafka {
    async fn hold(&self, topic: &str, group: &str, shards: &[Shard]) -> Result<Leases> {
        let member = self.member(topic, group).await?;
        match (member.membership.leases(shards), member.context.last_error()) {
            (Some(leases), _) => Ok(leases),
            (None, None) => Ok(Leases::default()),
            (None, Some(why)) => Err(unavailable(format!("{topic}: {why}"))),
        }
    }

    async fn renew(&self, topic: &str, group: &str) -> Result<Vec<String>> {
        let Some(member) = self.known_member(topic, group) else { return Ok(Vec::new()) };
        let owned = member.membership.leases(&[]).unwrap_or_default().owned;
        if member.membership.is_closing() {
            return Ok(Vec::new());
        }
        member.membership.asked();
        Ok(owned)
    }

    async fn reassigned(&self, topic: &str, group: &str) {
        match self.known_member(topic, group) {
            Some(member) => member.membership.changed().await,
            None => std::future::pending().await,
        }
    }

    async fn leave(&self, topic: &str, group: &str, shard: &str) {
        if let (Some(member), Ok(number)) = (self.known_member(topic, group), shard.parse()) {
            member.membership.leave(number);
        }
    }

    async fn release(&self, topic: &str, group: &str) -> Result<()> {
        self.part(topic, group).await
    }

    fn lease_renewal(&self) -> Option<Duration> {
        Some(RENEWAL)
    }

    /// Partitions stay with their members until the beginning is stored, because a rebalance waits for that.
    async fn has_begun(&self, topic: &str, group: &str) -> Result<bool> {
        let member = self.member(topic, group).await?;
        member.joined().await?;
        let shards = self.fetcher(topic).await?;
        blocking(move || {
            let numbers: Vec<u32> = shards.shards()?.iter().filter_map(|shard| shard.id.parse().ok()).collect();
            Ok(!member.offsets(&numbers)?.is_empty())
        })
        .await
    }

    async fn begin(&self, topic: &str, shard: &str, group: &str) -> Result<()> {
        let (member, number) = (self.member(topic, group).await?, number_of(shard)?);
        let is_new = member.joined().await?;
        blocking(move || member.store(number, 0, is_new)).await
    }

    async fn checkpoint(&self, topic: &str, shard: &str, group: &str) -> Result<Option<Checkpoint>> {
        let (member, number) = (self.member(topic, group).await?, number_of(shard)?);
        let next = blocking(move || member.offsets(&[number])).await?.first().copied();
        Ok(next.and_then(|offset| LogPlace { partition: number, offset }.checkpoint()))
    }

    async fn set_checkpoint(&self, topic: &str, shard: &str, group: &str, checkpoint: &Checkpoint) -> Result<()> {
        let (member, number) = (self.member(topic, group).await?, number_of(shard)?);
        let is_new = member.joined().await?;
        match checkpoint {
            Checkpoint::At(sequence) => {
                let next = LogPlace::of(number, sequence)?.offset + 1;
                blocking(move || member.store(number, next, is_new)).await
            }
            Checkpoint::AtTimestamp(time_ms) => {
                let (fetcher, time_ms) = (self.fetcher(topic).await?, *time_ms);
                blocking(move || member.store(number, fetcher.offset_of_time(number, time_ms)?, is_new)).await
            }
            Checkpoint::ShardEnd => {
                Err(Error::new(ErrorKind::Invalid, format!("partition {shard} of {topic} has no end")))
            }
        }
    }
}

pub(crate) fn number_of(shard: &str) -> Result<u32> {
    shard.parse().map_err(|_| Error::new(ErrorKind::NotFound, format!("`{shard}` is not the number of a partition")))
}
