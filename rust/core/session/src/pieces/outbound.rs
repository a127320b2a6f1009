//! A message that is published in pieces.
//!
//! In the outbox, its payload is one piece at a time. When its turn comes, the session asks the
//! application for the first piece and sends the head together with it. Once a piece is with the
//! transport, it asks for the next one. Nothing else can be sent in the middle of a packet.

use alloc::vec::Vec;
use core::time::Duration;

use crate::error::{CommandError, PublishError, SessionError};
use crate::event::{Event, Token};
use crate::item::{Outgoing, Work};
use crate::link::{Limits, Phase, is_due, later};
use crate::message::Message;
use crate::options::PublishOptions;
use crate::outbox::BEGUN;
use crate::pieces::PIECES;
use crate::session::Session;
use crate::slab::Key;

/// How a payload will be supplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pieces {
    /// Size of the whole payload in bytes, at least 1.
    pub total: u32,
    /// Size of the largest piece in bytes, at least 1. The message occupies this much in the
    /// outbox.
    pub piece: u32,
}

impl Pieces {
    /// Whether this build supports messages in pieces (cargo feature `pieces`).
    pub const BUILT: bool = PIECES;

    pub(crate) fn check(
        self,
        message: &Message,
        options: PublishOptions,
    ) -> Result<(Supply, PublishOptions), CommandError> {
        if !PIECES {
            return Err(CommandError::NotBuilt("PIECES"));
        }
        let is_durable = options.durable == Some(true);
        let is_empty = self.total == 0 || self.piece == 0;
        if is_empty || is_durable || !message.payload.is_empty() {
            return Err(CommandError::InvalidPieces);
        }
        let options = PublishOptions {
            durable: Some(false),
            ..options
        };
        Ok((Supply::of(self), options))
    }
}

/// The source of the payload of a message in the outbox.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Supply {
    #[cfg(feature = "pieces")]
    pieces: Option<Pieces>,
    /// Offset of the bytes that are in the message.
    #[cfg(feature = "pieces")]
    gone: u32,
}

#[cfg(feature = "pieces")]
impl Supply {
    fn of(pieces: Pieces) -> Self {
        Self {
            pieces: Some(pieces),
            gone: 0,
        }
    }

    fn pieces(self) -> Option<Pieces> {
        self.pieces
    }

    fn gone(self) -> u32 {
        self.gone
    }

    fn set_gone(&mut self, gone: u32) {
        self.gone = gone;
    }
}

#[cfg(not(feature = "pieces"))]
impl Supply {
    fn of(_: Pieces) -> Self {
        Self {}
    }

    fn pieces(self) -> Option<Pieces> {
        None
    }

    fn gone(self) -> u32 {
        0
    }

    fn set_gone(&mut self, _: u32) {}
}

impl Supply {
    /// Returns the size of the whole payload, if it comes in pieces.
    pub(crate) fn total(self) -> Option<usize> {
        self.pieces().map(|pieces| pieces.total as usize)
    }

    /// Returns the size of the largest piece.
    pub(crate) fn most(self) -> Option<usize> {
        let pieces = self.pieces()?;
        Some(pieces.piece.min(pieces.total) as usize)
    }

    /// Returns to the first byte. Returns false if the payload does not come in pieces.
    pub(crate) fn begin(&mut self) -> bool {
        self.set_gone(0);
        self.pieces().is_some()
    }

    /// Returns the maximum size of the next piece.
    fn next_len(self) -> u32 {
        let pieces = self.pieces();
        pieces.map_or(0, |pieces| pieces.piece.min(pieces.total - self.gone()))
    }
}

/// The piece that the application was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    key: Key,
    /// Deadline.
    by: Duration,
}

impl Session {
    /// Queues a message whose payload follows in pieces, so that it may be larger than the memory.
    ///
    /// `message` has no payload. When its turn comes, [`Event::PieceWanted`] asks for its first
    /// piece, and then for one after the other; answer with [`supply`](Self::supply). Order,
    /// priority, expiry and QoS work as for any other message, and [`Event::Published`] or
    /// [`Event::PublishFailed`] reports the outcome. After a lost connection, the whole payload is
    /// requested again, including what was sent but not acknowledged: keep the payload until then,
    /// or [give the message up](Self::give_up_pieces).
    ///
    /// While the session waits for a piece, the messages behind it wait as well. After the first
    /// piece, nothing else is sent until the last one: no acknowledgements and no pings. With
    /// acknowledgements unsent, little is received either. Therefore, if a piece is not supplied
    /// within [`response_timeout`](crate::Config::response_timeout), the message fails with
    /// [`PublishError::NotSupplied`], and if it is half sent, the connection ends.
    ///
    /// The message is never durable. In the outbox it occupies the bytes of its largest piece.
    pub fn publish_in_pieces(
        &mut self,
        message: Message,
        pieces: Pieces,
        options: PublishOptions,
    ) -> Result<Token, CommandError> {
        let (supply, options) = pieces.check(&message, options)?;
        let work = Work::publish(self.config.version(), message, supply, options)?;
        self.queue(work)
    }

    /// Returns the piece that the session waits for: the message, the offset and the maximum size.
    pub fn wanted_piece(&self) -> Option<(Token, u32, u32)> {
        let wanted = self.link.as_ref().filter(|_| PIECES)?.wanted?;
        let item = self.state.outbox.get(wanted.key)?;
        match &item.work {
            Work::Publish(outgoing) => {
                let supply = &outgoing.supply;
                Some((item.token?, supply.gone(), supply.next_len()))
            }
            _ => None,
        }
    }

    /// Supplies the piece requested by [`Event::PieceWanted`], from one byte up to the length given
    /// there.
    pub fn supply(
        &mut self,
        token: Token,
        offset: u32,
        piece: Vec<u8>,
    ) -> Result<(), CommandError> {
        let wanted = self.link.as_ref().and_then(|link| link.wanted);
        let item = wanted.and_then(|wanted| self.state.outbox.get_mut(wanted.key));
        let item = item.filter(|item| PIECES && item.token == Some(token));
        let Some(Work::Publish(outgoing)) = item.map(|item| &mut item.work) else {
            return Err(CommandError::PieceNotWanted);
        };
        if outgoing.supply.gone() != offset {
            return Err(CommandError::PieceNotWanted);
        }
        if piece.is_empty() || piece.len() > outgoing.supply.next_len() as usize {
            return Err(CommandError::PieceLength);
        }
        outgoing.message.payload = piece;
        if let Some(link) = &mut self.link {
            link.wanted = None;
        }
        Ok(())
    }

    /// Gives up a message that was [published in pieces](Self::publish_in_pieces), for example
    /// because its payload can no longer be read. [`Event::PublishFailed`] with
    /// [`PublishError::NotSupplied`] follows. Returns false if there is no such message.
    ///
    /// If the message is half sent, the next [`handle_timeout`](Self::handle_timeout), which
    /// [`poll_timeout`](Self::poll_timeout) requests, ends the connection with
    /// [`SessionError::NotSupplied`].
    ///
    /// If it is sent in full, the broker's answer still decides. It fails only if it would have to
    /// be sent again.
    pub fn give_up_pieces(&mut self, token: Token) -> bool {
        if !PIECES {
            return false;
        }
        let Some(key) = self.state.outbox.supplied(token) else {
            return false;
        };
        if let Some(link) = &mut self.link {
            if link.payload.is_some_and(|(under_way, _)| under_way == key) {
                let by = Duration::ZERO;
                link.wanted = Some(Wanted { key, by });
                return true;
            }
        }
        let is_sent = self.state.outbox.list(key) == Some(BEGUN);
        let item = self.state.outbox.get_mut(key);
        match item.map(|item| &mut item.work) {
            Some(Work::Publish(outgoing)) if is_sent || outgoing.released => {
                outgoing.given_up = true;
            }
            _ => self.give_up_publish(key, PublishError::NotSupplied),
        }
        true
    }

    /// Returns whether a message cannot be sent yet because its first piece is missing, and asks
    /// the application for it.
    pub(crate) fn awaits_first_piece(&mut self, key: Key, limits: &Limits) -> bool {
        let Some(outgoing) = self.outgoing(key).filter(|_| PIECES) else {
            return false;
        };
        // A message that the broker does not accept is given up without requesting a piece.
        let missing = outgoing.supply.total().is_some() && outgoing.message.payload.is_empty();
        if !missing || outgoing.refused_by(limits).is_some() {
            return false;
        }
        let wanted = self.link.as_ref().and_then(|link| link.wanted);
        if wanted.is_none_or(|wanted| wanted.key != key) {
            self.want_piece(key);
        }
        true
    }

    /// Asks for the next piece, if there is one, once the last one is with the transport.
    pub(crate) fn want_next_piece(&mut self, key: Key) -> bool {
        let item = self.state.outbox.get_mut(key).filter(|_| PIECES);
        let Some(Work::Publish(outgoing)) = item.map(|item| &mut item.work) else {
            return false;
        };
        let Some(total) = outgoing.supply.total() else {
            return false;
        };
        let piece = core::mem::take(&mut outgoing.message.payload);
        let gone = outgoing.supply.gone() + piece.len() as u32;
        outgoing.supply.set_gone(gone);
        if gone as usize == total {
            outgoing.begin_payload();
            return false;
        }
        if let Some(link) = &mut self.link {
            link.payload = Some((key, 0));
        }
        self.want_piece(key);
        true
    }

    fn want_piece(&mut self, key: Key) {
        let Some(token) = self.state.outbox.get(key).and_then(|item| item.token) else {
            return;
        };
        let supply = self.outgoing(key).map(|outgoing| outgoing.supply);
        let (Some(supply), Some(link)) = (supply, &mut self.link) else {
            return;
        };
        // Keeps an earlier deadline, set when the application gave the message up.
        let given_up = link.wanted.filter(|wanted| wanted.key == key);
        let by = later(link.now, self.config.response_timeout);
        link.wanted = given_up.or(Some(Wanted { key, by }));
        self.events.push(Event::PieceWanted {
            token,
            offset: supply.gone(),
            length: supply.next_len(),
        });
    }

    /// Returns the deadline for the application to supply a piece.
    pub(crate) fn supply_due(&self) -> Option<Duration> {
        let link = self.link.as_ref().filter(|_| PIECES)?;
        let wanted = link.wanted.filter(|_| link.phase != Phase::Over)?;
        Some(wanted.by)
    }

    /// Gives up a message whose piece was not supplied in time. If it is half sent, ends the
    /// connection.
    pub(crate) fn check_supply(&mut self, now: Duration) -> Result<(), SessionError> {
        if !is_due(self.supply_due(), now) {
            return Ok(());
        }
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        let Some(Wanted { key, .. }) = link.wanted.take() else {
            return Ok(());
        };
        let is_half_sent = link.payload.is_some_and(|(under_way, _)| under_way == key);
        if is_half_sent {
            // No message is to blame for the end.
            link.left = true;
            self.fail(SessionError::NotSupplied);
        }
        self.give_up_publish(key, PublishError::NotSupplied);
        if is_half_sent {
            return Err(SessionError::NotSupplied);
        }
        Ok(())
    }

    /// Stops waiting for a piece of this item.
    pub(crate) fn forget_wanted(&mut self, key: Key) {
        if let Some(link) = self.link.as_mut().filter(|_| PIECES) {
            link.wanted = link.wanted.filter(|wanted| wanted.key != key);
        }
    }

    fn outgoing(&self, key: Key) -> Option<&Outgoing> {
        match &self.state.outbox.get(key)?.work {
            Work::Publish(outgoing) => Some(outgoing),
            Work::Request(_) => None,
        }
    }
}
