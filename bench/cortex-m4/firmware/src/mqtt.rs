//! TLS and MQTT, nothing else: subscribe, publish at QoS 1, receive, leave. No resolver, no clock, no
//! second attempt.

use crate::board::{self, Records};
use crate::tls::{connect, receive, send, shake_hands};
use crate::{TOPIC, configure, mqtt_version, said};
use alloc::boxed::Box;
use alloc::string::ToString;
use core::time::Duration;
use thread_mqtt_session::{Config, Event, Message, QoS, Session};
use thread_mqtt_tls::Connection;

/// Nothing here waits for long enough that the session would want to know.
const NOW: Duration = Duration::ZERO;
const PAYLOAD: &[u8] = b"21.5";

pub(crate) fn run() -> Result<(), &'static str> {
    board::phase(c"start");
    let config = configure()?;
    let mut records = Records::default();
    let mut tls = connect(&config)?;
    let mut piece = [0; 256];
    shake_hands(&mut tls, &mut records, &mut piece)?;
    exchange(&mut tls, &mut records, &mut piece)?;
    tls.close();
    send(&mut tls);
    drop(tls);
    board::phase(c"close");
    Ok(())
}

#[inline(never)]
fn exchange(
    tls: &mut Connection,
    records: &mut Records,
    piece: &mut [u8],
) -> Result<(), &'static str> {
    let mut session = session()?;
    session
        .subscribe(&[(TOPIC, QoS::AtLeastOnce)])
        .map_err(|_| "subscribe")?;
    session.connect(NOW);
    loop {
        while let Some(event) = session.poll_event() {
            step(&mut session, &event)?;
        }
        while !session.transmit(NOW).is_empty() {
            let taken = tls.write(session.transmit(NOW)).map_err(said)?;
            session.consume_transmit(taken);
            send(tls);
        }
        if session.is_disconnected() {
            return Ok(());
        }
        receive(tls, records.receive(piece))?;
        let taken = session
            .handle_input(tls.plaintext(), NOW)
            .map_err(|_| "the session has failed")?;
        tls.consume_plaintext(taken);
    }
}

#[inline(never)]
fn session() -> Result<Box<Session>, &'static str> {
    let config = Config {
        version: mqtt_version(),
        client_id: "cortex-m4".to_string(),
        ..Config::default()
    };
    let session = Session::new(config).map_err(|_| "the configuration is of no use")?;
    Ok(Box::new(session))
}

#[inline(never)]
fn step(session: &mut Session, event: &Event) -> Result<(), &'static str> {
    match event {
        Event::Connected { .. } => board::phase(c"connack"),
        Event::Subscribed(..) => {
            let message = Message::new(TOPIC, PAYLOAD).qos(QoS::AtLeastOnce);
            session.publish(message).map_err(|_| "publish")?;
        }
        Event::Message(message) if message.payload == PAYLOAD => {
            board::phase(c"exchange");
            session.disconnect();
        }
        Event::Message(_) => return Err("the message is another"),
        _ => {}
    }
    Ok(())
}
