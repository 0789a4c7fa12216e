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
        _ if is_of_connection(failed) => format!("no broker of Kafka has answered in time ({failed})"),
        _ => shown(failed),
    };
    Error::new(code.map_or(ErrorKind::Unavailable, kind_of), format!("{topic}: {message}"))
}

/// The error of a record or of a request. Where the connection is the cause, `why` says more than Kafka's error does.
pub(crate) fn told(topic: &str, failed: &KafkaError, why: Option<&str>) -> Error {
    match why.filter(|_| is_of_connection(failed)) {
        Some(why) => unavailable(format!("{topic}: {why}")),
        None => error(topic, failed),
    }
}

/// An outage.
pub(crate) fn unavailable(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}

/// The error of a topic that Kafka does not list.
pub(crate) fn no_topic(topic: &str) -> Error {
    error(topic, &KafkaError::MetadataFetch(Code::UnknownTopicOrPartition))
}

/// Why a client could not be made.
pub(crate) fn fault_of_client(failed: &KafkaError) -> String {
    format!("cannot make a client of Kafka: {}", shown(failed))
}

/// An error without the value of a setting, which it would show: one of them is the key.
fn shown(failed: &KafkaError) -> String {
    match failed {
        KafkaError::ClientConfig(_, fault, setting, _) => format!("{setting}: {fault}"),
        other => other.to_string(),
    }
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

/// Whether a record may have been refused for the sake of others in its batch, which is refused as a whole if it is too
/// large, or one of its records is invalid.
pub(crate) fn is_of_batch(failed: &KafkaError) -> bool {
    matches!(
        failed.rdkafka_error_code(),
        Some(
            Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidRecord | Code::InvalidDifferentRecord
        )
    )
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
    use rdkafka::types::RDKafkaConfRes;

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
        assert!(is_of_batch(&KafkaError::MessageProduction(Code::MessageSizeTooLarge)));
        assert!(!is_of_batch(&KafkaError::MessageProduction(Code::MessageTimedOut)));
    }

    #[test]
    fn what_is_wrong_with_the_connection_is_told_for_its_errors_alone() {
        let told = |code| told("events", &KafkaError::MessageProduction(code), Some("the certificate has expired"));
        assert_eq!(told(Code::MessageTimedOut).message, "events: the certificate has expired");
        assert!(!told(Code::MessageSizeTooLarge).message.contains("expired"));
    }

    #[test]
    fn a_client_that_cannot_be_made_tells_no_secret() {
        let setting = ("Unparsable".to_owned(), "ssl.key.pem".to_owned(), "secret".to_owned());
        let failed = KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_INVALID, setting.0, setting.1, setting.2);
        assert_eq!(fault_of_client(&failed), "cannot make a client of Kafka: ssl.key.pem: Unparsable");
    }
}
