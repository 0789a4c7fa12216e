//! The messages of a batch about one campaign. At most one of them posts to Slack, which also settles those that would
//! post the same. Pure.

use scoring::counts::{Counts, Totals};
use scoring::report::{self, Decision, Message, Received, Source, Told, decide};
use scoring::table::Change;
use worker_kit::{Disposition, Event};

/// Milliseconds until messages are delivered again while another one is posting.
const AGAIN_MS: u64 = 1_000;

/// A message of verdictReporterQueue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sent {
    /// Its content.
    pub message: Message,
    /// Its id.
    pub id: String,
    /// When it was sent, milliseconds since 1970.
    pub sent_ms: u64,
}

impl Sent {
    /// Reads a record. The error is a reason to reject it, and names the field.
    pub fn read(event: &Event) -> Result<Self, String> {
        let message: Message = event.json()?;
        if message.campaign_id.is_empty() {
            return Err("malformed: campaignId is empty".to_owned());
        }
        Ok(Self { message, id: event.id.clone(), sent_ms: event.time_ms })
    }

    /// Milliseconds since its file ended; without one, since the first of its copies was sent.
    fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.message.ended_ms.or(self.message.since_ms).unwrap_or(self.sent_ms))
    }
}

/// A campaign, and the messages about it with their indices in the batch.
#[derive(Debug)]
pub struct Campaign {
    /// Its id.
    pub id: String,
    counts: Totals,
    told: Option<Told>,
    sent: Vec<(usize, Sent)>,
}

/// The post of one of the messages.
#[derive(Debug)]
pub struct Telling {
    /// Which of the messages.
    place: usize,
    /// The claim that it is posting, unless it was written before.
    pub claim: Option<Change>,
    /// The text.
    pub text: String,
    /// The update that records the post.
    pub confirmation: Change,
    /// Milliseconds since the end of the file, or since the message, or the first of its copies, was sent.
    pub age_ms: u64,
    /// The source of the message.
    pub source: Source,
}

/// The outcome of a post.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Posted {
    /// Slack has the counts, and the table says so.
    Told,
    /// Slack has them, but another message has taken over and records its own post.
    Overtaken,
    /// Another message is posting.
    Another,
    /// Slack does not have them, or that is not recorded.
    Failed(Disposition),
}

/// The disposition of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is settled.
    Settled(Disposition),
    /// It is settled once this copy is sent.
    Later(Message),
}

impl Campaign {
    /// The campaign with its items: the counts, and those told last.
    ///
    /// # Errors
    /// When an item is malformed; names it.
    pub fn read(id: &str, sent: Vec<(usize, Sent)>, items: [Option<&str>; 2]) -> Result<Self, String> {
        let [counts, told] = items;
        let of = |problem| format!("campaign {id}: {problem}");
        let counts = Counts::read(counts).map_err(of)?.totals;
        Ok(Self { id: id.to_owned(), counts, told: report::read_told(told).map_err(of)?, sent })
    }

    fn decide(&self, told: Option<&Told>, now_ms: u64) -> Vec<Decision> {
        let received = |sent: &Sent| {
            let Sent { message, id, sent_ms } = sent;
            decide(Received { message, id, sent_ms: *sent_ms }, self.counts, told, now_ms)
        };
        self.sent.iter().map(|(_, sent)| received(sent)).collect()
    }

    /// The post, if one is due. A message that has claimed the report before goes before others.
    pub fn telling(&self, now_ms: u64) -> Option<Telling> {
        let posts = self.decide(self.told.as_ref(), now_ms).into_iter().zip(&self.sent).enumerate();
        let tellings = posts.filter_map(|(place, (decision, (_, sent)))| match decision {
            Decision::Post { claim, text, confirmation, .. } => {
                let (age_ms, source) = (sent.age_ms(now_ms), sent.message.source);
                Some(Telling { place, claim, text, confirmation, age_ms, source })
            }
            Decision::Later(_) | Decision::Known { .. } => None,
        });
        tellings.min_by_key(|telling| telling.claim.is_some())
    }

    /// The outcome of each message, by its index in the batch, after the post, if there was one; and the warnings.
    pub fn outcomes(&self, now_ms: u64, posted: Option<(&Telling, Posted)>) -> (Vec<(usize, Outcome)>, Vec<String>) {
        let before = self.decide(self.told.as_ref(), now_ms);
        let known = Told { totals: self.counts, teller: None, claimed_ms: 0 };
        let after = self.decide(Some(&known), now_ms);
        let mut warnings = vec![];
        let mut outcome = |place: usize, before, after| {
            let decision = match (&posted, before) {
                (Some((telling, Posted::Told)), Decision::Post { rest, .. }) if telling.place == place => {
                    return done(rest);
                }
                (Some((_, Posted::Told)), _) => after,
                (Some((telling, Posted::Overtaken)), Decision::Post { rest, .. }) if telling.place == place => {
                    return done(rest);
                }
                (Some((_, Posted::Failed(why))), Decision::Post { .. }) => return Outcome::Settled(why.clone()),
                (_, before) => before,
            };
            match decision {
                Decision::Later(copy) => Outcome::Later(copy),
                Decision::Known { warning } => {
                    warnings.extend(warning);
                    Outcome::Settled(Disposition::Ack)
                }
                Decision::Post { .. } => {
                    Outcome::Settled(Disposition::retry_after(Some(AGAIN_MS), "another message tells Slack now"))
                }
            }
        };
        let decisions = before.into_iter().zip(after).zip(&self.sent).enumerate();
        let outcomes = decisions.map(|(place, ((before, after), (index, _)))| (*index, outcome(place, before, after)));
        (outcomes.collect(), warnings)
    }
}

/// The message that posted to Slack.
fn done(rest: Option<Box<Message>>) -> Outcome {
    rest.map_or(Outcome::Settled(Disposition::Ack), |rest| Outcome::Later(*rest))
}
