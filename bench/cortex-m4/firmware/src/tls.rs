//! TLS alone: a handshake, a line there and back.

use crate::board::{self, Records};
#[cfg(not(feature = "mqtt"))]
use crate::configure;
use crate::said;
use alloc::boxed::Box;
use thread_mqtt_tls::{Config, Connection};

#[cfg(not(feature = "mqtt"))]
pub(crate) fn run() -> Result<(), &'static str> {
    board::phase(c"start");
    let config = configure()?;
    exchange(&config)
}

#[cfg(not(feature = "mqtt"))]
#[inline(never)]
fn exchange(config: &Config) -> Result<(), &'static str> {
    let mut records = Records::default();
    let mut piece = [0; 256];

    let mut tls = connect(config)?;
    shake_hands(&mut tls, &mut records, &mut piece)?;
    if tls.write(b"hello\n").map_err(said)? != 6 {
        return Err("not all was written");
    }
    send(&mut tls);
    while tls.plaintext().is_empty() {
        receive(&mut tls, records.receive(&mut piece))?;
    }
    // The server reverses each line.
    if tls.plaintext() != b"olleh\n" {
        return Err("the answer is another");
    }
    board::phase(c"exchange");

    tls.close();
    send(&mut tls);
    drop(tls);
    board::phase(c"close");
    Ok(())
}

pub(crate) fn shake_hands(
    tls: &mut Connection,
    records: &mut Records,
    piece: &mut [u8],
) -> Result<(), &'static str> {
    while tls.is_handshaking() {
        send(tls);
        receive(tls, records.receive(piece))?;
    }
    send(tls);
    board::phase(c"handshake");
    Ok(())
}

/// On the heap, as the whole client has it.
#[inline(never)]
pub(crate) fn connect(config: &Config) -> Result<Box<Connection>, &'static str> {
    let time = board::parameters().unix_time;
    Connection::new(config, board::SERVER, time)
        .map(Box::new)
        .map_err(said)
}

pub(crate) fn send(tls: &mut Connection) {
    board::send(tls.ciphertext());
    tls.consume_ciphertext(tls.ciphertext().len());
}

pub(crate) fn receive(tls: &mut Connection, mut piece: &[u8]) -> Result<(), &'static str> {
    while !piece.is_empty() {
        let taken = tls.handle_ciphertext(piece).map_err(said)?;
        if taken == 0 {
            return Err("more came than was expected");
        }
        piece = &piece[taken..];
    }
    Ok(())
}
