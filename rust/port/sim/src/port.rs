//! The device's side: a [`Port`] for a client.
//!
//! TCP is smoltcp above OpenThread's IPv6, just as a product runs Zephyr's TCP above the same IPv6.
//! OpenThread's own TCP (TCPlp) is not used: products leave it out, and its SYN requests ECN (ECE
//! and CWR set), which some middleboxes drop.
//!
//! | | Zephyr's TCP with this module | here |
//! | --- | --- | --- |
//! | ECN, timestamps | none | none |
//! | MSS | 1,220 bytes (IPv6's least MTU) | 1,220 bytes |
//! | receive window | 1,600 bytes | 1,536 bytes |
//! | acknowledgement | each segment, at once | each segment, at once |
//! | first retransmission | after 1.0 to 1.5 s, not adapted | after 1.0 s, adapted to the round trip (RFC 6298), never earlier |
//! | options of the SYN | MSS | MSS, window scale, SACK permitted: 8 bytes more |
//!
//! DNS through [`Port::udp_send`] uses OpenThread's UDP sockets. The platform's resolver is
//! OpenThread's DNS client, which queries the border router.
use crate::config::Node;
use crate::world::World;
use core::net::{IpAddr, SocketAddrV6};
use core::time::Duration;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Interest, Port, Received, TcpState};
use thread_mqtt_resolve::resolver::{Family, LookupError, Network};

/// A [`Port`] on the simulated device. [`wait`](Port::wait) runs the world; all other calls take no
/// time.
#[derive(Debug, Clone)]
pub struct SimPort {
    world: World,
    /// The device activity that `wait` has already reported.
    seen: u64,
}

impl SimPort {
    pub(crate) fn new(world: World) -> Self {
        let seen = world.activity(Node::Device);
        Self { world, seen }
    }

    /// Returns the world that the device belongs to.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Returns whether something has happened that sockets do not show: a connection was
    /// established or failed, addresses or network data changed, or there is room to send.
    fn has_news(&mut self) -> bool {
        let activity = self.world.activity(Node::Device);
        activity != core::mem::replace(&mut self.seen, activity)
    }
}

impl Port for SimPort {
    fn now(&self) -> Duration {
        self.world.now()
    }

    fn unix_time(&self) -> Option<u64> {
        self.world.unix_time()
    }

    fn fill_random(&mut self, buf: &mut [u8]) -> Result<(), i32> {
        self.world.fill_random(buf);
        Ok(())
    }

    fn network(&mut self) -> Network {
        self.world.network()
    }

    fn tcp_connect(&mut self, to: SocketAddrV6) -> Result<(), TcpError> {
        self.world
            .with_sockets(|sockets, device| sockets.connect(device, to))
    }

    fn tcp_state(&mut self) -> TcpState {
        self.world.with_sockets(|sockets, _| sockets.state())
    }

    fn tcp_send(&mut self, data: &[u8]) -> Result<usize, TcpError> {
        self.world.with_sockets(|sockets, _| sockets.send(data))
    }

    fn tcp_receive(&mut self, buf: &mut [u8]) -> Result<Received, TcpError> {
        self.world.with_sockets(|sockets, _| sockets.receive(buf))
    }

    fn tcp_close(&mut self, abort: bool) {
        self.world.with_sockets(|sockets, _| sockets.close(abort));
    }

    fn udp_send(&mut self, from_port: u16, to: SocketAddrV6, payload: &[u8]) -> Result<(), i32> {
        self.world
            .with_sockets(|sockets, device| sockets.udp_send(device, from_port, to, payload))
    }

    fn udp_receive(&mut self, buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        let (from, port, payload) = self
            .world
            .with_sockets(|sockets, _| sockets.udp_receive())?;
        let length = payload.len().min(buf.len());
        buf[..length].copy_from_slice(&payload[..length]);
        Some((from, port, length))
    }

    fn udp_close(&mut self) {
        self.world.with_sockets(|sockets, _| sockets.udp_close());
    }

    fn platform_lookup(&mut self, name: &str, family: Family) -> Result<(), LookupError> {
        self.world
            .with_sockets(|sockets, device| sockets.platform_lookup(device, name, family))
    }

    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>> {
        self.world.with_sockets(|sockets, device| {
            sockets.take_answers(device);
            sockets.poll_platform_lookup()
        })
    }

    fn wait(&mut self, until: Option<Duration>, interest: Interest) {
        let limit = until.unwrap_or(Duration::MAX);
        loop {
            let ready = self.world.with_sockets(|sockets, device| {
                sockets.take_answers(device);
                (interest.receive && sockets.is_readable())
                    || (interest.send && sockets.is_writable())
                    || sockets.has_datagram()
                    || sockets.is_resolved()
            });
            // Evaluate both: this return also reports news that arrives together with bytes.
            if self.has_news() | ready || !self.world.step(limit) {
                return;
            }
        }
    }
}
