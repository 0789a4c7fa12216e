//! The event of a file that was created or replaced, as the source `s3` hands it over.

use scoring::file::{File, Sequencer};
use serde::Deserialize;
use worker_kit::Event;

#[derive(Deserialize)]
struct Created {
    bucket: String,
    key: String,
    etag: String,
    #[serde(default)]
    sequencer: Sequencer,
}

/// Reads the event.
///
/// # Errors
/// When it is not such an event.
pub fn read(event: &Event) -> Result<File, String> {
    let Created { bucket, key, etag, sequencer } = event.json()?;
    Ok(File { bucket, key, etag, sequencer })
}
