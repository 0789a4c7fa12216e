//! How messages and the counts told last are read.

use super::*;

#[test]
fn case_02_null_is_as_absent_and_what_only_people_read_costs_no_message() {
    let read = |more: &str| {
        let text = format!(r#"{{"campaignId":"c","source":"scoring"{more}}}"#);
        serde_json::from_str::<Message>(&text).map_err(|error| error.to_string())
    };
    let plain = read("").unwrap();
    for more in [
        r#","expected":null"#,
        r#","expected":{"verified":null}"#,
        r#","marketId":7,"file":["f"]"#,
        r#","endedMs":null,"sinceMs":null,"seen":null"#,
    ] {
        assert_eq!(read(more), Ok(plain.clone()), "{more}");
    }
    let seen = read(r#","seen":{"verified":null,"rejected":2}"#).unwrap().seen;
    assert_eq!(seen, Some(Totals { rejected: 2, ..Totals::default() }));
    assert!(read(r#","expected":7"#).is_err());
}

#[test]
fn case_21_counts_and_times_are_whole_numbers_however_they_are_written() {
    let read = |number: &str| {
        let expected = format!(r#"{{"verified":{number},"rejected":{number},"selected":{number}}}"#);
        let text = format!(
            r#"{{"campaignId":"c","source":"scoring","expected":{expected},"endedMs":{number},"sinceMs":{number},"seen":{expected}}}"#
        );
        serde_json::from_str::<Message>(&text).map_err(|error| error.to_string())
    };
    let expected = read("25").unwrap();
    assert_eq!((expected.ended_ms, expected.expected.selected), (Some(25), Some(25)));
    for number in ["25.0", "2.5e1"] {
        assert_eq!(read(number), Ok(expected.clone()), "{number}");
    }
    assert!(read("25.5").unwrap_err().starts_with("25.5 is not a whole number in range"));
    let item = r#"{"verified":5.0,"teller":"id","claimedMs":7.0}"#;
    let told =
        Told { totals: Totals { verified: 5, ..Totals::default() }, teller: Some("id".to_owned()), claimed_ms: 7 };
    assert_eq!(read_told(Some(item)), Ok(Some(told)));
}
