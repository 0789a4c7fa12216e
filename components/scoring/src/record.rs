//! A valid row of a scored file: what is put to `scoresStream` and `campaignDataStream`, and what a fan's score item holds.

use crate::column::{Cells, Column, Fault};
use crate::file::{Origin, Sequencer, SharedText};
use crate::schema::{Kind, boolean, integer};
use crate::score::Score;
use host_adapters_json::lenient::{if_readable, optional_whole};
use registration::email;
use registration::text::fits_message;
use serde::{Deserialize, Deserializer, Serialize};

/// Most characters of an id, as the schemas of rows have it.
const MAX_ID_CHARS: usize = 128;

/// The columns of ids. The campaign's is in the message that has it reported, so none may hold what no queue takes.
const IDS: [Column; 5] =
    [Column::CampaignId, Column::MemberId, Column::GlobalUserId, Column::MarketId, Column::EventId];

/// The fault of an id that no message can hold.
const NOT_FOR_QUEUES: &str = "contains a character that no queue takes";

/// The score of a fan in a campaign.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreRecord {
    /// The campaign.
    pub campaign_id: String,
    /// The fan's member id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// The fan's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_user_id: Option<String>,
    /// The fan's e-mail address, normalised.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_readable")]
    pub email: Option<String>,
    /// The market that the score is for.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub market_id: Option<String>,
    /// The event that the score is for.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "filled")]
    pub event_id: Option<String>,
    /// The place of the event among the fan's, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_whole")]
    pub rank: Option<u32>,
    /// The score.
    pub score: Score,
    /// The file's `verdict`. The name `verdict` itself belongs to the selection.
    pub verification: Verification,
    /// Whether the fan is chosen for access.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_readable")]
    pub selected: Option<bool>,
    /// The file that the record comes from, `<bucket>/<key>`.
    pub file: SharedText,
    /// That file's place among others.
    pub sequencer: Sequencer,
}

/// An optional text: an empty one counts as absent, as an empty cell of a row does.
fn filled<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(if_readable(from)?.filter(|text: &String| !text.is_empty()))
}

/// What scoring found of a fan. Rejected fans are not eligible.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verification {
    /// Eligible.
    Verified,
    /// Not eligible.
    Rejected,
}

impl ScoreRecord {
    /// Reads a row. An `email` that is not an address is left out, since a fault in an optional cell does not
    /// invalidate a row; a row without another name is then invalid.
    ///
    /// # Errors
    /// The first fault, with its column.
    pub fn read(kind: Kind, mut cells: Cells<'_>, origin: &Origin) -> Result<Self, Fault> {
        let email = cells.get(Column::Email).and_then(email::normalise);
        if email.is_none() {
            cells.set(Column::Email, "");
        }
        kind.schema().map_err(Fault::of_row)?.check(&cells)?;
        if let Some(column) = IDS.into_iter().find(|id| cells.get(*id).is_some_and(|text| !fits_message(text))) {
            return Err(Fault::of(column, NOT_FOR_QUEUES));
        }
        let text = |column| cells.get(column).map(str::to_owned);
        let unreadable = |column| move || Fault::of(column, "cannot be read");
        let score = cells.get(Column::Score).ok_or_else(unreadable(Column::Score))?;
        let verification = match cells.get(Column::Verdict) {
            Some("verified") => Verification::Verified,
            Some("rejected") => Verification::Rejected,
            _ => return Err(unreadable(Column::Verdict)()),
        };
        Ok(Self {
            campaign_id: text(Column::CampaignId).ok_or_else(unreadable(Column::CampaignId))?,
            member_id: text(Column::MemberId),
            global_user_id: text(Column::GlobalUserId),
            email,
            market_id: text(Column::MarketId),
            event_id: text(Column::EventId),
            rank: cells.get(Column::Rank).and_then(integer),
            score: Score::parse(score).map_err(|problem| Fault::of(Column::Score, problem))?,
            verification,
            selected: cells.get(Column::Selected).and_then(boolean),
            file: origin.file.clone(),
            sequencer: origin.sequencer.clone(),
        })
    }

    /// Checks a record that was read from JSON, as from a stream that others may put to. As in a row, an address is
    /// normalised, and left out if it is not one.
    ///
    /// # Errors
    /// The first fault, with its field.
    pub fn checked(mut self) -> Result<Self, String> {
        self.email = self.email.as_deref().and_then(email::normalise);
        let ids = [
            ("campaignId", Some(&self.campaign_id)),
            ("memberId", self.member_id.as_ref()),
            ("globalUserId", self.global_user_id.as_ref()),
            ("marketId", self.market_id.as_ref()),
            ("eventId", self.event_id.as_ref()),
        ];
        let is_bad = |id: &String| id.is_empty() || id.chars().count() > MAX_ID_CHARS;
        if let Some((field, _)) = ids.into_iter().find(|(_, id)| id.is_some_and(is_bad)) {
            return Err(format!("malformed: {field} is empty or has more than {MAX_ID_CHARS} characters"));
        }
        if let Some((field, _)) = ids.into_iter().find(|(_, id)| id.is_some_and(|id| !fits_message(id))) {
            return Err(format!("malformed: {field} {NOT_FOR_QUEUES}"));
        }
        if self.member_id.is_none() && self.global_user_id.is_none() && self.email.is_none() {
            return Err("malformed: memberId, globalUserId and email are missing".to_owned());
        }
        Ok(self)
    }

    /// Whether the record replaces another one of the same fan: a later file's does, also with a lower score; within a
    /// file the higher score is kept.
    pub fn replaces(&self, other: &Self) -> bool {
        (&self.sequencer, &self.score) > (&other.sequencer, &other.score)
    }

    /// Whether the Entry Service gets it: records with rank 0 and no others.
    pub fn is_for_entry_service(&self) -> bool {
        self.rank == Some(0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::file;
    use serde_json::json;

    fn cells(row: &[(Column, &'static str)]) -> Cells<'static> {
        let mut cells = Cells::default();
        row.iter().for_each(|(column, text)| cells.set(*column, text));
        cells
    }

    const ROW: [(Column, &str); 5] = [
        (Column::CampaignId, "c"),
        (Column::MemberId, "m"),
        (Column::Rank, "0"),
        (Column::Score, "850.50"),
        (Column::Verdict, "verified"),
    ];

    fn read(kind: Kind, more: &[(Column, &'static str)]) -> Result<ScoreRecord, Fault> {
        ScoreRecord::read(kind, cells(&[&ROW, more].concat()), &Origin::of(&file("1")))
    }

    #[test]
    fn the_files_verdict_is_stored_and_sent_as_verification() {
        let more = [(Column::Email, "Fan@Example.com"), (Column::Selected, "TRUE"), (Column::Verdict, "rejected")];
        let record = read(Kind::Scrubbed, &more).unwrap();
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.contains(r#""score":850.50,"#), "{text}");
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json.as_object_mut().unwrap().remove("score");
        assert_eq!(
            json,
            json!({
                "campaignId": "c", "memberId": "m", "email": "fan@example.com", "rank": 0, "verification": "rejected",
                "selected": true, "file": "scoringBucket/scrubbed/1.csv", "sequencer": "1",
            })
        );
        assert_eq!(serde_json::from_str::<ScoreRecord>(&text).unwrap(), record);
    }

    #[test]
    fn req_006_records_of_rank_0_and_no_others_go_to_the_entry_service() {
        for (rank, goes) in [("0", true), ("0.0", true), ("1", false), ("12", false)] {
            assert_eq!(read(Kind::Scrubbed, &[(Column::Rank, rank)]).unwrap().is_for_entry_service(), goes, "{rank}");
        }
        assert!(!read(Kind::Fanlist, &[(Column::Rank, "")]).unwrap().is_for_entry_service());
    }

    #[test]
    fn case_02_an_address_that_is_not_needed_costs_no_row() {
        for text in ["none", "Jane <jane@example.com>"] {
            assert_eq!(read(Kind::Fanlist, &[(Column::Email, text)]).unwrap().email, None);
            let alone = read(Kind::Fanlist, &[(Column::Email, text), (Column::MemberId, "")]);
            assert_eq!(alone.unwrap_err(), Fault::of_row("has no memberId or email"));
        }
    }

    #[test]
    fn point_1_an_id_that_no_message_can_hold_is_invalid() {
        for column in IDS {
            let fault = read(Kind::Scrubbed, &[(column, "c\u{fffe}d")]).unwrap_err();
            assert_eq!(fault, Fault::of(column, NOT_FOR_QUEUES));
        }
        assert_eq!(read(Kind::Scrubbed, &[(Column::MemberId, "Zoé \u{10000}")]).unwrap().campaign_id, "c");
        for column in IDS {
            let record = read(Kind::Scrubbed, &[(column, "c\u{1}d\u{1b}e")]).unwrap();
            assert_eq!(record.clone().checked(), Ok(record), "JSON escapes control characters");
        }
    }

    #[test]
    fn case_01_a_score_that_the_table_does_not_hold_is_invalid() {
        let fault = read(Kind::Scrubbed, &[(Column::Score, "0.123456789012345678901234567890123456789")]).unwrap_err();
        assert_eq!(fault, Fault::of(Column::Score, "has more than 38 significant digits"));
    }

    #[test]
    fn a_record_of_a_stream_is_checked_and_a_bad_one_names_its_field() {
        let long = "x".repeat(129);
        let good = read(Kind::Scrubbed, &[(Column::Email, "fan@example.com")]).unwrap();
        assert_eq!(good.clone().checked(), Ok(good.clone()));
        let with = |field: &str, value: serde_json::Value| {
            let mut json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&good).unwrap()).unwrap();
            json.as_object_mut().unwrap().insert(field.to_owned(), value);
            serde_json::from_value::<ScoreRecord>(json).map_err(|error| error.to_string())?.checked()
        };
        let empty = ["campaignId", "memberId", "globalUserId"].map(|field| (field, ""));
        let long =
            ["campaignId", "memberId", "globalUserId", "marketId", "eventId"].map(|field| (field, long.as_str()));
        for (field, id) in empty.into_iter().chain(long) {
            let problem = with(field, json!(id)).unwrap_err();
            assert_eq!(problem, format!("malformed: {field} is empty or has more than 128 characters"));
        }
        for field in ["campaignId", "memberId", "globalUserId", "marketId", "eventId"] {
            let problem = with(field, json!("c\u{fffe}")).unwrap_err();
            assert_eq!(problem, format!("malformed: {field} contains a character that no queue takes"));
        }
        let nameless = ScoreRecord { member_id: None, email: None, ..good.clone() };
        let problem = nameless.checked().unwrap_err();
        assert_eq!(problem, "malformed: memberId, globalUserId and email are missing");
        assert!(with("score", json!("high")).unwrap_err().contains("score"));
    }

    #[test]
    fn case_21_a_rank_is_a_whole_number_however_it_is_written() {
        let good = read(Kind::Scrubbed, &[]).unwrap();
        let text = serde_json::to_string(&good).unwrap();
        assert!(text.contains(r#""rank":0,"#), "{text}");
        let read = |rank: &str| {
            let text = text.replace(r#""rank":0,"#, &format!(r#""rank":{rank},"#));
            serde_json::from_str::<ScoreRecord>(&text).map_err(|error| error.to_string())
        };
        for rank in ["0.0", "0e0", "-0.0"] {
            assert!(read(rank).unwrap().checked().unwrap().is_for_entry_service(), "{rank}");
        }
        assert_eq!(read("12.0").unwrap().rank, Some(12));
        for rank in ["0.5", "-1", "4294967296", "\"0\""] {
            assert!(read(rank).is_err(), "{rank}");
        }
    }

    #[test]
    fn case_02_what_a_record_of_a_stream_does_not_need_costs_no_record() {
        let good =
            r#""memberId":"m","campaignId":"c","score":1,"verification":"verified","file":"b/f","sequencer":"1""#;
        let read = |more: &str| {
            let record = serde_json::from_str::<ScoreRecord>(&format!("{{{good}{more}}}"));
            record.map_err(|error| error.to_string()).and_then(ScoreRecord::checked)
        };
        let plain = read("").unwrap();
        for more in [
            r#","email":"nobody""#,
            r#","email":7"#,
            r#","email":null"#,
            r#","eventId":7"#,
            r#","marketId":{"id":"m"}"#,
            r#","marketId":"""#,
            r#","eventId":"\ud800""#,
            r#","selected":"yes""#,
            r#","rank":null"#,
        ] {
            assert_eq!(read(more), Ok(plain.clone()), "{more}");
        }
        for text in ["Fan@Example.com", " fan@example.com"] {
            let email = Some("fan@example.com".to_owned());
            assert_eq!(read(&format!(r#","email":"{text}""#)), Ok(ScoreRecord { email, ..plain.clone() }), "{text}");
        }
        let nameless = good.replace(r#""memberId":"m","#, r#""email":"nobody","#);
        let nameless = serde_json::from_str::<ScoreRecord>(&format!("{{{nameless}}}")).unwrap();
        assert_eq!(nameless.checked().unwrap_err(), "malformed: memberId, globalUserId and email are missing");
    }

    #[test]
    fn a_later_file_replaces_also_with_a_lower_score() {
        let of = |sequencer: &str, score: &'static str| {
            let row = [&ROW[..], &[(Column::Score, score)]].concat();
            ScoreRecord::read(Kind::Scrubbed, cells(&row), &Origin::of(&file(sequencer))).unwrap()
        };
        for (new, old, replaces) in [
            (of("1", "9"), of("1", "10"), false),
            (of("1", "10"), of("1", "10.0"), false),
            (of("1", "11"), of("1", "10"), true),
            (of("2", "1"), of("1", "10"), true),
            (of("1", "11"), of("2", "1"), false),
        ] {
            assert_eq!(new.replaces(&old), replaces, "{new:?} {old:?}");
        }
    }
}
