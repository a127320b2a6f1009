//! Actions that the driver is asked to perform.
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddrV6;
use thread_mqtt_resolve::resolver::Family;

/// An action that the driver is asked to perform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open a TCP connection; an earlier one is gone.
    TcpConnect(SocketAddrV6),
    /// Close the TCP connection.
    TcpClose {
        /// Send RST instead of FIN.
        abort: bool,
    },
    /// Send a UDP datagram from a local port.
    UdpSend {
        /// The local port to bind.
        from_port: u16,
        /// The destination.
        to: SocketAddrV6,
        /// The payload.
        payload: Vec<u8>,
    },
    /// No more answers are expected over UDP: the local sockets may be closed.
    UdpClose,
    /// Ask the platform's resolver.
    PlatformLookup {
        /// The name.
        name: String,
        /// The address family.
        family: Family,
    },
}
