//! The steps of a decision: token, input, campaign, gates, fields.

use crate::{
    campaigns,
    input::Input,
    world::{Outage, World},
};
use chrono::{DateTime, Utc};
use registration::{
    campaign::Campaign,
    country::Country,
    eligibility::{self, Decision, Facts, Question, Step},
    entry::SORT_KEY_PREFIX,
    reason::Reason,
};
use serde_json::{Map, Value, json};
use worker_kit::{
    platform::{ErrorKind, identity::Claims, table::Key},
    services::entry::Invitee,
};

/// Most characters of a country code that is not known in the log; codes have two or three.
const MAX_CODE_CHARS: usize = 16;

/// The outcome for the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A decision, for or against the fan.
    Decision(Decision),
    /// No decision: the caller is unknown, asks about another fan, or sends a malformed request.
    Refused {
        /// HTTP status.
        status: u16,
        /// The error code, for programs.
        code: &'static str,
        /// The message, for people.
        message: String,
    },
}

/// Decides on one request at `now`. The fan is the one that the token names, never one that the body names.
pub async fn check(world: &impl World, token: Option<&str>, event: &str, now: DateTime<Utc>) -> Outcome {
    let (claims, input) = match request(world, token, event).await {
        Ok(request) => request,
        Err(outcome) => return outcome,
    };
    let slug = input.slug.clone();
    let decision = decide(world, &claims, input, now).await;
    log(world, &slug, &decision);
    Outcome::Decision(decision)
}

/// The caller's claims and the input.
async fn request(world: &impl World, token: Option<&str>, event: &str) -> Result<(Claims, Input), Outcome> {
    let Some(token) = token else {
        return Err(refused(401, "UNAUTHORIZED", "send the fan's token: Authorization: Bearer <token>"));
    };
    let claims = world.verify(token).await.map_err(|error| match error.kind {
        ErrorKind::Denied | ErrorKind::Invalid => {
            refused(401, "UNAUTHORIZED", &format!("the token is not accepted: {}", error.message))
        }
        _ => Outcome::Decision(outage(world, None, &Outage::new("identity", error))),
    })?;
    let input = Input::parse(event).map_err(|problem| refused(400, "MALFORMED_EVENT", problem))?;
    if !input.is_about(&claims.subject) {
        return Err(refused(403, "FORBIDDEN", "the body names another fan than the token: `globalUserId`"));
    }
    Ok((claims, input))
}

async fn decide(world: &impl World, claims: &Claims, input: Input, now: DateTime<Utc>) -> Decision {
    let campaign = match campaigns::find(world, &input.slug).await {
        Ok(Some(campaign)) => campaign,
        Ok(None) => return Decision::refused(None, Reason::CampaignNotFound),
        Err(problem) => return outage(world, None, &problem),
    };
    // A token with "not verified" may be older than the verification, so the User Service is asked.
    let mut facts = Facts { verified: claims.idv.filter(|verified| *verified), ..Facts::default() };
    loop {
        let question = match eligibility::step(&campaign, input.do_transfer, &facts, now) {
            Step::Ask(question) => question,
            Step::Refuse(refusal) => return Decision::refused(Some(campaign.id), refusal),
            Step::Admit { linked_campaign_id } => {
                let _span = world.span("validateEntry", &campaign.id, &claims.subject);
                let country = country(world, input.country.as_deref());
                return Decision::of_admitted(campaign, input.entry, country, linked_campaign_id);
            }
        };
        if let Err(problem) = learn(world, &campaign, claims, question, &mut facts).await {
            return outage(world, Some(campaign.id), &problem);
        }
    }
}

/// The country for reading the fields. An unknown code causes a warning, because a client's form is faulty.
fn country(world: &impl World, code: Option<&str>) -> Option<Country> {
    let code = code.filter(|code| !code.trim().is_empty())?;
    let country = Country::read(code);
    if country.is_none() {
        let code: String = code.chars().take(MAX_CODE_CHARS).collect();
        world.warn("The countryCode is not one of ISO 3166-1", json!({"countryCode": code}));
    }
    country
}

/// Looks up the answer to a question.
async fn learn(
    world: &impl World,
    campaign: &Campaign,
    claims: &Claims,
    question: Question<'_>,
    facts: &mut Facts,
) -> Result<(), Outage> {
    match question {
        Question::LinkedEntry(campaigns) => {
            let key =
                |id: &&str| Key { pk: format!("CAMPAIGN#{id}"), sk: format!("{SORT_KEY_PREFIX}{}", claims.subject) };
            let there = world.entries(campaigns.iter().map(key).collect()).await?;
            let first = campaigns.into_iter().zip(there).find(|(_, there)| *there);
            facts.linked_entry = Some(first.map(|(id, _)| id.to_owned()));
        }
        Question::Invited => facts.invited = Some(world.is_invited(&campaign.id, &invitee(claims)).await?),
        Question::Verified => facts.verified = Some(world.is_verified(&campaign.id, &claims.subject).await?),
    }
    Ok(())
}

/// The fan's identifiers, by which the invite list may name the fan. Identifiers that are empty in the token are left
/// out.
fn invitee(claims: &Claims) -> Invitee {
    let text =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    Invitee {
        email: text(&claims.email).map(|email| email.to_lowercase()),
        global_user_id: Some(claims.subject.clone()),
        member_id: text(&claims.member_id),
    }
}

fn refused(status: u16, code: &'static str, message: &str) -> Outcome {
    Outcome::Refused { status, code, message: message.to_owned() }
}

/// The decision when a dependency has failed; the caller may repeat the call.
fn outage(world: &impl World, campaign_id: Option<String>, outage: &Outage) -> Decision {
    let data = json!({"campaignId": campaign_id, "dependency": outage.dependency, "problem": outage.problem});
    world.error("Eligibility check failed", data);
    Decision::refused(campaign_id, Reason::InternalServerError)
}

fn log(world: &impl World, slug: &str, decision: &Decision) {
    let mut data = Map::new();
    match decision {
        Decision::Eligible { campaign_id, linked_campaign_id, .. } => {
            data.insert("campaignId".to_owned(), json!(campaign_id));
            data.insert("isEligible".to_owned(), Value::Bool(true));
            data.extend(linked_campaign_id.iter().map(|id| ("linkedCampaignId".to_owned(), json!(id))));
        }
        Decision::Ineligible { campaign_id, refusal } => {
            data.extend(campaign_id.iter().map(|id| ("campaignId".to_owned(), json!(id))));
            data.insert("isEligible".to_owned(), Value::Bool(false));
            data.insert("reason".to_owned(), json!(refusal.reason));
            data.extend(refusal.detail.iter().map(|detail| ("detail".to_owned(), json!(detail))));
            data.insert("slug".to_owned(), json!(slug));
        }
    }
    world.info("Eligibility check completed", Value::Object(data));
}

#[cfg(test)]
mod tests;
