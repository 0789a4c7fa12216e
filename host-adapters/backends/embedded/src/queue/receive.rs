//! Receiving: one statement takes the batch. Messages that were received too often move to the dead letter queue,
//! messages past their retention are dropped, and the statement runs again to fill the batch.

use super::rows::{Receipt, read_message};
use super::{Queue, attributes};
use host_adapters_platform::Received;
use host_adapters_platform::dead_letter::{self, attribute};
use host_adapters_records::source_name;
use rusqlite::{Connection, params};

const TAKE: &str = "UPDATE messages SET visible_ms = ?4, receives = receives + 1, receipt = ?5
    WHERE id IN (SELECT id FROM messages WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY visible_ms LIMIT ?3)
    RETURNING id, uuid, body, attributes, receives, sent_ms, grp";

/// In the order of sending, without groups that have a message in flight.
const TAKE_IN_ORDER: &str = "UPDATE messages SET visible_ms = ?4, receives = receives + 1, receipt = ?5
    WHERE id IN (SELECT id FROM messages AS next WHERE queue = ?1 AND visible_ms <= ?2 AND NOT EXISTS (
                     SELECT 1 FROM messages AS other
                     WHERE other.queue = ?1 AND other.grp = next.grp AND other.visible_ms > ?2)
                 ORDER BY id LIMIT ?3)
    RETURNING id, uuid, body, attributes, receives, sent_ms, grp";

/// The arguments of a receive.
pub(super) struct Take<'a> {
    pub(super) queue: &'a Queue,
    pub(super) dead_letters: Option<&'a Queue>,
    pub(super) max: usize,
    pub(super) now_ms: i64,
    /// Until when the messages stay invisible.
    pub(super) until_ms: i64,
    /// Marks this receive, so that an earlier receipt of the same message becomes stale.
    pub(super) mark: i64,
}

/// The result of a receive.
pub(super) struct Taken {
    pub(super) messages: Vec<Received>,
    /// When the next message can be received.
    pub(super) due_ms: i64,
    /// Whether messages were moved to the dead letter queue.
    pub(super) redriven: bool,
    /// How many messages were dropped because their retention has ended.
    pub(super) expired: usize,
}

struct Row {
    id: i64,
    message: Received,
}

impl Take<'_> {
    pub(super) fn run(&self, conn: &Connection) -> rusqlite::Result<Taken> {
        let mut taken = Taken { messages: Vec::new(), due_ms: self.now_ms, redriven: false, expired: 0 };
        while taken.messages.len() < self.max {
            let wanted = self.max - taken.messages.len();
            let rows = self.take(conn, wanted)?;
            let found = rows.len();
            for row in rows {
                self.settle(conn, row, &mut taken)?;
            }
            if found < wanted {
                taken.due_ms = self.next_due(conn)?;
                break;
            }
        }
        Ok(taken)
    }

    fn take(&self, conn: &Connection, wanted: usize) -> rusqlite::Result<Vec<Row>> {
        let sql = if self.queue.is_fifo { TAKE_IN_ORDER } else { TAKE };
        let mut update = conn.prepare_cached(sql)?;
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let params = params![self.queue.id, self.now_ms, limit, self.until_ms, self.mark];
        let rows = update.query_map(params, |row| {
            let id = row.get(0)?;
            let receipt = Receipt { row: id, mark: self.mark };
            Ok(Row { id, message: read_message(row, 1, receipt.to_string())? })
        })?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        // The rows of RETURNING are in no particular order.
        rows.sort_unstable_by_key(|row| row.id);
        Ok(rows)
    }

    fn settle(&self, conn: &Connection, row: Row, taken: &mut Taken) -> rusqlite::Result<()> {
        let age = self.now_ms - i64::try_from(row.message.sent_ms).unwrap_or(i64::MAX);
        if age >= self.queue.retention_ms {
            taken.expired += 1;
            return conn.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([row.id]).map(drop);
        }
        match self.dead_letters {
            Some(queue) if row.message.receive_count > self.queue.max_receive_count => {
                taken.redriven = true;
                self.redrive(conn, row, queue)
            }
            _ => {
                taken.messages.push(row.message);
                Ok(())
            }
        }
    }

    /// The message keeps its id and the time when it was first sent. This receive is not counted, because it did not
    /// happen.
    fn redrive(&self, conn: &Connection, row: Row, dead_letters: &Queue) -> rusqlite::Result<()> {
        let told = vec![
            (attribute::REASON, dead_letter::RECEIVES_EXHAUSTED.to_owned()),
            (attribute::ATTEMPT, self.queue.max_receive_count.to_string()),
            (attribute::SOURCE, source_name::of_queue(&self.queue.name)),
            (attribute::SOURCE_MESSAGE_ID, row.message.id.clone()),
        ];
        let attributes = dead_letter::attributes(told, row.message.attributes);
        tracing::warn!(
            queue = self.queue.name,
            message = row.message.id,
            dead_letter_queue = dead_letters.name,
            receives = self.queue.max_receive_count,
            "message moved to the dead-letter queue: receives exhausted"
        );
        // As in SQS, retention begins again in a FIFO queue, and only there.
        let sent_ms = if dead_letters.is_fifo { Some(self.now_ms) } else { None };
        let sql = "UPDATE messages SET queue = ?2, visible_ms = ?3, receives = receives - 1, receipt = 0,
                   attributes = ?4, sent_ms = coalesce(?5, sent_ms) WHERE id = ?1";
        let params = params![row.id, dead_letters.id, self.now_ms, attributes::stored(&attributes), sent_ms];
        conn.prepare_cached(sql)?.execute(params).map(drop)
    }

    fn next_due(&self, conn: &Connection) -> rusqlite::Result<i64> {
        // A visible message of a FIFO queue waits for its group, until the message in flight becomes visible or is
        // deleted.
        let after_ms = if self.queue.is_fifo { self.now_ms } else { i64::MIN };
        let sql = "SELECT min(visible_ms) FROM messages WHERE queue = ?1 AND visible_ms > ?2";
        let due: Option<i64> = conn.prepare_cached(sql)?.query_row((self.queue.id, after_ms), |row| row.get(0))?;
        Ok(due.unwrap_or(i64::MAX))
    }
}
