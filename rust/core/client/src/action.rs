//! What the driver is asked to do.
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddrV6;
use thread_mqtt_resolve::resolver::Family;

/// What the driver is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open a TCP connection (an earlier one is gone).
    TcpConnect(SocketAddrV6),
    /// Shut the TCP connection down; `abort` sends RST instead of FIN.
    TcpClose {
        /// RST instead of FIN.
        abort: bool,
    },
    /// Send a UDP datagram from a local port.
    UdpSend {
        /// Local port to bind.
        from_port: u16,
        /// Destination.
        to: SocketAddrV6,
        /// Payload.
        payload: Vec<u8>,
    },
    /// No answer is awaited on UDP any more: local sockets may be closed.
    UdpClose,
    /// Ask the platform's resolver.
    PlatformLookup {
        /// Name.
        name: String,
        /// Family.
        family: Family,
    },
}
