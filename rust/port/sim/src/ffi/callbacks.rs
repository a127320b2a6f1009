//! The platform functions that OpenThread calls: alarms, radio, settings, entropy, log,
//! reset, heap, infrastructure interface and DNS upstream.
//!
//! All of them only record or read state of the running world (rule 3 of [`super`]). Pointers
//! passed in are OpenThread's own and valid for the call (rule 2).
use super::with_platform;
use crate::mac::Address;
use crate::platform::{NodeState, Request, Transmit};
use core::ffi::{CStr, c_char, c_int, c_void};
use openthread_sys as ot;
use rand_core::Rng;

const OK: ot::otError = 0;
const FAILED: ot::otError = 1;
const INVALID_STATE: ot::otError = 13;
const NOT_FOUND: ot::otError = 23;

fn with_node<R>(instance: *mut ot::otInstance, access: impl FnOnce(&mut NodeState, u64) -> R) -> R {
    with_platform(|platform| {
        let index = platform.index_of(instance as usize);
        let now = platform.now;
        access(&mut platform.nodes[index], now)
    })
}

// Alarms -------------------------------------------------------------------------------

/// Returns the virtual time at which an alarm of a wrapping 32-bit clock is due.
fn due(now: u64, unit: u64, start: u32, delay: u32) -> u64 {
    let ticks = now / unit;
    let left = start.wrapping_add(delay).wrapping_sub(ticks as u32);
    // In the past: in the upper half of the 32-bit range.
    if left >= 1 << 31 {
        now
    } else {
        ((ticks + u64::from(left)) * unit).max(now)
    }
}

#[unsafe(no_mangle)]
extern "C" fn otPlatAlarmMilliStartAt(instance: *mut ot::otInstance, start: u32, delay: u32) {
    with_node(instance, |node, now| {
        node.alarm_milli = Some(due(now, 1000, start, delay))
    });
}

#[unsafe(no_mangle)]
extern "C" fn otPlatAlarmMilliStop(instance: *mut ot::otInstance) {
    with_node(instance, |node, _| node.alarm_milli = None);
}

#[unsafe(no_mangle)]
extern "C" fn otPlatAlarmMilliGetNow() -> u32 {
    with_platform(|platform| (platform.now / 1000) as u32)
}

#[unsafe(no_mangle)]
extern "C" fn otPlatAlarmMicroStartAt(instance: *mut ot::otInstance, start: u32, delay: u32) {
    with_node(instance, |node, now| {
        node.alarm_micro = Some(due(now, 1, start, delay))
    });
}

#[unsafe(no_mangle)]
extern "C" fn otPlatAlarmMicroStop(instance: *mut ot::otInstance) {
    with_node(instance, |node, _| node.alarm_micro = None);
}

#[unsafe(no_mangle)]
extern "C" fn otPlatAlarmMicroGetNow() -> u32 {
    with_platform(|platform| platform.now as u32)
}

#[unsafe(no_mangle)]
extern "C" fn otTaskletsSignalPending(instance: *mut ot::otInstance) {
    with_node(instance, |node, _| node.tasklets = true);
}

// Radio --------------------------------------------------------------------------------

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioGetCaps(_instance: *mut ot::otInstance) -> ot::otRadioCaps {
    // OpenThread's software does back-off, retries and security. The medium does only the
    // acknowledgement, whose timing depends on the chip.
    ot::OT_RADIO_CAPS_ACK_TIMEOUT as ot::otRadioCaps
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioGetReceiveSensitivity(_instance: *mut ot::otInstance) -> i8 {
    -100
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioGetRssi(_instance: *mut ot::otInstance) -> i8 {
    -90
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatRadioGetIeeeEui64(instance: *mut ot::otInstance, eui64: *mut u8) {
    let bytes = with_node(instance, |node, _| node.radio.eui64);
    // SAFETY: OpenThread passes a buffer of 8 bytes.
    unsafe { eui64.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioSetPanId(instance: *mut ot::otInstance, pan_id: ot::otPanId) {
    with_node(instance, |node, _| node.radio.pan_id = pan_id);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatRadioSetExtendedAddress(
    instance: *mut ot::otInstance,
    address: *const ot::otExtAddress,
) {
    // SAFETY: OpenThread passes a valid address.
    let bytes = unsafe { (*address).m8 };
    with_node(instance, |node, _| node.radio.extended_address = bytes);
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioSetShortAddress(instance: *mut ot::otInstance, address: u16) {
    with_node(instance, |node, _| node.radio.short_address = address);
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioGetPromiscuous(instance: *mut ot::otInstance) -> bool {
    with_node(instance, |node, _| node.radio.promiscuous)
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioSetPromiscuous(instance: *mut ot::otInstance, enable: bool) {
    with_node(instance, |node, _| node.radio.promiscuous = enable);
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioEnable(instance: *mut ot::otInstance) -> ot::otError {
    with_node(instance, |node, _| node.radio.enabled = true);
    OK
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioDisable(instance: *mut ot::otInstance) -> ot::otError {
    with_node(instance, |node, _| {
        node.radio.enabled = false;
        node.radio.listening = None;
    });
    OK
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioSleep(instance: *mut ot::otInstance) -> ot::otError {
    with_node(instance, |node, _| {
        if node.radio.transmitting {
            return INVALID_STATE;
        }
        node.radio.listening = None;
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioReceive(instance: *mut ot::otInstance, channel: u8) -> ot::otError {
    with_node(instance, |node, now| {
        if !node.radio.enabled {
            return INVALID_STATE;
        }
        if node
            .radio
            .listening
            .is_none_or(|(tuned, _)| tuned != channel)
        {
            node.radio.listening = Some((channel, now));
        }
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioGetTransmitBuffer(instance: *mut ot::otInstance) -> *mut ot::otRadioFrame {
    with_node(instance, |node, _| node.transmit_buffer) as *mut ot::otRadioFrame
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatRadioTransmit(
    instance: *mut ot::otInstance,
    frame: *mut ot::otRadioFrame,
) -> ot::otError {
    // SAFETY: OpenThread passes its transmit buffer with `mLength` bytes of PSDU; a frame to
    // transmit uses the transmit half of the union.
    let transmit = unsafe {
        let frame = &*frame;
        Transmit {
            psdu: core::slice::from_raw_parts(frame.mPsdu, usize::from(frame.mLength)).to_vec(),
            channel: frame.mChannel,
            cca: frame.mInfo.mTxInfo.mCsmaCaEnabled(),
        }
    };
    with_node(instance, |node, _| {
        if !node.radio.enabled || node.radio.transmitting {
            return INVALID_STATE;
        }
        node.radio.transmitting = true;
        node.requests.push_back(Request::Transmit(transmit));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioEnergyScan(
    _instance: *mut ot::otInstance,
    _channel: u8,
    _duration: u16,
) -> ot::otError {
    // Not among the capabilities, so OpenThread does not call it.
    FAILED
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioEnableSrcMatch(instance: *mut ot::otInstance, enable: bool) {
    with_node(instance, |node, _| node.radio.match_sources = enable);
}

/// Adds or removes a child that has frames waiting.
fn set_pending(instance: *mut ot::otInstance, child: Address, pending: bool) -> ot::otError {
    with_node(instance, |node, _| {
        if pending {
            node.radio.pending_for.insert(child);
        } else if !node.radio.pending_for.remove(&child) {
            return NOT_FOUND;
        }
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioAddSrcMatchShortEntry(
    instance: *mut ot::otInstance,
    address: u16,
) -> ot::otError {
    set_pending(instance, Address::Short(address), true)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatRadioAddSrcMatchExtEntry(
    instance: *mut ot::otInstance,
    address: *const ot::otExtAddress,
) -> ot::otError {
    // SAFETY: OpenThread passes a valid address.
    set_pending(instance, Address::Extended(unsafe { (*address).m8 }), true)
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioClearSrcMatchShortEntry(
    instance: *mut ot::otInstance,
    address: u16,
) -> ot::otError {
    set_pending(instance, Address::Short(address), false)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatRadioClearSrcMatchExtEntry(
    instance: *mut ot::otInstance,
    address: *const ot::otExtAddress,
) -> ot::otError {
    // SAFETY: OpenThread passes a valid address.
    set_pending(instance, Address::Extended(unsafe { (*address).m8 }), false)
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioClearSrcMatchShortEntries(instance: *mut ot::otInstance) {
    with_node(instance, |node, _| {
        node.radio
            .pending_for
            .retain(|child| matches!(child, Address::Extended(_)));
    });
}

#[unsafe(no_mangle)]
extern "C" fn otPlatRadioClearSrcMatchExtEntries(instance: *mut ot::otInstance) {
    with_node(instance, |node, _| {
        node.radio
            .pending_for
            .retain(|child| matches!(child, Address::Short(_)));
    });
}

// Settings -----------------------------------------------------------------------------

#[unsafe(no_mangle)]
extern "C" fn otPlatSettingsInit(_: *mut ot::otInstance, _sensitive: *const u16, _count: u16) {}

#[unsafe(no_mangle)]
extern "C" fn otPlatSettingsDeinit(_: *mut ot::otInstance) {}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatSettingsGet(
    instance: *mut ot::otInstance,
    key: u16,
    index: c_int,
    value: *mut u8,
    length: *mut u16,
) -> ot::otError {
    with_node(instance, |node, _| {
        let found = node
            .settings
            .get(&key)
            .zip(usize::try_from(index).ok())
            .and_then(|(values, index)| values.get(index));
        let Some(found) = found else {
            return NOT_FOUND;
        };
        // SAFETY: `length` is null or holds the room behind `value`, which is null or a
        // buffer of that size; it receives the full length of the setting.
        unsafe {
            if !length.is_null() {
                if !value.is_null() {
                    let room = usize::from(*length).min(found.len());
                    value.copy_from_nonoverlapping(found.as_ptr(), room);
                }
                *length = found.len() as u16;
            }
        }
        OK
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatSettingsSet(
    instance: *mut ot::otInstance,
    key: u16,
    value: *const u8,
    length: u16,
) -> ot::otError {
    // SAFETY: OpenThread passes `length` bytes.
    let value = unsafe { core::slice::from_raw_parts(value, usize::from(length)) }.to_vec();
    with_node(instance, |node, _| node.settings.insert(key, vec![value]));
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatSettingsAdd(
    instance: *mut ot::otInstance,
    key: u16,
    value: *const u8,
    length: u16,
) -> ot::otError {
    // SAFETY: OpenThread passes `length` bytes.
    let value = unsafe { core::slice::from_raw_parts(value, usize::from(length)) }.to_vec();
    with_node(instance, |node, _| {
        node.settings.entry(key).or_default().push(value)
    });
    OK
}

#[unsafe(no_mangle)]
extern "C" fn otPlatSettingsDelete(
    instance: *mut ot::otInstance,
    key: u16,
    index: c_int,
) -> ot::otError {
    with_node(instance, |node, _| {
        if index < 0 {
            return if node.settings.remove(&key).is_some() {
                OK
            } else {
                NOT_FOUND
            };
        }
        match node.settings.get_mut(&key) {
            Some(values) if (index as usize) < values.len() => {
                values.remove(index as usize);
                OK
            }
            _ => NOT_FOUND,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn otPlatSettingsWipe(instance: *mut ot::otInstance) {
    with_node(instance, |node, _| node.settings.clear());
}

// Entropy, log, reset, heap ------------------------------------------------------------

/// Fills OpenThread's buffer from the world's seeded generator.
///
/// # Safety
/// `output` has room for `length` bytes.
unsafe fn fill(output: *mut u8, length: u16) -> ot::otError {
    // SAFETY: promised by the caller.
    let output = unsafe { core::slice::from_raw_parts_mut(output, usize::from(length)) };
    with_platform(|platform| platform.entropy.fill_bytes(output));
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatEntropyGet(output: *mut u8, length: u16) -> ot::otError {
    // SAFETY: OpenThread passes a buffer of `length` bytes.
    unsafe { fill(output, length) }
}

// These three override OpenThread's weak functions, which share one generator per process.

#[unsafe(no_mangle)]
extern "C" fn otPlatCryptoRandomInit() {}

#[unsafe(no_mangle)]
extern "C" fn otPlatCryptoRandomDeinit() {}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatCryptoRandomGet(output: *mut u8, length: u16) -> ot::otError {
    // SAFETY: OpenThread passes a buffer of `length` bytes.
    unsafe { fill(output, length) }
}

/// Keeps `src/log.c` linked: `otPlatLog` is variadic, which Rust cannot define.
#[used]
static LOG_SHIM: unsafe extern "C" fn(ot::otLogLevel, ot::otLogRegion, *const c_char, ...) =
    ot::otPlatLog;

/// Receives a line that `otPlatLog` in `src/log.c` formatted. OpenThread passes no instance with a
/// log line, so it is attributed to the running node.
#[unsafe(no_mangle)]
unsafe extern "C" fn thread_sim_log(level: c_int, text: *const c_char) {
    // SAFETY: the shim passes a terminated string.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    with_platform(|platform| {
        let now = platform.now;
        let Some(node) = platform.nodes.get_mut(platform.running) else {
            return;
        };
        let level = match level {
            1 => log::Level::Error,
            2 => log::Level::Warn,
            3 | 4 => log::Level::Info,
            _ => log::Level::Debug,
        };
        log::log!(target: "thread_sim::openthread", level, "{:?}: {text}", node.node);
        node.log_line(format!("{}.{:06} {text}", now / 1_000_000, now % 1_000_000));
    });
}

#[unsafe(no_mangle)]
extern "C" fn otPlatReset(instance: *mut ot::otInstance) {
    with_node(instance, |node, _| node.requests.push_back(Request::Reset));
}

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

#[unsafe(no_mangle)]
extern "C" fn otPlatCAlloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: calloc accepts any sizes.
    unsafe { calloc(count, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatFree(memory: *mut c_void) {
    // SAFETY: OpenThread frees memory from `otPlatCAlloc`, or null.
    unsafe { free(memory) }
}

// Infrastructure interface -------------------------------------------------------------
// The border router's other link exists but has no other hosts: router solicitations and
// advertisements go nowhere, and NAT64 prefix discovery returns what the world sets.

#[unsafe(no_mangle)]
extern "C" fn otPlatInfraIfHasAddress(_index: u32, _address: *const ot::otIp6Address) -> bool {
    false
}

#[unsafe(no_mangle)]
extern "C" fn otPlatInfraIfSendIcmp6Nd(
    _index: u32,
    _destination: *const ot::otIp6Address,
    _buffer: *const u8,
    _length: u16,
) -> ot::otError {
    OK
}

#[unsafe(no_mangle)]
extern "C" fn otPlatInfraIfDiscoverNat64Prefix(_index: u32) -> ot::otError {
    with_platform(|platform| {
        let running = platform.running;
        platform.nodes[running]
            .requests
            .push_back(Request::DiscoverNat64Prefix);
    });
    OK
}

// DNS upstream -------------------------------------------------------------------------

#[unsafe(no_mangle)]
extern "C" fn otPlatDnsIsUpstreamQueryAvailable(_instance: *mut ot::otInstance) -> bool {
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn otPlatDnsStartUpstreamQuery(
    instance: *mut ot::otInstance,
    transaction: *mut c_void,
    query: *const ot::otMessage,
) {
    // SAFETY: the message lives during the call, which is inside `enter` (rule 2).
    let query = unsafe { super::message_payload(query) };
    let transaction = transaction as usize;
    with_node(instance, |node, _| {
        node.requests
            .push_back(Request::UpstreamQuery { transaction, query });
    });
}

#[unsafe(no_mangle)]
extern "C" fn otPlatDnsCancelUpstreamQuery(
    instance: *mut ot::otInstance,
    transaction: *mut c_void,
) {
    let transaction = transaction as usize;
    with_node(instance, |node, _| {
        node.requests
            .push_back(Request::CancelUpstream { transaction });
    });
}

#[cfg(test)]
mod tests {
    use super::due;

    #[test]
    fn alarms_follow_the_wrapping_clock() {
        assert_eq!(due(5_400, 1000, 5, 10), 15_000);
        // Already due when it was started: fires now, not earlier.
        assert_eq!(due(5_400, 1000, 2, 1), 5_400);
        assert_eq!(due(5_400, 1000, 5, 0), 5_400);
        // Across the wrap-around of the 32-bit microsecond clock.
        let now = (1 << 32) - 10;
        assert_eq!(due(now, 1, now as u32, 30), now + 30);
        assert_eq!(due((1 << 32) + 5, 1, u32::MAX, 10), (1 << 32) + 9);
    }
}
