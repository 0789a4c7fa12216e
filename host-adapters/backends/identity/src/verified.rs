//! Verified tokens, by their SHA-256, in two generations. When the new generation is full it becomes the old one, and
//! the old one is dropped. A token that is used moves to the new generation, so no list of uses is needed.

use host_adapters_records::identity::Claims;
use std::collections::HashMap;

/// The most tokens of a generation; each takes about 300 bytes.
const GENERATION: usize = 50_000;

type Hash = [u8; 32];

#[derive(Default)]
pub(super) struct Verified {
    young: HashMap<Hash, Entry>,
    old: HashMap<Hash, Entry>,
}

#[derive(Clone)]
struct Entry {
    claims: Claims,
    until_ms: i64,
}

impl Verified {
    pub(super) fn get(&mut self, hash: &Hash, now_ms: i64) -> Option<Claims> {
        if let Some(entry) = self.young.get(hash) {
            return (entry.until_ms > now_ms).then(|| entry.claims.clone());
        }
        let entry = self.old.remove(hash).filter(|entry| entry.until_ms > now_ms)?;
        self.insert(*hash, entry.claims.clone(), entry.until_ms);
        Some(entry.claims)
    }

    pub(super) fn insert(&mut self, hash: Hash, claims: Claims, until_ms: i64) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, Entry { claims, until_ms });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn hash(number: usize) -> Hash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        hash
    }

    fn claims(number: usize) -> Claims {
        Claims { subject: number.to_string(), email: None, member_id: None, idv: None }
    }

    #[test]
    fn keeps_used_tokens_and_stays_bounded() {
        let mut verified = Verified::default();
        for number in 0..GENERATION * 4 {
            verified.insert(hash(number), claims(number), 10);
            assert_eq!(verified.get(&hash(0), 5).unwrap().subject, "0");
        }
        assert!(verified.young.len() + verified.old.len() <= 2 * GENERATION);
        assert!(verified.get(&hash(1), 5).is_none());
        assert!(verified.get(&hash(0), 10).is_none(), "expired");
    }
}
