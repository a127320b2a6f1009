//! The two buffers of a connection. Both start empty, grow as far as needed within their limits,
//! and free their memory when they become empty.

use alloc::vec::Vec;

use rustls::client::ClientConnectionData;
use rustls::unbuffered::{EncodeError, EncodeTlsData, EncryptError, WriteTraffic};
use thread_mqtt_crypto_record::{has_room, in_place};

use crate::config::{Limits, MAX_RECORD};
use crate::error::{Greeting, TlsError};

/// Content type, version, length (RFC 8446 section 5.1).
const HEADER: usize = 5;

/// Input from the peer: the record being received, after any records with the beginning of a
/// handshake message that it continues.
///
/// A record of application data is always alone in the buffer, and its ciphertext is not needed
/// once it is decrypted. So the plaintext reuses its memory. No ciphertext is taken until the
/// plaintext is read.
#[derive(Debug)]
pub(crate) struct Inbound {
    bytes: Vec<u8>,
    /// Header of the record being received; also in `bytes` once there is room for the whole
    /// record.
    header: [u8; HEADER],
    header_len: usize,
    content: Content,
    limit: usize,
    greeted: bool,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    /// Whole records; the record being received starts at `record`.
    Ciphertext { record: usize },
    /// Plaintext, of which `read` bytes were read.
    Plaintext { read: usize },
}

/// Larger than the records of most handshakes.
const LARGE: usize = 4096;
/// A full record in TLS 1.3 (RFC 8446 section 5.2).
const FULL: usize = HEADER + 16_384 + 256;

/// Returns how many bytes to reserve for a record, within `limit`: whole KiB for a large one, so
/// that a slightly longer next one fits in the same place. A heap that is not much larger has no
/// second place.
fn room_for(record: usize, limit: usize) -> usize {
    match record {
        LARGE..FULL => record.next_multiple_of(1024).min(FULL).min(limit),
        _ => record,
    }
}

impl Inbound {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            bytes: Vec::new(),
            header: [0; HEADER],
            header_len: 0,
            content: Content::Ciphertext { record: 0 },
            limit: limits.inbound,
            greeted: false,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes bytes up to the end of the record being received. Returns how many, and whether the
    /// record is complete (or hopeless: its header alone is enough for rustls to report the fault).
    /// Without room for the record nothing is taken, and the call can be repeated.
    pub(crate) fn receive(&mut self, data: &[u8]) -> Result<(usize, bool), TlsError> {
        let Content::Ciphertext { record } = self.content else {
            return Ok((0, false));
        };
        // The header separately: it says how much to reserve for the record, in one piece, and
        // once.
        let begun = self.header_len;
        let (header, rest) = data.split_at(data.len().min(HEADER - begun));
        for (to, from) in self.header.iter_mut().skip(begun).zip(header) {
            *to = *from;
        }
        self.header_len += header.len();
        if self.header_len < HEADER {
            return Ok((header.len(), false));
        }
        self.check_greeting()?;
        let need = self.record_len();
        if self.bytes.len() == record {
            self.check_size(record, need)?;
            let room = room_for(need, self.limit - record);
            if self.bytes.try_reserve_exact(room).is_err() {
                self.header_len = begun;
                return Err(TlsError::OutOfMemory { wanted: need });
            }
            self.bytes.extend_from_slice(&self.header);
        }
        let missing = (record + need).saturating_sub(self.bytes.len());
        let chunk = rest.get(..missing).unwrap_or(rest);
        self.bytes.extend_from_slice(chunk);
        Ok((header.len() + chunk.len(), chunk.len() == missing))
    }

    /// Checks that the first bytes of a connection are a TLS record.
    fn check_greeting(&mut self) -> Result<(), TlsError> {
        if self.greeted {
            return Ok(());
        }
        self.greeted = true;
        match Greeting::of(&self.header) {
            Some(greeting) => Err(TlsError::NotTls(greeting)),
            None => Ok(()),
        }
    }

    /// Returns the length by its header, or just the header's if rustls refuses that.
    fn record_len(&self) -> usize {
        let [kind, major, _, high, low] = self.header;
        let len = HEADER + usize::from(u16::from_be_bytes([high, low]));
        match matches!(kind, 20..=24) && major == 3 && len < MAX_RECORD {
            true => len,
            false => HEADER,
        }
    }

    fn check_size(&self, record: usize, need: usize) -> Result<(), TlsError> {
        if record + need <= self.limit {
            Ok(())
        } else if record == 0 {
            Err(TlsError::RecordTooLarge {
                size: need,
                limit: self.limit,
            })
        } else {
            Err(TlsError::HandshakeTooLarge { limit: self.limit })
        }
    }

    /// Returns why the peer hung up before the handshake was done.
    pub(crate) fn closed_in_handshake(&self) -> TlsError {
        let begun = self.header.get(..self.header_len).unwrap_or_default();
        match Greeting::of(begun) {
            Some(greeting) if !self.greeted => TlsError::NotTls(greeting),
            _ => TlsError::ClosedInHandshake {
                answered: self.greeted,
            },
        }
    }

    /// Returns whether the record is a close_notify in the clear. One marked fatal is an error to
    /// rustls.
    pub(crate) fn is_close_notify(&self) -> bool {
        const ALERT: u8 = 21;
        const WARNING: u8 = 1;
        let Content::Ciphertext { record } = self.content else {
            return false;
        };
        matches!(
            self.bytes.get(record..),
            Some([ALERT, _, _, 0, 2, WARNING, 0])
        )
    }

    /// Returns whether the buffer holds exactly one record, which may be application data.
    pub(crate) fn may_be_data(&self) -> bool {
        const APPLICATION_DATA: u8 = 23;
        matches!(self.content, Content::Ciphertext { record: 0 })
            && self.bytes.first() == Some(&APPLICATION_DATA)
    }

    /// Returns the bytes for rustls to process.
    pub(crate) fn ciphertext_mut(&mut self) -> &mut [u8] {
        match self.content {
            Content::Ciphertext { .. } => &mut self.bytes,
            Content::Plaintext { .. } => &mut [],
        }
    }

    /// Drops the first `n` bytes, which rustls has processed.
    pub(crate) fn discard(&mut self, n: usize) {
        let Content::Ciphertext { record } = &mut self.content else {
            return;
        };
        *record = record.saturating_sub(n);
        self.bytes.drain(..n.min(self.bytes.len()));
    }

    /// Moves on after a record was processed. What remains belongs to an unfinished message.
    pub(crate) fn next_record(&mut self) {
        self.header_len = 0;
        if let Content::Ciphertext { record } = &mut self.content {
            *record = self.bytes.len();
            if self.bytes.is_empty() {
                self.bytes = Vec::new();
            }
        }
    }

    /// Makes the record's application data readable, which was decrypted in place.
    pub(crate) fn reveal_plaintext(&mut self) {
        let payload = self.bytes.get(HEADER..).unwrap_or_default();
        let text = in_place::plaintext(payload).unwrap_or_default();
        self.bytes.truncate(HEADER + text.end);
        self.content = Content::Plaintext {
            read: HEADER + text.start,
        };
        // rustls does not report empty plaintext, but without this no more ciphertext would be
        // taken.
        self.consume_plaintext(0);
    }

    /// Adds plaintext in place of its ciphertext.
    pub(crate) fn put_plaintext(&mut self, plaintext: &[u8]) {
        if let Content::Ciphertext { .. } = self.content {
            self.bytes.clear();
            self.content = Content::Plaintext { read: 0 };
        }
        self.bytes.reserve_exact(plaintext.len());
        self.bytes.extend_from_slice(plaintext);
    }

    pub(crate) fn plaintext(&self) -> &[u8] {
        match self.content {
            Content::Ciphertext { .. } => &[],
            Content::Plaintext { read } => self.bytes.get(read..).unwrap_or_default(),
        }
    }

    pub(crate) fn consume_plaintext(&mut self, n: usize) {
        if let Content::Plaintext { read } = &mut self.content {
            *read = read.saturating_add(n);
            if *read >= self.bytes.len() {
                self.bytes = Vec::new();
                self.content = Content::Ciphertext { record: 0 };
            }
        }
    }
}

/// Output for the peer: records ready to be sent.
#[derive(Debug)]
pub(crate) struct Outbound {
    bytes: Vec<u8>,
    sent: usize,
    limit: usize,
    fragment: usize,
}

/// What a client sends before its flight in TLS 1.3 (RFC 8446 appendix D.4).
const CHANGE_CIPHER_SPEC: &[u8] = &[0x14, 3, 3, 0, 1, 1];

impl Outbound {
    /// Maximum overhead of an application data record: header, the explicit nonce of TLS 1.2, tag.
    const OVERHEAD: usize = HEADER + 8 + 16;

    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            bytes: Vec::new(),
            sent: 0,
            limit: limits.outbound,
            fragment: limits.fragment,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn pending(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.sent = self.sent.saturating_add(n);
        if self.sent >= self.bytes.len() {
            self.sent = 0;
            self.bytes = Vec::new();
        }
    }

    /// Drops a ChangeCipherSpec that is alone: it has no meaning without the flight after it.
    pub(crate) fn drop_change_cipher_spec(&mut self) {
        if self.pending() == CHANGE_CIPHER_SPEC {
            self.consume(CHANGE_CIPHER_SPEC.len());
        }
    }

    /// Encodes a message of rustls. It always fits: its size follows from the configuration.
    pub(crate) fn encode(&mut self, message: &mut EncodeTlsData<'_, ClientConnectionData>) {
        // Encoding fails only for lack of space.
        let _ = self.append(0, &mut |space| match message.encode(space) {
            Ok(n) => Ok(n),
            Err(EncodeError::InsufficientSize(e)) => Err(Full::Needs(e.required_size)),
            Err(EncodeError::AlreadyEncoded) => Err(Full::Never),
        });
    }

    /// Encrypts as much of `data` as there is room for, here and on the heap. Returns how much. An
    /// error means that the keys are exhausted.
    pub(crate) fn encrypt(
        &mut self,
        traffic: &mut WriteTraffic<'_, ClientConnectionData>,
        data: &[u8],
    ) -> Result<usize, TlsError> {
        let mut taken = 0;
        while let Some(rest) = data.get(taken..).filter(|rest| !rest.is_empty()) {
            let room = self
                .limit
                .saturating_sub(self.pending().len() + Self::OVERHEAD);
            let whole = rest.len().min(self.fragment);
            let n = match whole {
                whole if whole <= room => whole,
                // Send partial records only if nothing else would ever fit.
                _ if self.pending().is_empty() => room,
                _ => break,
            };
            let chunk = rest.get(..n).unwrap_or(rest);
            // rustls builds each record in a separate allocation first.
            if !self.reserve(n + Self::OVERHEAD) || !has_room(n + Self::OVERHEAD) {
                self.consume(0);
                break;
            }
            self.append(n + Self::OVERHEAD, &mut |space| {
                encrypted(traffic.encrypt(chunk, space))
            })
            .map_err(|_| TlsError::KeysExhausted)?;
            taken += n;
        }
        Ok(taken)
    }

    pub(crate) fn close_notify(&mut self, traffic: &mut WriteTraffic<'_, ClientConnectionData>) {
        let _ = self.append(Self::OVERHEAD + 2, &mut |space| {
            encrypted(traffic.queue_close_notify(space))
        });
    }

    /// Returns whether there is, or the heap has, room for another `size` bytes.
    fn reserve(&mut self, size: usize) -> bool {
        self.bytes.drain(..self.sent);
        self.sent = 0;
        self.bytes.try_reserve_exact(size).is_ok()
    }

    /// Lets `fill` write into `size` bytes at the end, or into more if it asks for that.
    fn append(
        &mut self,
        mut size: usize,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<usize, Full>,
    ) -> Result<(), Full> {
        self.bytes.drain(..self.sent);
        self.sent = 0;
        let end = self.bytes.len();
        loop {
            self.bytes.reserve_exact(size);
            self.bytes.resize(end + size, 0);
            let result = fill(self.bytes.get_mut(end..).unwrap_or_default());
            let written = *result.as_ref().unwrap_or(&0);
            self.bytes.truncate(end + written);
            match result {
                Err(Full::Needs(more)) if more > size => size = more,
                result => return result.map(|_| ()),
            }
        }
    }
}

/// Why nothing was written.
enum Full {
    Needs(usize),
    Never,
}

fn encrypted(result: Result<usize, EncryptError>) -> Result<usize, Full> {
    result.map_err(|error| match error {
        EncryptError::InsufficientSize(e) => Full::Needs(e.required_size),
        EncryptError::EncryptExhausted => Full::Never,
    })
}
