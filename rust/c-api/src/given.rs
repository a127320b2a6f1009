//! What C passes in: strings, bytes, messages. Checks whatever C can get wrong, and copies as long
//! as the heap has room.
use crate::ffi;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_void};
use core::slice;
use core::time::Duration;
use thread_mqtt_session::{Message, Priority, Properties, PublishOptions, QoS};

/// Returns a C string; `None` for NULL.
///
/// # Safety
/// `text` is NULL or NUL-terminated, and outlives the result.
pub(crate) unsafe fn string<'a>(text: *const c_char) -> Result<Option<&'a str>, i32> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: promised by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map(Some)
        .map_err(|_| ffi::THREAD_MQTT_ERROR_ARGUMENT)
}

/// Returns a required C string.
///
/// # Safety
/// See [`string`].
pub(crate) unsafe fn wanted_string<'a>(text: *const c_char) -> Result<&'a str, i32> {
    // SAFETY: promised by the caller.
    unsafe { string(text)? }.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)
}

/// Returns an array; `None` for NULL. NULL with a nonzero length is an error.
///
/// # Safety
/// `data` is NULL, or valid for `length` elements while the result is in use.
pub(crate) unsafe fn array<'a, T>(data: *const T, length: usize) -> Result<Option<&'a [T]>, i32> {
    if data.is_null() {
        return match length {
            0 => Ok(None),
            _ => Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
        };
    }
    let bytes = length.checked_mul(size_of::<T>());
    if bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        return Err(ffi::THREAD_MQTT_ERROR_ARGUMENT);
    }
    // SAFETY: promised by the caller; the length was checked.
    Ok(Some(unsafe { slice::from_raw_parts(data, length) }))
}

/// Returns bytes. See [`array`].
///
/// # Safety
/// See [`array`].
pub(crate) unsafe fn bytes<'a>(
    data: *const c_void,
    length: usize,
) -> Result<Option<&'a [u8]>, i32> {
    // SAFETY: promised by the caller.
    unsafe { array(data.cast(), length) }
}

/// Returns a quality of service.
pub(crate) fn qos(qos: u8) -> Result<QoS, i32> {
    match qos {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        _ => Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
    }
}

fn priority(priority: u8) -> Result<Priority, i32> {
    match u32::from(priority) {
        ffi::THREAD_MQTT_PRIORITY_NORMAL => Ok(Priority::Normal),
        ffi::THREAD_MQTT_PRIORITY_HIGH => Ok(Priority::High),
        ffi::THREAD_MQTT_PRIORITY_LOW => Ok(Priority::Low),
        _ => Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
    }
}

/// Returns the size of a copy of a string in bytes; 0 for NULL.
///
/// # Safety
/// See [`string`].
pub(crate) unsafe fn text_len(text: *const c_char) -> usize {
    if text.is_null() {
        return 0;
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.count_bytes()
}

/// Returns the size of a copy of a message in bytes. If the message is refused later, parts of it
/// may not be counted.
///
/// # Safety
/// See [`borrowed`].
pub(crate) unsafe fn message_len(message: &ffi::thread_mqtt_message) -> usize {
    // SAFETY: promised by the caller, for all of it.
    unsafe {
        let own = text_len(message.topic).saturating_add(message.payload_len);
        let Some(properties) = message.properties.as_ref() else {
            return own;
        };
        let pairs = array(properties.user, properties.user_count);
        let pairs = pairs.ok().flatten().unwrap_or_default().iter();
        let user = pairs.map(|pair| 64 + text_len(pair.name) + text_len(pair.value));
        own.saturating_add(properties.correlation_data_len)
            .saturating_add(text_len(properties.content_type))
            .saturating_add(text_len(properties.response_topic))
            .saturating_add(user.sum())
    }
}

/// Returns a copy, if the heap has room.
pub(crate) fn copy(bytes: &[u8]) -> Result<Vec<u8>, i32> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| ffi::THREAD_MQTT_ERROR_MEMORY)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Same as [`copy`].
pub(crate) fn copy_text(text: &str) -> Result<String, i32> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())
        .map_err(|_| ffi::THREAD_MQTT_ERROR_MEMORY)?;
    copy.push_str(text);
    Ok(copy)
}

/// A message that still belongs to the caller.
pub(crate) struct Borrowed<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) options: PublishOptions,
    retain: bool,
    properties: Option<BorrowedProperties<'a>>,
}

struct BorrowedProperties<'a> {
    content_type: Option<&'a str>,
    response_topic: Option<&'a str>,
    correlation_data: Option<&'a [u8]>,
    user: Vec<(&'a str, &'a str)>,
    message_expiry: Option<u32>,
    payload_is_utf8: Option<bool>,
}

impl Borrowed<'_> {
    /// Returns a copy, if the heap has room.
    pub(crate) fn copy(&self) -> Result<Message, i32> {
        let message = Message {
            topic: copy_text(self.topic)?,
            payload: copy(self.payload)?,
            qos: self.qos,
            retain: self.retain,
            ..Message::default()
        };
        match &self.properties {
            Some(properties) if Properties::BUILT => Ok(message.properties(properties.copy()?)),
            Some(_) => Err(not_built("PROPERTIES")),
            None => Ok(message),
        }
    }
}

impl BorrowedProperties<'_> {
    #[inline(never)]
    fn copy(&self) -> Result<Properties, i32> {
        let mut user = Vec::new();
        user.try_reserve_exact(self.user.len())
            .map_err(|_| ffi::THREAD_MQTT_ERROR_MEMORY)?;
        for (name, value) in &self.user {
            user.push((copy_text(name)?, copy_text(value)?));
        }
        Ok(Properties {
            payload_is_utf8: self.payload_is_utf8,
            message_expiry: self.message_expiry,
            content_type: self.content_type.map(copy_text).transpose()?,
            response_topic: self.response_topic.map(copy_text).transpose()?,
            correlation_data: self.correlation_data.map(copy).transpose()?,
            user,
        })
    }
}

/// Returns the error number for a capability that is not built in. The log names its option.
pub(crate) fn not_built(option: &str) -> i32 {
    log::error!("this image lacks the feature; set CONFIG_THREAD_MQTT_{option}=y");
    ffi::THREAD_MQTT_ERROR_NOT_BUILT
}

/// Returns whether a message is durable.
fn durable(durable: u8) -> Result<Option<bool>, i32> {
    match u32::from(durable) {
        ffi::THREAD_MQTT_DURABLE_DEFAULT => Ok(None),
        ffi::THREAD_MQTT_DURABLE_YES => Ok(Some(true)),
        ffi::THREAD_MQTT_DURABLE_NO => Ok(Some(false)),
        _ => Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
    }
}

/// Returns a message after checking whatever C can get wrong.
///
/// # Safety
/// The pointers in `message` are NULL or valid as thread_mqtt.h requires, while the result is in
/// use.
pub(crate) unsafe fn borrowed<'a>(message: &ffi::thread_mqtt_message) -> Result<Borrowed<'a>, i32> {
    // SAFETY: promised by the caller, for all of it.
    let (topic, payload, properties) = unsafe {
        (
            wanted_string(message.topic)?,
            bytes(message.payload, message.payload_len)?.unwrap_or_default(),
            message.properties.as_ref(),
        )
    };
    let properties = match properties {
        // SAFETY: promised by the caller.
        Some(given) if Properties::BUILT => Some(unsafe { borrowed_properties(given)? }),
        Some(_) => return Err(not_built("PROPERTIES")),
        None => None,
    };
    let seconds = u64::from(message.expiry_s);
    Ok(Borrowed {
        topic,
        payload,
        qos: qos(message.qos)?,
        options: PublishOptions {
            priority: priority(message.priority)?,
            expiry: (seconds != 0).then_some(Duration::from_secs(seconds)),
            latest: message.latest,
            durable: durable(message.durable)?,
        },
        retain: message.retain,
        properties,
    })
}

/// # Safety
/// See [`borrowed`].
#[inline(never)]
unsafe fn borrowed_properties<'a>(
    given: &ffi::thread_mqtt_properties,
) -> Result<BorrowedProperties<'a>, i32> {
    // SAFETY: promised by the caller, for all of it.
    unsafe {
        let pairs = array(given.user, given.user_count)?.unwrap_or_default();
        let mut user = Vec::new();
        user.try_reserve_exact(pairs.len())
            .map_err(|_| ffi::THREAD_MQTT_ERROR_MEMORY)?;
        for pair in pairs {
            user.push((wanted_string(pair.name)?, wanted_string(pair.value)?));
        }
        Ok(BorrowedProperties {
            content_type: string(given.content_type)?,
            response_topic: string(given.response_topic)?,
            correlation_data: bytes(given.correlation_data, given.correlation_data_len)?,
            user,
            message_expiry: (given.has_message_expiry || given.message_expiry_s != 0)
                .then_some(given.message_expiry_s),
            payload_is_utf8: (given.has_payload_format || given.payload_is_utf8)
                .then_some(given.payload_is_utf8),
        })
    }
}
