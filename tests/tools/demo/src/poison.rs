//! `--poison`: a message that cannot become a profile, sent among the others. If its source keeps rejected records
//! (`on_reject = "dead-letter"`), exactly its dead letter must exist in the end.

use crate::check::Snapshot;
use crate::gateway::{DeadLetterId, Gateway};
use crate::resolver::QUEUE;
use anyhow::{Result, bail};
use host_adapters_records::queue::{Message, SendBatch};

const DEAD_LETTERS: &str = "userInfoQueueDlq";
const BODY: &str = "no browser says this";

/// Sends the poison message.
pub async fn send(resolver: &Gateway) -> Result<()> {
    let message = Message::new(BODY);
    let sent = resolver.call(&SendBatch { queue: QUEUE.to_owned(), messages: vec![message] }).await?;
    match &sent[..] {
        [Ok(_)] => Ok(()),
        other => bail!("the poison cannot be sent: {other:?}"),
    }
}

/// The dead letters without that of the poison message.
pub async fn without(operator: &Gateway, dead_letters: Vec<DeadLetterId>) -> Result<Vec<DeadLetterId>> {
    let mut others = Vec::new();
    for dead_letter in dead_letters {
        if dead_letter.queue != DEAD_LETTERS || operator.dead_letter_body(&dead_letter).await? != BODY {
            others.push(dead_letter);
        }
    }
    Ok(others)
}

/// Takes the poison message's dead letter out of the snapshot, or both if a crash before the delete has made two;
/// returns whether there was one.
pub async fn take(operator: &Gateway, snapshot: &mut Snapshot) -> Result<bool> {
    let dead_letters = operator.dead_letters(Some(DEAD_LETTERS)).await?;
    let all = dead_letters.len();
    let others = without(operator, dead_letters).await?.len();
    snapshot.dead_letters.insert(DEAD_LETTERS.to_owned(), others as u64);
    Ok(others < all)
}
