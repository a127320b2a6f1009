//! A client connection over a socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use thread_mqtt_tls::{Config, Connection, TlsError};

use crate::openssl::PATIENCE;
use crate::pki::{NAME, NOW};

pub(crate) struct Wire {
    stream: TcpStream,
    pub(crate) tls: Connection,
    /// Plaintext from the server, not processed yet.
    pub(crate) read: Vec<u8>,
    /// Number of bytes passed to TLS at a time.
    chunk: usize,
    /// Modifies the first flight.
    meddle: Option<fn(&mut Vec<u8>)>,
    meter: Meter,
    /// Bytes from the socket.
    pub(crate) received: usize,
    pub(crate) eof: bool,
}

/// Finds the records in the received data.
#[derive(Default)]
struct Meter {
    header: Vec<u8>,
    to_come: usize,
    longest: usize,
}

impl Meter {
    fn see(&mut self, mut bytes: &[u8]) {
        while let [first, rest @ ..] = bytes {
            if self.to_come > 0 {
                let n = self.to_come.min(bytes.len());
                self.to_come -= n;
                bytes = &bytes[n..];
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            if let [_, _, _, high, low] = self.header[..] {
                self.header.clear();
                self.to_come = usize::from(u16::from_be_bytes([high, low]));
                self.longest = self.longest.max(self.to_come);
            }
        }
    }
}

impl Wire {
    pub(crate) fn connect(config: &Config, port: u16) -> Self {
        Self::connect_at(config, port, NOW)
    }

    /// Same as [`connect`](Self::connect), at this time.
    pub(crate) fn connect_at(config: &Config, port: u16, unix_time: u64) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            tls: Connection::new(config, NAME, unix_time).unwrap(),
            read: Vec::new(),
            chunk: usize::MAX,
            meddle: None,
            meter: Meter::default(),
            received: 0,
            eof: false,
        }
    }

    /// Passes received data to TLS in pieces of this size.
    pub(crate) fn in_chunks(mut self, chunk: usize) -> Self {
        self.chunk = chunk;
        self
    }

    /// Modifies the first flight.
    pub(crate) fn meddling(mut self, meddle: fn(&mut Vec<u8>)) -> Self {
        self.meddle = Some(meddle);
        self
    }

    /// Connects and performs the handshake.
    pub(crate) fn handshake(config: &Config, port: u16) -> Result<Self, TlsError> {
        let mut wire = Self::connect(config, port);
        wire.until("the handshake", |wire| !wire.tls.is_handshaking())?;
        Ok(wire)
    }

    /// Returns the payload length of the longest record so far.
    pub(crate) fn longest_record(&self) -> usize {
        self.meter.longest
    }

    pub(crate) fn step(&mut self) -> Result<(), TlsError> {
        self.flush();
        let mut buffer = [0; 4096];
        let n = match self.stream.read(&mut buffer) {
            Ok(n) if n > 0 => n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(());
            }
            _ => {
                self.eof = true;
                return self.tls.handle_eof();
            }
        };
        self.received += n;
        self.meter.see(&buffer[..n]);
        for mut rest in buffer[..n].chunks(self.chunk) {
            while !rest.is_empty() {
                let result = self.tls.handle_ciphertext(rest);
                let read = self.tls.plaintext().len();
                self.read.extend_from_slice(self.tls.plaintext());
                self.tls.consume_plaintext(read);
                match result {
                    Ok(taken) => rest = &rest[taken..],
                    Err(error) => {
                        self.flush();
                        return Err(error);
                    }
                }
            }
        }
        self.flush();
        Ok(())
    }

    /// Sends pending output. A server that has closed accepts nothing more, which the next read
    /// detects.
    fn flush(&mut self) {
        if let Some(meddle) = self.meddle.take() {
            let mut flight = self.tls.ciphertext().to_vec();
            self.tls.consume_ciphertext(flight.len());
            meddle(&mut flight);
            self.stream.write_all(&flight).unwrap();
        }
        while !self.tls.ciphertext().is_empty() {
            match self.stream.write(self.tls.ciphertext()) {
                Ok(n) if n > 0 => self.tls.consume_ciphertext(n),
                _ => break,
            }
        }
    }

    pub(crate) fn until(
        &mut self,
        what: &str,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), TlsError> {
        let start = Instant::now();
        while !done(self) {
            self.step()?;
            assert!(!self.eof, "the server closed the connection before: {what}");
            assert!(start.elapsed() < PATIENCE, "timed out waiting for: {what}");
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, mut data: &[u8]) -> Result<(), TlsError> {
        while !data.is_empty() {
            let n = self.tls.write(data)?;
            data = &data[n..];
            self.flush();
            if n == 0 {
                self.step()?;
            }
        }
        Ok(())
    }

    /// Sends a line to a mirror and checks the reversed answer.
    pub(crate) fn mirrored(&mut self, line: &str) -> Result<(), TlsError> {
        self.write(line.as_bytes())?;
        self.write(b"\n")?;
        self.until("the line, reversed", |wire| wire.read.ends_with(b"\n"))?;
        let reversed: String = line.chars().rev().chain(['\n']).collect();
        assert_eq!(String::from_utf8_lossy(&self.read), reversed);
        self.read.clear();
        Ok(())
    }

    /// Closes the connection gracefully.
    pub(crate) fn close(mut self) {
        self.tls.close();
        self.flush();
    }
}
