//! The link between the world's IP packets and a smoltcp stack.
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// One packet in, any number out.
pub(crate) struct Wire {
    mtu: usize,
    pub(crate) received: Option<Vec<u8>>,
    pub(crate) sent: Vec<Vec<u8>>,
}

impl Wire {
    /// Creates a link for packets of at most `mtu` bytes.
    pub(crate) fn new(mtu: usize) -> Self {
        Self {
            mtu,
            received: None,
            sent: Vec::new(),
        }
    }
}

impl phy::Device for Wire {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }

    fn receive(&mut self, _at: Instant) -> Option<(Received, Sending<'_>)> {
        let packet = self.received.take()?;
        Some((Received(packet), Sending(&mut self.sent)))
    }

    fn transmit(&mut self, _at: Instant) -> Option<Sending<'_>> {
        Some(Sending(&mut self.sent))
    }
}

pub(crate) struct Received(Vec<u8>);

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

pub(crate) struct Sending<'a>(&'a mut Vec<Vec<u8>>);

impl phy::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut packet = vec![0; length];
        let result = fill(&mut packet);
        self.0.push(packet);
        result
    }
}
