//! `doctor` with broken set-ups: every line of its output, in order.
mod common;

use common::{Dns, Outcome, Scratch, run};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::thread;
use thread_mqtt_test_support::closed::ClosedPort;
use thread_mqtt_testkit::front::{Behaviour, Front};
use thread_mqtt_testkit::peer::host::HostPeer;
use thread_mqtt_testkit::peer::{Config, Fault};
use thread_mqtt_testkit::pki::{Chain, KeyKind, Validity};
use thread_mqtt_testkit::tls::Tls;

const HOST: &str = "broker.example";

/// Runs doctor for this broker, with a DNS server that only knows `broker.example`.
fn doctor(uri: &str, more: &[&str]) -> Outcome {
    let dns = Dns::start(&[HOST]).address.to_string();
    doctor_with_dns(uri, &[dns], more)
}

fn doctor_with_dns(uri: &str, servers: &[String], more: &[&str]) -> Outcome {
    let mut arguments = vec!["doctor", uri, "-W", "60", "--dns-timeout", "2"];
    for server in servers {
        arguments.extend(["--dns-server", server]);
    }
    arguments.extend(more);
    run(&arguments)
}

/// Compares the whole report with these lines, in which `*` stands for anything.
#[track_caller]
fn reads(outcome: &Outcome, status: i32, expected: &str) {
    assert_eq!(outcome.status, status, "{outcome:#?}");
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let patterns: Vec<&str> = expected.trim_matches('\n').lines().collect();
    let agree = lines.len() == patterns.len()
        && lines
            .iter()
            .zip(&patterns)
            .all(|(line, pattern)| matches(line, pattern));
    assert!(agree, "expected:\n{expected}\nprinted:\n{}", outcome.stdout);
    // The report contains everything, so repeating it on the standard error would be noise.
    assert_eq!(outcome.stderr, "");
}

fn matches(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.trim_end().split('*');
    let Some(mut rest) = line
        .trim_end()
        .strip_prefix(parts.next().unwrap_or_default())
    else {
        return false;
    };
    let mut ends_open = false;
    for part in parts {
        ends_open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || ends_open
}

/// Names of this host are resolved without DNS (RFC 6761 section 6.3), whose servers deny that they
/// exist.
#[test]
fn localhost_needs_no_dns() {
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    for host in ["localhost", "broker.localhost"] {
        let uri = format!("mqtt://{host}:{}", broker.address().port());
        let outcome = run(&["doctor", &uri, "-W", "60"]);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let said = &outcome.stdout;
        assert!(said.contains("all stages OK\n"), "{said}");
        assert_eq!(said.matches("DNS").count(), 1, "{said}");
    }
}

fn uri(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://{HOST}:{}", address.port())
}

/// A broker with TLS for these names, and its CA's file.
struct Secure {
    front: Front,
    ca: String,
    _broker: HostPeer,
    _scratch: Scratch,
}

impl Secure {
    fn start(names: &[&str], validity: Validity) -> Self {
        let chain =
            Chain::with_validity(KeyKind::P256, names, Validity::current(), validity).unwrap();
        let broker = HostPeer::start(Config::new(None), 1).unwrap();
        let front = Front::start(&Tls::new(chain.leaf.clone()), broker.address()).unwrap();
        let scratch = Scratch::new();
        let ca = scratch.file("ca.pem", chain.root.certificate_pem());
        Self {
            front,
            ca,
            _broker: broker,
            _scratch: scratch,
        }
    }

    fn doctor(&self, ca: &str) -> Outcome {
        doctor(&uri("mqtts", self.front.address()), &["--ca", ca])
    }
}

/// Returns a UDP port that never answers. The socket stays open, so that there is no ICMP error
/// either.
fn silent() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

#[test]
fn all_is_as_it_should_be() {
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let outcome = doctor(&uri("mqtt", broker.address()), &["--id", "walker"]);
    reads(
        &outcome,
        0,
        "
ok      broker       mqtt://broker.example:*
ok      network      this host, with IPv4
ok      DNS          server 127.0.0.1:*: 127.0.0.1 in *
ok      resolve      server 127.0.0.1:*: 127.0.0.1 in *
ok      TCP          connected to 127.0.0.1, port *
ok      MQTT         online with a new session
        client id    walker
        keep-alive   60 s
        result       all stages OK
",
    );
}

/// One server is silent. For the other, its host reports that nothing listens, and the next one is
/// asked immediately.
#[test]
fn one_dns_server_of_two_is_down() {
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    for (listens, why, cure) in [
        (
            true,
            "no answer in * s",
            "check that the server is up, and on a Thread network that the border router has an uplink",
        ),
        (
            false,
            "nothing listens on the server's port",
            "check that the DNS server runs, and that its address and port are right",
        ),
    ] {
        let (socket, dead) = silent();
        let _kept = listens.then_some(socket);
        let servers = [dead, Dns::start(&[HOST]).address.to_string()];
        let uri = uri("mqtt", broker.address());
        let outcome = doctor_with_dns(&uri, &servers, &["--id", "walker"]);
        reads(
            &outcome,
            0,
            &format!(
                "
ok      broker       mqtt://broker.example:*
ok      network      this host, with IPv4
FAILED  DNS          server 127.0.0.1:*: {why}
                     {cure}
ok      DNS          server 127.0.0.1:*: 127.0.0.1 in *
ok      resolve      server 127.0.0.1:*: 127.0.0.1 in *
ok      TCP          connected to 127.0.0.1, port *
ok      MQTT         online with a new session
        client id    walker
        keep-alive   60 s
        result       all stages OK, but 1 of 2 ways to resolve the name failed
"
            ),
        );
    }
}

#[test]
fn the_name_does_not_exist() {
    let outcome = doctor("mqtt://brocker.example", &[]);
    reads(
        &outcome,
        5,
        "
ok      broker       mqtt://brocker.example:1883
ok      network      this host, with IPv4
FAILED  DNS          server 127.0.0.1:*: the name does not exist (NXDOMAIN)
                     check the spelling of the host name and whether this server serves its zone
FAILED  resolve      no usable address of brocker.example was found
",
    );
}

#[test]
fn the_dns_is_down() {
    let (_kept, dead) = silent();
    let outcome = doctor_with_dns("mqtt://broker.example", &[dead], &[]);
    reads(
        &outcome,
        5,
        "
ok      broker       mqtt://broker.example:1883
ok      network      this host, with IPv4
FAILED  DNS          server 127.0.0.1:*: no answer in * s
                     check that the server is up, and on a Thread network that the border router has an uplink
FAILED  resolve      no usable address of broker.example was found
",
    );
}

/// RFC 1034 section 3.1, and RFC 6066 section 3 for TLS, which removes the dot.
#[test]
fn a_name_with_a_final_dot() {
    let secure = Secure::start(&[HOST], Validity::current());
    let uri = format!("mqtts://{HOST}.:{}", secure.front.address().port());
    let outcome = doctor(&uri, &["--ca", &secure.ca]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    assert!(outcome.stdout.contains(&uri), "{outcome:#?}");
}

#[test]
fn no_answer_fits_into_a_datagram() {
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let servers = [Dns::over_tcp(&[HOST]).address.to_string()];
    let uri = uri("mqtt", broker.address());
    let outcome = doctor_with_dns(&uri, &servers, &["--id", "walker"]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    let line = "ok      DNS          server 127.0.0.1:*: 127.0.0.1 in *";
    let is_line = |seen: &str| matches(seen, line);
    assert!(outcome.stdout.lines().any(is_line), "{outcome:#?}");
    // And the client on its own.
    let sent = run(&[
        "pub",
        &uri,
        "-t",
        "a",
        "-m",
        "b",
        "-q",
        "1",
        "--dns-server",
        &servers[0],
    ]);
    assert_eq!(sent.status, 0, "{sent:#?}");
}

#[test]
fn there_is_no_nat64() {
    let dns = Dns::start(&[]).address.to_string();
    let outcome = doctor_with_dns("mqtt://192.0.2.1", &[dns], &["--ipv6-only"]);
    reads(
        &outcome,
        4,
        "
ok      broker       mqtt://192.0.2.1:1883
ok      network      this host, IPv6 only: IPv4 is reached through NAT64
                     no NAT64 prefix in the network data
FAILED  prefix       no address: network's DNS server *: the server synthesises no address for \
         ipv4only.arpa; literal address 192.0.2.1: only reachable through NAT64, but no NAT64 prefix \
         is known
        what to do   enable NAT64 on the border router (OpenThread: nat64 enable), or give the \
         prefix of your network with --nat64-prefix
",
    );
}

#[test]
fn the_dns_names_this_device_itself() {
    let outcome = doctor(
        "mqtt://broker.example",
        &["--nat64-prefix", "2001:db8:64::/96"],
    );
    reads(
        &outcome,
        5,
        "
ok      broker       mqtt://broker.example:1883
ok      network      this host, IPv6 only: IPv4 is reached through NAT64
                     NAT64 prefix 2001:db8:64::/96, configured
FAILED  DNS          server 127.0.0.1:*: no usable address: 127.0.0.1, the loopback address of this device
                     give the broker's host an address that other devices can reach, and use it in the DNS or the URI
ok      prefix       NAT64 prefix 2001:db8:64::/96 from the configuration
FAILED  resolve      no usable address of broker.example was found
",
    );
}

#[test]
fn the_port_is_closed() {
    let closed = ClosedPort::any().unwrap();
    let outcome = doctor(&uri("mqtt", closed.address()), &[]);
    reads(
        &outcome,
        6,
        "
ok      broker       mqtt://broker.example:*
ok      network      this host, with IPv4
ok      DNS          server 127.0.0.1:*: 127.0.0.1 in *
ok      resolve      server 127.0.0.1:*: 127.0.0.1 in *
FAILED  TCP          127.0.0.1: the broker's host refused the TCP connection
        what to do   make sure that the broker is up and listens on this port
",
    );
}

/// The host is right, but something else runs there.
#[test]
fn another_service_has_the_port() {
    let secure = Secure::start(&[HOST], Validity::current());
    let reply = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    secure.front.set_behaviour(Behaviour::Reply(reply));
    reads(
        &secure.doctor(&secure.ca),
        7,
        "
ok      broker       mqtts://broker.example:*
ok      network      this host, with IPv4
ok      time         *UTC
ok      DNS          server *
ok      resolve      server *
ok      TCP          connected to 127.0.0.1, port *
FAILED  TLS          *
        what to do   *
",
    );
}

#[test]
fn plain_mqtt_at_a_port_with_tls() {
    let secure = Secure::start(&[HOST], Validity::current());
    let outcome = doctor(&uri("mqtt", secure.front.address()), &[]);
    reads(
        &outcome,
        8,
        "
ok      broker       mqtt://broker.example:*
ok      network      this host, with IPv4
ok      DNS          server *
ok      resolve      server *
ok      TCP          connected to 127.0.0.1, port *
FAILED  MQTT         the broker speaks TLS on this port
        what to do   use mqtts://
",
    );
}

#[test]
fn tls_at_a_plain_port() {
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let secure = Secure::start(&[HOST], Validity::current());
    let outcome = doctor(&uri("mqtts", broker.address()), &["--ca", &secure.ca]);
    reads(
        &outcome,
        7,
        "
ok      broker       mqtts://broker.example:*
ok      network      this host, with IPv4
ok      time         *UTC
ok      DNS          server *
ok      resolve      server *
ok      TCP          connected to 127.0.0.1, port *
FAILED  TLS          *
        what to do   *TLS*
",
    );
}

/// The contents of the certificate follow each certificate failure.
#[track_caller]
fn refuses_certificate(outcome: &Outcome, names: &str, why: &str) {
    reads(
        outcome,
        7,
        &format!(
            "
ok      broker       mqtts://broker.example:*
ok      network      this host, with IPv4
ok      time         *UTC
ok      DNS          server *
ok      resolve      server *
ok      TCP          connected to 127.0.0.1, port *
FAILED  TLS          {why}
        certificate  *
                     for {names}
                     by *
                     valid from * until *
        certificate  *intermediate*
                     by *
                     valid from * until *
        what to do   *
"
        ),
    );
}

#[test]
fn the_ca_is_another() {
    let secure = Secure::start(&[HOST], Validity::current());
    let other = Secure::start(&[HOST], Validity::current());
    refuses_certificate(&secure.doctor(&other.ca), HOST, "*CA*");
}

#[test]
fn the_certificate_has_expired() {
    let secure = Secure::start(&[HOST], Validity::expired());
    refuses_certificate(&secure.doctor(&secure.ca), HOST, "*expired*");
}

#[test]
fn the_certificate_is_for_another_name() {
    let secure = Secure::start(&["other.example"], Validity::current());
    refuses_certificate(
        &secure.doctor(&secure.ca),
        "other.example",
        "*broker.example*other.example*",
    );
}

/// As with pub --fallback: the cure does not suggest what was already tried.
#[test]
fn the_broker_closes_with_either_version() {
    let config = Config {
        faults: vec![Fault::CloseAfterReceived(1), Fault::CloseAfterReceived(1)],
        ..Config::new(None)
    };
    let broker = HostPeer::start(config, 1).unwrap();
    let outcome = doctor(&uri("mqtt", broker.address()), &[]);
    reads(
        &outcome,
        8,
        "
ok      broker       mqtt://broker.example:*
ok      network      this host, with IPv4
ok      DNS          server *
ok      resolve      server *
ok      TCP          connected to 127.0.0.1, port *
FAILED  MQTT         the broker closed the connection instead of answering CONNECT
FAILED  MQTT 3.1.1   the older version fails as well: *
        what to do   check the broker's log: it accepted neither MQTT version; *use mqtts://
",
    );
}

/// With TLS 1.3, the broker checks the client's certificate after the client has finished.
#[test]
fn certificates_are_shown_once() {
    let chain = Chain::generate(KeyKind::P256, &[HOST]).unwrap();
    let tls = Tls {
        client_ca: Some(chain.root.certificate().clone()),
        ..Tls::new(chain.leaf.clone())
    };
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let front = Front::start(&tls, broker.address()).unwrap();
    let scratch = Scratch::new();
    let ca = scratch.file("ca.pem", chain.root.certificate_pem());
    let outcome = doctor(&uri("mqtts", front.address()), &["--ca", &ca]);
    assert_eq!(outcome.status, 7, "{outcome:#?}");
    let leaves = outcome.stdout.matches("for broker.example").count();
    assert_eq!(leaves, 1, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("--cert"), "{}", outcome.stdout);
}

/// Each broker of a list is examined; the first that fails determines the status.
#[test]
fn every_broker_of_a_list_is_examined() {
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let closed = ClosedPort::any().unwrap();
    let list = format!(
        "{},{}",
        uri("mqtt", closed.address()),
        uri("mqtt", broker.address())
    );
    let outcome = doctor(&list, &["--id", "walker"]);
    reads(
        &outcome,
        6,
        "
ok      broker       mqtt://broker.example:*
ok      network      this host, with IPv4
ok      DNS          server 127.0.0.1:*: 127.0.0.1 in *
ok      resolve      server 127.0.0.1:*: 127.0.0.1 in *
FAILED  TCP          127.0.0.1: the broker's host refused the TCP connection
        what to do   make sure that the broker is up and listens on this port

ok      broker       mqtt://broker.example:*
ok      network      this host, with IPv4
ok      DNS          server 127.0.0.1:*: 127.0.0.1 in *
ok      resolve      server 127.0.0.1:*: 127.0.0.1 in *
ok      TCP          connected to 127.0.0.1, port *
ok      MQTT         online with a new session
        client id    walker
        keep-alive   60 s
        result       all stages OK
",
    );
}

/// The servers are asked one by one before the client resolves.
#[test]
fn the_time_is_over_while_a_dns_server_is_silent() {
    let (_kept, dead) = silent();
    let dns = Dns::start(&[HOST]).address.to_string();
    let outcome = run(&[
        "doctor",
        "mqtt://broker.example",
        "--dns-server",
        &dns,
        "--dns-server",
        &dead,
        "-W",
        "1",
    ]);
    assert_eq!(outcome.status, 10, "{outcome:#?}");
    let says = "timed out after 1 s while querying the DNS servers for the host of \
                mqtt://broker.example:1883";
    assert!(outcome.stderr.contains(says), "{outcome:#?}");
    assert!(outcome.stderr.contains("--dns-timeout"), "{outcome:#?}");
}

/// Returns the MQTT line for a broker that refuses with this code; `then` are the lines after it.
fn refusal(version: &str, code: u8, then: &str) -> String {
    let config = Config {
        refuse: Some(code),
        ..Config::new(None)
    };
    let broker = HostPeer::start(config, 1).unwrap();
    let outcome = doctor(&uri("mqtt", broker.address()), &["-V", version]);
    reads(
        &outcome,
        8,
        &format!(
            "
ok      broker       mqtt://broker.example:*
ok      network      this host, with IPv4
ok      DNS          server *
ok      resolve      server *
ok      TCP          connected to 127.0.0.1, port *
FAILED  MQTT         *
{then}"
        ),
    );
    let mut lines = outcome.stdout.lines();
    let line = lines.find_map(|line| line.strip_prefix("FAILED  MQTT "));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn the_password_is_wrong() {
    for (version, code) in [("5", 0x86), ("3.1.1", 4)] {
        let cure = "        what to do   give a user name with -u *--password-file\n";
        let line = refusal(version, code, cure);
        assert!(line.contains("password"), "{line}");
    }
}

#[test]
fn the_broker_does_not_speak_this_version() {
    // The older version is tried as well.
    let older = "FAILED  MQTT 3.1.1   the older version fails as well: *
        what to do   check the broker's log: it accepted neither MQTT version*
";
    let newer = "        what to do   use MQTT 5 instead of 3.1.1: --mqtt 5
";
    for (version, code, then) in [("5", 0x84, older), ("3.1.1", 1, newer)] {
        let line = refusal(version, code, then);
        assert!(line.contains("version"), "{line}");
    }
}

/// Without DISCONNECT the broker publishes the will.
#[test]
fn a_walk_ends_with_a_disconnect() {
    for (version, connack, disconnect) in [
        ("5", &[0x20, 3, 0, 0, 0][..], &[0xe0, 0][..]),
        ("3.1.1", &[0x20, 2, 0, 0], &[0xe0, 0]),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("mqtt://{}", listener.local_addr().unwrap());
        let broker = thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            let connect = tcp.read(&mut [0; 1000]).unwrap();
            assert!(connect > 0);
            tcp.write_all(connack).unwrap();
            let mut rest = Vec::new();
            let end = tcp.read_to_end(&mut rest);
            (rest, end.is_ok())
        });
        let outcome = run(&["doctor", &uri, "-V", version, "-W", "60"]);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        // Gracefully, and without a reset.
        assert_eq!(broker.join().unwrap(), (disconnect.to_vec(), true));
    }
}
