//! The configuration that all connections of a client share.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls::client::{ClientConfig, Resumption, TicketRequest, UnbufferedClientConnection};
use rustls::crypto::hash::{Hash, HashAlgorithm};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, KeyLog, SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor};

use crate::alert::AlertContext;
use crate::certificate;
use crate::choice::{Group, Suite, Version};
use crate::clock::{CertificateTime, Clock};
use crate::config_error::{ConfigError, Fault, Given};
use crate::credentials;
use crate::damage::Damage;
use crate::error::{ProviderFailure, TlsError};
use crate::identity::{Identity, certified_key};
use crate::path::MAX_PATH;
use crate::pin::Pin;
use crate::resume::SessionStore;
use crate::roots::Roots;
use crate::verify::{Moment, Pins, Verifier};

/// Longest record on the wire: header, 2^14 bytes and the expansion that TLS 1.2 allows.
pub(crate) const MAX_RECORD: usize = 5 + 16_384 + 2_048;
/// Longest fragment of plaintext (RFC 8446 section 5.1).
pub(crate) const MAX_FRAGMENT: usize = 16_384;

/// The settings that connections are made from. Shared by all connections; cheap to clone.
#[derive(Clone)]
pub struct Config {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    /// rustls resumes a session only with the identity and the verifier that it was made with.
    identity: Arc<Identity>,
    exact: Arc<Verifier>,
    floor: Arc<Verifier>,
    alpn: Vec<Vec<u8>>,
    #[cfg_attr(not(feature = "tls12"), expect(dead_code, reason = "of TLS 1.2 alone"))]
    extended_master_secret: bool,
    limits: Limits,
    /// Every suite decrypts application data in place.
    in_place: bool,
    provider_failures: Option<fn() -> Option<ProviderFailure>>,
    sessions: Option<SessionStore>,
    key_log: Option<Arc<dyn KeyLog>>,
}

/// Limits of the buffers in bytes, and of the chain in certificates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) chain: usize,
    pub(crate) inbound: usize,
    pub(crate) outbound: usize,
    pub(crate) fragment: usize,
}

impl Config {
    /// Starts with everything `provider` offers, both versions, and no trust anchor.
    pub fn builder(provider: CryptoProvider) -> ConfigBuilder {
        ConfigBuilder {
            provider,
            roots: Roots::default(),
            identity: None,
            versions: None,
            suites: None,
            groups: None,
            alpn: Vec::new(),
            pins: Vec::new(),
            extended_master_secret: false,
            sessions: Some(SessionStore::default()),
            limits: Limits {
                chain: 4,
                inbound: MAX_RECORD,
                outbound: 4_096,
                fragment: MAX_FRAGMENT,
            },
            in_place: None,
            provider_failures: None,
            withdrawn: None,
            key_log: None,
        }
    }

    /// Takes the failure that the crypto provider recorded, if any.
    pub(crate) fn take_provider_failure(&self) -> Option<ProviderFailure> {
        self.inner.provider_failures.and_then(|take| take())
    }

    /// Returns the failure that the crypto provider recorded, or else `error`. With such a failure
    /// all sessions are dropped: a ticket may have been derived from a wrong digest, and the next
    /// handshake would fail if the broker does not know its secret.
    pub(crate) fn or_provider_failure(&self, error: TlsError) -> TlsError {
        let Some(failure) = self.take_provider_failure() else {
            return error;
        };
        if let Some(store) = &self.inner.sessions {
            store.clear();
        }
        TlsError::CryptoFailed(Some(failure))
    }

    /// Drops the sessions kept for resumption to free their memory. Returns whether there were any.
    pub(crate) fn forget_sessions(&self) -> bool {
        let store = self.inner.sessions.as_ref();
        store
            .filter(|store| !store.is_empty())
            .is_some_and(|store| {
                store.clear();
                true
            })
    }

    /// Drops the sessions of a server, except those whose certificates are still valid at the given
    /// time.
    pub(crate) fn forget_sessions_of(
        &self,
        server_name: &ServerName<'_>,
        unless_valid_at: Option<u64>,
    ) {
        if let Some(store) = &self.inner.sessions {
            store.forget(server_name, unless_valid_at);
        }
    }

    /// Returns the store that sessions are kept in.
    pub(crate) fn sessions(&self) -> Option<&SessionStore> {
        self.inner.sessions.as_ref()
    }

    /// Returns the number of sessions handed to handshakes so far.
    pub(crate) fn sessions_offered(&self) -> u32 {
        let store = self.inner.sessions.as_ref();
        store.map_or(0, |store| store.counters().offered)
    }

    /// Returns why the broker got no client certificate, if it asked for one.
    pub(crate) fn missed_certificate(&self) -> AlertContext {
        self.inner.identity.missed()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.inner.limits
    }

    pub(crate) fn is_in_place(&self) -> bool {
        self.inner.in_place
    }

    pub(crate) fn verifier(&self, time: CertificateTime) -> &Arc<Verifier> {
        match time {
            CertificateTime::Known(_) => &self.inner.exact,
            CertificateTime::AtLeast(_) => &self.inner.floor,
        }
    }

    /// Creates the rustls connection.
    // Not inlined: moving what rustls returns takes 3 kB of stack.
    #[inline(never)]
    pub(crate) fn connect(
        &self,
        server_name: ServerName<'static>,
        time: CertificateTime,
        clock: Arc<Clock>,
    ) -> Result<Box<UnbufferedClientConnection>, Error> {
        self.inner.identity.set_missed(AlertContext::Unknown);
        let mut tried = self.usable_groups().len();
        loop {
            let config = self.for_connection(time, clock.clone())?;
            let (name, alpn) = (server_name.clone(), self.inner.alpn.clone());
            let made = UnbufferedClientConnection::new_with_alpn(config, name, alpn);
            // The provider may have found out just now that its backend lacks the group of the key
            // share. Retry without it.
            let usable = self.usable_groups().len();
            if made.is_ok() || usable == 0 || usable >= tried {
                return made.map(Box::new);
            }
            tried = usable;
            self.take_provider_failure();
        }
    }

    /// Returns the provider's groups that its backend supports, as far as is known.
    fn usable_groups(&self) -> Vec<&'static dyn SupportedKxGroup> {
        let inner = &*self.inner;
        let mut groups = inner.provider.kx_groups.clone();
        groups.retain(|group| {
            let mut versions = inner.versions.iter();
            versions.any(|version| group.usable_for_version(version.version))
        });
        groups
    }

    /// Returns the provider with only these groups, if there are any. rustls uses the first group
    /// for its key share without checking whether it is usable.
    fn provider(&self) -> Arc<CryptoProvider> {
        let whole = &self.inner.provider;
        let kx_groups = self.usable_groups();
        if kx_groups.is_empty() || kx_groups.len() == whole.kx_groups.len() {
            return whole.clone();
        }
        Arc::new(CryptoProvider {
            kx_groups,
            ..CryptoProvider::clone(whole)
        })
    }

    /// Builds the rustls configuration of one connection. It fails for all connections or for none.
    fn for_connection(
        &self,
        time: CertificateTime,
        clock: Arc<Clock>,
    ) -> Result<Arc<ClientConfig>, Error> {
        let inner = &*self.inner;
        let mut config = ClientConfig::builder_with_details(self.provider(), clock)
            .with_protocol_versions(&inner.versions)?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(time).clone())
            .with_client_cert_resolver(inner.identity.clone());
        if let Some(log) = &inner.key_log {
            config.key_log = log.clone();
        }
        // rustls includes the record header in this size.
        config.max_fragment_size = Some(inner.limits.fragment + 5);
        #[cfg(feature = "tls12")]
        {
            config.require_ems = inner.extended_master_secret;
        }
        config.resumption = match &inner.sessions {
            Some(store) => Resumption::store(store.for_rustls()),
            None => Resumption::disabled(),
        };
        // One ticket each time (RFC 9149): a second one would waste airtime.
        config.send_ticket_request = inner.sessions.is_some().then_some(TicketRequest {
            new_session_count: 1,
            resumption_count: 1,
        });
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Config {
    /// Shows no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("limits", &self.inner.limits)
            .finish_non_exhaustive()
    }
}

/// Collects the settings of a [`Config`].
pub struct ConfigBuilder {
    provider: CryptoProvider,
    roots: Roots,
    identity: Option<Arc<CertifiedKey>>,
    versions: Option<Vec<Version>>,
    suites: Option<Vec<Suite>>,
    groups: Option<Vec<Group>>,
    alpn: Vec<Vec<u8>>,
    pins: Vec<Pin>,
    extended_master_secret: bool,
    sessions: Option<SessionStore>,
    limits: Limits,
    in_place: Option<fn(SupportedCipherSuite) -> Option<SupportedCipherSuite>>,
    withdrawn: Option<fn(SignatureScheme) -> bool>,
    provider_failures: Option<fn() -> Option<ProviderFailure>>,
    key_log: Option<Arc<dyn KeyLog>>,
}

impl fmt::Debug for ConfigBuilder {
    /// Shows no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigBuilder")
            .field("versions", &self.versions)
            .field("suites", &self.suites)
            .field("groups", &self.groups)
            .field("limits", &self.limits)
            .field("pins", &self.pins)
            .finish_non_exhaustive()
    }
}

impl ConfigBuilder {
    /// Adds trust anchors: one DER certificate or a PEM bundle, told apart by content. Text between
    /// the certificates of a bundle is skipped. Name, key and constraints of each are kept: some
    /// 350 bytes with RSA-2048.
    ///
    /// A certificate that may not issue others, by its basicConstraints (CA:FALSE) or its keyUsage,
    /// is trusted only as itself: for a broker that presents this very certificate, self-signed. It
    /// is kept whole.
    // Not inlined, as below: the caller's stack then holds one step at a time.
    #[inline(never)]
    pub fn ca(mut self, pem_or_der: &[u8]) -> Result<Self, ConfigError> {
        credentials::each_certificate(pem_or_der, Given::Ca, &mut |certificate| {
            self.add_root(&certificate?)
        })?;
        Ok(self)
    }

    /// Like [`ca`](Self::ca), for a bundle that the user did not make, such as the operating
    /// system's. Certificates in it that cannot be read are skipped. Also returns how many were
    /// skipped. Fails if none can be read.
    pub fn ca_where_readable(mut self, pem_or_der: &[u8]) -> Result<(Self, usize), ConfigError> {
        let (mut added, mut left_out) = (0, 0);
        let mut first = None;
        credentials::each_certificate(pem_or_der, Given::Ca, &mut |certificate| {
            match certificate.and_then(|certificate| self.add_root(&certificate)) {
                Ok(()) => added += 1,
                Err(fault) => {
                    let index = u16::try_from(added + left_out).unwrap_or(u16::MAX);
                    first = first.or(Some(Given::Ca.at_fault(fault.of_certificate(index))));
                    left_out += 1;
                }
            }
            Ok(())
        })?;
        match first {
            Some(error) if added == 0 => Err(error),
            _ => Ok((self, left_out)),
        }
    }

    fn add_root(&mut self, certificate: &CertificateDer<'_>) -> Result<(), Fault> {
        let anchor = webpki::anchor_from_trusted_cert(certificate).map_err(|_| Damage::Content)?;
        let roots = &mut self.roots;
        if certificate::may_issue(certificate) {
            roots.cas.reserve_exact(1);
            roots.cas.push(anchor.to_owned());
        } else {
            roots.leaves.reserve_exact(1);
            roots.leaves.push(certificate.clone().into_owned());
        }
        Ok(())
    }

    /// Adds trust anchors compiled into the program, such as those of the crate `webpki-roots`.
    /// They stay in flash.
    pub fn anchors(mut self, anchors: impl IntoIterator<Item = TrustAnchor<'static>>) -> Self {
        self.roots.cas.extend(anchors);
        self
    }

    /// Sets the client certificate chain and the private key (PKCS#8, PKCS#1 or SEC1), each PEM or
    /// DER. If there are several keys, the one that matches the certificate is used. The device's
    /// own certificate need not come first.
    #[inline(never)]
    pub fn client_identity(mut self, chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        self.identity = Some(self.read_identity(chain, key)?);
        Ok(self)
    }

    fn read_identity(&self, chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, ConfigError> {
        let chain = credentials::certificates(chain, Given::Certificate)?;
        let mut refused = None;
        for key in credentials::private_keys(key)? {
            let kind = key.kind;
            let loaded = self.provider.key_provider.load_private_key(key.into_der());
            let identity = loaded
                .map_err(|_| ConfigError::KeyNotSupported(kind))
                .and_then(|key| certified_key(chain.clone(), key));
            match identity {
                Ok(identity) => return Ok(identity),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or(ConfigError::KeyMismatch))
    }

    /// Sets the client certificate chain (leaf first, PEM or DER) and a key that can only sign: one
    /// that never leaves a secure element or PSA Crypto.
    #[inline(never)]
    pub fn client_signer(
        mut self,
        chain: &[u8],
        key: Arc<dyn SigningKey>,
    ) -> Result<Self, ConfigError> {
        self.identity = Some(certified_key(
            credentials::certificates(chain, Given::Certificate)?,
            key,
        )?);
        Ok(self)
    }

    /// Allows only these versions.
    pub fn versions(mut self, versions: &[Version]) -> Self {
        self.versions = Some(versions.to_vec());
        self
    }

    /// Allows only these suites, in this order. Without [`versions`](Self::versions) they also
    /// determine the versions.
    pub fn suites(mut self, suites: &[Suite]) -> Self {
        self.suites = Some(suites.to_vec());
        self
    }

    /// Allows only these groups for the key exchange, in this order. TLS 1.3 sends a key share for
    /// the first one; a broker that wants another costs one more round trip.
    pub fn groups(mut self, groups: &[Group]) -> Self {
        self.groups = Some(groups.to_vec());
        self
    }

    /// Sets the ALPN protocol names, most preferred first (RFC 7301).
    pub fn alpn(mut self, protocols: &[&[u8]]) -> Self {
        self.alpn = protocols.iter().map(|name| name.to_vec()).collect();
        self
    }

    /// Adds a pin: the broker's own certificate, or its key, must be one of those pinned.
    ///
    /// With a CA, the pin is an additional check. Without a CA, the pin alone decides, as for
    /// DANE-EE in RFC 7671 section 5.1: the issuer, names, dates, version and basicConstraints of
    /// the certificate do not count. The same holds if a pinned certificate is also configured as
    /// the CA. That is typical of brokers at home, whose certificate is self-signed with CA:TRUE or
    /// is version 1. If the pinned certificate was issued by another one, it must be the only CA
    /// configured.
    pub fn pin(mut self, pin: Pin) -> Self {
        self.pins.push(pin);
        self
    }

    /// Requires the extended master secret (RFC 7627) in TLS 1.2, without which a session is not
    /// bound to its handshake. TLS 1.3 does not need it. Off by default: brokers with OpenSSL
    /// before 1.1.0, or behind old appliances, do not support it.
    #[cfg(feature = "tls12")]
    pub fn require_extended_master_secret(mut self) -> Self {
        self.extended_master_secret = true;
        self
    }

    /// Resumes sessions from this store and keeps new ones there. By default the [`Config`] has its
    /// own store, for one server.
    pub fn sessions(mut self, store: &SessionStore) -> Self {
        self.sessions = Some(store.clone());
        self
    }

    /// Neither keeps nor resumes sessions. Saves memory; costs a full handshake each time.
    pub fn no_resumption(mut self) -> Self {
        self.sessions = None;
        self
    }

    /// Limits the inbound buffer, which grows only as far as the records received need. It must
    /// hold one record, and one flight of handshake messages (the certificates). The default,
    /// 18,437 bytes (2^14 plus overhead), is also the largest useful size for records. The minimum
    /// is 512.
    ///
    /// TLS has an extension that asks the peer for smaller records (RFC 8449), but rustls lacks it.
    /// A limit below the default works only with a broker known to send small records.
    pub fn max_inbound(mut self, bytes: usize) -> Self {
        self.limits.inbound = bytes;
        self
    }

    /// Limits the encrypted application data that waits to be sent;
    /// [`write`](crate::Connection::write) takes what fits. Default 4,096 bytes; at least 128.
    /// Handshake messages are not counted: their length follows from this configuration (mostly
    /// from the client's certificate chain).
    pub fn max_outbound(mut self, bytes: usize) -> Self {
        self.limits.outbound = bytes;
        self
    }

    /// Limits the plaintext in one outbound record: 64 to 16,384 bytes (default). Over a lossy link
    /// the peer's application receives smaller records earlier, at 22 to 29 bytes of overhead each.
    pub fn max_fragment(mut self, bytes: usize) -> Self {
        self.limits.fragment = bytes;
        self
    }

    /// Limits the certificates on the path from the broker's to a CA, counting the broker's own but
    /// not the root: 1 to 7. The default of 4 covers the longest path of the public clouds. Other
    /// certificates that a broker sends do not count: roots, cross-signed ones, duplicates, in any
    /// order (of the first 32). webpki recurses once per certificate before it verifies any
    /// signature, so the host that answers the TCP connection controls the depth. Each level takes
    /// nearly 2 kB of stack on a Cortex-M4, or 0.7 kB with `-Cllvm-args=-inline-max-stacksize=256`
    /// in RUSTFLAGS, as the Zephyr module compiles it.
    pub fn max_chain(mut self, certificates: usize) -> Self {
        self.limits.chain = certificates;
        self
    }

    /// Decrypts application data in place: a record then takes its own length of heap instead of
    /// twice that, because rustls no longer copies what it decrypts. `suites` is the function of
    /// that name in the module `suites` of the crypto provider, which returns for each suite the
    /// one that does so. If any of the provider's suites has no such counterpart, this has no
    /// effect.
    pub fn in_place(
        mut self,
        suites: fn(SupportedCipherSuite) -> Option<SupportedCipherSuite>,
    ) -> Self {
        self.in_place = Some(suites);
        self
    }

    /// Passes each connection's secrets to `log`, to decrypt a capture with. They decrypt all of
    /// its traffic: for debugging only. Without this call they are not kept.
    pub fn key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.key_log = Some(log);
        self
    }

    /// Sets the function that returns and clears the crypto provider's last failed operation. Most
    /// rustls errors have no room for it: a certificate that cannot be verified for lack of memory
    /// looks like one with a bad signature. The failure replaces the rustls error, as
    /// [`TlsError::CryptoFailed`](crate::TlsError::CryptoFailed).
    pub fn provider_failures(mut self, take: fn() -> Option<ProviderFailure>) -> Self {
        self.provider_failures = Some(take);
        self
    }

    /// Sets the function that says whether the crypto provider's backend turned out not to support
    /// a signature scheme. Later connections do not offer that scheme, so that a broker with
    /// several certificates may present another one. For key exchange rustls has a method of its
    /// own ([`usable_for_version`](SupportedKxGroup::usable_for_version)).
    pub fn withdrawn_schemes(mut self, is_withdrawn: fn(SignatureScheme) -> bool) -> Self {
        self.withdrawn = Some(is_withdrawn);
        self
    }

    /// Validates all settings and builds the configuration.
    // Not inlined, like the steps of a handshake: otherwise the caller's frame holds the stack of
    // every step at once.
    #[inline(never)]
    pub fn build(mut self) -> Result<Config, ConfigError> {
        self.check_limits()?;
        if self.roots.is_empty() && self.pins.is_empty() {
            return Err(ConfigError::NoCertificate);
        }
        if !cfg!(feature = "pins") && !self.pins.is_empty() {
            return Err(ConfigError::NotBuilt("TLS_PINNING"));
        }
        if !cfg!(feature = "choice") && (self.suites.is_some() || self.groups.is_some()) {
            return Err(ConfigError::NotBuilt("TLS_CHOICE"));
        }
        let hash = sha256(&self.provider).filter(|_| cfg!(feature = "pins"));
        if hash.is_none() && !self.pins.is_empty() {
            return Err(ConfigError::PinWithoutSha256);
        }
        let versions = self.choose_suites()?;
        self.choose_groups(&versions)?;
        let config = self.into_config(versions, hash);
        // Find what rustls rejects now, not at the first connection.
        config
            .for_connection(CertificateTime::Known(0), Clock::new(0))
            .map_err(|_| ConfigError::NoSuite)?;
        Ok(config)
    }

    fn into_config(
        mut self,
        versions: Vec<&'static SupportedProtocolVersion>,
        hash: Option<&'static dyn Hash>,
    ) -> Config {
        let in_place = self.take_suites_in_place();
        let pins = Pins {
            hash,
            list: self.pins.into(),
        };
        let roots = Arc::new(self.roots);
        let algorithms = self.provider.signature_verification_algorithms;
        let (max_chain, withdrawn) = (self.limits.chain, self.withdrawn);
        let verifier = |moment| {
            Verifier::new(
                roots.clone(),
                algorithms,
                withdrawn,
                self.provider_failures,
                moment,
                max_chain,
                pins.clone(),
            )
        };
        Config {
            inner: Arc::new(Inner {
                exact: verifier(Moment::Exact),
                floor: verifier(Moment::Floor),
                provider: Arc::new(self.provider),
                versions,
                identity: Arc::new(Identity::new(self.identity)),
                alpn: self.alpn,
                extended_master_secret: self.extended_master_secret,
                limits: self.limits,
                in_place,
                provider_failures: self.provider_failures,
                key_log: self.key_log,
                sessions: self.sessions,
            }),
        }
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        if !(64..=MAX_FRAGMENT).contains(&self.limits.fragment) {
            return Err(ConfigError::FragmentSize);
        }
        if self.limits.inbound < 512 {
            return Err(ConfigError::InboundTooSmall);
        }
        if self.limits.outbound < 128 {
            return Err(ConfigError::OutboundTooSmall);
        }
        if !(1..=MAX_PATH).contains(&self.limits.chain) {
            return Err(ConfigError::ChainLength);
        }
        for (index, name) in (0..).zip(&self.alpn) {
            if name.is_empty() || name.len() > 255 {
                return Err(ConfigError::BadAlpn { index });
            }
        }
        Ok(())
    }

    /// Keeps only the chosen suites in the provider. Returns the versions they are for.
    fn choose_suites(&mut self) -> Result<Vec<&'static SupportedProtocolVersion>, ConfigError> {
        let offered = &mut self.provider.cipher_suites;
        if let Some(suites) = if_built(&self.suites) {
            let mut chosen = Vec::with_capacity(suites.len());
            for suite in suites {
                let found = offered.iter().find(|s| s.suite() == suite.id().into());
                chosen.push(*found.ok_or(ConfigError::SuiteNotOffered(*suite))?);
            }
            *offered = chosen;
        }

        let mut versions = Vec::with_capacity(Version::ALL.len());
        for version in self.versions.as_deref().unwrap_or(Version::ALL) {
            let error = match rustls_version(*version) {
                None => ConfigError::VersionNotBuilt(*version),
                Some(built) if offered.iter().any(|suite| suite.version() == built) => {
                    versions.push(built);
                    continue;
                }
                Some(_) => ConfigError::VersionWithoutSuite(*version),
            };
            // Versions that were not requested by name may be missing.
            if self.versions.is_some() {
                return Err(error);
            }
        }
        // A suite requested by name must be usable.
        for suite in if_built(&self.suites).unwrap_or_default() {
            let version = rustls_version(suite.version());
            if version.is_none_or(|version| !versions.contains(&version)) {
                return Err(ConfigError::SuiteWithoutVersion(*suite));
            }
        }
        if versions.is_empty() {
            return Err(ConfigError::NoSuite);
        }
        offered.retain(|suite| versions.contains(&suite.version()));
        Ok(versions)
    }

    /// Replaces the provider's suites with ones that decrypt application data in place. All or
    /// none, because the connection asks once.
    fn take_suites_in_place(&mut self) -> bool {
        let Some(in_place) = self.in_place else {
            return false;
        };
        let offered = &mut self.provider.cipher_suites;
        if !offered.iter().all(|suite| in_place(*suite).is_some()) {
            return false;
        }
        for suite in offered {
            *suite = in_place(*suite).unwrap_or(*suite);
        }
        true
    }

    /// Keeps only the chosen groups in the provider.
    fn choose_groups(
        &mut self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<(), ConfigError> {
        let offered = &mut self.provider.kx_groups;
        if let Some(groups) = if_built(&self.groups) {
            let mut chosen = Vec::with_capacity(groups.len());
            for group in groups {
                let found = offered.iter().find(|g| g.name() == group.id().into());
                chosen.push(*found.ok_or(ConfigError::GroupNotOffered(*group))?);
            }
            *offered = chosen;
        }
        for version in Version::ALL {
            let chosen = rustls_version(*version).filter(|chosen| versions.contains(chosen));
            let usable = |version: &SupportedProtocolVersion| {
                let mut groups = offered.iter();
                groups.any(|group| group.usable_for_version(version.version))
            };
            if chosen.is_some_and(|version| !usable(version)) {
                return Err(ConfigError::VersionWithoutGroup(*version));
            }
        }
        Ok(())
    }
}

/// Returns what was chosen by name, if this build supports choosing.
fn if_built<T>(chosen: &Option<Vec<T>>) -> Option<&[T]> {
    chosen.as_deref().filter(|_| cfg!(feature = "choice"))
}

fn rustls_version(version: Version) -> Option<&'static SupportedProtocolVersion> {
    match version {
        #[cfg(feature = "tls12")]
        Version::Tls12 => Some(&rustls::version::TLS12),
        #[cfg(not(feature = "tls12"))]
        Version::Tls12 => None,
        Version::Tls13 => Some(&rustls::version::TLS13),
    }
}

/// Returns the provider's SHA-256, which is part of its suites.
fn sha256(provider: &CryptoProvider) -> Option<&'static dyn Hash> {
    provider.cipher_suites.iter().find_map(|suite| {
        let hash = match suite {
            #[cfg(feature = "tls12")]
            SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
            SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
        };
        (hash.algorithm() == HashAlgorithm::SHA256).then_some(hash)
    })
}
