//! Calls of the platform about many parts, in which a fault of one part must not affect others.

use crate::platform::{Error, ErrorKind};
use crate::services::isolate_by;

/// Parts of one call.
const PER_CALL: usize = 500;
/// Calls at a time.
const CALLS: usize = 4;

/// Makes calls about all parts, and returns the result of each. A call that can never succeed is halved until the part
/// that is wrong stands alone. The parts are copied for each call: pass references to large ones.
pub async fn each<T: Clone, R>(
    parts: &[T],
    call: impl AsyncFn(Vec<T>) -> Result<Vec<R>, Error>,
) -> Vec<Result<R, Error>> {
    let call = async |parts: &[&T]| call(parts.iter().map(|part| (*part).clone()).collect()).await;
    let mut results = Vec::with_capacity(parts.len());
    for (parts, answer) in isolate_by(PER_CALL, parts.iter().collect(), CALLS, call).await {
        match answer {
            Ok(found) => {
                let missing = std::iter::repeat_with(|| Err(unmentioned()));
                results.extend(found.into_iter().map(Ok).chain(missing).take(parts.len()));
            }
            Err(error) => results.extend(parts.iter().map(|_| Err(error.clone()))),
        }
    }
    results
}

/// The error of a part that the response leaves out.
pub fn unmentioned() -> Error {
    Error::new(ErrorKind::Unavailable, "the response does not mention every part of the call")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::cell::RefCell;

    #[test]
    fn req_008_a_part_that_is_wrong_stands_alone() {
        let sizes = RefCell::new(vec![]);
        let parts: Vec<_> = (0..1_200).collect();
        let results = block_on(each(&parts, async |parts: Vec<i32>| {
            sizes.borrow_mut().push(parts.len());
            match parts.contains(&700) {
                true => Err(Error::new(ErrorKind::Invalid, "wrong")),
                false => Ok(parts),
            }
        }));
        let expected = |part: &i32| if *part == 700 { Err(Error::new(ErrorKind::Invalid, "wrong")) } else { Ok(*part) };
        assert_eq!(results, parts.iter().map(expected).collect::<Vec<_>>());
        assert!(sizes.borrow().len() < 25, "{sizes:?}");
    }

    #[test]
    fn a_part_that_the_response_leaves_out_has_failed() {
        let results = block_on(each(&[1, 2], async |_: Vec<i32>| Ok(vec![()])));
        assert_eq!(results, [Ok(()), Err(unmentioned())]);
        let down = Error::new(ErrorKind::Unavailable, "down");
        assert_eq!(
            block_on(each(&[1, 2], async |_: Vec<i32>| Err::<Vec<()>, _>(down.clone()))),
            [Err(down.clone()), Err(down.clone())]
        );
    }
}
