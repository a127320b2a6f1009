//! The functions of `include/thread_mqtt.h`, which documents them.
use crate::ffi;
use crate::handle::Handle;
use crate::port;
use crate::settings::{self, command_error, qos, string};
use crate::text::sentence;
use alloc::boxed::Box;
use core::ffi::{c_char, c_int};
use core::ptr;
use thread_mqtt_nat64::BrokerUri;
use thread_mqtt_session::Token;

type Client = ffi::thread_mqtt;

/// # Safety
/// `client` is NULL or came from thread_mqtt_init() and was not handed to thread_mqtt_deinit().
unsafe fn handle<'a>(client: *mut Client) -> Result<&'a Handle, c_int> {
    // SAFETY: promised by the caller; the handle is behind the pointer.
    unsafe { client.cast::<Handle>().as_ref() }.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)
}

fn status(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(ffi::THREAD_MQTT_OK)
}

/// # Safety
/// As `include/thread_mqtt.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_init(
    client: *mut *mut Client,
    config: *const ffi::thread_mqtt_config,
) -> c_int {
    #[cfg(feature = "logger")]
    crate::logger::start_log();

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
    let made = unsafe { settings::client(config) }
        .and_then(|client| Handle::new(client, config.callback, config.user_data));
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
/// As `include/thread_mqtt.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_start(client: *mut Client) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { handle(client) }.map_or_else(|error| error, Handle::start)
}

/// # Safety
/// As `include/thread_mqtt.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_stop(client: *mut Client) -> c_int {
    // SAFETY: promised by the caller.
    unsafe { handle(client) }.map_or_else(|error| error, Handle::stop)
}

/// # Safety
/// As `include/thread_mqtt.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_deinit(client: *mut Client) -> c_int {
    // SAFETY: promised by the caller.
    match unsafe { handle(client) } {
        Err(error) => error,
        Ok(handle) if handle.is_own_thread() => ffi::THREAD_MQTT_ERROR_STATE,
        Ok(_) => {
            // SAFETY: thread_mqtt_init() made it with Box::into_raw, and the caller gives it up.
            unsafe { Box::from_raw(client.cast::<Handle>()) }.end();
            ffi::THREAD_MQTT_OK
        }
    }
}

/// Hands a token out, if it is wanted.
///
/// # Safety
/// `to` is NULL or writable.
unsafe fn give(token: Token, to: *mut u32) {
    // SAFETY: promised by the caller.
    if let Some(to) = unsafe { to.as_mut() } {
        *to = token.0;
    }
}

/// # Safety
/// As `include/thread_mqtt.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_publish(
    client: *mut Client,
    message: *const ffi::thread_mqtt_message,
    token: *mut u32,
) -> c_int {
    // SAFETY: promised by the caller, for all of it.
    status(unsafe {
        handle(client).and_then(|handle| {
            let message = message.as_ref().ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
            let message = settings::message(message)?;
            let queued = handle.command(|driver| driver.client.publish(message));
            give(queued.map_err(command_error)?, token);
            Ok(())
        })
    })
}

/// # Safety
/// As `include/thread_mqtt.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_subscribe(
    client: *mut Client,
    filter: *const c_char,
    highest: u8,
    token: *mut u32,
) -> c_int {
    // SAFETY: promised by the caller, for all of it.
    status(unsafe {
        handle(client).and_then(|handle| {
            let filter = string(filter)?.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
            let highest = qos(highest)?;
            let queued = handle.command(|driver| driver.client.subscribe(&[(filter, highest)]));
            give(queued.map_err(command_error)?, token);
            Ok(())
        })
    })
}

/// # Safety
/// As `include/thread_mqtt.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_unsubscribe(
    client: *mut Client,
    filter: *const c_char,
    token: *mut u32,
) -> c_int {
    // SAFETY: promised by the caller, for all of it.
    status(unsafe {
        handle(client).and_then(|handle| {
            let filter = string(filter)?.ok_or(ffi::THREAD_MQTT_ERROR_ARGUMENT)?;
            let queued = handle.command(|driver| driver.client.unsubscribe(&[filter]));
            give(queued.map_err(command_error)?, token);
            Ok(())
        })
    })
}

/// # Safety
/// As `include/thread_mqtt.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_is_online(client: *mut Client) -> bool {
    // SAFETY: promised by the caller.
    unsafe { handle(client) }.is_ok_and(Handle::is_online)
}

/// # Safety
/// As `include/thread_mqtt.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_mqtt_time(client: *mut Client) -> i64 {
    // SAFETY: promised by the caller.
    let time = unsafe { handle(client) }.map_or(None, Handle::unix_time);
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
/// As `include/thread_mqtt.h` says.
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
    let Err(error) = uri.parse::<BrokerUri>() else {
        return ffi::THREAD_MQTT_OK;
    };
    if !to.is_null() && size > 0 {
        let said = sentence(&error);
        let n = said.as_bytes().len().min(size - 1);
        // SAFETY: there is room for size bytes by the caller's promise, and n + 1 is no more.
        unsafe {
            ptr::copy_nonoverlapping(said.as_ptr(), to, n);
            *to.add(n) = 0;
        }
    }
    ffi::THREAD_MQTT_ERROR_URI
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_error_to_str(error: c_int) -> *const c_char {
    match error {
        ffi::THREAD_MQTT_OK => c"success",
        ffi::THREAD_MQTT_ERROR_ARGUMENT => c"an argument is NULL, out of its range or not UTF-8",
        ffi::THREAD_MQTT_ERROR_STATE => c"the call does not fit the client's state",
        ffi::THREAD_MQTT_ERROR_MEMORY => {
            c"the heap has no room; raise CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE"
        }
        ffi::THREAD_MQTT_ERROR_URI => c"the broker URI is wrong; see thread_mqtt_uri_check()",
        ffi::THREAD_MQTT_ERROR_CA => {
            c"mqtts:// needs a CA certificate, and there is none that can be read"
        }
        ffi::THREAD_MQTT_ERROR_IDENTITY => {
            c"the client certificate or its key cannot be read, or they do not go together"
        }
        ffi::THREAD_MQTT_ERROR_FULL => c"the outbox is full; wait for an acknowledgement",
        ffi::THREAD_MQTT_ERROR_TOPIC => c"the topic or the topic filter is not well formed",
        ffi::THREAD_MQTT_ERROR_TOO_LARGE => c"the message is larger than the whole outbox",
        ffi::THREAD_MQTT_ERROR_SETTING => c"an MQTT setting is not allowed; the log says which",
        ffi::THREAD_MQTT_ERROR_ENTROPY => c"the platform has no entropy source that works",
        ffi::THREAD_MQTT_ERROR_CLIENTS => {
            c"no client is left; raise CONFIG_THREAD_MQTT_MAX_CLIENTS"
        }
        ffi::THREAD_MQTT_ERROR_CRYPTO => {
            c"PSA Crypto does not start or lacks what TLS needs; the log says what"
        }
        ..=ffi::THREAD_MQTT_ERROR_PLATFORM => {
            c"the platform failed; errno is -1000 minus the number"
        }
        _ => c"unknown error",
    }
    .as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_stage_to_str(stage: ffi::thread_mqtt_stage) -> *const c_char {
    match stage {
        ffi::THREAD_MQTT_STAGE_ATTACH => c"attach",
        ffi::THREAD_MQTT_STAGE_PREFIX => c"prefix",
        ffi::THREAD_MQTT_STAGE_RESOLVE => c"resolve",
        ffi::THREAD_MQTT_STAGE_TIME => c"time",
        ffi::THREAD_MQTT_STAGE_TCP => c"TCP",
        ffi::THREAD_MQTT_STAGE_TLS => c"TLS",
        ffi::THREAD_MQTT_STAGE_MQTT => c"MQTT",
        _ => c"unknown stage",
    }
    .as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn thread_mqtt_event_to_str(event: ffi::thread_mqtt_event_type) -> *const c_char {
    match event {
        ffi::THREAD_MQTT_EVENT_STAGE => c"stage reached",
        ffi::THREAD_MQTT_EVENT_ONLINE => c"online",
        ffi::THREAD_MQTT_EVENT_FAILED => c"failed",
        ffi::THREAD_MQTT_EVENT_MESSAGE => c"message",
        ffi::THREAD_MQTT_EVENT_PUBLISHED => c"published",
        ffi::THREAD_MQTT_EVENT_PUBLISH_FAILED => c"publish failed",
        ffi::THREAD_MQTT_EVENT_SUBSCRIBED => c"subscribed",
        ffi::THREAD_MQTT_EVENT_UNSUBSCRIBED => c"unsubscribed",
        ffi::THREAD_MQTT_EVENT_STOPPED => c"stopped",
        ffi::THREAD_MQTT_EVENT_CANDIDATE_FAILED => c"address failed",
        ffi::THREAD_MQTT_EVENT_SUBSCRIPTION_LOST => c"subscription lost",
        ffi::THREAD_MQTT_EVENT_TIME_UNKNOWN => c"time unknown",
        _ => c"unknown event",
    }
    .as_ptr()
}
