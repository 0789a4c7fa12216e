//! The columns of scored files.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A column that is read. Files may have others.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Column {
    /// The campaign.
    CampaignId,
    /// The fan's member id.
    MemberId,
    /// The fan's id.
    GlobalUserId,
    /// The fan's e-mail address.
    Email,
    /// The market that the score is for.
    MarketId,
    /// The event that the score is for.
    EventId,
    /// The place of the event among the fan's, from 0.
    Rank,
    /// The fan's score.
    Score,
    /// Whether the fan is verified or rejected.
    Verdict,
    /// Whether the fan is chosen for access.
    Selected,
}

impl Column {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::CampaignId,
        Self::MemberId,
        Self::GlobalUserId,
        Self::Email,
        Self::MarketId,
        Self::EventId,
        Self::Rank,
        Self::Score,
        Self::Verdict,
        Self::Selected,
    ];

    /// The name in the header and in the JSON Schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::CampaignId => "campaignId",
            Self::MemberId => "memberId",
            Self::GlobalUserId => "globalUserId",
            Self::Email => "email",
            Self::MarketId => "marketId",
            Self::EventId => "eventId",
            Self::Rank => "rank",
            Self::Score => "score",
            Self::Verdict => "verdict",
            Self::Selected => "selected",
        }
    }

    /// The column of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}

/// The cells of a row, by column. An empty cell is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells<'a>([Option<Cow<'a, str>>; Column::ALL.len()]);

impl<'a> Cells<'a> {
    /// Fills a cell, with its text as its writer meant it: without blanks and invisible characters around it.
    pub fn set(&mut self, column: Column, text: &'a str) {
        let text = match text.is_ascii() {
            true => Cow::Borrowed(text.trim()),
            false => Cow::Owned(registration::text::trimmed(text.to_owned())),
        };
        if let Some(cell) = self.0.get_mut(column as usize) {
            *cell = (!text.is_empty()).then_some(text);
        }
    }

    /// The text of a cell.
    pub fn get(&self, column: Column) -> Option<&str> {
        self.0.get(column as usize)?.as_deref()
    }
}

/// A fault of a row, or of one of its cells.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct Fault {
    /// The column, where the fault is one cell's.
    pub column: Option<Column>,
    /// The fault, as a message.
    pub problem: Cow<'static, str>,
}

impl Fault {
    /// A fault of a cell.
    pub fn of(column: Column, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { column: Some(column), problem: problem.into() }
    }

    /// A fault of the row as a whole.
    pub fn of_row(problem: impl Into<Cow<'static, str>>) -> Self {
        Self { column: None, problem: problem.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_known_by_its_name_in_headers_and_in_json() {
        for column in Column::ALL {
            assert_eq!(Column::named(column.name()), Some(column));
            assert_eq!(serde_json::json!(column), column.name());
        }
        assert_eq!(Column::named("CampaignId"), None);
    }

    #[test]
    fn a_cell_is_trimmed_and_an_empty_one_is_absent() {
        let mut cells = Cells::default();
        for (text, expected) in [
            (" m-1\t", Some("m-1")),
            ("", None),
            (" ", None),
            ("\u{feff}m-1\u{200b}", Some("m-1")),
            ("\u{a0}", None),
            ("Zoé ", Some("Zoé")),
        ] {
            cells.set(Column::MemberId, text);
            assert_eq!(cells.get(Column::MemberId), expected, "{text:?}");
        }
    }
}
