//! Messages that are larger than the memory for them: received and published piece by piece.

mod inbound;

pub(crate) use inbound::Incoming;

/// Whether this build has them.
pub(crate) const PIECES: bool = cfg!(feature = "pieces");
