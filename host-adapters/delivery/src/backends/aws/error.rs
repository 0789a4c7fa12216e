//! What the SDK's errors mean to a caller: *again later*, *slower*, or *never*.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use platform_wire::{Error, ErrorKind};

/// The error of a call of `resource`.
///
/// Refused credentials are `unavailable`, never `denied`: they are the operator's trouble, and no record may be given
/// up for it.
pub(super) fn error<E, R>(resource: &str, error: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let code = error.code().unwrap_or_default();
    let said = match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => DisplayErrorContext(error).to_string(),
    };
    Error::new(kind(code), format!("{resource}: {said}"))
}

fn kind(code: &str) -> ErrorKind {
    match code.rsplit(['#', '.']).next().unwrap_or_default() {
        "ConditionalCheckFailedException" => ErrorKind::ConditionFailed,
        "ResourceNotFoundException" | "QueueDoesNotExist" | "NonExistentQueue" => ErrorKind::NotFound,
        "ValidationException"
        | "ItemCollectionSizeLimitExceededException"
        | "SerializationException"
        | "InvalidMessageContents"
        | "BatchRequestTooLong"
        | "InvalidParameterValue"
        | "ReceiptHandleIsInvalid"
        | "MessageNotInflight"
        | "InvalidAttributeValue"
        | "UnsupportedOperation" => ErrorKind::Invalid,
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "OverLimit" => ErrorKind::Throttled,
        _ => ErrorKind::Unavailable,
    }
}
