//! Queries over TCP (RFC 7766): for answers that do not fit into a datagram, and for servers that
//! datagrams do not reach. All queries of an exchange share one connection (section 6.2.1.1).

use alloc::vec::Vec;

/// Largest answer accepted, in bytes. The addresses of a broker take far less.
const LARGEST: usize = 4_096;

/// The state of TCP in an exchange.
#[derive(Debug, Default)]
pub(super) enum Tcp {
    /// Disabled by the configuration.
    #[default]
    Off,
    /// Held back until datagrams do not suffice.
    Spare,
    /// To be connected.
    Wanted,
    /// Being connected.
    Connecting,
    /// Connected.
    Open(Stream),
    /// The server has closed it; to be connected again.
    Again,
    /// Ended; to be closed at once, because the port would keep reporting the end.
    Ended,
    /// Closed.
    Over,
}

/// Messages prefixed with their lengths (RFC 1035 section 4.2.2).
#[derive(Debug, Default)]
pub(super) struct Stream {
    outbound: Vec<u8>,
    inbound: Vec<u8>,
    /// An answer arrived over it.
    pub(super) has_answered: bool,
}

/// Why a connection is no longer usable: a message in it is too large.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Tcp {
    /// Returns whether there is a connection, or one was requested.
    pub(super) fn is_used(&self) -> bool {
        matches!(self, Self::Connecting | Self::Open(_))
    }

    /// Returns whether a connection must be closed.
    pub(super) fn is_to_close(&self) -> bool {
        self.is_used() || matches!(self, Self::Again | Self::Ended)
    }
}

impl Stream {
    pub(super) fn push(&mut self, message: &[u8]) {
        let Ok(length) = u16::try_from(message.len()) else {
            return;
        };
        self.outbound.extend_from_slice(&length.to_be_bytes());
        self.outbound.extend_from_slice(message);
    }

    pub(super) fn outbound(&self) -> &[u8] {
        &self.outbound
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.outbound.drain(..n.min(self.outbound.len()));
    }

    /// Takes bytes, up to the end of one message. Returns how many were taken.
    pub(super) fn receive(&mut self, data: &[u8]) -> Result<usize, TooLarge> {
        let missing = self.length().map_or(2, |length| 2 + length) - self.inbound.len();
        let (now, _) = data.split_at(missing.min(data.len()));
        self.inbound.try_reserve(now.len()).map_err(|_| TooLarge)?;
        self.inbound.extend_from_slice(now);
        match self.length() {
            Some(length) if length > LARGEST => Err(TooLarge),
            _ => Ok(now.len()),
        }
    }

    /// Takes the message, if it is complete.
    pub(super) fn take_message(&mut self) -> Option<Vec<u8>> {
        let whole = self.inbound.len() == 2 + self.length()?;
        whole.then(|| {
            let mut message = core::mem::take(&mut self.inbound);
            message.drain(..2);
            message
        })
    }

    fn length(&self) -> Option<usize> {
        let length = self.inbound.first_chunk()?;
        Some(usize::from(u16::from_be_bytes(*length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn messages_come_out_as_they_went_in() {
        let messages = [vec![1; 12], vec![], vec![2; 300]];
        let mut sent = Stream::default();
        for message in &messages {
            sent.push(message);
        }
        for piece in 1..=sent.outbound().len() {
            let (mut stream, mut seen) = (Stream::default(), Vec::new());
            for mut data in sent.outbound().chunks(piece) {
                while !data.is_empty() {
                    let n = stream.receive(data).unwrap();
                    assert!(n > 0);
                    data = &data[n..];
                    seen.extend(stream.take_message());
                }
            }
            assert_eq!(seen, messages, "{piece}");
        }
        let len = sent.outbound().len();
        sent.consume(3);
        assert_eq!(sent.outbound().len(), len - 3);
        sent.consume(usize::MAX);
        assert!(sent.outbound().is_empty());
    }

    #[test]
    fn a_message_beyond_the_limit_is_refused() {
        for (length, good) in [(LARGEST, true), (LARGEST + 1, false)] {
            let mut stream = Stream::default();
            let header = u16::try_from(length).unwrap().to_be_bytes();
            assert_eq!(stream.receive(&header).is_ok(), good);
        }
    }
}
