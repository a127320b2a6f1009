//! Events in C's terms.
use crate::failure::{self, byte, stage};
use crate::ffi;
use crate::text::text;
use alloc::vec::Vec;
use core::ffi::c_char;
use core::{fmt, ptr};
use thread_mqtt_client::{Event, Reached, Stage};
use thread_mqtt_platform::port::milliseconds;
use thread_mqtt_session as session;

/// What an event's pointers point to.
#[derive(Default)]
pub(crate) struct Texts {
    text: Option<Vec<u8>>,
    cure: Option<Vec<u8>>,
    topic: Option<Vec<u8>>,
    message: ffi::thread_mqtt_message,
}

impl Texts {
    /// A sentence, in an image that has them: without `CONFIG_THREAD_MQTT_SENTENCES` events carry
    /// numbers only, which saves some 20 kB of flash.
    fn say(&mut self, sentence: &dyn fmt::Display) {
        if cfg!(feature = "sentences") {
            self.text = Some(text(sentence));
        }
    }

    /// What to do about a failure, where sentences say it.
    fn advise(&mut self, cure: impl FnOnce() -> Option<&'static str>) {
        if cfg!(feature = "sentences") {
            self.cure = cure().map(|cure| text(&cure));
        }
    }
}

fn pointer(text: &Option<Vec<u8>>) -> *const c_char {
    text.as_ref()
        .map_or(ptr::null(), |text| text.as_ptr().cast())
}

fn reason<T>(answers: &[Result<T, session::ReasonCode>], granted: impl Fn(&T) -> u8) -> u8 {
    match answers.first() {
        Some(Ok(answer)) => granted(answer),
        Some(Err(reason)) => reason.0,
        None => 0,
    }
}

/// Puts an event into C's terms; false for those C is not told of.
#[inline(never)]
pub(crate) fn translate(
    event: &Event,
    texts: &mut Texts,
    told: &mut ffi::thread_mqtt_event,
) -> bool {
    let kind = match event {
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
        Event::Session(session::Event::Message(message)) => {
            texts.topic = Some(text(&message.topic));
            texts.message = ffi::thread_mqtt_message {
                topic: pointer(&texts.topic),
                payload: message.payload.as_ptr().cast(),
                payload_len: message.payload.len(),
                qos: message.qos as u8,
                retain: message.retain,
            };
            told.message = &raw const texts.message;
            ffi::THREAD_MQTT_EVENT_MESSAGE
        }
        Event::Session(session::Event::Published(token)) => {
            told.token = token.0;
            ffi::THREAD_MQTT_EVENT_PUBLISHED
        }
        Event::Session(session::Event::PublishFailed(token, error)) => {
            texts.say(error);
            told.token = token.0;
            told.reason = match error {
                session::PublishError::Refused(reason) => reason.0,
                // The codes with which a broker would say the same (MQTT 5 section 2.4).
                session::PublishError::TooLarge { .. } => 0x95,
                session::PublishError::QosNotSupported { .. } => 0x9b,
                session::PublishError::RetainNotSupported => 0x9a,
                _ => 0x80,
            };
            ffi::THREAD_MQTT_EVENT_PUBLISH_FAILED
        }
        Event::Session(session::Event::Subscribed(token, answers)) => {
            told.token = token.0;
            told.reason = reason(answers, |qos| *qos as u8);
            ffi::THREAD_MQTT_EVENT_SUBSCRIBED
        }
        Event::Session(session::Event::Unsubscribed(token, answers)) => {
            told.token = token.0;
            told.reason = reason(answers, |()| 0);
            ffi::THREAD_MQTT_EVENT_UNSUBSCRIBED
        }
        Event::Session(session::Event::SubscriptionLost { filter, reason }) => {
            texts.say(reason);
            texts.topic = Some(text(filter));
            told.filter = pointer(&texts.topic);
            told.reason = reason.0;
            ffi::THREAD_MQTT_EVENT_SUBSCRIPTION_LOST
        }
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
