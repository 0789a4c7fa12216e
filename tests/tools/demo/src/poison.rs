//! `--poison`: a message that cannot become a profile, sent among the others. If its source keeps rejected records
//! (`on_reject = "dead-letter"`), exactly its dead letter must be there in the end.

use crate::check::Snapshot;
use crate::gateway::{DeadLetterId, Gateway};
use crate::resolver::QUEUE;
use anyhow::{Result, bail};
use host_adapters_records::queue::{Message, SendBatch};

const DEAD_LETTERS: &str = "userInfoQueueDlq";
const BODY: &str = "no browser says this";

/// Sends it.
pub async fn send(resolver: &Gateway) -> Result<()> {
    let message = Message { body: BODY.to_owned(), attributes: Vec::new(), delay_secs: 0 };
    let sent = resolver.call(&SendBatch { queue: QUEUE.to_owned(), messages: vec![message] }).await?;
    match &sent[..] {
        [Ok(_)] => Ok(()),
        other => bail!("the poison cannot be sent: {other:?}"),
    }
}

/// Dead letters but its own.
pub async fn without(operator: &Gateway, dead_letters: Vec<DeadLetterId>) -> Result<Vec<DeadLetterId>> {
    let mut others = Vec::new();
    for dead_letter in dead_letters {
        if dead_letter.queue != DEAD_LETTERS || operator.letter_body(&dead_letter).await? != BODY {
            others.push(dead_letter);
        }
    }
    Ok(others)
}

/// Takes its dead letter out of what was found, also where a crash before the delete has made it twice; whether there
/// is one.
pub async fn take(operator: &Gateway, snapshot: &mut Snapshot) -> Result<bool> {
    let dead_letters = operator.dead_letters(Some(DEAD_LETTERS)).await?;
    let all = dead_letters.len();
    let others = without(operator, dead_letters).await?.len();
    snapshot.dead_letters.insert(DEAD_LETTERS.to_owned(), others as u64);
    Ok(others < all)
}
