//! Messages larger than the memory available for them, received and published in pieces.

mod inbound;
mod outbound;

pub(crate) use inbound::Incoming;
pub use outbound::Pieces;
pub(crate) use outbound::{Supply, Wanted};

/// Whether this build supports messages in pieces.
pub(crate) const PIECES: bool = cfg!(feature = "pieces");
