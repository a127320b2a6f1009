//! The in-world broker: with a client in memory, byte by byte, and with real clients behind a
//! socket.
mod common;
use common::{Mosquitto, TempFile, client_config_with, stdout};
use mqtt_proto::{Pid, QoS, QosPid, TopicFilter, TopicName, v3, v5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;
use thread_mqtt_testkit::fixed::{Fixed, UNIX_TIME};
use thread_mqtt_testkit::peer::host::HostPeer;
use thread_mqtt_testkit::peer::{Config, Ending, Fault, Server, Stream};
use thread_mqtt_testkit::random::{Seeded, SeededRandom};
use thread_mqtt_testkit::tls::{Tls, Version};

const NOW: Duration = Duration::from_secs(1);

/// A client and the server's stream, connected without a network.
struct Pair {
    tls: Option<ClientConnection>,
    random: Seeded,
    stream: Stream,
    /// Everything that was exchanged, in order.
    transcript: Vec<u8>,
    ended: Option<Ending>,
}

impl Pair {
    fn plain(server: &Server) -> Self {
        Self {
            tls: None,
            random: Seeded::new(1, 1),
            stream: server.accept(NOW).unwrap(),
            transcript: Vec::new(),
            ended: None,
        }
    }

    fn tls(server: &Server, config: &Arc<ClientConfig>, seed: u64) -> Self {
        let name = ServerName::try_from("broker.example.com").unwrap();
        let mut pair = Self::plain(server);
        pair.random = Seeded::new(seed, 1);
        let config = config.clone();
        pair.tls = Some(
            pair.random
                .scope(|| ClientConnection::new(config, name).unwrap()),
        );
        pair
    }

    /// Sends plaintext and moves data until both sides are idle. Returns the plaintext that came
    /// back.
    fn exchange(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        let mut outgoing = plaintext.to_vec();
        loop {
            let to_server = self.encrypt(&std::mem::take(&mut outgoing));
            self.transcript.extend_from_slice(&to_server);
            // One byte at a time, which must make no difference.
            for byte in &to_server {
                self.stream.receive(&[*byte], NOW);
            }
            let to_client = self.stream.transmit();
            self.transcript.extend_from_slice(&to_client);
            if to_client.is_empty() && to_server.is_empty() {
                if self.stream.ending() != Ending::Open {
                    self.ended = Some(self.stream.ending());
                }
                return answer;
            }
            answer.extend(self.decrypt(&to_client));
        }
    }

    fn encrypt(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let Some(tls) = &mut self.tls else {
            return plaintext.to_vec();
        };
        let mut bytes = Vec::new();
        self.random.scope(|| {
            tls.writer().write_all(plaintext).unwrap();
            while tls.wants_write() {
                tls.write_tls(&mut bytes).unwrap();
            }
        });
        bytes
    }

    fn decrypt(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let Some(tls) = &mut self.tls else {
            return bytes.to_vec();
        };
        let mut plaintext = Vec::new();
        self.random.scope(|| {
            while !bytes.is_empty() {
                tls.read_tls(&mut bytes).unwrap();
                tls.process_new_packets().unwrap();
            }
            tls.reader().read_to_end(&mut plaintext).ok();
        });
        plaintext
    }

    fn exchange_v3(&mut self, packets: &[v3::Packet]) -> Vec<v3::Packet> {
        let bytes: Vec<u8> = packets
            .iter()
            .flat_map(|p| p.encode().unwrap().as_ref().to_vec())
            .collect();
        let mut answer = &self.exchange(&bytes)[..];
        let mut decoded = Vec::new();
        while let Some(packet) = v3::Packet::decode(answer).unwrap() {
            answer = &answer[packet.encode_len().unwrap()..];
            decoded.push(packet);
        }
        assert!(answer.is_empty());
        decoded
    }

    fn exchange_v5(&mut self, packets: &[v5::Packet]) -> Vec<v5::Packet> {
        let bytes: Vec<u8> = packets
            .iter()
            .flat_map(|p| p.encode().unwrap().as_ref().to_vec())
            .collect();
        let mut answer = &self.exchange(&bytes)[..];
        let mut decoded = Vec::new();
        while let Some(packet) = v5::Packet::decode(answer).unwrap() {
            answer = &answer[packet.encode_len().unwrap()..];
            decoded.push(packet);
        }
        assert!(answer.is_empty());
        decoded
    }
}

fn soft_client(fixed: Fixed) -> Arc<ClientConfig> {
    let root = CertificateDer::from_pem_slice(fixed.root_pem().as_bytes()).unwrap();
    client_config_with(
        thread_mqtt_soft_provider::provider::<SeededRandom>(),
        &root,
        None,
    )
}

fn server(tls: Option<Tls>) -> Server {
    Server::new(Config::new(tls), 1, UNIX_TIME).unwrap()
}

fn pid(id: u16) -> Pid {
    Pid::try_from(id).unwrap()
}

fn connect_v3(clean: bool) -> v3::Packet {
    let mut connect = v3::Connect::new("frog".into(), 60);
    connect.clean_session = clean;
    connect.into()
}

fn publish_v3(qos_pid: QosPid, topic: &str) -> v3::Publish {
    v3::Publish::new(
        qos_pid,
        TopicName::try_from(topic).unwrap(),
        b"21.5".to_vec().into(),
    )
}

fn subscribe_v3(filter: &str, qos: QoS) -> v3::Packet {
    v3::Subscribe::new(pid(9), vec![(TopicFilter::try_from(filter).unwrap(), qos)]).into()
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_both_versions_and_with_both_keys() {
    for (fixed, version) in [
        (Fixed::Rsa2048, Version::Tls12),
        (Fixed::Rsa2048, Version::Tls13),
        (Fixed::P256, Version::Tls12),
        (Fixed::P256, Version::Tls13),
    ] {
        let run = |seed| {
            let tls = Tls {
                versions: vec![version],
                ..Tls::new(fixed.server())
            };
            let server = Server::new(Config::new(Some(tls)), seed, UNIX_TIME).unwrap();
            let client = soft_client(fixed);
            let mut transcript = Vec::new();
            for _ in 0..2 {
                let mut pair = Pair::tls(&server, &client, 7);
                let answer = pair.exchange_v3(&[connect_v3(true)]);
                assert!(matches!(answer[..], [v3::Packet::Connack(_)]));
                transcript.append(&mut pair.transcript);
            }
            let resumed: Vec<_> = server
                .log()
                .handshakes
                .iter()
                .map(|one| one.resumed)
                .collect();
            assert_eq!(resumed, [false, true], "{fixed:?} {version:?}");
            transcript
        };
        assert_eq!(run(1), run(1), "{fixed:?} {version:?}");
        assert_ne!(run(1), run(2), "{fixed:?} {version:?}");
    }
}

#[test]
fn the_seeds_suite_is_agreed_and_the_name_is_asked_for() {
    let server = server(Some(Tls::tls12_ecdhe_rsa(Fixed::Rsa2048.server())));
    Pair::tls(&server, &soft_client(Fixed::Rsa2048), 1).exchange_v3(&[connect_v3(true)]);
    let log = server.log();
    assert_eq!(log.handshakes[0].version, Some(ProtocolVersion::TLSv1_2));
    assert_eq!(
        log.handshakes[0].server_name.as_deref(),
        Some("broker.example.com")
    );
    assert_eq!(log.connects[0].client_id, "frog");
}

#[test]
fn every_qos_both_ways_in_3_1_1() {
    let server = server(None);
    let mut pair = Pair::plain(&server);
    pair.exchange_v3(&[connect_v3(true)]);
    let suback = pair.exchange_v3(&[subscribe_v3("home/+/temp", QoS::Level2)]);
    assert_eq!(
        suback,
        [v3::Suback::new(pid(9), vec![v3::SubscribeReturnCode::MaxLevel2]).into()]
    );
    let topic = "home/kitchen/temp";

    let echoed = pair.exchange_v3(&[publish_v3(QosPid::Level0, topic).into()]);
    assert_eq!(echoed, [publish_v3(QosPid::Level0, topic).into()]);

    let echoed = pair.exchange_v3(&[publish_v3(QosPid::Level1(pid(3)), topic).into()]);
    assert_eq!(
        echoed,
        [
            v3::Packet::Puback(pid(3)),
            publish_v3(QosPid::Level1(pid(1)), topic).into(),
        ]
    );
    assert_eq!(pair.exchange_v3(&[v3::Packet::Puback(pid(1))]), []);

    let echoed = pair.exchange_v3(&[publish_v3(QosPid::Level2(pid(4)), topic).into()]);
    assert_eq!(
        echoed,
        [
            v3::Packet::Pubrec(pid(4)),
            publish_v3(QosPid::Level2(pid(2)), topic).into(),
        ]
    );
    // The same message again, before it is released: acknowledged, not passed on.
    let again = pair.exchange_v3(&[publish_v3(QosPid::Level2(pid(4)), topic).into()]);
    assert_eq!(again, [v3::Packet::Pubrec(pid(4))]);
    assert_eq!(
        pair.exchange_v3(&[v3::Packet::Pubrel(pid(4)), v3::Packet::Pubrec(pid(2))]),
        [v3::Packet::Pubcomp(pid(4)), v3::Packet::Pubrel(pid(2))]
    );
    assert_eq!(pair.exchange_v3(&[v3::Packet::Pubcomp(pid(2))]), []);

    // On another topic, or after unsubscribing, nothing comes back.
    assert_eq!(
        pair.exchange_v3(&[publish_v3(QosPid::Level0, "home/x/y/temp").into()]),
        []
    );
    let filters = vec![TopicFilter::try_from("home/+/temp").unwrap()];
    assert_eq!(
        pair.exchange_v3(&[v3::Unsubscribe::new(pid(8), filters).into()]),
        [v3::Packet::Unsuback(pid(8))]
    );
    assert_eq!(
        pair.exchange_v3(&[publish_v3(QosPid::Level0, topic).into()]),
        []
    );
    assert_eq!(
        pair.exchange_v3(&[v3::Packet::Pingreq]),
        [v3::Packet::Pingresp]
    );

    assert_eq!(pair.exchange_v3(&[v3::Packet::Disconnect]), []);
    assert_eq!(pair.ended, Some(Ending::Finish));
    let log = server.log();
    assert_eq!((log.published.len(), log.duplicates), (5, 1));
    assert_eq!((log.pings, log.disconnects), (1, 1));
}

#[test]
fn what_was_unfinished_comes_again_after_a_reconnect() {
    let server = server(None);
    let mut pair = Pair::plain(&server);
    let connack = pair.exchange_v3(&[connect_v3(false)]);
    assert_eq!(
        connack,
        [v3::Connack::new(false, v3::ConnectReturnCode::Accepted).into()]
    );
    pair.exchange_v3(&[subscribe_v3("#", QoS::Level2)]);
    pair.exchange_v3(&[
        publish_v3(QosPid::Level1(pid(3)), "a").into(),
        publish_v3(QosPid::Level2(pid(4)), "b").into(),
    ]);
    pair.exchange_v3(&[v3::Packet::Pubrec(pid(2))]);
    pair.stream.closed();

    let mut pair = Pair::plain(&server);
    let mut unacknowledged = publish_v3(QosPid::Level1(pid(1)), "a");
    unacknowledged.dup = true;
    assert_eq!(
        pair.exchange_v3(&[connect_v3(false)]),
        [
            v3::Connack::new(true, v3::ConnectReturnCode::Accepted).into(),
            unacknowledged.into(),
            v3::Packet::Pubrel(pid(2)),
        ]
    );
    // A clean session is empty, as is the session of a broker that forgot it.
    server.forget_session();
    let mut pair = Pair::plain(&server);
    assert_eq!(
        pair.exchange_v3(&[connect_v3(false)]),
        [v3::Connack::new(false, v3::ConnectReturnCode::Accepted).into()]
    );
}

#[test]
fn mqtt_5_limits_are_told_and_kept() {
    let server = server(None);
    server.configure(|config| config.max_packet_size = 64);
    let mut pair = Pair::plain(&server);
    let mut connect = v5::Connect::new("frog".into(), 60);
    connect.properties.receive_max = Some(1);
    let answer = pair.exchange_v5(&[connect.into()]);
    let [v5::Packet::Connack(connack)] = &answer[..] else {
        panic!("{answer:?}");
    };
    assert_eq!(connack.properties.max_packet_size, Some(64));
    let filter = TopicFilter::try_from("t").unwrap();
    let options = v5::SubscriptionOptions::new(QoS::Level1);
    pair.exchange_v5(&[v5::Subscribe::new(pid(1), vec![(filter, options)]).into()]);

    // Receive maximum 1: the second waits for the PUBACK of the first.
    let publish = |id, size| {
        let topic = TopicName::try_from("t").unwrap();
        v5::Publish::new(QosPid::Level1(pid(id)), topic, vec![b'x'; size].into())
    };
    let answer = pair.exchange_v5(&[publish(1, 1).into(), publish(2, 2).into()]);
    let published = |answer: &[v5::Packet]| {
        answer
            .iter()
            .filter(|packet| matches!(packet, v5::Packet::Publish(_)))
            .count()
    };
    assert_eq!((answer.len(), published(&answer)), (3, 1));
    let puback = v5::Puback::new_success(pid(1));
    assert_eq!(published(&pair.exchange_v5(&[puback.into()])), 1);

    let answer = pair.exchange_v5(&[publish(3, 65).into()]);
    let too_large = v5::Disconnect::new(v5::DisconnectReasonCode::PacketTooLarge);
    assert_eq!(answer, [too_large.into()]);
    assert_eq!(pair.ended, Some(Ending::Finish));
    assert_eq!(server.log().violations, [0x95]);
}

#[test]
fn refusals_carry_any_code() {
    for code in 1..=5 {
        let server = server(None);
        server.configure(|config| config.refuse = Some(code));
        let mut pair = Pair::plain(&server);
        let bytes = pair.exchange(connect_v3(true).encode().unwrap().as_ref());
        assert_eq!(bytes, [0x20, 2, 0, code]);
        assert_eq!(pair.ended, Some(Ending::Finish));
    }
    for code in [0x80, 0x87, 0x9f, 0xff] {
        let server = server(None);
        server.configure(|config| config.refuse = Some(code));
        let connect: v5::Packet = v5::Connect::new("frog".into(), 60).into();
        let bytes = Pair::plain(&server).exchange(connect.encode().unwrap().as_ref());
        assert_eq!(bytes, [0x20, 3, 0, code, 0]);
    }
}

#[test]
fn violations_end_the_connection() {
    for (bytes, code) in [
        // PUBLISH before CONNECT.
        (&[0x30, 3, 0, 1, b't'][..], 0x82),
        // A remaining length of five bytes.
        (&[0x10, 0xff, 0xff, 0xff, 0xff, 0xff], 0x81),
        // A packet type that does not exist.
        (&[0x00, 0], 0x81),
    ] {
        let server = server(None);
        let mut pair = Pair::plain(&server);
        assert!(pair.exchange(bytes).is_empty());
        assert_eq!(pair.ended, Some(Ending::Finish));
        assert_eq!(server.log().violations, [code]);
    }
}

#[test]
fn a_vanished_clients_will_is_kept_and_a_polite_ones_is_not() {
    let server = server(None);
    let connect = || {
        let mut connect = v3::Connect::new("frog".into(), 60);
        let topic = TopicName::try_from("last/words").unwrap();
        connect.last_will = Some(v3::LastWill::new(
            QoS::Level1,
            topic,
            b"croak".to_vec().into(),
        ));
        v3::Packet::from(connect)
    };
    let mut polite = Pair::plain(&server);
    polite.exchange_v3(&[connect(), v3::Packet::Disconnect]);
    polite.stream.closed();
    assert_eq!(server.log().wills, []);
    let mut vanished = Pair::plain(&server);
    vanished.exchange_v3(&[connect()]);
    vanished.stream.closed();
    vanished.stream.closed();
    assert_eq!(server.log().wills.len(), 1);
}

#[test]
fn faults_strike_at_the_byte_and_one_connection_each() {
    let config = Config {
        faults: vec![
            Fault::Refuse,
            Fault::CloseAfterReceived(1),
            Fault::CloseAfterSent(3),
            Fault::ResetAfterSent(0),
        ],
        ..Config::new(None)
    };
    let server = Server::new(config, 1, UNIX_TIME).unwrap();
    assert!(server.accept(NOW).is_none());
    let connect = connect_v3(true).encode().unwrap();
    for (expected, ending) in [
        (&[][..], Some(Ending::Finish)),
        (&[0x20, 2, 0], Some(Ending::Finish)),
        (&[], Some(Ending::Reset)),
        (&[0x20, 2, 0, 0], None),
    ] {
        let mut pair = Pair::plain(&server);
        assert_eq!(pair.exchange(connect.as_ref()), expected);
        assert_eq!(pair.ended, ending);
    }
    assert_eq!(server.log().connections, 5);
}

#[test]
fn real_clients_over_a_socket() {
    let ca = TempFile::new("peer-ca.pem", Fixed::P256.root_pem());
    let peer = HostPeer::start(Config::new(Some(Tls::new(Fixed::P256.server()))), 1).unwrap();
    for version in ["mqttv311", "mqttv5"] {
        let client = Mosquitto::new(peer.address(), Some(ca.path()), version);
        for qos in 0..=2 {
            stdout(client.publish("home/kitchen/temp", qos, "21.5", &[]));
        }
    }
    assert_eq!(peer.log().published.len(), 6);

    // Each refusal of 3.1.1, as mosquitto reports it.
    let client = Mosquitto::new(peer.address(), Some(ca.path()), "mqttv311");
    for (code, words) in [
        (1, "unacceptable protocol version"),
        (2, "identifier rejected"),
        (3, "broker unavailable"),
        (4, "bad user name or password"),
        (5, "not authorised"),
    ] {
        peer.server().configure(|config| config.refuse = Some(code));
        let refused = client.publish("t", 1, "x", &[]);
        let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && stderr.contains(words),
            "{code}: {stderr}"
        );
    }
}
