//! When the server took no part of a batch, the batch is reported as one failure and not as failures of its parts, so
//! that the caller's source pauses instead of giving records up.

use crate::Result;
use host_adapters_records::{Error, ErrorKind};

/// The answers to the parts of a batch; where each is `unavailable`, the first of them for all.
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
    fn a_batch_fails_as_a_whole_only_where_every_part_found_the_server_down() {
        let (down, wrong) = (Some(ErrorKind::Unavailable), Some(ErrorKind::Invalid));
        assert_eq!(told(&[down, down]), Err(Error::new(ErrorKind::Unavailable, "said so")));
        for parts in [&[][..], &[down, None], &[None, down], &[down, wrong], &[wrong, wrong]] {
            assert_eq!(told(parts), Ok(parts.len()), "{parts:?}");
        }
    }
}
