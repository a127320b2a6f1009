//! Failures as C's numbers.
use crate::ffi;
use alloc::sync::Arc;
use core::time::Duration;
use thread_mqtt_client::{Cause, Event, Stage, TcpError};
use thread_mqtt_resolve::resolver::LookupError;
use thread_mqtt_session::{PublishError, SessionError};
use thread_mqtt_tls::TlsError;

/// A stored failure: the event that reported it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) event: Arc<Event>,
    /// Time since boot.
    pub(crate) at: Duration,
}

pub(crate) fn stage(stage: Stage) -> u8 {
    byte(match stage {
        Stage::Attach => ffi::THREAD_MQTT_STAGE_ATTACH,
        Stage::Prefix => ffi::THREAD_MQTT_STAGE_PREFIX,
        Stage::Time => ffi::THREAD_MQTT_STAGE_TIME,
        Stage::Resolve => ffi::THREAD_MQTT_STAGE_RESOLVE,
        Stage::Tcp => ffi::THREAD_MQTT_STAGE_TCP,
        Stage::Tls => ffi::THREAD_MQTT_STAGE_TLS,
        Stage::Mqtt => ffi::THREAD_MQTT_STAGE_MQTT,
    })
}

/// Converts an enum value of the header to the width of the fields that hold it.
pub(crate) fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// Returns the reason code with which the broker refused or closed the connection, as received; 0
/// if it sent none.
pub(crate) fn reason(cause: &Cause) -> u8 {
    match cause {
        Cause::Mqtt(SessionError::Refused(refusal)) => refusal.code(),
        Cause::Mqtt(SessionError::ServerDisconnected(reason)) => reason.0,
        _ => 0,
    }
}

/// Returns the error number for a message that was given up.
pub(crate) fn of_message(error: &PublishError) -> i32 {
    match error {
        PublishError::TooLarge { .. } => ffi::THREAD_MQTT_ERROR_TOO_LARGE,
        PublishError::SessionLost => ffi::THREAD_MQTT_ERROR_SESSION_LOST,
        PublishError::Expired => ffi::THREAD_MQTT_ERROR_EXPIRED,
        PublishError::Displaced => ffi::THREAD_MQTT_ERROR_DISPLACED,
        PublishError::Superseded => ffi::THREAD_MQTT_ERROR_SUPERSEDED,
        PublishError::NoRoom => ffi::THREAD_MQTT_ERROR_FULL,
        PublishError::EndsConnection => ffi::THREAD_MQTT_ERROR_ENDS_CONNECTION,
        PublishError::NotStored(_) => ffi::THREAD_MQTT_ERROR_NOT_STORED,
        PublishError::NotSupplied => ffi::THREAD_MQTT_ERROR_NOT_SUPPLIED,
        _ => ffi::THREAD_MQTT_ERROR_REJECTED,
    }
}

/// Returns the error number for a cause.
pub(crate) fn number(cause: &Cause) -> i32 {
    match cause {
        Cause::Resolve(report)
            if report
                .failures
                .iter()
                .any(|failure| failure.error == LookupError::NoPrefix) =>
        {
            ffi::THREAD_MQTT_ERROR_PREFIX
        }
        Cause::Time(_) => ffi::THREAD_MQTT_ERROR_TIME,
        Cause::Resolve(_) => ffi::THREAD_MQTT_ERROR_RESOLVE,
        Cause::Tcp(error) => match error {
            TcpError::Refused => ffi::THREAD_MQTT_ERROR_REFUSED,
            TcpError::Unreachable => ffi::THREAD_MQTT_ERROR_UNREACHABLE,
            TcpError::TimedOut => ffi::THREAD_MQTT_ERROR_TIMED_OUT,
            TcpError::Other(code) => (*code).min(ffi::THREAD_MQTT_ERROR_PLATFORM),
            _ => ffi::THREAD_MQTT_ERROR_CLOSED,
        },
        Cause::Tls(TlsError::OutOfMemory { .. })
        | Cause::Mqtt(SessionError::OutOfMemory { .. }) => ffi::THREAD_MQTT_ERROR_MEMORY,
        Cause::Tls(TlsError::Certificate(_)) => ffi::THREAD_MQTT_ERROR_CERTIFICATE,
        Cause::Tls(_) | Cause::TlsOnPlainPort => ffi::THREAD_MQTT_ERROR_TLS,
        Cause::HandshakeTimedOut => ffi::THREAD_MQTT_ERROR_TIMED_OUT,
        Cause::ClosedBeforeConnack => ffi::THREAD_MQTT_ERROR_CLOSED,
        Cause::Mqtt(SessionError::Refused(_)) | Cause::TooManyRedirects => {
            ffi::THREAD_MQTT_ERROR_REJECTED
        }
        Cause::Mqtt(
            SessionError::ConnackTimeout
            | SessionError::PingTimeout
            | SessionError::AckTimeout { .. },
        ) => ffi::THREAD_MQTT_ERROR_TIMED_OUT,
        Cause::Mqtt(SessionError::NotSupplied) => ffi::THREAD_MQTT_ERROR_NOT_SUPPLIED,
        Cause::Mqtt(_) => ffi::THREAD_MQTT_ERROR_MQTT,
        Cause::NetworkLost => ffi::THREAD_MQTT_ERROR_NETWORK,
        Cause::PrefixWithdrawn => ffi::THREAD_MQTT_ERROR_PREFIX,
        Cause::NoEntropy(_) => ffi::THREAD_MQTT_ERROR_ENTROPY,
        Cause::Setup(error) => error.code,
        _ => ffi::THREAD_MQTT_ERROR_PLATFORM,
    }
}
