//! Mosquitto behind the front, driven by Debian's mosquitto clients.
mod common;
use common::{Mosquitto, TempFile, stdout};
use std::net::TcpStream;
use thread_mqtt_test_support::closed::ClosedPort;
use thread_mqtt_testkit::broker::{Broker, Config};
use thread_mqtt_testkit::fixed::Fixed;
use thread_mqtt_testkit::front::Front;
use thread_mqtt_testkit::tls::Tls;

#[test]
fn both_versions_and_every_qos_through_the_front() {
    let ca = TempFile::new("broker-ca.pem", Fixed::Rsa2048.root_pem());
    let broker = Broker::start(&Config::default()).unwrap();
    let front = Front::start(
        &Tls::tls12_ecdhe_rsa(Fixed::Rsa2048.server()),
        broker.address(),
    )
    .unwrap();
    for version in ["mqttv311", "mqttv5"] {
        let client = Mosquitto::new(front.address(), Some(ca.path()), version);
        for qos in 0..=2 {
            // Retained, because the subscriber may come late.
            let topic = format!("{version}/{qos}");
            stdout(client.publish(&topic, qos, "21.5", &["-r"]));
            let subscriber = client.subscribe(&topic, qos, 1);
            let got = stdout(subscriber.wait_with_output().unwrap());
            assert_eq!(got, format!("{topic} 21.5\n"));
        }
    }
    assert_eq!(front.log().handshakes.len(), 12);
}

#[test]
fn credentials_are_checked() {
    let broker = Broker::start(&Config {
        credentials: Some(("frog".into(), "pond".into())),
        ..Config::default()
    })
    .unwrap();
    let client = |options: &[&str]| Mosquitto {
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        ..Mosquitto::new(broker.address(), None, "mqttv311")
    };
    stdout(client(&["-u", "frog", "-P", "pond"]).publish("t", 1, "x", &[]));
    for wrong in [&[][..], &["-u", "frog", "-P", "lake"][..]] {
        let refused = client(wrong).publish("t", 1, "x", &[]);
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("refused"));
    }
}

#[test]
fn a_packet_above_the_limit_is_not_taken() {
    let broker = Broker::start(&Config {
        max_packet_size: Some(1024),
        ..Config::default()
    })
    .unwrap();
    // 3.1.1 cannot announce the limit: mosquitto sends the packet and loses the connection.
    let client = Mosquitto::new(broker.address(), None, "mqttv311");
    stdout(client.publish("t", 1, &"x".repeat(900), &[]));
    let refused = client.publish("t", 1, &"x".repeat(1100), &[]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("connection was lost"), "{words}");
}

/// Tried a few times: a concurrent program may get the port immediately.
#[test]
fn dropping_the_broker_closes_its_port() {
    let closes = |_| {
        let broker = Broker::start(&Config::default()).unwrap();
        let address = broker.address();
        TcpStream::connect(address).unwrap();
        drop(broker);
        ClosedPort::keep(address.port()).is_ok() && TcpStream::connect(address).is_err()
    };
    assert!((0..3).any(closes));
}
