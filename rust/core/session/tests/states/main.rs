//! Every state and transition, at explicit times.

#[path = "../common/mod.rs"]
mod common;

mod connect;
#[cfg(feature = "durable")]
mod durable;
mod end;
mod keep_alive;
#[cfg(feature = "durable")]
mod late;
mod outbox;
#[cfg(feature = "pieces")]
mod pieces;
mod poison;
mod publish;
mod receive;
mod reconnect;
mod steer;
#[cfg(feature = "durable")]
mod storage;
mod subscribe;
#[cfg(feature = "pieces")]
mod supply;
mod unanswered;

use common::{Client, at, wire};
use thread_mqtt_session::{QoS, Version};

const QOS1: QoS = QoS::AtLeastOnce;
const QOS2: QoS = QoS::ExactlyOnce;

/// Returns a client online with an MQTT 5 broker whose CONNACK has these properties.
fn online_with(set: impl FnOnce(&mut mqtt_proto::v5::ConnackProperties)) -> Client {
    let mut client = Client::lasting(Version::V5);
    client.session.connect(at(0));
    client.sent(at(0));
    client.receive(&wire::connack_v5(false, set), at(0));
    client.events();
    client
}
