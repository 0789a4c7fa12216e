//! If the server is down for all parts of a batch, the batch fails as a whole instead of each part, so that the
//! caller's source pauses and does not give records up.

use crate::Result;
use host_adapters_records::{Error, ErrorKind};

/// The results of the parts of a batch; if all are `unavailable`, the first error is returned for the whole batch.
pub(crate) fn whole<T>(parts: Vec<T>, error: impl Fn(&T) -> Option<&Error>) -> Result<Vec<T>> {
    let down = |part: &T| error(part).filter(|error| error.kind == ErrorKind::Unavailable).cloned();
    match parts.first().and_then(down) {
        Some(first) if parts.iter().all(|part| down(part).is_some()) => Err(first),
        _ => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kinds: &[Option<ErrorKind>]) -> Result<usize> {
        let parts = kinds.iter().map(|kind| kind.map(|kind| Error::new(kind, "said so"))).collect();
        whole(parts, Option::as_ref).map(|parts| parts.len())
    }

    #[test]
    fn a_batch_fails_as_a_whole_only_if_every_part_found_the_server_down() {
        let (down, wrong) = (Some(ErrorKind::Unavailable), Some(ErrorKind::Invalid));
        assert_eq!(told(&[down, down]), Err(Error::new(ErrorKind::Unavailable, "said so")));
        for parts in [&[][..], &[down, None], &[None, down], &[down, wrong], &[wrong, wrong]] {
            assert_eq!(told(parts), Ok(parts.len()), "{parts:?}");
        }
    }
}
