//! What the status of a service's answer means. One table for both sides: the host decides by it whether a source pauses
//! (docs/delivery.md, 7.7) and what it logs, a worker whether it sends a refused request again in halves.

/// The meaning of a status for the service and for the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServiceStatus {
    /// 2xx: the service has done what it was asked for, if the answer is its own.
    Done,
    /// 408, 429: it cannot take the request now. Only the records of the request wait.
    Busy,
    /// 502, 503, 504: the service as a whole is down. Always an outage.
    Down,
    /// 3xx, 405, 415: it speaks of the address, so every part of the request would get the same. An outage if every
    /// request of the route gets it.
    WrongAddress,
    /// 401, 403, 404, 500 and other 5xx: it speaks of one part of the request, or of everything. An outage if every
    /// request of the route gets it, otherwise the fault of a part.
    Unclear,
    /// Other 4xx: the service works and refuses the contents of the request. Never an outage.
    Refused,
}

impl ServiceStatus {
    /// The meaning of an HTTP status. 1xx is not an answer of a service, so it counts as 3xx does.
    pub fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Done,
            408 | 429 => Self::Busy,
            502..=504 => Self::Down,
            ..=399 | 405 | 415 => Self::WrongAddress,
            401 | 403 | 404 | 500.. => Self::Unclear,
            _ => Self::Refused,
        }
    }

    /// Whether the host logs an answer with this status as a failed call. Others are for the worker to judge: they may be
    /// what it asked for, or it sends the request again in parts.
    pub fn is_failed_call(status: u16) -> bool {
        !matches!(status, 200..=299 | 400 | 404 | 409 | 410 | 413 | 422)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statuses with this meaning.
    fn with(meaning: ServiceStatus) -> Vec<u16> {
        (100..600).filter(|status| ServiceStatus::of(*status) == meaning).collect()
    }

    #[test]
    fn point_16_each_status_has_one_meaning() {
        assert_eq!(with(ServiceStatus::Done), (200..300).collect::<Vec<_>>());
        assert_eq!(with(ServiceStatus::Busy), [408, 429]);
        assert_eq!(with(ServiceStatus::Down), [502, 503, 504]);
        let address: Vec<_> = (100..200).chain(300..400).chain([405, 415]).collect();
        assert_eq!(with(ServiceStatus::WrongAddress), address);
        let unclear: Vec<_> = [401, 403, 404, 500, 501].into_iter().chain(505..600).collect();
        assert_eq!(with(ServiceStatus::Unclear), unclear);
        let named = [401, 403, 404, 405, 408, 415, 429];
        let refused: Vec<_> = (400..500).filter(|status| !named.contains(status)).collect();
        assert_eq!(with(ServiceStatus::Refused), refused);
    }
}
