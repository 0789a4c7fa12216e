//! Sends one registration: calls, compares the response with the label, and writes the entry if it is eligible.

use super::Load;
use super::call::{EligibilityResponse, event};
use crate::check::answer::difference;
use crate::generate::{Fan, Registration};
use crate::resolver::{Entry, Written};
use anyhow::{Context, Result};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The outcome of a registration.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The reason; `None` if it was eligible.
    pub reason: Option<String>,
    /// How the response differs from the label.
    pub difference: Option<String>,
    /// Microseconds from when the call was due to its last response.
    pub took_us: u64,
    /// The written entry, if it was eligible.
    pub written: Option<Written>,
}

impl Load {
    /// Sends the registration at a position when it is due, or once the fan's previous one is settled.
    pub(super) async fn one(&self, position: usize, due: Instant) -> Result<()> {
        let registration = self.world.registrations.get(position).context("no such registration")?;
        let fan = self.fans.get(&registration.fan).and_then(|place| self.world.fans.get(*place));
        let fan = fan.with_context(|| format!("fan {} is not known", registration.fan))?;
        let due = self.after_predecessor(position, due).await;
        let place = self.places.acquire().await?;
        let token = self.tokens.get(&registration.fan).context("a fan has no token")?;
        let answer = self.caller.check(token, event(registration, fan), position).await?;
        let took_us = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        drop(place);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.bar.inc(1);
        let outcome = self.conclude(position, registration, fan, answer, took_us).await?;
        if let (Some(slot), Some(settled)) = (self.outcomes.get(position), self.settled.get(position)) {
            // Each position is sent once.
            let (_first, _told) = (slot.set(outcome), settled.set(()));
        }
        Ok(())
    }

    /// When the call is due: not before the fan's previous registration is settled.
    async fn after_predecessor(&self, position: usize, due: Instant) -> Instant {
        let predecessor = self.predecessors.get(position).copied().flatten();
        let Some(settled) = predecessor.and_then(|p| self.settled.get(p)).filter(|settled| !settled.initialized())
        else {
            return due;
        };
        settled.wait().await;
        due.max(Instant::now())
    }

    async fn conclude(
        &self,
        position: usize,
        registration: &Registration,
        fan: &Fan,
        mut answer: EligibilityResponse,
        took_us: u64,
    ) -> Result<Outcome> {
        let written = match &answer {
            EligibilityResponse::Eligible { campaign_id, fields, linked_campaign_id } => {
                let entry = Entry {
                    campaign_id,
                    global_user_id: &fan.global_user_id,
                    member_id: fan.member_id.as_deref(),
                    fields,
                    linked_from: linked_campaign_id.as_deref(),
                    user_info: fan.user_info(registration),
                };
                Some(self.resolver.write(entry, self.plan.loses(position)).await?)
            }
            EligibilityResponse::Ineligible { .. } => None,
        };
        self.plan.distort(position, &mut answer);
        let difference = difference(registration, &answer);
        Ok(Outcome { reason: answer.reason().map(str::to_owned), difference, took_us, written })
    }
}
