//! The functions of `include/thread_mqtt.h`, which documents them.
use crate::failure;
use crate::ffi;
use crate::given::{array, borrowed, bytes, qos, string, wanted_string};
use crate::handle::{Goal, Handle, TokenTo, Wait};
#[cfg(feature = "shell")]
use crate::questions::Question;
use crate::settings::{self, room_for_brokers};
use crate::text::{SENTENCES, write_cut};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_void};
use core::ops::Deref;
use core::time::Duration;
use core::{fmt, ptr, slice};
use thread_mqtt_platform::port::{self, milliseconds};
use thread_mqtt_platform::{OptionError, config};
use thread_mqtt_session::{Command, Pieces, Token, heap_has};

type Client = ffi::thread_mqtt;

/// A client that cannot be freed while this exists.
struct Entered<'a>(&'a Handle);

/// Enters a client. Rejects a pointer that belongs to no client without dereferencing it.
fn enter<'a>(client: *mut Client) -> Result<Entered<'a>, c_int> {
    // SAFETY: the pointer is only compared.
    match unsafe { ffi::tmq_client_enter(client.cast()) } {
        // SAFETY: this is the address of a client's Handle, which is not freed until it is left.
        0 => Ok(Entered(unsafe { &*client.cast::<Handle>() })),
        code => Err(refused(code)),
    }
}

impl Deref for Entered<'_> {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        self.0
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // SAFETY: the client was entered when this value was made.
        unsafe { ffi::tmq_client_leave(ptr::from_ref(self.0).cast()) }
    }
}

/// Returns the error number for a client that cannot be entered or closed.
fn refused(code: i32) -> c_int {
    match code {
        ffi::TMQ_NO_CLIENT => ffi::THREAD_MQTT_ERROR_ARGUMENT,
        _ => ffi::THREAD_MQTT_ERROR_STATE,
    }
}

fn status(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(ffi::THREAD_MQTT_OK)
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_init(
    client: *mut *mut Client,
    config: *const ffi::thread_mqtt_config,
) -> c_int {
    #[cfg(feature = "logger")]
    thread_mqtt_platform::start_log();

    // SAFETY: promised by the caller.
    let Some(config) = (unsafe { config.as_ref() }) else {
        return ffi::THREAD_MQTT_ERROR_ARGUMENT;
    };
    if client.is_null() {
        return ffi::THREAD_MQTT_ERROR_ARGUMENT;
    }
    if port::fill_random(&mut [0; 4]).is_err() {
        return ffi::THREAD_MQTT_ERROR_ENTROPY;
    }
    // SAFETY: promised by the caller.
    let made = unsafe { settings::read(config) }
        .and_then(|made| Handle::new(made, config.interface, config.callback, config.user_data));
    match made {
        Ok(handle) => {
            // SAFETY: not NULL, and writable by the caller's promise.
            unsafe { *client = Box::into_raw(handle).cast() };
            ffi::THREAD_MQTT_OK
        }
        Err(error) => error,
    }
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_config_check(config: *const ffi::thread_mqtt_config) -> c_int {
    #[cfg(feature = "logger")]
    thread_mqtt_platform::start_log();

    // SAFETY: promised by the caller.
    let Some(config) = (unsafe { config.as_ref() }) else {
        return ffi::THREAD_MQTT_ERROR_ARGUMENT;
    };
    // SAFETY: promised by the caller.
    let start = unsafe { settings::read(config) }.map(|made| made.start);
    status(start.and_then(|start| start.tls.map_or(Ok(()), settings::try_setup)))
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_start(client: *mut Client) -> c_int {
    status(enter(client).and_then(|client| client.start()))
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_stop(client: *mut Client) -> c_int {
    status(enter(client).and_then(|client| client.stop()))
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_deinit(client: *mut Client) -> c_int {
    match enter(client) {
        Ok(entered) if !entered.may_be_waited_for() => return ffi::THREAD_MQTT_ERROR_STATE,
        // Threads waiting in a publish call must leave first, or the close below would wait for
        // them.
        Ok(entered) => entered.begin_end(),
        Err(error) => return error,
    }
    // SAFETY: the pointer is only compared.
    match unsafe { ffi::tmq_client_close(client.cast()) } {
        0 => {
            // SAFETY: this is the address of a client, made by thread_mqtt_init() with
            // Box::into_raw. No thread is inside it, and none can enter any more.
            unsafe { Box::from_raw(client.cast::<Handle>()) }.end();
            ffi::THREAD_MQTT_OK
        }
        code => refused(code),
    }
}

/// Queues a message and passes back its token.
///
/// # Safety
/// The pointers must be as `include/thread_mqtt.h` requires.
unsafe fn publish(
    client: *mut Client,
    message: *const ffi::thread_mqtt_message,
    token: *mut u32,
    wait: impl FnOnce(&Handle) -> Result<Wait, c_int>,
) -> Result<(), c_int> {
    let client = enter(client)?;
    // SAFETY: promised by the caller, for all of it.
    let (message, to) = unsafe {
        let message = message.as_ref().ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
        (borrowed(message)?, TokenTo::new(token))
    };
    client.publish(&message, to, wait(&client)?)
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_publish(
    client: *mut Client,
    message: *const ffi::thread_mqtt_message,
    token: *mut u32,
) -> c_int {
    // SAFETY: promised by the caller.
    status(unsafe { publish(client, message, token, |_| Ok(Wait::NONE)) })
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_publish_wait(
    client: *mut Client,
    message: *const ffi::thread_mqtt_message,
    token: *mut u32,
    until: u8,
    timeout_ms: i32,
) -> c_int {
    let wait = |client: &Handle| {
        let goal = match u32::from(until) {
            ffi::THREAD_MQTT_WAIT_ROOM => Goal::Room,
            ffi::THREAD_MQTT_WAIT_ACKNOWLEDGED => Goal::End,
            ffi::THREAD_MQTT_WAIT_STORED => Goal::Stored,
            _ => return Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
        };
        if !client.may_be_waited_for() {
            return Err(ffi::THREAD_MQTT_ERROR_STATE);
        }
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        Ok(Wait {
            goal,
            until: timeout.map(|timeout| port::now() + timeout),
        })
    };
    // SAFETY: promised by the caller.
    status(unsafe { publish(client, message, token, wait) })
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_publish_in_pieces(
    client: *mut Client,
    message: *const ffi::thread_mqtt_message,
    total: u32,
    piece: u32,
    token: *mut u32,
) -> c_int {
    // SAFETY: promised by the caller, for all of it.
    status(unsafe {
        enter(client).and_then(|client| {
            let message = message.as_ref().ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
            let message = borrowed(message)?;
            let pieces = Pieces { total, piece };
            client.publish_in_pieces(&message, pieces, TokenTo::new(token))
        })
    })
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_supply(
    client: *mut Client,
    token: u32,
    offset: u32,
    piece: *const c_void,
    length: usize,
) -> c_int {
    status(enter(client).and_then(|client| {
        // SAFETY: promised by the caller.
        let piece = unsafe { bytes(piece, length)? }.unwrap_or_default();
        client.supply(Token(token), offset, piece)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_give_up(client: *mut Client, token: u32) -> c_int {
    status(enter(client).and_then(|client| client.give_up(Token(token))))
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_subscribe(
    client: *mut Client,
    filter: *const c_char,
    highest: u8,
    token: *mut u32,
) -> c_int {
    // SAFETY: promised by the caller, for all of it.
    status(unsafe {
        enter(client).and_then(|client| {
            let filter = wanted_string(filter)?;
            let highest = qos(highest)?;
            let to = TokenTo::new(token);
            client.request(&[filter], to, || Command::subscribe(&[(filter, highest)]))
        })
    })
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_unsubscribe(
    client: *mut Client,
    filter: *const c_char,
    token: *mut u32,
) -> c_int {
    // SAFETY: promised by the caller, for all of it.
    status(unsafe {
        enter(client).and_then(|client| {
            let filter = wanted_string(filter)?;
            let to = TokenTo::new(token);
            client.request(&[filter], to, || Command::unsubscribe(&[filter]))
        })
    })
}

/// Returns an array of at least one element, and a vector with capacity for as many results.
///
/// # Safety
/// See [`array`].
unsafe fn several<'a, T, U>(data: *const T, count: usize) -> Result<(&'a [T], Vec<U>), c_int> {
    // SAFETY: promised by the caller.
    let given = unsafe { array(data, count)? }.unwrap_or_default();
    let mut made = Vec::new();
    match made.try_reserve_exact(given.len()) {
        _ if given.is_empty() => Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
        Ok(()) => Ok((given, made)),
        Err(_) => Err(ffi::THREAD_MQTT_ERROR_MEMORY),
    }
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_subscribe_many(
    client: *mut Client,
    subscriptions: *const ffi::thread_mqtt_subscription,
    count: usize,
    token: *mut u32,
) -> c_int {
    // SAFETY: promised by the caller, for all of it.
    status(unsafe {
        enter(client).and_then(|client| {
            let (given, mut filters) = several(subscriptions, count)?;
            let (_, mut names) = several(subscriptions, count)?;
            for subscription in given {
                let filter = wanted_string(subscription.filter)?;
                filters.push((filter, qos(subscription.qos)?));
                names.push(filter);
            }
            let to = TokenTo::new(token);
            client.request(&names, to, || Command::subscribe(&filters))
        })
    })
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_unsubscribe_many(
    client: *mut Client,
    filters: *const *const c_char,
    count: usize,
    token: *mut u32,
) -> c_int {
    // SAFETY: promised by the caller, for all of it.
    status(unsafe {
        enter(client).and_then(|client| {
            let (given, mut names) = several(filters, count)?;
            for filter in given {
                names.push(wanted_string(*filter)?);
            }
            let to = TokenTo::new(token);
            client.request(&names, to, || Command::unsubscribe(&names))
        })
    })
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_get_limits(
    client: *mut Client,
    to: *mut ffi::thread_mqtt_limits,
) -> c_int {
    status(enter(client).and_then(|client| {
        // SAFETY: promised by the caller.
        let to = unsafe { to.as_mut() }.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
        *to = client.with_agreed(|agreed| agreed.limits)?;
        Ok(())
    }))
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_get_client_id(
    client: *mut Client,
    to: *mut c_char,
    size: usize,
) -> c_int {
    let written = enter(client).and_then(|client| {
        // SAFETY: promised by the caller.
        let to = unsafe { room(to, size)? };
        client.with_agreed(|agreed| match &agreed.client_id {
            Some(id) => {
                write_cut(to, format_args!("{id}"));
                c_int::try_from(id.len()).unwrap_or(c_int::MAX)
            }
            None => ffi::THREAD_MQTT_ERROR_MEMORY,
        })
    });
    written.unwrap_or_else(|error| error)
}

/// Returns the caller's text buffer; an empty one for NULL.
///
/// # Safety
/// `to` is NULL, or writable for `size` bytes while the result is in use.
unsafe fn room<'a>(to: *mut c_char, size: usize) -> Result<&'a mut [c_char], c_int> {
    match (to.is_null(), isize::try_from(size)) {
        (true, Ok(0)) => Ok(&mut []),
        // SAFETY: promised by the caller; the size was checked.
        (false, Ok(_)) => Ok(unsafe { slice::from_raw_parts_mut(to, size) }),
        _ => Err(ffi::THREAD_MQTT_ERROR_ARGUMENT),
    }
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_retry_now(client: *mut Client) -> c_int {
    status(enter(client).and_then(|client| client.retry_now()))
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_is_online(client: *mut Client) -> bool {
    enter(client).is_ok_and(|client| client.is_online())
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_last_error(
    client: *mut Client,
    to: *mut ffi::thread_mqtt_failure,
) -> c_int {
    status(enter(client).and_then(|client| {
        // SAFETY: promised by the caller.
        let to = unsafe { to.as_mut() }.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
        *to = ffi::thread_mqtt_failure::default();
        let kept = client.last_failure();
        if let Some((stage, cause)) = kept.as_ref().and_then(|kept| kept.event.failure()) {
            to.error = failure::number(cause);
            to.stage = failure::stage(stage);
            to.reason = failure::reason(cause);
            if SENTENCES {
                write_cut(&mut to.cause, format_args!("{cause}"));
                write_cut(
                    &mut to.cure,
                    format_args!("{}", cause.cure().unwrap_or_default()),
                );
            }
        }
        if let Some(kept) = kept {
            to.uptime_ms = milliseconds(kept.at);
        }
        Ok(())
    }))
}

/// # Safety
/// See `zephyr/src/shell.h`.
#[cfg(feature = "shell")]
#[unsafe(no_mangle)]
unsafe extern "C" fn tmq_client_ask(
    client: *mut Client,
    question: u8,
    name: *const c_char,
    listener: *const ffi::tmq_listener,
) -> i32 {
    // SAFETY: promised by the caller, for both.
    status(unsafe {
        enter(client).and_then(|client| {
            let listener = listener.as_ref().ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
            client.ask(Question::new(question.into(), string(name)?, *listener)?)
        })
    })
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_time(client: *mut Client) -> i64 {
    let time = enter(client).ok().and_then(|client| client.unix_time());
    time.and_then(|seconds| i64::try_from(seconds).ok())
        .unwrap_or(0)
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_set_time(unix_seconds: i64) -> c_int {
    match u64::try_from(unix_seconds) {
        Ok(seconds) if seconds >= port::build_time() => {}
        _ => return ffi::THREAD_MQTT_ERROR_ARGUMENT,
    }
    port::set_unix_time(u32::try_from(unix_seconds).unwrap_or(u32::MAX));
    ffi::THREAD_MQTT_OK
}

/// # Safety
/// See `include/thread_mqtt.h`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_uri_check(
    uri: *const c_char,
    to: *mut c_char,
    size: usize,
) -> c_int {
    // SAFETY: promised by the caller.
    let uri = match unsafe { string(uri) } {
        Ok(Some(uri)) => uri,
        Ok(None) => return ffi::THREAD_MQTT_ERROR_ARGUMENT,
        Err(error) => return error,
    };
    if !heap_has(room_for_brokers(uri)) {
        return ffi::THREAD_MQTT_ERROR_MEMORY;
    }
    let error = match config::brokers(uri) {
        Ok(_) => return ffi::THREAD_MQTT_OK,
        Err(error) => error,
    };
    let sentence: &dyn fmt::Display = match &error {
        _ if !SENTENCES => &"",
        OptionError::Broker(error) => error,
        error => error,
    };
    if !to.is_null() && isize::try_from(size).is_ok() {
        // SAFETY: the caller guarantees room for `size` bytes.
        let to = unsafe { slice::from_raw_parts_mut(to, size) };
        write_cut(to, format_args!("{sentence}"));
    }
    ffi::THREAD_MQTT_ERROR_URI
}

/// A C string literal. The leading NUL keeps it out of the section for C strings, which a linker
/// keeps or drops as a whole. An image that never asks for these texts therefore contains none of
/// them.
macro_rules! c {
    ($text:literal) => {
        concat!("\0", $text, "\0").as_ptr().wrapping_add(1).cast()
    };
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_error_to_str(error: c_int) -> *const c_char {
    match error {
        ffi::THREAD_MQTT_OK => c!("success"),
        ffi::THREAD_MQTT_ERROR_ARGUMENT => c!("an argument is NULL, out of range or not UTF-8"),
        ffi::THREAD_MQTT_ERROR_STATE => c!("the call is not allowed in the client's current state"),
        ffi::THREAD_MQTT_ERROR_MEMORY => {
            c!("not enough heap; raise CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE")
        }
        ffi::THREAD_MQTT_ERROR_URI => c!("the broker URI is invalid; see thread_mqtt_uri_check()"),
        ffi::THREAD_MQTT_ERROR_CA => {
            c!("mqtts:// needs a CA certificate, but none can be read")
        }
        ffi::THREAD_MQTT_ERROR_IDENTITY => {
            c!("the client certificate or its key cannot be read, or they do not match")
        }
        ffi::THREAD_MQTT_ERROR_FULL => c!("the outbox is full; wait for an acknowledgement"),
        ffi::THREAD_MQTT_ERROR_TOPIC => c!("the topic or the topic filter is not well formed"),
        ffi::THREAD_MQTT_ERROR_TOO_LARGE => {
            c!("the message is larger than the whole outbox, or the will is over 65,535 bytes")
        }
        ffi::THREAD_MQTT_ERROR_SETTING => c!("an MQTT setting is not allowed; the log says which"),
        ffi::THREAD_MQTT_ERROR_ENTROPY => c!("the platform has no working entropy source"),
        ffi::THREAD_MQTT_ERROR_CLIENTS => {
            c!("no client is left; raise CONFIG_THREAD_MQTT_MAX_CLIENTS")
        }
        ffi::THREAD_MQTT_ERROR_CRYPTO => {
            c!("PSA Crypto does not start or lacks what TLS needs; the log says what")
        }
        ffi::THREAD_MQTT_ERROR_ABI => {
            c!("the configuration does not match the header; use THREAD_MQTT_CONFIG_DEFAULT()")
        }
        ffi::THREAD_MQTT_ERROR_EXPIRED => c!("the message expired before it was sent"),
        ffi::THREAD_MQTT_ERROR_DISPLACED => {
            c!("the outbox was full, and a new message replaced this one")
        }
        ffi::THREAD_MQTT_ERROR_SUPERSEDED => c!("a newer message on the same topic replaced it"),
        ffi::THREAD_MQTT_ERROR_ENDS_CONNECTION => {
            c!("connections kept ending while the message was unanswered; check the broker's log")
        }
        ffi::THREAD_MQTT_ERROR_SESSION_LOST => {
            c!("the broker lost the session; the message may or may not have arrived")
        }
        ffi::THREAD_MQTT_ERROR_NETWORK => c!("the device is not attached to its network"),
        ffi::THREAD_MQTT_ERROR_PREFIX => {
            c!("no NAT64 prefix is known; enable NAT64 on the border router")
        }
        ffi::THREAD_MQTT_ERROR_RESOLVE => c!("the broker's name did not resolve"),
        ffi::THREAD_MQTT_ERROR_REFUSED => c!("the broker's host refused the TCP connection"),
        ffi::THREAD_MQTT_ERROR_UNREACHABLE => c!("there is no route to the broker"),
        ffi::THREAD_MQTT_ERROR_TIMED_OUT => c!("there was no answer in time"),
        ffi::THREAD_MQTT_ERROR_CLOSED => c!("the connection was closed or reset"),
        ffi::THREAD_MQTT_ERROR_TLS => c!("TLS failed; thread_mqtt_last_error() says how"),
        ffi::THREAD_MQTT_ERROR_CERTIFICATE => {
            c!("the broker's certificate was rejected; thread_mqtt_last_error() says why")
        }
        ffi::THREAD_MQTT_ERROR_REJECTED => c!("the broker refused this client"),
        ffi::THREAD_MQTT_ERROR_TIME => {
            c!("the time is unknown; thread_mqtt_last_error() says why")
        }
        ffi::THREAD_MQTT_ERROR_NOT_STORED => {
            c!("the session storage did not accept the message; \
                 THREAD_MQTT_EVENT_STORAGE_FAILED says why")
        }
        ffi::THREAD_MQTT_ERROR_NOT_BUILT => {
            c!("the image lacks the feature; the log names the option")
        }
        ffi::THREAD_MQTT_ERROR_NOT_SUPPLIED => {
            c!("the application gave up the message, or did not supply a piece in time")
        }
        ffi::THREAD_MQTT_ERROR_MQTT => c!("the broker ended MQTT or broke the protocol"),
        ..=ffi::THREAD_MQTT_ERROR_PLATFORM => {
            c!("the platform failed; errno is -1000 minus the number")
        }
        _ => c!("unknown error"),
    }
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_stage_to_str(stage: u8) -> *const c_char {
    match u32::from(stage) {
        ffi::THREAD_MQTT_STAGE_NONE => c!("no stage"),
        ffi::THREAD_MQTT_STAGE_ATTACH => c!("attach"),
        ffi::THREAD_MQTT_STAGE_PREFIX => c!("prefix"),
        ffi::THREAD_MQTT_STAGE_TIME => c!("time"),
        ffi::THREAD_MQTT_STAGE_RESOLVE => c!("resolve"),
        ffi::THREAD_MQTT_STAGE_TCP => c!("TCP"),
        ffi::THREAD_MQTT_STAGE_TLS => c!("TLS"),
        ffi::THREAD_MQTT_STAGE_MQTT => c!("MQTT"),
        _ => c!("unknown stage"),
    }
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_event_to_str(event: u8) -> *const c_char {
    match u32::from(event) {
        ffi::THREAD_MQTT_EVENT_STAGE => c!("stage reached"),
        ffi::THREAD_MQTT_EVENT_ONLINE => c!("online"),
        ffi::THREAD_MQTT_EVENT_FAILED => c!("failed"),
        ffi::THREAD_MQTT_EVENT_MESSAGE => c!("message"),
        ffi::THREAD_MQTT_EVENT_PUBLISHED => c!("published"),
        ffi::THREAD_MQTT_EVENT_PUBLISH_FAILED => c!("publish failed"),
        ffi::THREAD_MQTT_EVENT_SUBSCRIBED => c!("subscribed"),
        ffi::THREAD_MQTT_EVENT_UNSUBSCRIBED => c!("unsubscribed"),
        ffi::THREAD_MQTT_EVENT_STOPPED => c!("stopped"),
        ffi::THREAD_MQTT_EVENT_CANDIDATE_FAILED => c!("address failed"),
        ffi::THREAD_MQTT_EVENT_SUBSCRIPTION_LOST => c!("subscription lost"),
        ffi::THREAD_MQTT_EVENT_TIME_UNKNOWN => c!("time unknown"),
        ffi::THREAD_MQTT_EVENT_SUBSCRIPTION_LOWERED => c!("subscription lowered"),
        ffi::THREAD_MQTT_EVENT_MESSAGE_SKIPPED => c!("message skipped"),
        ffi::THREAD_MQTT_EVENT_SENT_AGAIN => c!("sent again"),
        ffi::THREAD_MQTT_EVENT_QOS_LOWERED => c!("QoS lowered"),
        ffi::THREAD_MQTT_EVENT_REASON_STRING => c!("reason string"),
        ffi::THREAD_MQTT_EVENT_SERVER_REFERENCE => c!("server reference"),
        ffi::THREAD_MQTT_EVENT_RESPONSE_INFORMATION => c!("response information"),
        ffi::THREAD_MQTT_EVENT_BROKER => c!("next broker"),
        ffi::THREAD_MQTT_EVENT_VERSION => c!("next version"),
        ffi::THREAD_MQTT_EVENT_KEEP_ALIVE => c!("keep-alive learnt"),
        ffi::THREAD_MQTT_EVENT_MISSED => c!("events missed"),
        ffi::THREAD_MQTT_EVENT_STORED => c!("stored"),
        ffi::THREAD_MQTT_EVENT_RESTORED => c!("session restored"),
        ffi::THREAD_MQTT_EVENT_STORAGE_FAILED => c!("storage failed"),
        ffi::THREAD_MQTT_EVENT_RECORD_DAMAGED => c!("record damaged"),
        ffi::THREAD_MQTT_EVENT_MESSAGE_BEGINS => c!("message begins"),
        ffi::THREAD_MQTT_EVENT_PIECE => c!("piece"),
        ffi::THREAD_MQTT_EVENT_MESSAGE_CUT => c!("message cut"),
        ffi::THREAD_MQTT_EVENT_PIECE_WANTED => c!("piece wanted"),
        _ => c!("unknown event"),
    }
}

/// Fails to compile if a function above differs from its declaration in the header.
macro_rules! as_declared {
    ($($(#[$when:meta])? $function:ident($($argument:tt),*);)*) => {
        $(
            $(#[$when])?
            const _: () = {
                let _: [unsafe extern "C" fn($($argument),*) -> _; 2] = [ffi::$function, $function];
            };
        )*
    };
}

as_declared! {
    thread_mqtt_init(_, _);
    thread_mqtt_config_check(_);
    thread_mqtt_start(_);
    thread_mqtt_stop(_);
    thread_mqtt_deinit(_);
    thread_mqtt_publish(_, _, _);
    thread_mqtt_publish_wait(_, _, _, _, _);
    thread_mqtt_publish_in_pieces(_, _, _, _, _);
    thread_mqtt_supply(_, _, _, _, _);
    thread_mqtt_give_up(_, _);
    thread_mqtt_subscribe(_, _, _, _);
    thread_mqtt_unsubscribe(_, _, _);
    thread_mqtt_subscribe_many(_, _, _, _);
    thread_mqtt_unsubscribe_many(_, _, _, _);
    thread_mqtt_get_limits(_, _);
    thread_mqtt_get_client_id(_, _, _);
    thread_mqtt_retry_now(_);
    thread_mqtt_is_online(_);
    thread_mqtt_last_error(_, _);
    thread_mqtt_set_time(_);
    thread_mqtt_time(_);
    thread_mqtt_uri_check(_, _, _);
    thread_mqtt_error_to_str(_);
    thread_mqtt_stage_to_str(_);
    thread_mqtt_event_to_str(_);
    #[cfg(feature = "shell")]
    tmq_client_ask(_, _, _, _);
}
