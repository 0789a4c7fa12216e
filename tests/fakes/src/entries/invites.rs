//! The invite lists of campaigns.

use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// The invite lists of all campaigns.
#[derive(Default)]
pub struct Invites {
    lists: Mutex<HashMap<String, HashSet<String>>>,
}

/// Identifiers of a fan, any of which may be on a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Names {
    email: Option<String>,
    global_user_id: Option<String>,
    member_id: Option<String>,
}

impl Invites {
    /// Puts an e-mail address on a campaign's list.
    pub fn invite_email(&self, campaign: &str, email: &str) {
        self.add(campaign, Names { email: Some(email.to_owned()), ..Names::default() });
    }

    pub(crate) fn add(&self, campaign: &str, names: Names) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.entry(campaign.to_owned()).or_default().extend(names.keys());
    }

    pub(crate) fn invited(&self, campaign: &str, names: Names) -> bool {
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.get(campaign).is_some_and(|list| names.keys().any(|key| list.contains(&key)))
    }
}

impl Names {
    /// One key for each identifier; e-mail addresses are compared without regard to case.
    fn keys(self) -> impl Iterator<Item = String> {
        let email = self.email.map(|email| format!("email:{}", email.trim().to_lowercase()));
        let user = self.global_user_id.map(|id| format!("user:{id}"));
        let member = self.member_id.map(|id| format!("member:{id}"));
        [email, user, member].into_iter().flatten()
    }
}
