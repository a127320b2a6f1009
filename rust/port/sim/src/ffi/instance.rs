//! One OpenThread instance: its memory, its lifetime, and its inputs from the world.
use super::{SharedPlatform, check, enter};
use crate::config::WorldError;
use crate::mac::MAX_FRAME;
use core::ffi::c_void;
use core::net::Ipv6Addr;
use openthread_sys as ot;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::rc::Rc;

/// The frame that OpenThread fills for transmission, with its bytes.
#[repr(C)]
struct TransmitBuffer {
    frame: ot::otRadioFrame,
    psdu: [u8; MAX_FRAME],
}

/// An OpenThread instance and its memory.
///
/// If a process has several instances, OpenThread never runs an instance's destructor.
/// `otInstanceFinalize` stops it and this wrapper frees its memory. Heap memory that its members
/// did not free (some hundred bytes per world) leaks until the process ends.
pub(crate) struct Instance {
    raw: *mut ot::otInstance,
    memory: *mut u8,
    layout: Layout,
    transmit: *mut TransmitBuffer,
    platform: SharedPlatform,
    index: usize,
}

/// How the radio reports the end of a transmission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TransmitResult {
    /// Sent, and acknowledged if requested.
    Sent {
        /// The acknowledgement.
        ack: Option<Vec<u8>>,
    },
    /// No acknowledgement arrived.
    NoAck,
    /// The channel was busy.
    ChannelBusy,
}

impl Instance {
    /// Constructs the instance for node `index`, which must not have one.
    pub(crate) fn new(platform: &SharedPlatform, index: usize) -> Result<Self, WorldError> {
        let platform = Rc::clone(platform);
        let mut size = 0;
        // SAFETY: with no buffer the call only reports the size needed.
        enter(&platform, index, || unsafe {
            ot::otInstanceInit(core::ptr::null_mut(), &mut size)
        });
        let layout = Layout::from_size_align(size, 16).expect("a few hundred kilobytes");
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        if memory.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: the structure is plain data for which all-zero bytes are valid.
        let transmit: *mut TransmitBuffer = Box::into_raw(Box::new(unsafe { core::mem::zeroed() }));
        // SAFETY: just allocated and not shared yet.
        unsafe { (*transmit).frame.mPsdu = (&raw mut (*transmit).psdu).cast() };
        {
            // OpenThread already calls the platform while it constructs itself. It places the
            // instance at the start of the buffer, so the address is known beforehand.
            let mut platform = platform.borrow_mut();
            let node = &mut platform.nodes[index];
            node.power_cycle();
            node.instance = memory as usize;
            node.transmit_buffer = transmit as usize;
        }
        // SAFETY: the buffer is large enough, aligned, and lives as long as `Self`.
        let raw = enter(&platform, index, || unsafe {
            ot::otInstanceInit(memory.cast(), &mut size)
        });
        assert_eq!(
            raw.cast::<u8>(),
            memory,
            "OpenThread builds at the buffer's start"
        );
        Ok(Self {
            raw,
            memory,
            layout,
            transmit,
            platform,
            index,
        })
    }

    /// Calls OpenThread with this instance.
    pub(super) fn call<R>(&self, call: impl FnOnce(*mut ot::otInstance) -> R) -> R {
        enter(&self.platform, self.index, || call(self.raw))
    }

    /// Calls OpenThread with this instance, and names the call in an error.
    pub(super) fn try_call(
        &self,
        name: &'static str,
        call: impl FnOnce(*mut ot::otInstance) -> ot::otError,
    ) -> Result<(), WorldError> {
        check(name, self.call(call))
    }

    /// Returns the index of the node, as the context of callbacks.
    pub(super) fn context(&self) -> *mut c_void {
        self.index as *mut c_void
    }

    /// Gives access to the platform state of this node.
    pub(super) fn with_state<R>(
        &self,
        access: impl FnOnce(&mut crate::platform::NodeState) -> R,
    ) -> R {
        access(&mut self.platform.borrow_mut().nodes[self.index])
    }

    /// Runs OpenThread's pending tasklets once. They may add new ones.
    pub(crate) fn process_tasklets(&self) {
        self.with_state(|node| node.tasklets = false);
        // SAFETY: the instance is live.
        self.call(|raw| unsafe { ot::otTaskletsProcess(raw) });
    }

    /// Reports that the millisecond alarm is due.
    pub(crate) fn alarm_milli_fired(&self) {
        self.with_state(|node| node.alarm_milli = None);
        // SAFETY: the instance is live.
        self.call(|raw| unsafe { ot::otPlatAlarmMilliFired(raw) });
    }

    /// Reports that the microsecond alarm is due.
    pub(crate) fn alarm_micro_fired(&self) {
        self.with_state(|node| node.alarm_micro = None);
        // SAFETY: the instance is live.
        self.call(|raw| unsafe { otPlatAlarmMicroFired(raw) });
    }

    /// Reports that transmission of the frame given to the radio has begun.
    pub(crate) fn transmit_started(&self) {
        // SAFETY: the instance is live; the frame is the one it asked to transmit.
        self.call(|raw| unsafe { ot::otPlatRadioTxStarted(raw, &raw mut (*self.transmit).frame) });
    }

    /// Reports that the frame given to the radio was sent or given up.
    pub(crate) fn transmit_done(&self, result: TransmitResult) {
        self.with_state(|node| node.radio.transmitting = false);
        let (ack, code) = match result {
            TransmitResult::Sent { ack } => (ack, ot::otError_OT_ERROR_NONE),
            TransmitResult::NoAck => (None, ot::otError_OT_ERROR_NO_ACK),
            TransmitResult::ChannelBusy => (None, ot::otError_OT_ERROR_CHANNEL_ACCESS_FAILURE),
        };
        self.call(|raw| {
            let mut ack = ack;
            // SAFETY: `transmit` lives as long as `self`; only its channel is read.
            let channel = unsafe { (*self.transmit).frame.mChannel };
            let mut frame = ack.as_mut().map(|psdu| received(psdu, channel, 0, false));
            let frame = frame
                .as_mut()
                .map_or(core::ptr::null_mut(), |frame| &raw mut *frame);
            // SAFETY: the instance is live; the frame is the one it asked to transmit; the
            // acknowledgement and its bytes outlive the call.
            unsafe {
                ot::otPlatRadioTxDone(raw, &raw mut (*self.transmit).frame, frame, code);
            }
        });
    }

    /// Reports a received frame.
    pub(crate) fn received(&self, psdu: &[u8], channel: u8, at: u64, acked_pending: bool) {
        let mut psdu = psdu.to_vec();
        self.call(|raw| {
            let mut frame = received(&mut psdu, channel, at, acked_pending);
            // SAFETY: the instance is live; frame and bytes outlive the call, which may
            // decrypt in place.
            unsafe { ot::otPlatRadioReceiveDone(raw, &mut frame, ot::otError_OT_ERROR_NONE) };
        });
    }

    /// Sends an IPv4 packet into the Thread network. Like any router, OpenThread drops it if it has
    /// no buffer or no mapping for it.
    pub(crate) fn nat64_send(&self, packet: &[u8]) {
        self.call(|raw| {
            let settings = ot::otMessageSettings {
                mLinkSecurityEnabled: true,
                mPriority: ot::otMessagePriority_OT_MESSAGE_PRIORITY_NORMAL as u8,
            };
            // SAFETY: the instance is live. The message is ours until `otNat64Send`, which always
            // takes ownership.
            unsafe {
                let message = ot::otIp4NewMessage(raw, &settings);
                if let Some(message) = filled(message, packet) {
                    let code = ot::otNat64Send(raw, message);
                    if code != 0 {
                        log::debug!("NAT64 dropped {} bytes: otError {code}", packet.len());
                    }
                }
            }
        });
    }

    /// Answers a transaction of the upstream DNS servers, or gives it up.
    pub(crate) fn upstream_done(&self, transaction: usize, answer: Option<&[u8]>) {
        self.call(|raw| {
            let settings = ot::otMessageSettings {
                mLinkSecurityEnabled: true,
                mPriority: ot::otMessagePriority_OT_MESSAGE_PRIORITY_NORMAL as u8,
            };
            // SAFETY: the instance is live and the world ends each transaction once; OpenThread
            // owns the message after the call.
            unsafe {
                let message = answer
                    .and_then(|bytes| filled(ot::otUdpNewMessage(raw, &settings), bytes))
                    .unwrap_or(core::ptr::null_mut());
                otPlatDnsUpstreamQueryDone(raw, transaction as *mut c_void, message);
            }
        });
    }

    /// Answers a search for a NAT64 prefix on the infrastructure link.
    pub(crate) fn nat64_prefix_discovered(&self, prefix: Option<(Ipv6Addr, u8)>) {
        let (address, length) = prefix.unwrap_or((Ipv6Addr::UNSPECIFIED, 0));
        let prefix = ot::otIp6Prefix {
            mPrefix: super::from_address(address),
            mLength: length,
        };
        // SAFETY: the instance is live; the prefix outlives the call.
        self.call(|raw| unsafe {
            otPlatInfraIfDiscoverNat64PrefixDone(raw, super::network::INFRA_INTERFACE, &prefix);
        });
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the instance is live.
        self.call(|raw| unsafe { ot::otInstanceFinalize(raw) });
        let mut platform = self.platform.borrow_mut();
        let node = &mut platform.nodes[self.index];
        node.instance = 0;
        node.transmit_buffer = 0;
        // SAFETY: nothing refers to the memory any more: the instance is finalised, its
        // sockets were closed before (rule 4), and the platform has forgotten it.
        unsafe {
            drop(Box::from_raw(self.transmit));
            dealloc(self.memory, self.layout);
        }
    }
}

// Not in the crate's bindings.
unsafe extern "C" {
    fn otPlatAlarmMicroFired(instance: *mut ot::otInstance);
    fn otPlatDnsUpstreamQueryDone(
        instance: *mut ot::otInstance,
        transaction: *mut c_void,
        response: *mut ot::otMessage,
    );
    fn otPlatInfraIfDiscoverNat64PrefixDone(
        instance: *mut ot::otInstance,
        index: u32,
        prefix: *const ot::otIp6Prefix,
    );
}

/// Returns a frame as a receiver passes it up. It points into `psdu`.
fn received(psdu: &mut [u8], channel: u8, at: u64, acked_pending: bool) -> ot::otRadioFrame {
    // SAFETY: plain data for which all-zero bytes are valid.
    let mut frame: ot::otRadioFrame = unsafe { core::mem::zeroed() };
    frame.mLength = psdu.len() as u16;
    frame.mPsdu = psdu.as_mut_ptr();
    frame.mChannel = channel;
    let mut info = ot::otRadioFrame__bindgen_ty_1__bindgen_ty_2 {
        mTimestamp: at,
        mRssi: -50,
        mLqi: 127,
        ..Default::default()
    };
    info.set_mAckedWithFramePending(acked_pending);
    frame.mInfo.mRxInfo = info;
    frame
}

/// Fills a new message with these bytes. Frees it if they do not fit.
///
/// # Safety
/// `message` is null or a fresh message, and the caller is inside [`enter`].
pub(super) unsafe fn filled(
    message: *mut ot::otMessage,
    bytes: &[u8],
) -> Option<*mut ot::otMessage> {
    if message.is_null() {
        return None;
    }
    let length = u16::try_from(bytes.len());
    // SAFETY: guaranteed by the caller; the slice outlives the call, which copies it.
    unsafe {
        if length
            .is_ok_and(|length| ot::otMessageAppend(message, bytes.as_ptr().cast(), length) == 0)
        {
            return Some(message);
        }
        ot::otMessageFree(message);
    }
    None
}
