//! Checking the broker's certificate. webpki decides; this module supplies the time, and records
//! what was refused and why.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::hash::Hash;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{
    CertificateDer, ServerName, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime,
};
use thread_mqtt_crypto_record::{has_room, in_place};
use webpki::{EndEntityCert, KeyUsage, RawPublicKeyEntity};

use crate::certificate::{self, CertificateSummary, PublicKey};
use crate::choice::Version;
use crate::der::Reader;
use crate::error::ProviderFailure;
use crate::fault::{CertificateFault, NotPinned, Signature};
use crate::mismatch;
use crate::path::{self, Path};
use crate::pin::Pin;
use crate::roots::Roots;

/// Heap that a name takes in webpki's list of names, in addition to three times its length while
/// its text grows: the `String`, twice while the list grows, and the heap's overhead.
const NAME_IN_LIST: usize = 12 * size_of::<usize>();

/// Heap that the summaries of a chain take at most while they are built: the leaf's names, and
/// (below) everything else per certificate.
const SUMMARY: usize = 1_024 * size_of::<usize>();
const SUMMARY_OF_ONE: usize = 256 * size_of::<usize>();

/// Returns whether the heap has room for the list of the certificate's names, which webpki builds
/// if none of them is the wanted one. Not needed if one matches literally.
// Not inlined, as `refuse`.
#[inline(never)]
fn has_room_for_names(certificate: &CertificateDer<'_>, wanted: &ServerName<'_>) -> bool {
    let ServerName::DnsName(wanted) = wanted else {
        return has_room(list_of_names(certificate));
    };
    let wanted = wanted.as_ref().as_bytes();
    let is_wanted = |(kind, name): (u8, &[u8])| {
        kind == certificate::DNS_NAME && name.eq_ignore_ascii_case(wanted)
    };
    certificate::names(certificate).any(is_wanted) || has_room(list_of_names(certificate))
}

fn list_of_names(certificate: &CertificateDer<'_>) -> usize {
    let names = certificate::names(certificate);
    names.fold(0, |list, (_, name)| list + 3 * name.len() + NAME_IN_LIST)
}

/// How to interpret a time; see [`CertificateTime`](crate::CertificateTime).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The current time.
    Exact,
    /// A time known to have passed.
    Floor,
}

/// Like rustls's `WebPkiServerVerifier`, with the same functions of webpki, but without revocation
/// lists, which devices do not have: their parser would add some 10 kB of flash to every image.
/// rustls's own functions in between would lose the reason of a refusal, and take more flash and
/// stack.
pub(crate) struct Verifier {
    roots: Arc<Roots>,
    algorithms: WebPkiSupportedAlgorithms,
    /// Returns whether the provider turned out to lack a scheme.
    withdrawn: Option<fn(SignatureScheme) -> bool>,
    /// Takes the failure that the provider recorded.
    provider_failures: Option<fn() -> Option<ProviderFailure>>,
    moment: Moment,
    /// Longest path in certificates; webpki recurses once for each.
    max_chain: usize,
    pins: Pins,
    /// rustls reports a refusal without the chain. All connections of a configuration share a
    /// verifier (resumption depends on its identity), so the refused chain is kept here, labelled
    /// with the server's name, until the connection that is in the middle of the call takes it.
    /// Never waits for the lock: if two connections race, the diagnosis is less detailed, but the
    /// verdict is the same.
    refused: spin::Mutex<Option<Box<Refusal>>>,
}

/// The pins, and what is needed to compare with them.
#[derive(Clone)]
pub(crate) struct Pins {
    pub(crate) list: Arc<[Pin]>,
    /// SHA-256; not needed without pins.
    pub(crate) hash: Option<&'static dyn Hash>,
}

impl Pins {
    /// Returns whether there are no pins, or this build does not support them.
    fn is_empty(&self) -> bool {
        !cfg!(feature = "pins") || self.list.is_empty()
    }
}

/// Why a certificate is not accepted.
enum Refused {
    /// Neither its hash nor its key's is pinned.
    NotPinned(Box<[Pin; 2]>),
    /// webpki refused it, following this path.
    Invalid(webpki::Error, Path),
    /// The shortest path to a CA has this many certificates.
    PathTooLong(usize),
    /// It may be valid, but the heap has no room to compare its names.
    NoRoom,
}

/// What was refused, and why.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// `None` if rustls does not say: when it checks the signature of a handshake.
    server_name: Option<ServerName<'static>>,
    pub(crate) fault: CertificateFault,
    pub(crate) chain: Vec<CertificateSummary>,
}

// Only its name, as in `resume`.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    pub(crate) fn new(
        roots: Arc<Roots>,
        algorithms: WebPkiSupportedAlgorithms,
        withdrawn: Option<fn(SignatureScheme) -> bool>,
        provider_failures: Option<fn() -> Option<ProviderFailure>>,
        moment: Moment,
        max_chain: usize,
        pins: Pins,
    ) -> Arc<Self> {
        Arc::new(Self {
            roots,
            algorithms,
            withdrawn,
            provider_failures,
            moment,
            max_chain,
            pins,
            refused: spin::Mutex::new(None),
        })
    }

    /// Takes the last refusal of this server.
    pub(crate) fn take_refusal(&self, server_name: &ServerName<'_>) -> Option<Box<Refusal>> {
        self.refused.try_lock()?.take_if(|refusal| {
            let of = refusal.server_name.as_ref();
            of.is_none_or(|name| name == server_name)
        })
    }

    /// Records what was refused and why, and returns rustls's error, which determines the alert to
    /// the peer. Not inlined, to keep its frame off the stack while signatures are verified, where
    /// a handshake takes the most stack.
    #[inline(never)]
    fn refuse(
        &self,
        refused: &Refused,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
    ) -> Error {
        let presented = intermediates.len() + 1;
        let summaries = cfg!(feature = "summaries");
        let has_room = !summaries
            || has_room(SUMMARY + (presented.min(certificate::MAX_CHAIN) + 1) * SUMMARY_OF_ONE);
        // Always report dates: they say something about the clock.
        use webpki::Error::{CertExpired, CertNotValidYet};
        let of_dates = matches!(
            refused,
            Refused::Invalid(CertExpired { .. } | CertNotValidYet { .. }, _)
        );
        if !has_room && !of_dates {
            return in_place::out_of_memory();
        }
        // Without the feature, only the kind of fault is reported.
        let chain = match summaries && has_room {
            true => CertificateSummary::read_chain(
                &mut core::iter::once(end_entity).chain(intermediates),
            ),
            false => Vec::new(),
        };
        let presented = u8::try_from(presented).unwrap_or(u8::MAX);
        let (fault, error) = match refused {
            Refused::NotPinned(seen) => {
                let [certificate, key] = **seen;
                let fault = CertificateFault::NotPinned(Box::new(NotPinned { certificate, key }));
                (fault, CertificateError::ApplicationVerificationFailure)
            }
            Refused::PathTooLong(length) => {
                let fault = CertificateFault::PathTooLong {
                    length: u8::try_from(*length).unwrap_or(u8::MAX),
                    most: u8::try_from(self.max_chain).unwrap_or(u8::MAX),
                };
                (fault, CertificateError::Other(OtherError.without_cause()))
            }
            Refused::Invalid(webpki::Error::CertNotValidForName(_), _) => (
                mismatch::fault(end_entity, &chain, server_name),
                CertificateError::NotValidForName,
            ),
            Refused::Invalid(webpki::Error::UnknownIssuer, path) => {
                let end = path.last(end_entity, intermediates);
                let names = match cfg!(feature = "summaries") {
                    true => certificate::issuer_and_subject(end),
                    false => None,
                };
                let issuer = names.and_then(|(issuer, _)| certificate::name(issuer));
                let is_self_issued = names.is_some_and(|(issuer, subject)| issuer == subject);
                let self_signed = path.len() == 1 && is_self_issued;
                let fault = match names {
                    Some((issuer, _)) if !self_signed && self.roots.has_leaf(issuer) => {
                        CertificateFault::EndEntityUsedAsCa
                    }
                    _ => CertificateFault::UnknownIssuer {
                        issuer: issuer.unwrap_or_default().into(),
                        presented,
                        self_signed,
                    },
                };
                (fault, CertificateError::UnknownIssuer)
            }
            Refused::Invalid(webpki::Error::UnsupportedCriticalExtension, _) => {
                let mut sent = core::iter::once(end_entity)
                    .chain(intermediates)
                    .zip(&chain);
                let (subject, extension) = match summaries {
                    true => sent.find_map(|(der, certificate)| {
                        let extension = certificate::unknown_extension(der)?;
                        let subject = subject(core::slice::from_ref(certificate), |_| true);
                        Some((subject, extension))
                    }),
                    false => None,
                }
                .unwrap_or_default();
                let fault = CertificateFault::UnknownCriticalExtension {
                    subject,
                    extension: extension.into(),
                };
                (fault, CertificateError::Other(OtherError.without_cause()))
            }
            // webpki checks the form of names only to compare them with what a CA may certify.
            Refused::Invalid(webpki::Error::MalformedDnsIdentifier, _) => {
                let name = match summaries {
                    true => certificate::invalid_dns_name(end_entity),
                    false => None,
                };
                let name = name.unwrap_or_default().into();
                let fault = CertificateFault::InvalidDnsName { name };
                (fault, CertificateError::Other(OtherError.without_cause()))
            }
            Refused::Invalid(webpki::Error::NameConstraintViolation, path)
                if summaries && self.constrains_subjects(path, end_entity, intermediates) =>
            {
                let fault = CertificateFault::DirectoryNameConstraint;
                (fault, CertificateError::Other(OtherError.without_cause()))
            }
            Refused::Invalid(error, _) => {
                let (fault, error) = self.judge(error, end_entity, &chain);
                (of_another(fault, end_entity, &chain), error)
            }
            Refused::NoRoom => return in_place::out_of_memory(),
        };
        self.remember(Some(server_name.to_owned()), fault, chain);
        error.into()
    }

    /// Returns whether a CA on the path limits the subjects that it may certify: webpki refuses
    /// everything such a CA has issued (rustls/webpki#19).
    fn constrains_subjects(
        &self,
        path: &Path,
        end_entity: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
    ) -> bool {
        let last = path.last(end_entity, sent);
        let (issuer, _) = certificate::issuer_and_subject(last).unwrap_or_default();
        let of_root = |root: TrustAnchor<'_>| {
            let constraints = root.name_constraints.as_deref().map(Reader::new);
            constraints.is_some_and(certificate::has_directory_name)
        };
        let mut path = path.intermediates(sent).into_iter();
        path.any(|der| certificate::constrains_subjects(&der))
            || Roots::named(&self.roots.cas, issuer)
                .into_iter()
                .any(of_root)
    }

    fn remember(
        &self,
        server_name: Option<ServerName<'static>>,
        fault: CertificateFault,
        chain: Vec<CertificateSummary>,
    ) {
        if let Some(mut refused) = self.refused.try_lock() {
            *refused = Some(Box::new(Refusal {
                server_name,
                fault,
                chain,
            }));
        }
    }

    /// Verifies the path to a CA and the name; or the pin; or all of them.
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Refused> {
        if !self.pins.is_empty() && self.is_pinned(end_entity)? {
            return Ok(());
        }
        let itself = self.roots.itself(end_entity);
        let anchors = self.roots.anchors(&itself);
        let mut paths = path::find(end_entity, intermediates, anchors, self.max_chain);
        if paths.complete.is_empty() {
            if let Some(length) = paths.too_long {
                return Err(Refused::PathTooLong(length));
            }
            // Let webpki find anything else that is wrong with it.
            paths.complete.push(paths.dead_end);
        }
        let invalid = |error| Refused::Invalid(error, paths.dead_end);
        let parsed = EndEntityCert::try_from(end_entity).map_err(invalid)?;
        let mut verdict = Ok(());
        // webpki's errors for a certificate with the right name but another key.
        let is_of_key = |refused: &Refused| {
            use webpki::Error as W;
            matches!(
                refused,
                Refused::Invalid(
                    W::InvalidSignatureForPublicKey
                        | W::UnsupportedSignatureAlgorithmForPublicKeyContext(_),
                    _
                )
            )
        };
        for path in paths.complete {
            let chosen = path.intermediates(intermediates);
            let last = path.last(end_entity, intermediates);
            let (issuer, _) = certificate::issuer_and_subject(last).unwrap_or_default();
            let anchors = Roots::named(anchors, issuer);
            match self.verify_path(&parsed, &chosen, &anchors, now) {
                Ok(()) => {
                    verdict = Ok(());
                    break;
                }
                // Report the shortest path whose keys fit.
                Err(error) if verdict.as_ref().err().is_none_or(is_of_key) => {
                    verdict = Err(Refused::Invalid(error, path));
                }
                Err(_) => {}
            }
        }
        verdict?;
        // Failures on another path, or with another CA of that name, do not matter.
        self.provider_failures.and_then(|take| take());
        if !has_room_for_names(end_entity, server_name) {
            return Err(Refused::NoRoom);
        }
        parsed
            .verify_is_valid_for_subject_name(server_name)
            .map_err(invalid)
    }

    /// Verifies a path. For a floor, verifies it at the earliest time, from the floor on, at which
    /// all of its certificates have become valid.
    fn verify_path(
        &self,
        parsed: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        anchors: &[TrustAnchor<'_>],
        mut now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let mut attempts = intermediates.len() + 1;
        loop {
            let verdict = parsed.verify_for_usage(
                self.algorithms.all,
                anchors,
                intermediates,
                now,
                KeyUsage::server_auth(),
                None,
                None,
            );
            match verdict {
                // webpki checks only their basicConstraints (RFC 5280 section 6.1.4 (n)).
                Ok(_) if !intermediates.iter().all(|der| certificate::may_issue(der)) => {
                    return Err(webpki::Error::EndEntityUsedAsCa);
                }
                Ok(_) => return Ok(()),
                Err(webpki::Error::CertNotValidYet { not_before, .. })
                    if self.moment == Moment::Floor && not_before > now && attempts > 0 =>
                {
                    now = not_before;
                    attempts -= 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the validity of the path on which `end_entity` was verified, for a connection that
    /// began at `time`: when its latest certificate was issued, and when its first one expires.
    ///
    /// If names allow several paths, the one that proves least counts, because that is proven
    /// whichever it was. `None` if a pin alone decided, because dates do not count then.
    pub(crate) fn validity(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        time: u64,
    ) -> Option<(u64, u64)> {
        if !self.pins.is_empty() && self.is_pinned(end_entity).unwrap_or(true) {
            return None;
        }
        let own = CertificateSummary::validity(end_entity)?;
        let itself = self.roots.itself(end_entity);
        let anchors = self.roots.anchors(&itself);
        let paths = path::find(end_entity, intermediates, anchors, self.max_chain);
        let of_path = |path: &Path| {
            let sent = path.intermediates(intermediates);
            let validities = sent
                .iter()
                .filter_map(|der| CertificateSummary::validity(der));
            validities.fold(own, |(from, to), (of_this, end)| {
                (from.max(of_this), to.min(end))
            })
        };
        let validities = paths.complete.iter().map(of_path);
        // An expired path was not the one.
        let valid = validities.filter(|(_, end)| *end >= time);
        valid.reduce(|(from, to), (of_this, end)| (from.min(of_this), to.min(end)))
    }

    /// Returns whether the pin alone decides: without a CA, or if the certificate is itself a
    /// configured CA. Returns an error if it is not pinned.
    // Not inlined, as `refuse`.
    #[inline(never)]
    fn is_pinned(&self, end_entity: &CertificateDer<'_>) -> Result<bool, Refused> {
        let bad_der = || Refused::Invalid(webpki::Error::BadDer, Path::LEAF);
        let key = certificate::public_key_info(end_entity).ok_or_else(bad_der)?;
        let (issuer, subject) = certificate::issuer_and_subject(end_entity).ok_or_else(bad_der)?;
        let hash = |bytes| {
            let mut pin = Pin([0; 32]);
            if let Some(hash) = self.pins.hash {
                let digest = hash.hash(bytes);
                for (to, from) in pin.0.iter_mut().zip(digest.as_ref()) {
                    *to = *from;
                }
            }
            pin
        };
        let seen = [hash(end_entity.as_ref()), hash(key)];
        if !seen.iter().any(|seen| self.pins.list.contains(seen)) {
            return Err(Refused::NotPinned(Box::new(seen)));
        }
        let is_this = |root: &TrustAnchor<'_>| {
            let spki = root.subject_public_key_info.as_ref();
            root.subject.as_ref() == subject && key.ends_with(spki)
        };
        let cas = &self.roots.cas;
        // The same key, though maybe not the same certificate: it may have been renewed.
        let mut leaves = self.roots.leaves.iter();
        let is_leaf = leaves.any(|leaf| {
            let name = certificate::issuer_and_subject(leaf).map(|(_, subject)| subject);
            name == Some(subject) && certificate::public_key_info(leaf) == Some(key)
        });
        let is_configured = is_leaf || cas.iter().any(is_this);
        // A certificate issued by another one is checked against the other CAs.
        let is_checked = issuer != subject && !cas.iter().all(is_this);
        Ok(self.roots.is_empty() || is_configured && !is_checked)
    }

    /// Verifies a handshake signature with the key of a pinned certificate, whatever its version.
    // Not inlined, as `refuse`.
    #[inline(never)]
    fn verify_by_key(
        &self,
        version: Version,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let bad = |error| Error::InvalidCertificate(error);
        let key =
            certificate::public_key_info(certificate).ok_or(bad(CertificateError::BadEncoding))?;
        let key = SubjectPublicKeyInfoDer::from(key);
        if version == Version::Tls13 {
            return verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms);
        }
        let key =
            RawPublicKeyEntity::try_from(&key).map_err(|_| bad(CertificateError::BadEncoding))?;
        // In TLS 1.2 a scheme names only the hash; try each algorithm of its row with the key.
        let mut rows = self.algorithms.mapping.iter();
        let row = rows.find(|(scheme, _)| *scheme == signed.scheme);
        let verified = row.is_some_and(|(_, algorithms)| {
            let mut algorithms = algorithms.iter();
            algorithms.any(|algorithm| {
                key.verify_signature(*algorithm, message, signed.signature())
                    .is_ok()
            })
        });
        match verified {
            true => Ok(HandshakeSignatureValid::assertion()),
            false => Err(bad(CertificateError::BadSignature)),
        }
    }

    /// Finds the signer of a certificate whose key no provider accepts.
    fn refused_key(&self, chain: &[CertificateSummary]) -> Option<CertificateFault> {
        let sent = chain.iter().skip(1).find_map(refused_length);
        sent.or_else(|| {
            let last = chain.last()?;
            self.roots.cas.iter().find_map(|root| {
                let name = certificate::name(&root.subject)?;
                let bits = PublicKey::read(&root.subject_public_key_info)?.refused_bits()?;
                (name == last.issuer).then(|| CertificateFault::RsaKeyLength {
                    subject: name.into(),
                    bits,
                })
            })
        })
    }

    /// Distinguishes a handshake signed with a key that no provider accepts from one with a wrong
    /// signature.
    // Not inlined, as `refuse`.
    #[inline(never)]
    fn explain_signature(&self, leaf: &CertificateDer<'_>) {
        if !cfg!(feature = "summaries") {
            return;
        }
        let chain = CertificateSummary::read_chain(&mut core::iter::once(leaf));
        if let Some(fault) = chain.first().and_then(refused_length) {
            self.remember(None, fault, chain);
        }
    }

    /// Translates an error of webpki into a fault and into rustls's error.
    fn judge(
        &self,
        error: &webpki::Error,
        end_entity: &CertificateDer<'_>,
        chain: &[CertificateSummary],
    ) -> (CertificateFault, CertificateError) {
        use CertificateError as C;
        use webpki::Error as W;
        match error {
            W::CertExpired { time, not_after } => {
                let not_after = not_after.as_secs();
                let fault = CertificateFault::Expired {
                    subject: subject(chain, |c| c.not_after == not_after),
                    not_after,
                    checked_at: time.as_secs(),
                    is_leaf: CertificateSummary::validity(end_entity)
                        .is_some_and(|(_, end)| end == not_after),
                };
                (fault, C::Expired)
            }
            W::CertNotValidYet { time, not_before } => {
                let not_before = not_before.as_secs();
                let fault = CertificateFault::NotYetValid {
                    subject: subject(chain, |c| c.not_before == not_before),
                    not_before,
                    checked_at: time.as_secs(),
                };
                (fault, C::NotValidYet)
            }
            error => {
                let (mut fault, error) = without_context(error);
                if cfg!(feature = "summaries") && fault == CertificateFault::BadSignature {
                    fault = self.refused_key(chain).unwrap_or(fault);
                }
                (fault, error)
            }
        }
    }
}

/// Adjusts the fault if it lies in another certificate than the broker's own.
fn of_another(
    fault: CertificateFault,
    end_entity: &CertificateDer<'_>,
    chain: &[CertificateSummary],
) -> CertificateFault {
    match fault {
        // An old root without basicConstraints may come last.
        CertificateFault::CaUsedAsEndEntity
            if chain.iter().any(|c| !c.is_ca && !c.is_self_issued()) =>
        {
            CertificateFault::LeafNotFirst
        }
        // webpki parses the broker's own first, and accepts only version 3.
        CertificateFault::UnsupportedVersion
            if cfg!(feature = "summaries") && EndEntityCert::try_from(end_entity).is_ok() =>
        {
            CertificateFault::IntermediateVersion
        }
        fault => fault,
    }
}

/// The same, for errors that need no context.
fn without_context(error: &webpki::Error) -> (CertificateFault, CertificateError) {
    use CertificateError as C;
    use CertificateFault as F;
    use webpki::Error as W;
    #[allow(deprecated)] // Its replacement holds a copy of every known algorithm.
    let unsupported = C::UnsupportedSignatureAlgorithm;
    let unnamed = |fault| (fault, C::Other(OtherError.without_cause()));
    match error {
        W::BadDer | W::BadDerTime | W::TrailingData(_) => (F::BadEncoding, C::BadEncoding),
        W::InvalidCertValidity => (F::NeverValid, C::Expired),
        W::InvalidSignatureForPublicKey => (F::BadSignature, C::BadSignature),
        W::RequiredEkuNotFoundContext(_) => (F::WrongPurpose, C::InvalidPurpose),
        W::UnsupportedSignatureAlgorithmContext(context) => {
            let algorithm = &context.signature_algorithm_id;
            (Signature::unsupported(algorithm, None), unsupported)
        }
        W::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            let algorithm = &context.signature_algorithm_id;
            let key = Some(&*context.public_key_algorithm_id);
            (Signature::unsupported(algorithm, key), unsupported)
        }
        W::CaUsedAsEndEntity => unnamed(F::CaUsedAsEndEntity),
        W::EndEntityUsedAsCa => unnamed(F::EndEntityUsedAsCa),
        W::PathLenConstraintViolated => unnamed(F::ChainTooLong),
        W::MaximumPathBuildCallsExceeded
        | W::MaximumSignatureChecksExceeded
        | W::MaximumNameConstraintComparisonsExceeded => unnamed(F::TooComplex),
        W::NameConstraintViolation
        | W::MalformedNameConstraint
        | W::InvalidNetworkMaskConstraint => unnamed(F::NameConstraint),
        W::UnsupportedCertVersion => unnamed(F::UnsupportedVersion),
        W::MalformedExtensions
        | W::ExtensionValueInvalid
        | W::InvalidSerialNumber
        | W::SignatureAlgorithmMismatch
        | W::EmptyEkuExtension => unnamed(F::BadEncoding),
        _ => unnamed(F::Other),
    }
}

/// rustls's error for what it has no name for. With std it takes a cause, without std it does not;
/// a dependent crate cannot see which.
trait Unnamed<Cause> {
    fn without_cause(self) -> OtherError;
}

impl<F: FnOnce() -> OtherError> Unnamed<()> for F {
    fn without_cause(self) -> OtherError {
        self()
    }
}

type Cause = Arc<dyn core::error::Error + Send + Sync>;

impl<F: FnOnce(Cause) -> OtherError> Unnamed<Cause> for F {
    fn without_cause(self) -> OtherError {
        self(Arc::new(fmt::Error))
    }
}

/// Returns the fault of a certificate whose key no provider accepts.
fn refused_length(certificate: &CertificateSummary) -> Option<CertificateFault> {
    Some(CertificateFault::RsaKeyLength {
        bits: certificate.key.refused_bits()?,
        subject: subject(core::slice::from_ref(certificate), |_| true),
    })
}

/// Returns the subject of the certificate at fault: the first that matches.
fn subject(
    chain: &[CertificateSummary],
    at_fault: impl Fn(&CertificateSummary) -> bool,
) -> Box<str> {
    let found = chain.iter().find(|c| at_fault(c)).or(chain.first());
    let Some(certificate) = found else {
        return Box::default();
    };
    // Many leaves have an empty subject and only alternative names.
    let text: &String = match certificate.names.first() {
        Some(name) if certificate.subject.is_empty() => name,
        _ => &certificate.subject,
    };
    text.as_str().into()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.verify(end_entity, intermediates, server_name, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(refused) => Err(self.refuse(&refused, end_entity, intermediates, server_name)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.pins.is_empty() {
            true => verify_tls12_signature(message, cert, dss, &self.algorithms),
            false => self.verify_by_key(Version::Tls12, message, cert, dss),
        }
        .inspect_err(|_| self.explain_signature(cert))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.pins.is_empty() {
            true => verify_tls13_signature(message, cert, dss, &self.algorithms),
            false => self.verify_by_key(Version::Tls13, message, cert, dss),
        }
        .inspect_err(|_| self.explain_signature(cert))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        if let Some(is_withdrawn) = self.withdrawn {
            schemes.retain(|scheme| !is_withdrawn(*scheme));
        }
        schemes
    }
}
