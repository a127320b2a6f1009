//! Messages that are larger than the memory for them: received and published piece by piece.

mod inbound;
mod outbound;

pub(crate) use inbound::Incoming;
pub use outbound::Pieces;
pub(crate) use outbound::{Supply, Wanted};

/// Whether this build has them.
pub(crate) const PIECES: bool = cfg!(feature = "pieces");
