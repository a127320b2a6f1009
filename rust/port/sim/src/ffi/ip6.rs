//! IPv6 packets of a node that OpenThread does not handle itself.
use super::instance::filled;
use super::{Instance, message_bytes, with_platform};
use crate::platform::Request;
use core::ffi::c_void;
use openthread_sys as ot;

/// Offset of the payload protocol in an IPv6 header, and the number of TCP.
const NEXT_HEADER: usize = 6;
const TCP: u8 = 6;

impl Instance {
    /// Starts to pass received TCP segments to the world.
    pub(super) fn receive_tcp(&self) {
        let context = self.context();
        // SAFETY: the instance is live; the callback's context is the node's index.
        self.call(|raw| unsafe {
            ot::otIp6SetReceiveFilterEnabled(raw, true);
            ot::otIp6SetReceiveCallback(raw, Some(packet), context);
        });
    }

    /// Sends an IPv6 packet. `Err` carries `otError`: OpenThread has no buffer or no route.
    pub(crate) fn ip6_send(&self, packet: &[u8]) -> Result<(), u32> {
        let code = self.call(|raw| {
            let settings = ot::otMessageSettings {
                mLinkSecurityEnabled: true,
                mPriority: ot::otMessagePriority_OT_MESSAGE_PRIORITY_NORMAL as u8,
            };
            // SAFETY: the instance is live. The message is ours until `otIp6Send`, which always
            // takes ownership.
            unsafe {
                match filled(ot::otIp6NewMessage(raw, &settings), packet) {
                    Some(message) => ot::otIp6Send(raw, message),
                    None => ot::otError_OT_ERROR_NO_BUFS,
                }
            }
        });
        if code == 0 { Ok(()) } else { Err(code) }
    }
}

/// Receives a packet for one of the node's addresses that no OpenThread socket took.
unsafe extern "C" fn packet(message: *mut ot::otMessage, context: *mut c_void) {
    // SAFETY: a live message that is ours; inside `enter` (rule 2).
    let packet = unsafe {
        let packet = message_bytes(message, 0);
        ot::otMessageFree(message);
        packet
    };
    if packet.get(NEXT_HEADER) == Some(&TCP) {
        with_platform(|platform| {
            let node = &mut platform.nodes[context as usize];
            node.requests.push_back(Request::Ip6(packet));
        });
    }
}
