//! Translates events for C.
use crate::failure::{self, byte, stage};
use crate::ffi;
use crate::text::{ended, text};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::{c_char, c_void};
use core::time::Duration;
use core::{fmt, mem, ptr};
use thread_mqtt_client::{Event, Reached, Stage};
use thread_mqtt_platform::port::milliseconds;
use thread_mqtt_session as session;

/// The memory that an event's pointers refer to, apart from the event itself.
#[derive(Default)]
pub(crate) struct Texts {
    text: Option<Vec<u8>>,
    cure: Option<Vec<u8>>,
    /// A topic filter or other name.
    name: Option<Vec<u8>>,
    message: ffi::thread_mqtt_message,
    properties: Kept,
    reasons: Vec<u8>,
}

/// The properties of a message, in C's layout.
#[derive(Default)]
struct Kept {
    given: ffi::thread_mqtt_properties,
    user: Vec<ffi::thread_mqtt_user_property>,
}

impl Kept {
    /// Returns `None` if the heap is exhausted.
    #[inline(never)]
    fn keep(&mut self, properties: &mut session::Properties) -> Option<()> {
        let optional = |text: &mut Option<String>| text.as_mut().map_or(Some(ptr::null()), ended);
        self.given.content_type = optional(&mut properties.content_type)?;
        self.given.response_topic = optional(&mut properties.response_topic)?;
        self.user.try_reserve_exact(properties.user.len()).ok()?;
        for (name, value) in &mut properties.user {
            let (name, value) = (ended(name)?, ended(value)?);
            self.user
                .push(ffi::thread_mqtt_user_property { name, value });
        }
        if let Some(bytes) = &properties.correlation_data {
            self.given.correlation_data = data(bytes);
            self.given.correlation_data_len = bytes.len();
        }
        if !self.user.is_empty() {
            self.given.user = self.user.as_ptr();
            self.given.user_count = self.user.len();
        }
        self.given.message_expiry_s = properties.message_expiry.unwrap_or(0);
        self.given.has_message_expiry = properties.message_expiry.is_some();
        self.given.payload_is_utf8 = properties.payload_is_utf8 == Some(true);
        self.given.has_payload_format = properties.payload_is_utf8.is_some();
        Some(())
    }
}

impl Texts {
    /// Stores a text and returns a pointer to it; a pointer to an empty text if the heap is
    /// exhausted.
    fn name(&mut self, name: &dyn fmt::Display) -> *const c_char {
        self.name = text(name);
        self.name
            .as_ref()
            .map_or(c"".as_ptr(), |name| name.as_ptr().cast())
    }

    /// Stores a sentence, if the image has sentences. Without `CONFIG_THREAD_MQTT_SENTENCES`,
    /// events carry only numbers, which saves about 20 kB of flash.
    fn say(&mut self, sentence: &dyn fmt::Display) {
        if cfg!(feature = "sentences") {
            self.text = text(sentence);
        }
    }

    /// Stores the cure for a failure, if the image has sentences.
    fn advise(&mut self, cure: impl FnOnce() -> Option<&'static str>) {
        if cfg!(feature = "sentences") {
            self.cure = cure().and_then(|cure| text(&cure));
        }
    }
}

/// Returns a pointer to bytes. For an empty slice it points to an empty C string, because Rust's
/// address is dangling.
fn data(bytes: &[u8]) -> *const c_void {
    let bytes = if bytes.is_empty() { &[0] } else { bytes };
    bytes.as_ptr().cast()
}

fn pointer(text: &Option<Vec<u8>>) -> *const c_char {
    text.as_ref()
        .map_or(ptr::null(), |text| text.as_ptr().cast())
}

/// Collects a broker's answers, one per filter. Collects them in place, without using the heap.
fn answers<T>(
    answers: &mut Vec<Result<T, session::ReasonCode>>,
    granted: impl Fn(T) -> u8,
    texts: &mut Texts,
    told: &mut ffi::thread_mqtt_event,
) {
    let code =
        |answer: Result<T, session::ReasonCode>| answer.map_or_else(|reason| reason.0, &granted);
    texts.reasons = mem::take(answers).into_iter().map(code).collect();
    told.reason = texts.reasons.first().copied().unwrap_or(0);
    told.reasons = texts.reasons.as_ptr();
    told.reason_count = texts.reasons.len();
}

/// Returns the number of an MQTT version.
pub(crate) fn version(version: session::Version) -> u8 {
    match version {
        session::Version::V311 => 4,
        session::Version::V5 => 5,
    }
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// Translates an event for C. Returns false for events that C does not get.
#[inline(never)]
pub(crate) fn translate(
    event: &mut Arc<Event>,
    texts: &mut Texts,
    told: &mut ffi::thread_mqtt_event,
) -> bool {
    let whole = match Arc::get_mut(event) {
        Some(Event::Session(
            session::Event::Message(message) | session::Event::MessageBegins { message, .. },
        )) => show(message, texts, told),
        Some(Event::Session(session::Event::Subscribed(_, codes))) => {
            answers(codes, |qos| qos as u8, texts, told);
            true
        }
        Some(Event::Session(session::Event::Unsubscribed(_, codes))) => {
            answers(codes, |()| 0, texts, told);
            true
        }
        // A failure is also stored elsewhere.
        _ => true,
    };
    let kind = match &**event {
        Event::Session(session::Event::Message(message)) if !whole => {
            let size = message.topic.len() + message.payload.len();
            told.message = ptr::null();
            told.topic = texts.message.topic;
            skipped(size as u32, session::SkipReason::OutOfMemory, texts, told)
        }
        Event::Reached(reached) => {
            texts.say(reached);
            told.stage = stage(reached.stage());
            if let Reached::Online { session_present } = reached {
                told.session_present = *session_present;
                ffi::THREAD_MQTT_EVENT_ONLINE
            } else {
                ffi::THREAD_MQTT_EVENT_STAGE
            }
        }
        Event::TimeUnknown { why, floor } => {
            texts.say(&why.in_full(*floor));
            texts.advise(|| why.cure());
            told.stage = stage(Stage::Time);
            ffi::THREAD_MQTT_EVENT_TIME_UNKNOWN
        }
        Event::CandidateFailed(candidate, cause) => {
            texts.say(&format_args!("{candidate}: {cause}"));
            ffi::THREAD_MQTT_EVENT_CANDIDATE_FAILED
        }
        Event::Failed {
            cause, retry_in, ..
        } => {
            texts.say(cause);
            told.reason = failure::reason(cause);
            told.retry_ms = retry_in.map_or(-1, |pause| {
                i32::try_from(milliseconds(pause)).unwrap_or(i32::MAX)
            });
            ffi::THREAD_MQTT_EVENT_FAILED
        }
        Event::Broker(uri) => {
            told.value = texts.name(uri);
            ffi::THREAD_MQTT_EVENT_BROKER
        }
        Event::Version(next) => {
            told.number = version(*next).into();
            ffi::THREAD_MQTT_EVENT_VERSION
        }
        Event::KeepAlive(learnt) => {
            told.number = whole_seconds(*learnt);
            ffi::THREAD_MQTT_EVENT_KEEP_ALIVE
        }
        Event::Missed(count) => {
            told.number = *count;
            ffi::THREAD_MQTT_EVENT_MISSED
        }
        Event::Session(event) => match of_session(event, texts, told) {
            Some(kind) => kind,
            None => return false,
        },
        Event::Stopped => ffi::THREAD_MQTT_EVENT_STOPPED,
        _ => return false,
    };
    told.type_ = byte(kind);
    if let Some((at, cause)) = event.failure() {
        texts.advise(|| cause.cure());
        told.error = failure::number(cause);
        told.stage = stage(at);
    }
    told.text = pointer(&texts.text);
    told.cure = pointer(&texts.cure);
    true
}

/// Points the event to a message. Returns false if the heap has no room for all of it.
fn show(
    message: &mut session::Message,
    texts: &mut Texts,
    told: &mut ffi::thread_mqtt_event,
) -> bool {
    let topic = ended(&mut message.topic);
    let carried = message.properties.as_deref_mut();
    let kept = carried
        .filter(|_| session::Properties::BUILT)
        .map(|properties| texts.properties.keep(properties));
    texts.message = ffi::thread_mqtt_message {
        topic: topic.unwrap_or(c"".as_ptr()),
        payload: data(&message.payload),
        payload_len: message.payload.len(),
        qos: message.qos as u8,
        retain: message.retain,
        properties: match kept {
            Some(Some(())) => &raw const texts.properties.given,
            _ => ptr::null(),
        },
        ..Default::default()
    };
    told.message = &raw const texts.message;
    topic.is_some() && kept != Some(None)
}

/// Reports a skipped message.
fn skipped(
    size: u32,
    reason: session::SkipReason,
    texts: &mut Texts,
    told: &mut ffi::thread_mqtt_event,
) -> u32 {
    let (error, sentence) = match reason {
        session::SkipReason::TooLarge => (
            ffi::THREAD_MQTT_ERROR_TOO_LARGE,
            "a message was skipped; raise CONFIG_THREAD_MQTT_MAX_PACKET_SIZE to receive it, or \
             CONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES to receive it in pieces",
        ),
        session::SkipReason::OutOfMemory => (
            ffi::THREAD_MQTT_ERROR_MEMORY,
            "a message was skipped, because there was not enough heap",
        ),
    };
    told.number = size;
    told.error = error;
    texts.say(&sentence);
    ffi::THREAD_MQTT_EVENT_MESSAGE_SKIPPED
}

/// Translates a session event. Returns its type, or `None` if C does not get it.
#[inline(never)]
fn of_session(
    event: &session::Event,
    texts: &mut Texts,
    told: &mut ffi::thread_mqtt_event,
) -> Option<u32> {
    Some(match event {
        session::Event::Message(_) => ffi::THREAD_MQTT_EVENT_MESSAGE,
        // Reported even if incomplete: the pieces follow.
        session::Event::MessageBegins { total, .. } => {
            told.number = *total;
            ffi::THREAD_MQTT_EVENT_MESSAGE_BEGINS
        }
        session::Event::Piece {
            offset,
            total,
            payload,
        } => {
            texts.message.payload = data(payload);
            texts.message.payload_len = payload.len();
            told.message = &raw const texts.message;
            told.offset = *offset;
            told.number = *total;
            ffi::THREAD_MQTT_EVENT_PIECE
        }
        session::Event::MessageCut { received, reason } => {
            told.number = *received;
            told.error = match reason {
                session::CutReason::OutOfMemory => ffi::THREAD_MQTT_ERROR_MEMORY,
                _ => ffi::THREAD_MQTT_ERROR_CLOSED,
            };
            ffi::THREAD_MQTT_EVENT_MESSAGE_CUT
        }
        session::Event::PieceWanted {
            token,
            offset,
            length,
        } => {
            told.token = token.0;
            told.offset = *offset;
            told.number = *length;
            ffi::THREAD_MQTT_EVENT_PIECE_WANTED
        }
        session::Event::Published(token) => {
            told.token = token.0;
            ffi::THREAD_MQTT_EVENT_PUBLISHED
        }
        session::Event::PublishFailed(token, error) => {
            texts.say(error);
            told.token = token.0;
            told.error = failure::of_message(error);
            told.reason = match error {
                session::PublishError::Refused(reason) => reason.0,
                // The reason codes a broker would use for the same condition (MQTT 5 section 2.4).
                session::PublishError::TooLarge { .. } => 0x95,
                session::PublishError::QosNotSupported { .. } => 0x9b,
                session::PublishError::RetainNotSupported => 0x9a,
                _ => 0x80,
            };
            ffi::THREAD_MQTT_EVENT_PUBLISH_FAILED
        }
        session::Event::Subscribed(token, _) => {
            told.token = token.0;
            ffi::THREAD_MQTT_EVENT_SUBSCRIBED
        }
        session::Event::Unsubscribed(token, _) => {
            told.token = token.0;
            ffi::THREAD_MQTT_EVENT_UNSUBSCRIBED
        }
        session::Event::SubscriptionLost { filter, reason } => {
            texts.say(reason);
            told.filter = texts.name(filter);
            told.reason = reason.0;
            ffi::THREAD_MQTT_EVENT_SUBSCRIPTION_LOST
        }
        session::Event::SubscriptionLowered { filter, granted } => {
            told.filter = texts.name(filter);
            told.reason = *granted as u8;
            ffi::THREAD_MQTT_EVENT_SUBSCRIPTION_LOWERED
        }
        session::Event::Skipped {
            topic,
            size,
            reason,
            ..
        } => {
            told.topic = texts.name(topic);
            skipped(*size, *reason, texts, told)
        }
        session::Event::SentAgain(token) => {
            told.token = token.0;
            ffi::THREAD_MQTT_EVENT_SENT_AGAIN
        }
        session::Event::QosLowered(token) => {
            told.token = token.0;
            ffi::THREAD_MQTT_EVENT_QOS_LOWERED
        }
        session::Event::Stored(token) => {
            told.token = token.0;
            ffi::THREAD_MQTT_EVENT_STORED
        }
        session::Event::Restored { messages, .. } => {
            told.number = u32::try_from(*messages).unwrap_or(u32::MAX);
            ffi::THREAD_MQTT_EVENT_RESTORED
        }
        session::Event::StorageFailed(error) => {
            texts.say(error);
            told.error = ffi::THREAD_MQTT_ERROR_NOT_STORED;
            ffi::THREAD_MQTT_EVENT_STORAGE_FAILED
        }
        session::Event::RecordDamaged { key } => {
            told.number = (*key).into();
            ffi::THREAD_MQTT_EVENT_RECORD_DAMAGED
        }
        session::Event::BrokerText { about, text } => {
            told.token = about.map_or(0, |token| token.0);
            let (kind, text) = match text {
                session::BrokerText::Reason(text) => (ffi::THREAD_MQTT_EVENT_REASON_STRING, text),
                session::BrokerText::ServerReference(text) => {
                    (ffi::THREAD_MQTT_EVENT_SERVER_REFERENCE, text)
                }
                session::BrokerText::ResponseInformation(text) => {
                    (ffi::THREAD_MQTT_EVENT_RESPONSE_INFORMATION, text)
                }
                _ => return None,
            };
            told.value = texts.name(text);
            kind
        }
        _ => return None,
    })
}
