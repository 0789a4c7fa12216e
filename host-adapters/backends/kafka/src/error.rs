//! Kafka's errors as those of the platform.

use host_adapters_records::{Error, ErrorKind};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// An error of Kafka's about a topic. Like every server, one that is down, refuses the credentials or lacks what an operator
/// has to make is an outage, and no record's fault.
pub(crate) fn error(topic: &str, failed: &KafkaError) -> Error {
    let code = failed.rdkafka_error_code();
    let message = match code {
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
            "Kafka has no such topic; `host-adapters provision` makes it".to_owned()
        }
        Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            format!("Kafka does not allow it; an access control list is missing ({failed})")
        }
        _ => failed.to_string(),
    };
    Error::new(code.map_or(ErrorKind::Unavailable, kind_of), format!("{topic}: {message}"))
}

/// The kind of an error of a record.
fn kind_of(code: Code) -> ErrorKind {
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => ErrorKind::TooLarge,
        Code::QueueFull | Code::ThrottlingQuotaExceeded => ErrorKind::Throttled,
        Code::InvalidRecord | Code::InvalidTimestamp => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    }
}

/// Whether the brokers could not be asked, so that the connection may be the cause.
pub(crate) fn is_of_connection(failed: &KafkaError) -> bool {
    matches!(
        failed.rdkafka_error_code(),
        Some(
            Code::MessageTimedOut
                | Code::TimedOutQueue
                | Code::OperationTimedOut
                | Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::SSL
                | Code::Authentication
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_records_are_told_from_outages() {
        for (code, kind) in [
            (Code::MessageSizeTooLarge, ErrorKind::TooLarge),
            (Code::QueueFull, ErrorKind::Throttled),
            (Code::ThrottlingQuotaExceeded, ErrorKind::Throttled),
            (Code::InvalidRecord, ErrorKind::Invalid),
            (Code::MessageTimedOut, ErrorKind::Unavailable),
            (Code::UnknownTopicOrPartition, ErrorKind::Unavailable),
            (Code::TopicAuthorizationFailed, ErrorKind::Unavailable),
            (Code::NotEnoughReplicas, ErrorKind::Unavailable),
            (Code::SSL, ErrorKind::Unavailable),
        ] {
            let error = error("events", &KafkaError::MessageProduction(code));
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.message.starts_with("events: "), "{error}");
        }
        assert!(is_of_connection(&KafkaError::MessageProduction(Code::MessageTimedOut)));
        assert!(!is_of_connection(&KafkaError::MessageProduction(Code::NotEnoughReplicas)));
    }
}
