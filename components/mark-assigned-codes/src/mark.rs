//! Reports the assigned codes of a batch to the Code Service, and decides the dispositions of its records.

use crate::change::GivenCode;
use futures::{StreamExt, stream};
use std::collections::BTreeMap;
use worker_kit::Disposition;
use worker_kit::services::code::MAX_PER_PAGE;
use worker_kit::services::{ServiceError, isolate_by};

/// Most markets at a time.
const MARKETS: usize = 4;

/// A code, with the indices of the records that gave it: of a shared code many.
type Given = (String, Vec<usize>);

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// The disposition of each record.
    pub settled: Vec<(usize, Disposition)>,
    /// One for each request that failed, for the log.
    pub problems: Vec<ServiceError>,
}

/// Marks the codes of a batch, whose records are named by their index: one request a campaign and market, halved if it is
/// refused. `send` marks codes of one market.
pub async fn mark(
    given: Vec<(usize, GivenCode)>,
    send: impl AsyncFn(&str, &str, &[String]) -> Result<(), ServiceError>,
) -> Outcomes {
    let send = &send;
    let markets = by_market(given).into_iter().map(|((campaign_id, market_id), codes)| async move {
        let send = async |codes: &[Given]| {
            let codes: Vec<_> = codes.iter().map(|(code, _)| code.clone()).collect();
            send(&campaign_id, &market_id, &codes).await
        };
        isolate_by(MAX_PER_PAGE, codes, 1, send).await
    });
    let mut outcomes = Outcomes::default();
    for (codes, answer) in stream::iter(markets).buffer_unordered(MARKETS).concat().await {
        let disposition = answer.as_ref().map_or_else(ServiceError::disposition, |()| Disposition::Ack);
        let records = codes.into_iter().flat_map(|(_, records)| records);
        outcomes.settled.extend(records.map(|record| (record, disposition.clone())));
        outcomes.problems.extend(answer.err());
    }
    outcomes
}

/// The codes of each campaign and market, each once.
fn by_market(given: Vec<(usize, GivenCode)>) -> BTreeMap<(String, String), Vec<Given>> {
    let mut markets: BTreeMap<_, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for (index, GivenCode { campaign_id, market_id, code }) in given {
        markets.entry((campaign_id, market_id)).or_default().entry(code).or_default().push(index);
    }
    markets.into_iter().map(|(market, codes)| (market, codes.into_iter().collect())).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#[allow(non_snake_case, reason = "names that begin with a line of docs/delivery.md")]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::cell::RefCell;
    use worker_kit::services::ResponseSummary;

    fn given(market: &str, code: &str) -> GivenCode {
        GivenCode { campaign_id: "c".to_owned(), market_id: market.to_owned(), code: code.to_owned() }
    }

    /// A request: the market and its codes.
    type Request = (String, Vec<String>);

    /// The dispositions of the records, where the service answers `error` to a request with one of the codes `bad` in it;
    /// and the requests.
    fn run(batch: Vec<GivenCode>, bad: &[&str], error: &ServiceError) -> (Vec<Disposition>, Vec<Request>) {
        let requests = RefCell::new(Vec::new());
        let outcomes =
            mark(batch.into_iter().enumerate().collect(), async |_: &str, market: &str, codes: &[String]| {
                requests.borrow_mut().push((market.to_owned(), codes.to_vec()));
                if codes.iter().any(|code| bad.contains(&code.as_str())) { Err(error.clone()) } else { Ok(()) }
            });
        let Outcomes { mut settled, problems } = block_on(outcomes);
        assert_eq!(problems.is_empty(), bad.is_empty());
        settled.sort_by_key(|(record, _)| *record);
        (settled.into_iter().map(|(_, disposition)| disposition).collect(), requests.into_inner())
    }

    fn refusal() -> ServiceError {
        ServiceError::Refused(ResponseSummary::new("code", 400, "not mine"))
    }

    fn codes(codes: &[&str]) -> Vec<String> {
        codes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_batch_makes_one_request_a_market() {
        let batch: Vec<_> =
            (0..100).map(|n| given(if n % 2 == 0 { "m" } else { "n" }, &format!("CODE-{n:02}"))).collect();
        let (dispositions, mut requests) = run(batch, &[], &refusal());
        requests.sort();
        let sizes: Vec<_> = requests.iter().map(|(market, codes)| (market.as_str(), codes.len())).collect();
        assert_eq!(sizes, [("m", 50), ("n", 50)]);
        assert_eq!(dispositions, vec![Disposition::Ack; 100]);
    }

    #[test]
    fn a_shared_code_is_told_once_and_settles_all_its_records() {
        let (dispositions, requests) = run(vec![given("m", "TM"), given("m", "TM"), given("m", "TM")], &[], &refusal());
        assert_eq!(requests, [("m".to_owned(), codes(&["TM"]))]);
        assert_eq!(dispositions, vec![Disposition::Ack; 3]);
    }

    #[test]
    fn the_same_code_of_two_markets_is_told_of_each() {
        let (_, mut requests) = run(vec![given("m", "TM"), given("n", "TM")], &[], &refusal());
        requests.sort();
        assert_eq!(requests, [("m".to_owned(), codes(&["TM"])), ("n".to_owned(), codes(&["TM"]))]);
    }

    #[test]
    fn d2_6__a_refused_request_is_halved_down_to_one_code_which_is_retried() {
        let batch = ["A", "B", "C", "B"].map(|code| given("m", code)).to_vec();
        let (dispositions, requests) = run(batch, &["B"], &refusal());
        let refused = Disposition::retry("the code service refused with status 400: not mine");
        assert_eq!(dispositions, [Disposition::Ack, refused.clone(), Disposition::Ack, refused]);
        assert_eq!(requests.iter().map(|(_, codes)| codes.len()).collect::<Vec<_>>(), [3, 1, 2, 1, 1]);
    }

    #[test]
    fn while_the_code_service_is_down_the_records_are_retried() {
        let down = ServiceError::Unavailable { service: "code", message: "down".to_owned() };
        let (dispositions, requests) = run(vec![given("m", "A"), given("m", "B"), given("n", "C")], &["A"], &down);
        let retry = Disposition::retry("the code service is unavailable: down");
        assert_eq!(dispositions, [retry.clone(), retry, Disposition::Ack]);
        assert_eq!(requests.len(), 2, "not asked again in halves");
    }
}
