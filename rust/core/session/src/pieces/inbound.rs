//! A message that arrives in pieces.
//!
//! Its packet identifier is recorded, and its acknowledgement becomes due, with the last piece. If
//! the connection is lost before, the message has not arrived as far as the session is concerned,
//! and the broker sends it again.

use alloc::vec::Vec;

use crate::config::QoS;
use crate::error::SessionError;
use crate::event::{CutReason, Event, Owed};
use crate::input::resolve_alias;
use crate::packet::Publish;
use crate::pieces::PIECES;
use crate::reason::ReasonCode;
use crate::session::Session;

/// A message in progress.
#[derive(Debug)]
pub(crate) struct Incoming {
    qos: QoS,
    packet_id: u16,
    dup: bool,
    total: u32,
    /// Bytes of the payload delivered as events.
    received: u32,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Pieces are delivered to the application.
    Told,
    /// It has arrived before (QoS 2): its bytes are discarded.
    Repeated,
    /// The heap had no room: the rest is discarded.
    Lost,
}

impl Session {
    /// Handles the start of a message: topic and properties are complete.
    pub(crate) fn begin_pieces(
        &mut self,
        publish: Publish,
        total: u32,
    ) -> Result<(), SessionError> {
        let Publish {
            dup,
            packet_id,
            topic_alias,
            mut message,
        } = publish;
        let is_left = self.leaves(message.qos);
        let Some(link) = self.link.as_mut().filter(|_| PIECES) else {
            return Ok(());
        };
        link.proven = true;
        if let Some(alias) = topic_alias {
            let maximum = self.config.topic_alias_maximum;
            resolve_alias(&mut link.aliases, alias, maximum, &mut message.topic)?;
        }
        let qos = message.qos;
        if is_left {
            return Ok(());
        }
        let repeated = qos == QoS::ExactlyOnce && !self.state.is_new(packet_id, dup)?;
        link.incoming = Some(Incoming {
            qos,
            packet_id,
            dup,
            total,
            received: 0,
            fate: if repeated { Fate::Repeated } else { Fate::Told },
        });
        if !repeated {
            self.events.push(Event::MessageBegins { message, total });
        }
        Ok(())
    }

    /// Handles the next bytes of its payload.
    pub(crate) fn handle_piece(&mut self, bytes: &[u8], is_last: bool) -> Result<(), SessionError> {
        let incoming = self.link.as_mut().and_then(|link| link.incoming.as_mut());
        let Some(incoming) = incoming.filter(|_| PIECES) else {
            return Ok(());
        };
        let mut piece = None;
        if incoming.fate == Fate::Told {
            let mut payload = Vec::new();
            if self.events.reserve() && payload.try_reserve_exact(bytes.len()).is_ok() {
                payload.extend_from_slice(bytes);
                piece = Some(Event::Piece {
                    offset: incoming.received,
                    total: incoming.total,
                    payload,
                });
                incoming.received += bytes.len() as u32;
            } else {
                incoming.fate = Fate::Lost;
            }
        }
        if is_last {
            self.end_pieces(piece)?;
        } else if let Some(piece) = piece {
            self.events.push(piece);
        }
        Ok(())
    }

    /// Handles the last byte: the message has arrived, for the first time or again.
    fn end_pieces(&mut self, last: Option<Event>) -> Result<(), SessionError> {
        let incoming = self.link.as_mut().and_then(|link| link.incoming.take());
        let Some(incoming) = incoming else {
            return Ok(());
        };
        let Incoming { qos, packet_id, .. } = incoming;
        if incoming.fate == Fate::Repeated {
            self.answer_again(packet_id);
            return Ok(());
        }
        let (event, reason) = match last {
            Some(piece) => (piece, ReasonCode::SUCCESS),
            None if !self.events.reserve() => {
                let size = incoming.total;
                return Err(SessionError::OutOfMemory { size });
            }
            None => (incoming.cut(CutReason::OutOfMemory), self.not_taken()),
        };
        let owed = Owed {
            connection: self.connection,
            qos,
            packet_id,
            reason,
        };
        self.deliver(event, owed, incoming.dup)
    }

    /// Ends the message in progress, because the connection ends.
    pub(crate) fn cut_pieces(&mut self) {
        let incoming = self.link.as_mut().and_then(|link| link.incoming.take());
        if let Some(incoming) = incoming.filter(|one| PIECES && one.fate != Fate::Repeated) {
            self.events.push(incoming.cut(CutReason::ConnectionLost));
        }
    }
}

impl Incoming {
    fn cut(&self, reason: CutReason) -> Event {
        Event::MessageCut {
            received: self.received,
            reason,
        }
    }
}
