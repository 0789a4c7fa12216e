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

/// The results of the parts of a batch; if none succeeded and at least one is `unavailable`, its error is returned for the
/// whole batch. For a backend that checks parts before it calls the server: a part that it refuses says nothing of the
/// server, and gets its own error again once the server is up.
pub(crate) fn whole_if_none<T>(parts: Vec<T>, error: impl Fn(&T) -> Option<&Error>) -> Result<Vec<T>> {
    let down = parts.iter().filter_map(&error).find(|error| error.kind == ErrorKind::Unavailable).cloned();
    match down {
        Some(down) if parts.iter().all(|part| error(part).is_some()) => Err(down),
        _ => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(kinds: &[Option<ErrorKind>]) -> Vec<Option<Error>> {
        kinds.iter().map(|kind| kind.map(|kind| Error::new(kind, "said so"))).collect()
    }

    fn told(kinds: &[Option<ErrorKind>]) -> Result<usize> {
        whole(parts(kinds), Option::as_ref).map(|parts| parts.len())
    }

    #[test]
    fn a_batch_fails_as_a_whole_only_if_every_part_found_the_server_down() {
        let (down, wrong) = (Some(ErrorKind::Unavailable), Some(ErrorKind::Invalid));
        assert_eq!(told(&[down, down]), Err(Error::new(ErrorKind::Unavailable, "said so")));
        for parts in [&[][..], &[down, None], &[None, down], &[down, wrong], &[wrong, wrong]] {
            assert_eq!(told(parts), Ok(parts.len()), "{parts:?}");
        }
    }

    #[test]
    fn parts_that_are_wrong_do_not_hide_that_the_server_is_down() {
        let told = |kinds: &[Option<ErrorKind>]| whole_if_none(parts(kinds), Option::as_ref).map(|parts| parts.len());
        let (down, large) = (Some(ErrorKind::Unavailable), Some(ErrorKind::TooLarge));
        for parts in [&[down][..], &[large, down, down], &[down, large]] {
            assert_eq!(told(parts), Err(Error::new(ErrorKind::Unavailable, "said so")), "{parts:?}");
        }
        for parts in [&[][..], &[large, down, None], &[None, down], &[large, large]] {
            assert_eq!(told(parts), Ok(parts.len()), "{parts:?}");
        }
    }
}
