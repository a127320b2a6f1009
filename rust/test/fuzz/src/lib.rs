//! Feeds arbitrary server data to the TLS client, for a fuzzer, and to compare two builds of the
//! client.
//!
//! An [`Input`] is what a server sends over two connections. The second may resume the session of
//! the first. The cryptography of [`provider`] hides nothing, so that a fuzzer reaches the code
//! behind a completed handshake. [`Outcome`] contains everything that a user of the client, or the
//! server, could observe.
//!
//! ```text
//!   seeds (a server, recorded) --> libFuzzer --> fuzz-tls --> inputs that reach new code
//!                                                                |
//!                        outcomes of one build  == ? ==  outcomes of the other
//! ```
//!
//! `tests/client-only/fuzz.py` runs it.
#![forbid(unsafe_code)]

pub mod provider;

use std::fmt;

use thread_mqtt_tls::{Config, Connection, SessionStore, Version};

/// The name in the seeds' certificates.
pub const NAME: &str = "broker.test";
/// 2026-11-23, in Unix seconds: a time at which the certificates are valid.
pub const NOW: u64 = 1_795_392_000;
/// Maximum record size accepted, and therefore of a handshake message.
const MAX_INBOUND: usize = 8_192;
const CA: &[u8] = include_bytes!("../ca.der");

/// The client's configuration: the first byte of an input, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Does not offer TLS 1.2.
    pub no_tls12: bool,
    /// Does not offer TLS 1.3. Ignored if TLS 1.2 is not offered either.
    pub no_tls13: bool,
    /// Reads application data where it was decrypted.
    pub in_place: bool,
    /// The client has a certificate.
    pub identity: bool,
    /// Passes input to the client in small pieces.
    pub pieces: bool,
    /// Offers the protocol `mqtt` (RFC 7301).
    pub alpn: bool,
    /// Requires the extended master secret (RFC 7627).
    pub extended_master_secret: bool,
}

impl Options {
    /// Returns the options as the first byte of an input.
    pub fn to_byte(self) -> u8 {
        let bits = [
            self.no_tls12,
            self.no_tls13,
            self.in_place,
            self.identity,
            self.pieces,
            self.alpn,
            self.extended_master_secret,
        ];
        bits.iter()
            .rev()
            .fold(0, |byte, bit| byte << 1 | u8::from(*bit))
    }

    fn of_byte(byte: u8) -> Self {
        let bit = |n: u8| byte >> n & 1 == 1;
        Self {
            no_tls12: bit(0),
            no_tls13: bit(1),
            in_place: bit(2),
            identity: bit(3),
            pieces: bit(4),
            alpn: bit(5),
            extended_master_secret: bit(6),
        }
    }

    /// Returns the client's configuration, which trusts this CA.
    pub fn config(self, ca: &[u8]) -> Config {
        let versions = match self {
            Self { no_tls12: true, .. } => &[Version::Tls13][..],
            Self { no_tls13: true, .. } => &[Version::Tls12],
            _ => Version::ALL,
        };
        let mut builder = Config::builder(provider::provider())
            .ca(ca)
            .expect("a certificate of a CA")
            .versions(versions)
            .sessions(&SessionStore::new(2, 2))
            .max_inbound(MAX_INBOUND);
        if self.in_place {
            builder = builder.in_place(provider::in_place);
        }
        if self.identity {
            // Any certificate works, because it is not verified.
            let key = std::sync::Arc::new(provider::Scheme(
                rustls::SignatureScheme::ECDSA_NISTP256_SHA256,
            ));
            builder = builder.client_signer(ca, key).expect("a certificate");
        }
        if self.alpn {
            builder = builder.alpn(&[b"mqtt"]);
        }
        if self.extended_master_secret {
            builder = builder.require_extended_master_secret();
        }
        builder.build().expect("a configuration that can work")
    }
}

/// The data that a server sends over two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input<'a> {
    /// The client's configuration.
    pub options: Options,
    /// The data on the first and on the second connection.
    pub sent: [&'a [u8]; 2],
}

impl<'a> Input<'a> {
    /// Parses a byte of options, the length of the first part (two bytes, big-endian) and both
    /// parts. Missing parts are empty.
    pub fn read(bytes: &'a [u8]) -> Self {
        let (options, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let (len, rest) = rest.split_first_chunk().unwrap_or((&[0; 2], &[]));
        let len = usize::from(u16::from_be_bytes(*len));
        let (first, second) = rest.split_at(len.min(rest.len()));
        Self {
            options: Options::of_byte(*options),
            sent: [first, second],
        }
    }

    /// Returns the input as bytes. The first part may have at most 65,535 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let [first, second] = self.sent;
        let len = u16::try_from(first.len()).expect("a first part of 65,535 bytes at most");
        [
            &[self.options.to_byte()],
            &len.to_be_bytes()[..],
            first,
            second,
        ]
        .concat()
    }

    /// Runs the input and returns the outcome.
    pub fn outcome(&self) -> Outcome {
        let config = self.options.config(CA);
        Outcome(self.sent.map(|sent| self.connection(&config, sent)))
    }

    fn connection(&self, config: &Config, sent: &[u8]) -> End {
        let mut tls = Connection::new(config, NAME, NOW).expect("a connection");
        let first_flight = tls.ciphertext().len();
        tls.consume_ciphertext(first_flight);
        let mut end = End::default();
        let size = if self.options.pieces { 7 } else { usize::MAX };
        for piece in sent.chunks(size) {
            end.feed(&mut tls, piece);
        }
        let finished = tls.handle_eof();
        end.error = end.error.or(finished.err().map(|error| error.to_string()));
        tls.close();
        end.drain(&mut tls);
        end.agreed = tls.agreed().map(|agreed| format!("{agreed:?}"));
        end.issued = tls.issued();
        end.certificates = tls.peer_certificates().len();
        end
    }
}

/// What a user of the client and the server observed, for each connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome(pub [End; 2]);

/// What was observed on one connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Version, suite and more of a completed handshake.
    pub agreed: Option<String>,
    /// The application data received.
    pub read: Vec<u8>,
    /// Why it failed.
    pub error: Option<String>,
    /// Number of peer certificates available.
    pub certificates: usize,
    /// The time proven by the verified path.
    pub issued: Option<u64>,
    /// The records that the client sent after its first flight, without headers: their type and
    /// content, but only the type of a second ClientHello.
    pub sent: Vec<(u8, Vec<u8>)>,
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

impl End {
    fn feed(&mut self, tls: &mut Connection, mut bytes: &[u8]) {
        while self.error.is_none() && !bytes.is_empty() {
            match tls.handle_ciphertext(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) => self.error = Some(format!("{error}; {}", error.cure())),
            }
            self.read.extend_from_slice(tls.plaintext());
            tls.consume_plaintext(tls.plaintext().len());
            let sizes = tls.buffer_sizes();
            assert!(sizes.inbound <= MAX_INBOUND, "{sizes:?}");
            self.drain(tls);
        }
    }

    /// Takes the client's pending output, in whole records.
    fn drain(&mut self, tls: &mut Connection) {
        let mut rest = tls.ciphertext();
        while let [kind, _, _, high, low, following @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let (body, following) = following.split_at(len);
            let is_hello = *kind == HANDSHAKE && body.first() == Some(&CLIENT_HELLO);
            let body = if is_hello { &[] } else { body };
            self.sent.push((*kind, body.to_vec()));
            rest = following;
        }
        assert!(rest.is_empty(), "half a record: {rest:02X?}");
        tls.consume_ciphertext(tls.ciphertext().len());
    }
}

impl fmt::Display for Outcome {
    /// Formats one line, to compare two builds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = &self.0;
        write!(f, "{first} || {second}")
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            agreed,
            read,
            error,
            certificates,
            issued,
            sent,
        } = self;
        write!(
            f,
            "{} | read {} | {certificates} certificates, issued {issued:?} | sent",
            agreed.as_deref().unwrap_or("nothing agreed"),
            read.escape_ascii(),
        )?;
        for (kind, body) in sent {
            write!(f, " {kind}:")?;
            body.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        write!(f, " | {}", error.as_deref().unwrap_or("no error"))
    }
}
