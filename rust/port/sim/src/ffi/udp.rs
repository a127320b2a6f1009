//! A UDP socket of a node.
use super::instance::filled;
use super::{Instance, from_address, message_payload, to_address, with_platform};
use core::ffi::c_void;
use core::net::{Ipv6Addr, SocketAddrV6};
use openthread_sys as ot;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Datagrams queued for the application; later ones are dropped.
const QUEUE: usize = 16;

/// The data that OpenThread keeps pointers to.
struct Block {
    socket: ot::otUdpSocket,
    received: RefCell<VecDeque<(SocketAddrV6, Vec<u8>)>>,
    node: usize,
}

/// A socket bound to a local port; dropping it closes it.
pub(crate) struct UdpSocket {
    block: *mut Block,
    instance: Rc<Instance>,
    port: u16,
}

impl UdpSocket {
    /// Binds `port`. `Err` carries `otError`.
    pub(crate) fn bind(instance: &Rc<Instance>, port: u16) -> Result<Self, u32> {
        let context = instance.context();
        let block = Box::into_raw(Box::new(Block {
            // SAFETY: plain data for which all-zero bytes are valid.
            socket: unsafe { core::mem::zeroed() },
            received: RefCell::default(),
            node: context as usize,
        }));
        let name = ot::otSockAddr {
            mAddress: from_address(Ipv6Addr::UNSPECIFIED),
            mPort: port,
        };
        let socket = Self {
            block,
            instance: Rc::clone(instance),
            port,
        };
        let code = instance.call(|raw| {
            // SAFETY: the block lives, unmoved, until the socket is closed in `drop` (rule 4).
            unsafe {
                let inner = &raw mut (*block).socket;
                match ot::otUdpOpen(raw, inner, Some(datagram), block.cast()) {
                    0 => ot::otUdpBind(
                        raw,
                        inner,
                        &name,
                        ot::otNetifIdentifier_OT_NETIF_THREAD_INTERNAL,
                    ),
                    code => code,
                }
            }
        });
        if code == 0 { Ok(socket) } else { Err(code) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Sends a datagram. `Err` carries `otError`.
    pub(crate) fn send(&self, to: SocketAddrV6, payload: &[u8]) -> Result<(), u32> {
        let code = self.instance.call(|raw| {
            // SAFETY: plain data; the socket is open; the message is ours until `otUdpSend`
            // succeeds, and freed if it does not.
            unsafe {
                let mut info: ot::otMessageInfo = core::mem::zeroed();
                info.mPeerAddr = from_address(*to.ip());
                info.mPeerPort = to.port();
                let fresh = ot::otUdpNewMessage(raw, core::ptr::null());
                let Some(message) = filled(fresh, payload) else {
                    return ot::otError_OT_ERROR_NO_BUFS;
                };
                let code = ot::otUdpSend(raw, &raw mut (*self.block).socket, message, &info);
                if code != 0 {
                    ot::otMessageFree(message);
                }
                code
            }
        });
        if code == 0 { Ok(()) } else { Err(code) }
    }

    /// Returns the next datagram.
    pub(crate) fn receive(&self) -> Option<(SocketAddrV6, Vec<u8>)> {
        // SAFETY: the block lives as long as `self`; no callback runs now.
        unsafe { (*self.block).received.borrow_mut().pop_front() }
    }

    /// Returns whether [`receive`](Self::receive) has a datagram.
    pub(crate) fn is_readable(&self) -> bool {
        // SAFETY: as in `receive`.
        unsafe { !(*self.block).received.borrow().is_empty() }
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        // SAFETY: closing a socket that is not open does nothing; afterwards OpenThread no longer
        // refers to the block.
        self.instance
            .call(|raw| unsafe { ot::otUdpClose(raw, &raw mut (*self.block).socket) });
        // SAFETY: made by `Box::into_raw`, freed once.
        drop(unsafe { Box::from_raw(self.block) });
    }
}

unsafe extern "C" fn datagram(
    context: *mut c_void,
    message: *mut ot::otMessage,
    info: *const ot::otMessageInfo,
) {
    let block: *mut Block = context.cast();
    // SAFETY: the context is the socket's block; message and info live during the call.
    unsafe {
        let from = SocketAddrV6::new(to_address(&(*info).mPeerAddr), (*info).mPeerPort, 0, 0);
        let payload = message_payload(message);
        let mut received = (*block).received.borrow_mut();
        if received.len() < QUEUE {
            received.push_back((from, payload));
        }
        with_platform(|platform| platform.nodes[(*block).node].activity += 1);
    }
}
