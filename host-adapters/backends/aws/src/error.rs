//! Classifies the SDK's errors for a caller: retry later, retry more slowly, or never.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use host_adapters_records::{Error, ErrorKind};

/// The error of a call of `resource`.
///
/// Refused credentials are `unavailable`, never `denied`: the operator has to correct them, and no record may be given
/// up because of them.
pub fn error<E, R>(resource: &str, error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let code = error.code().unwrap_or_default();
    let said = match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => causes(error),
    };
    Error::new(kind(code), format!("{resource}: {said}"))
}

/// The error of a request that did not reach the service, with its causes: `dispatch failure: io error: …: Connection
/// refused`.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The kind of an error by its code, as the services write it.
pub fn kind(code: &str) -> ErrorKind {
    match code.rsplit(['#', '.']).next().unwrap_or_default() {
        "ConditionalCheckFailedException" => ErrorKind::ConditionFailed,
        "NoSuchKey"
        | "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "NonExistentQueue"
        | "ActivityDoesNotExist" => ErrorKind::NotFound,
        "ValidationException"
        | "ItemCollectionSizeLimitExceededException"
        | "SerializationException"
        | "InvalidMessageContents"
        | "BatchRequestTooLong"
        | "InvalidParameter"
        | "InvalidParameterValue"
        | "ParameterValueInvalid"
        | "ReceiptHandleIsInvalid"
        | "MessageNotInflight"
        | "InvalidAttributeValue"
        | "UnsupportedOperation"
        | "InvalidArn"
        | "InvalidName"
        | "InvalidArgumentException"
        | "KeyTooLongError"
        // An archived object: others can be read.
        | "InvalidObjectState" => ErrorKind::Invalid,
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "Throttled"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "OverLimit"
        | "SlowDown"
        | "ActivityWorkerLimitExceeded"
        | "KmsThrottlingException"
        | "KMSThrottlingException"
        | "KMSThrottling" => ErrorKind::Throttled,
        _ => ErrorKind::Unavailable,
    }
}
