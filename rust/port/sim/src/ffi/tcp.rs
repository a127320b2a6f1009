//! A TCP connection of a node, on OpenThread's own TCP (TCPlp).
use super::{Instance, from_socket_address, with_platform};
use core::cell::Cell;
use core::net::SocketAddrV6;
use openthread_sys as ot;
use std::rc::Rc;

/// OpenThread's advice for paths over many hops.
const RECEIVE_BUFFER: usize = ot::OT_TCP_RECEIVE_BUFFER_SIZE_MANY_HOPS as usize;
/// The window that leaves: a ninth of the buffer is a bitmap.
pub(crate) const RECEIVE_WINDOW: usize = (8 * RECEIVE_BUFFER - 6) / 9;
/// As much as the receive buffer: the pipe is as long one way as the other.
const SEND_BUFFER: usize = RECEIVE_BUFFER;

/// How a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TcpEnd {
    /// SYN sent.
    Connecting,
    /// Established, or half closed.
    Connected,
    /// Over in good order.
    Closed,
    /// RST to the SYN.
    Refused,
    /// RST later.
    Reset,
    /// The peer fell silent.
    TimedOut,
}

/// What OpenThread keeps pointers to. Reached only by raw pointers and `Cell`s, because
/// callbacks run while a method of [`TcpSocket`] is on the stack.
struct Block {
    endpoint: ot::otTcpEndpoint,
    queue: ot::otTcpCircularSendBuffer,
    end: Cell<TcpEnd>,
    end_of_stream: Cell<bool>,
    node: usize,
    receive: [u8; RECEIVE_BUFFER],
    send: [u8; SEND_BUFFER],
}

/// One connection; dropping it aborts it.
pub(crate) struct TcpSocket {
    block: *mut Block,
    instance: Rc<Instance>,
}

impl TcpSocket {
    /// Sends a SYN. `Err` carries `otError`.
    pub(crate) fn connect(instance: &Rc<Instance>, to: SocketAddrV6) -> Result<Self, u32> {
        // SAFETY: plain data for which all-zero bytes are valid (`TcpEnd` has a variant 0).
        let block: *mut Block = Box::into_raw(unsafe { Box::<Block>::new_zeroed().assume_init() });
        let socket = Self {
            block,
            instance: Rc::clone(instance),
        };
        let to = from_socket_address(to);
        let context = instance.context();
        let code = instance.call(|raw| {
            // SAFETY: the block lives, unmoved, until the endpoint is deinitialised in `drop`
            // (rule 4); the arguments are copied.
            unsafe {
                (*block).node = context as usize;
                (*block).end.set(TcpEnd::Connecting);
                let arguments = ot::otTcpEndpointInitializeArgs {
                    mContext: block.cast(),
                    mEstablishedCallback: Some(established),
                    mSendDoneCallback: None,
                    mForwardProgressCallback: Some(forward_progress),
                    mReceiveAvailableCallback: Some(receive_available),
                    mDisconnectedCallback: Some(disconnected),
                    mReceiveBuffer: (&raw mut (*block).receive).cast(),
                    mReceiveBufferSize: RECEIVE_BUFFER,
                };
                ot::otTcpCircularSendBufferInitialize(
                    &raw mut (*block).queue,
                    (&raw mut (*block).send).cast(),
                    SEND_BUFFER,
                );
                match ot::otTcpEndpointInitialize(raw, &raw mut (*block).endpoint, &arguments) {
                    0 => ot::otTcpConnect(
                        &raw mut (*block).endpoint,
                        &to,
                        ot::OT_TCP_CONNECT_NO_FAST_OPEN,
                    ),
                    code => code,
                }
            }
        });
        if code == 0 { Ok(socket) } else { Err(code) }
    }

    pub(crate) fn end(&self) -> TcpEnd {
        // SAFETY: the block lives as long as `self`.
        unsafe { (*self.block).end.get() }
    }

    /// Queues what fits; returns how much.
    pub(crate) fn send(&self, data: &[u8]) -> Result<usize, u32> {
        let mut written = 0;
        let code = self.instance.call(|_| {
            // SAFETY: endpoint and queue are initialised and live; the data is copied.
            unsafe {
                ot::otTcpCircularSendBufferWrite(
                    &raw mut (*self.block).endpoint,
                    &raw mut (*self.block).queue,
                    data.as_ptr().cast(),
                    data.len(),
                    &mut written,
                    0,
                )
            }
        });
        if code == 0 { Ok(written) } else { Err(code) }
    }

    /// Room to send.
    pub(crate) fn free_space(&self) -> usize {
        // SAFETY: the queue is initialised and lives.
        self.instance.call(|_| unsafe {
            ot::otTcpCircularSendBufferGetFreeSpace(&raw const (*self.block).queue)
        })
    }

    /// Takes what was received; returns how much.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> usize {
        self.instance.call(|_| {
            let mut taken = 0;
            // SAFETY: the endpoint is initialised and lives; the linked buffers point into
            // its receive buffer and stay valid until `otTcpCommitReceive`.
            unsafe {
                let endpoint = &raw mut (*self.block).endpoint;
                let mut link: *const ot::otLinkedBuffer = core::ptr::null();
                if ot::otTcpReceiveByReference(endpoint, &mut link) != 0 {
                    return 0;
                }
                while let Some(part) = link.as_ref() {
                    let length = part.mLength.min(buffer.len() - taken);
                    if length > 0 {
                        let bytes = core::slice::from_raw_parts(part.mData, length);
                        buffer[taken..taken + length].copy_from_slice(bytes);
                        taken += length;
                    }
                    link = part.mNext;
                }
                if taken > 0 {
                    ot::otTcpCommitReceive(endpoint, taken, 0);
                }
            }
            taken
        })
    }

    /// Bytes that [`receive`](Self::receive) would give.
    pub(crate) fn available(&self) -> usize {
        self.instance.call(|_| {
            let mut available = 0;
            // SAFETY: as in `receive`.
            unsafe {
                let mut link: *const ot::otLinkedBuffer = core::ptr::null();
                if ot::otTcpReceiveByReference(&raw mut (*self.block).endpoint, &mut link) == 0 {
                    while let Some(part) = link.as_ref() {
                        available += part.mLength;
                        link = part.mNext;
                    }
                }
            }
            available
        })
    }

    /// The peer has sent FIN (after what can still be received).
    pub(crate) fn end_of_stream(&self) -> bool {
        // SAFETY: the block lives as long as `self`.
        unsafe { (*self.block).end_of_stream.get() }
    }

    /// Sends FIN after what was queued.
    pub(crate) fn finish(&self) {
        // SAFETY: the endpoint is initialised and lives.
        self.instance
            .call(|_| unsafe { ot::otTcpSendEndOfStream(&raw mut (*self.block).endpoint) });
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        self.instance.call(|_| {
            // SAFETY: the endpoint lives. It is taken off the instance's list and aborted: no
            // callback comes after that, and nothing points to the block.
            unsafe {
                ot::otTcpEndpointDeinitialize(&raw mut (*self.block).endpoint);
                ot::otTcpCircularSendBufferForceDiscardAll(&raw mut (*self.block).queue);
                ot::otTcpCircularSendBufferDeinitialize(&raw mut (*self.block).queue);
            }
        });
        // SAFETY: made by `Box::into_raw`, freed once.
        drop(unsafe { Box::from_raw(self.block) });
    }
}

/// The block of an endpoint, and a wake-up for the application.
///
/// # Safety
/// Called from a callback of an endpoint that `TcpSocket::connect` initialised.
unsafe fn touched(endpoint: *mut ot::otTcpEndpoint) -> *mut Block {
    // SAFETY: the context is the block, which outlives its endpoint.
    unsafe {
        let block: *mut Block = ot::otTcpEndpointGetContext(endpoint).cast();
        with_platform(|platform| platform.nodes[(*block).node].activity += 1);
        block
    }
}

unsafe extern "C" fn established(endpoint: *mut ot::otTcpEndpoint) {
    // SAFETY: called by OpenThread for an endpoint of ours.
    unsafe { (*touched(endpoint)).end.set(TcpEnd::Connected) };
}

unsafe extern "C" fn forward_progress(
    endpoint: *mut ot::otTcpEndpoint,
    in_send_buffer: usize,
    _backlog: usize,
) {
    // SAFETY: called by OpenThread for an endpoint of ours; the queue is the one it sends from.
    unsafe {
        let block = touched(endpoint);
        ot::otTcpCircularSendBufferHandleForwardProgress(&raw mut (*block).queue, in_send_buffer);
    }
}

unsafe extern "C" fn receive_available(
    endpoint: *mut ot::otTcpEndpoint,
    _available: usize,
    end_of_stream: bool,
    _remaining: usize,
) {
    // SAFETY: called by OpenThread for an endpoint of ours.
    unsafe {
        let block = touched(endpoint);
        if end_of_stream {
            (*block).end_of_stream.set(true);
        }
    }
}

unsafe extern "C" fn disconnected(
    endpoint: *mut ot::otTcpEndpoint,
    reason: ot::otTcpDisconnectedReason,
) {
    let end = match reason {
        ot::otTcpDisconnectedReason_OT_TCP_DISCONNECTED_REASON_REFUSED => TcpEnd::Refused,
        ot::otTcpDisconnectedReason_OT_TCP_DISCONNECTED_REASON_RESET => TcpEnd::Reset,
        ot::otTcpDisconnectedReason_OT_TCP_DISCONNECTED_REASON_TIMED_OUT => TcpEnd::TimedOut,
        // NORMAL and TIME_WAIT.
        _ => TcpEnd::Closed,
    };
    // SAFETY: called by OpenThread for an endpoint of ours.
    unsafe { (*touched(endpoint)).end.set(end) };
}
