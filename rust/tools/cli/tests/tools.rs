//! `resolve` and `doctor`.
mod common;

use common::{Dns, Scratch, run};
use thread_mqtt_testkit::front::Front;
use thread_mqtt_testkit::peer::Config;
use thread_mqtt_testkit::peer::host::HostPeer;
use thread_mqtt_testkit::pki::{Chain, KeyKind, Validity};
use thread_mqtt_testkit::tls::Tls;

#[test]
fn resolve_shows_addresses_and_their_origin() {
    let dns = Dns::start(&["broker.example"]).address.to_string();
    let far = Dns::with_address(&["broker.example"], [192, 0, 2, 7]);
    let far = far.address.to_string();
    let resolve_at = |server: &str, more: &[&str]| {
        let mut all = vec!["resolve", "--dns-server", server];
        all.extend(more);
        let outcome = run(&all);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        outcome.stdout
    };
    let resolve = |more: &[&str]| resolve_at(&dns, more);
    let native = resolve(&["broker.example"]);
    assert!(native.contains("address    127.0.0.1\n"), "{native}");
    assert!(
        native.contains(&format!("server {dns}: 127.0.0.1")),
        "{native}"
    );

    let prefix = "2001:db8:64::/96";
    for name in ["broker.example", "mqtts://broker.example:8884"] {
        let shown = resolve_at(&far, &[name, "--nat64-prefix", prefix]);
        let address = "2001:db8:64::c000:207 (NAT64 for 192.0.2.7)";
        assert!(shown.contains(address), "{shown}");
        assert!(shown.contains(prefix), "{shown}");
    }
    let literal = resolve(&["192.0.2.33", "--nat64-prefix", "64:ff9b::/96"]);
    assert!(literal.contains("64:ff9b::c000:221"), "{literal}");
    let literal = resolve(&["2001:db8::1"]);
    assert!(literal.contains("address    2001:db8::1\n"), "{literal}");
}

/// DNS only knows ASCII; this shows the form to configure on a device.
#[test]
fn resolve_shows_the_ascii_form_of_an_international_name() {
    let dns = Dns::start(&["xn--bcher-kva.example"]).address.to_string();
    for name in ["bücher.example", "mqtts://BÜCHER.example:8884"] {
        let outcome = run(&["resolve", name, "--dns-server", &dns]);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let first = outcome.stdout.lines().next();
        assert_eq!(first, Some("name       xn--bcher-kva.example"));
    }
    let outcome = run(&["resolve", "nowhere.example", "--dns-server", &dns]);
    assert_eq!(outcome.status, 5, "{outcome:?}");
    assert!(outcome.stdout.contains("failed     server"), "{outcome:?}");
}

#[test]
fn doctor_walks_every_stage() {
    let dead = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let dead = dead.local_addr().unwrap().to_string();
    let dns = Dns::start(&["broker.example"]).address.to_string();
    let chain = Chain::generate(KeyKind::P256, &["broker.example"]).unwrap();
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let front = Front::start(&Tls::new(chain.leaf.clone()), broker.address()).unwrap();
    let scratch = Scratch::new();
    let ca = scratch.file("ca.pem", chain.root.certificate_pem());
    let uri = format!("mqtts://broker.example:{}", front.address().port());
    let outcome = run(&[
        "doctor",
        &uri,
        "--ca",
        &ca,
        "--dns-server",
        &dns,
        "--dns-server",
        &dead,
        "--dns-timeout",
        "2",
        "-W",
        "60",
    ]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for line in [
        "ok      network",
        "ok      DNS          server 127.0.0.1:",
        "FAILED  DNS",
        "ok      resolve",
        "ok      TCP",
        "ok      TLS          TLS 1.3",
        "for broker.example",
        "valid from ",
        "ok      MQTT         online",
    ] {
        assert!(
            outcome.stdout.contains(line),
            "{line:?} in {}",
            outcome.stdout
        );
    }
}

#[test]
fn doctor_names_the_stage_that_fails_and_shows_the_certificate() {
    let chain = Chain::with_validity(
        KeyKind::P256,
        &["localhost"],
        Validity::current(),
        Validity::expired(),
    );
    let chain = chain.unwrap();
    let broker = HostPeer::start(Config::new(None), 1).unwrap();
    let front = Front::start(&Tls::new(chain.leaf.clone()), broker.address()).unwrap();
    let scratch = Scratch::new();
    let ca = scratch.file("ca.pem", chain.root.certificate_pem());
    let dns = Dns::start(&["localhost"]).address.to_string();
    let uri = format!("mqtts://localhost:{}", front.address().port());
    let outcome = run(&[
        "doctor",
        &uri,
        "--ca",
        &ca,
        "--dns-server",
        &dns,
        "-W",
        "60",
    ]);
    assert_eq!(outcome.status, 7, "{outcome:?}");
    for line in ["ok      TCP", "FAILED  TLS", "for localhost", "valid from "] {
        assert!(
            outcome.stdout.contains(line),
            "{line:?} in {}",
            outcome.stdout
        );
    }
    assert!(outcome.stdout.contains("expired"), "{outcome:?}");
    assert!(outcome.stdout.contains("what to do"), "{outcome:?}");
}
