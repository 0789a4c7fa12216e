//! `options.dataPipeline` of a campaign: whether its data is published.

use crate::object::Object;

/// Whether a campaign's data is published: unless `options.dataPipeline` is `false`.
pub fn is_on(campaign: &Object) -> bool {
    let option = campaign.object("options").and_then(|options| Some(options.get("dataPipeline")?.get() == "false"));
    option != Some(true)
}

/// The same, by the campaign's document as JSON text; a campaign without a document is published.
///
/// # Errors
/// Why it is not known, when the document cannot be read or is another campaign's (ids and slugs share the cache's keys).
pub fn is_on_by_document(id: &str, document: Option<&str>) -> Result<bool, String> {
    let Some(document) = document else { return Ok(true) };
    match Object::parse(document) {
        Some(campaign) if campaign.text("id").as_deref() == Some(id) => Ok(is_on(&campaign)),
        Some(_) => Err(format!("the document of campaign {id:?} is another one's")),
        None => Err(format!("the document of campaign {id:?} is not a JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_data_pipeline_is_true_by_default() {
        for (document, expected) in [
            (r#"{"id":"c"}"#, true),
            (r#"{"id":"c","options":null}"#, true),
            (r#"{"id":"c","options":{}}"#, true),
            (r#"{"id":"c","options":{"automatedReminders":false}}"#, true),
            (r#"{"id":"c","options":{"dataPipeline":null}}"#, true),
            (r#"{"id":"c","options":{"dataPipeline":true}}"#, true),
            (r#"{"id":"c","options":{"dataPipeline":false}}"#, false),
            (r#"{"id":"c","options":{"dataPipeline": false }}"#, false),
        ] {
            assert_eq!(is_on_by_document("c", Some(document)), Ok(expected), "{document}");
        }
        assert_eq!(is_on_by_document("c", None), Ok(true), "there is no such campaign");
    }

    #[test]
    fn a_document_that_says_nothing_of_the_campaign_is_not_taken_for_on() {
        for document in ["{", "[]", r#"{"id":"d","slug":"c"}"#, "{}"] {
            assert!(is_on_by_document("c", Some(document)).is_err(), "{document}");
        }
    }
}
