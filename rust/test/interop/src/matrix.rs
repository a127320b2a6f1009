//! {TLS 1.2, 1.3} × suites × server keys × key exchanges × client identities × {full, resumed}.

use std::collections::BTreeMap;

use thread_mqtt_tls::{
    Alert, AlertContext, Config, ConfigError, Group, PublicKey, Suite, TlsError, Version,
};

use crate::backend::{Backend, Identity, parallel};
use crate::openssl::OpenSsl;
use crate::page::{self, head, row};
use crate::pki::{Chain, Kind};
use crate::wire::Wire;

/// How the key exchange group is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchange {
    /// The group that the client prefers.
    Direct(Group),
    /// The client sends a key share for the first group; the server wants the second and sends a
    /// HelloRetryRequest (TLS 1.3).
    Retry(Group, Group),
}

impl Exchange {
    /// Returns the groups to offer. In TLS 1.2 they are also the curves allowed in certificates,
    /// the client's own included (RFC 8422, section 5.1.1), so the others follow the intended
    /// group.
    fn offered(self, version: Version) -> Vec<Group> {
        let curves = [Group::Secp256r1, Group::Secp384r1];
        match self {
            Self::Direct(group) if version == Version::Tls12 => [group]
                .into_iter()
                .chain(curves.into_iter().filter(|curve| *curve != group))
                .collect(),
            Self::Direct(group) => vec![group],
            Self::Retry(first, wanted) => vec![first, wanted],
        }
    }

    fn agreed(self) -> Group {
        match self {
            Self::Direct(group) | Self::Retry(_, group) => group,
        }
    }
}

/// One combination, for two connections: full and resumed.
#[derive(Debug, Clone, Copy)]
struct Case {
    backend: Backend,
    key: Kind,
    suite: Suite,
    exchange: Exchange,
    identity: Identity,
}

/// The expected result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Works,
    /// The provider cannot use the client's key.
    KeyNotSupported,
    /// The server has no certificate that the client can verify.
    HandshakeFailure,
}

pub(crate) const HANDSHAKE_FAILURE: TlsError = TlsError::Alert {
    alert: Alert(40),
    handshaking: true,
    context: AlertContext::Unknown,
};

impl Case {
    /// Returns every possible combination: TLS 1.2 suites are for one type of certificate, and
    /// HelloRetryRequest exists only in TLS 1.3.
    fn all(backend: Backend, key: Kind) -> Vec<Self> {
        let mut cases = Vec::new();
        for identity in Identity::all(backend) {
            for suite in Suite::ALL.iter().copied().filter(|s| key.goes_with(*s)) {
                for exchange in exchanges(suite.version(), key) {
                    cases.push(Self {
                        backend,
                        key,
                        suite,
                        exchange,
                        identity,
                    });
                }
            }
        }
        cases
    }

    fn expected(&self) -> Verdict {
        match () {
            () if !self.identity.is_usable(self.backend) => Verdict::KeyNotSupported,
            () if !self.backend.verifies(self.key) => Verdict::HandshakeFailure,
            () => Verdict::Works,
        }
    }

    fn run(&self, root: &str, servers: &Servers) -> Verdict {
        let config = self
            .backend
            .config()
            .ca(root.as_bytes())
            .unwrap()
            .suites(&[self.suite])
            .groups(&self.exchange.offered(self.suite.version()));
        let config = match self.identity.give(config) {
            Ok(config) => config.build().unwrap(),
            Err(ConfigError::KeyNotSupported(_)) => return Verdict::KeyNotSupported,
            Err(error) => panic!("{self:?}: {error}"),
        };
        let port = servers.of(self).port;
        for resumed in [false, true] {
            match self.connect(&config, port, resumed) {
                Ok(()) => (),
                // Fails both times.
                Err(error) if error == HANDSHAKE_FAILURE && resumed => {
                    return Verdict::HandshakeFailure;
                }
                Err(error) if error == HANDSHAKE_FAILURE => (),
                Err(error) => panic!("{self:?}, resumed {resumed}: {error}"),
            }
        }
        Verdict::Works
    }

    fn connect(&self, config: &Config, port: u16, resumed: bool) -> Result<(), TlsError> {
        let mut wire = Wire::handshake(config, port)?;
        let agreed = wire.tls.agreed().unwrap().clone();
        assert_eq!(agreed.suite(), self.suite.name(), "{self:?}");
        assert_eq!(agreed.version, self.suite.version(), "{self:?}");
        assert_eq!(agreed.resumed, resumed, "{self:?}");
        // The client remembers the group that the server selected, so there is only one retry.
        let retried = matches!(self.exchange, Exchange::Retry(..)) && !resumed;
        assert_eq!(agreed.retried, retried, "{self:?}");
        // TLS 1.2 resumes a session without a key exchange.
        let group = self.exchange.agreed().name();
        let exchanged = agreed.version == Version::Tls13 || !resumed;
        assert_eq!(agreed.group(), exchanged.then_some(group), "{self:?}");
        wire.mirrored(&format!("{} over {}", agreed.suite(), self.backend))?;
        wire.close();
        Ok(())
    }
}

fn exchanges(version: Version, key: Kind) -> Vec<Exchange> {
    let groups = [Group::X25519, Group::Secp256r1, Group::Secp384r1];
    let mut exchanges: Vec<_> = groups.into_iter().map(Exchange::Direct).collect();
    if version == Version::Tls13 {
        exchanges.push(retry(key));
    }
    exchanges
}

/// Returns the retry for a key type. The servers of two key types request each group.
fn retry(key: Kind) -> Exchange {
    match key {
        Kind::Rsa2048 | Kind::P256 => Exchange::Retry(Group::X25519, Group::Secp256r1),
        Kind::Rsa3072 | Kind::P384 => Exchange::Retry(Group::Secp256r1, Group::Secp384r1),
        Kind::Rsa4096 | Kind::Ed25519 => Exchange::Retry(Group::Secp384r1, Group::X25519),
    }
}

impl Kind {
    /// Returns whether a server with such a key can use this suite.
    pub(crate) fn goes_with(self, suite: Suite) -> bool {
        let name = suite.openssl_name();
        suite.version() == Version::Tls13 || name.contains("-RSA-") == self.is_rsa()
    }
}

/// The servers for one type of key: with and without client certificates, and each of them with all
/// groups and with a single one.
struct Servers {
    open: OpenSsl,
    choosy: OpenSsl,
    mutual: OpenSsl,
    choosy_mutual: OpenSsl,
}

impl Servers {
    fn start(key: Kind, chain: &Chain) -> Self {
        let only = ["-groups", retry(key).agreed().openssl_name()];
        Self {
            open: OpenSsl::mirror(chain, &[]),
            choosy: OpenSsl::mirror(chain, &only),
            mutual: OpenSsl::mutual_mirror(chain, &[]),
            choosy_mutual: OpenSsl::mutual_mirror(chain, &only),
        }
    }

    fn of(&self, case: &Case) -> &OpenSsl {
        let choosy = matches!(case.exchange, Exchange::Retry(..));
        match (case.identity, choosy) {
            (Identity::Anonymous, false) => &self.open,
            (Identity::Anonymous, true) => &self.choosy,
            (_, false) => &self.mutual,
            (_, true) => &self.choosy_mutual,
        }
    }
}

/// Number of connections per result.
pub(crate) type Counts = BTreeMap<Verdict, u32>;

#[test]
fn every_combination() {
    let jobs: Vec<_> = Backend::ALL
        .into_iter()
        .flat_map(|backend| Kind::ALL.map(|key| (backend, key)))
        .collect();
    let results = parallel(&jobs, |(backend, key)| {
        let chain = Chain::new(&[*key, *key]);
        let servers = Servers::start(*key, &chain);
        let mut counts = BTreeMap::<Version, Counts>::new();
        for case in Case::all(*backend, *key) {
            let verdict = case.run(&chain.root, &servers);
            assert_eq!(verdict, case.expected(), "{case:?}");
            let counts = counts.entry(case.suite.version()).or_default();
            *counts.entry(verdict).or_default() += 2;
        }
        counts
    });

    let mut total = Counts::new();
    let mut table = head(&[
        "", "RSA-2048", "RSA-3072", "RSA-4096", "P-256", "P-384", "Ed25519",
    ]);
    for (backend, results) in Backend::ALL.iter().zip(results.chunks(Kind::ALL.len())) {
        for version in Version::ALL {
            let mut cells = vec![format!("{backend}, {version}")];
            for counts in results {
                cells.push(cell(&counts[version]));
                for (verdict, n) in &counts[version] {
                    *total.entry(*verdict).or_default() += n;
                }
            }
            table += &row(cells);
        }
    }
    page::check("matrix", &(table + &reasons(&total)));
    assert_eq!(total.values().sum::<u32>(), 2_772);
}

/// Formats how many worked, and how many did not, with a mark for the reason.
pub(crate) fn cell(counts: &Counts) -> String {
    let part = |(verdict, n): (&Verdict, &u32)| match verdict {
        Verdict::Works => format!("{n} work"),
        Verdict::KeyNotSupported => format!("{n} refused (a)"),
        Verdict::HandshakeFailure => format!("{n} refused (b)"),
    };
    counts.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// Explains the marks.
pub(crate) fn reasons(total: &Counts) -> String {
    let of = |verdict| total.get(&verdict).copied().unwrap_or_default();
    format!(
        "\n{} worked, {} were refused:\n\n\
         - (a) {} when the configuration is built: {ConfigError}.\n\
         - (b) {} by the server, which has no key that Mbed TLS can verify: {TlsError}.\n",
        of(Verdict::Works),
        of(Verdict::KeyNotSupported) + of(Verdict::HandshakeFailure),
        of(Verdict::KeyNotSupported),
        of(Verdict::HandshakeFailure),
        ConfigError = ConfigError::KeyNotSupported(PublicKey::Rsa(2048)),
        TlsError = HANDSHAKE_FAILURE,
    )
}
