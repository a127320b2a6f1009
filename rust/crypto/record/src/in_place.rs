//! Application data that stays where it was decrypted.
//!
//! rustls copies the plaintext of each record out of the buffer in which it was decrypted: a record
//! of 16 kB takes 32 kB. A decrypter of an "in place" suite passes rustls only the first byte of
//! application data, and overwrites the tag with the location of all of it. The owner of the buffer
//! reads it from there ([`plaintext`]). When rustls delivers the byte, this confirms that the
//! record was genuine and was application data.
//!
//! It passes one byte rather than none, because rustls ends a connection after 32 empty records in
//! a row.

use alloc::string::String;
use core::ops::Range;

use rustls::crypto::cipher::{InboundOpaqueMessage, InboundPlainMessage};
use rustls::{ContentType, Error};

use crate::{TAG_LEN, has_room};

/// Start and end, big-endian.
const NOTE_LEN: usize = 4;
const _: () = assert!(NOTE_LEN <= TAG_LEN);

/// Returns where the plaintext is in `payload`, the part after the header of a record of
/// application data that rustls has decrypted with an in-place suite. Returns `None` if it cannot
/// be such a payload.
pub fn plaintext(payload: &[u8]) -> Option<Range<usize>> {
    let (rest, note) = payload.split_last_chunk::<NOTE_LEN>()?;
    let [a, b, c, d] = *note;
    let range = usize::from(u16::from_be_bytes([a, b]))..usize::from(u16::from_be_bytes([c, d]));
    (range.start <= range.end && range.end <= rest.len()).then_some(range)
}

/// Leaves `text`, a part of the payload before its tag, in place.
pub(crate) fn leave(
    mut msg: InboundOpaqueMessage<'_>,
    text: Range<usize>,
) -> Result<InboundPlainMessage<'_>, Error> {
    let first = text.start..text.end.min(text.start + 1);
    let note = msg.payload.last_chunk_mut::<NOTE_LEN>();
    let (Some(note), Ok(start), Ok(end)) = (note, text.start.try_into(), text.end.try_into())
    else {
        return Err(Error::PeerSentOversizedRecord);
    };
    let ([a, b], [c, d]) = (u16::to_be_bytes(start), u16::to_be_bytes(end));
    *note = [a, b, c, d];
    Ok(msg.into_plain_message_range(first))
}

/// Returns how much of `inner`, a TLSInnerPlaintext (RFC 8446, section 5.2), is application data;
/// `None` if it is something else, or too long.
pub(crate) fn application_data(inner: &[u8]) -> Option<usize> {
    const MAX_FRAGMENT_LEN: usize = 1 << 14;
    let typ = inner.iter().rposition(|byte| *byte != 0)?;
    let is_data = inner.get(typ) == Some(&u8::from(ContentType::ApplicationData));
    (is_data && typ <= MAX_FRAGMENT_LEN && inner.len() <= MAX_FRAGMENT_LEN + 1).then_some(typ)
}

/// Checks that the heap has room for what rustls allocates if `inner` begins with a ticket: a copy
/// of it, and one of the broker's certificates, which `payload` exceeds in length. The heap check
/// before decryption assumed application data.
pub(crate) fn check_room(inner: &[u8], payload: usize) -> Result<(), Error> {
    const NEW_SESSION_TICKET: u8 = 4;
    const ROOM: usize = 96 * size_of::<usize>();
    if inner.first() != Some(&NEW_SESSION_TICKET) {
        return Ok(());
    }
    match has_room(2 * payload + ROOM) {
        true => Ok(()),
        false => Err(out_of_memory()),
    }
}

/// Returns the error for a heap without room for what rustls, or a callback of rustls, allocates
/// for a message.
pub fn out_of_memory() -> Error {
    Error::General(String::new())
}

/// Returns whether `error` is [`out_of_memory`].
pub fn is_out_of_memory(error: &Error) -> bool {
    matches!(error, Error::General(text) if text.is_empty())
}
