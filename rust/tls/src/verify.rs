//! Checking the broker's certificate: webpki decides; this module passes it the right moment and
//! remembers what it refused, and why.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::certificate::{self, CertificateSummary, PublicKey};
use crate::error::fault_without_context;
use crate::fault::CertificateFault;

/// How the time at hand is meant; see [`CertificateTime`](crate::CertificateTime).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is now.
    Exact,
    /// It has passed.
    Floor,
}

/// What rustls's `WebPkiServerVerifier` does, by the same functions, but for revocation lists, which
/// no device has: their parser would be in every image, some 10 kB of flash.
pub(crate) struct Verifier {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    moment: Moment,
    /// rustls reports a refusal without the chain. A verifier is shared by all connections of a
    /// configuration (resumption depends on its identity), so the refused chain waits here, labelled
    /// with the server's name, for the connection that is in the middle of the call. Only ever
    /// tried: in the rare race the diagnosis is less detailed, the verdict is the same.
    refused: spin::Mutex<Option<Refusal>>,
}

/// What was refused, and why.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Unknown where rustls does not say: when the signature of a handshake is checked.
    server_name: Option<ServerName<'static>>,
    pub(crate) fault: CertificateFault,
    pub(crate) chain: Vec<CertificateSummary>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("moment", &self.moment)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
        algorithms: WebPkiSupportedAlgorithms,
        moment: Moment,
    ) -> Arc<Self> {
        Arc::new(Self {
            roots,
            algorithms,
            moment,
            refused: spin::Mutex::new(None),
        })
    }

    /// What was refused last from this server.
    pub(crate) fn take_refusal(&self, server_name: &ServerName<'_>) -> Option<Refusal> {
        self.refused.try_lock()?.take_if(|refusal| {
            let of = refusal.server_name.as_ref();
            of.is_none_or(|name| name == server_name)
        })
    }

    /// Keeps what was refused, and why. Not inlined: its frame is not there when the signatures
    /// are verified, which is where a handshake takes the most stack.
    #[inline(never)]
    fn refuse(
        &self,
        error: &Error,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) {
        let presented = core::iter::once(end_entity).chain(intermediates);
        let chain = CertificateSummary::read_chain(presented);
        let fault = self.fault(error, end_entity, intermediates, &chain, now);
        self.remember(Some(server_name.to_owned()), fault, chain);
    }

    fn remember(
        &self,
        server_name: Option<ServerName<'static>>,
        fault: CertificateFault,
        chain: Vec<CertificateSummary>,
    ) {
        if let Some(mut refused) = self.refused.try_lock() {
            *refused = Some(Refusal {
                server_name,
                fault,
                chain,
            });
        }
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        self.verify_chain(&certificate, intermediates, now)?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    /// Verifies at `now`; for a floor, at the earliest moment from there on at which no certificate
    /// that webpki looks at is still to begin.
    fn verify_chain(
        &self,
        certificate: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        mut now: UnixTime,
    ) -> Result<(), Error> {
        let mut attempts = intermediates.len() + 1;
        loop {
            let result = verify_server_cert_signed_by_trust_anchor(
                certificate,
                &self.roots,
                intermediates,
                now,
                self.algorithms.all,
            );
            match result {
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) if self.moment == Moment::Floor && not_before > now && attempts > 0 => {
                    now = not_before;
                    attempts -= 1;
                }
                result => return result,
            }
        }
    }

    /// rustls without std drops the reasons that it has no name for; webpki still knows them.
    fn ask_webpki(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> CertificateFault {
        use webpki::Error as W;
        let verdict = webpki::EndEntityCert::try_from(end_entity).and_then(|certificate| {
            certificate
                .verify_for_usage(
                    self.algorithms.all,
                    &self.roots.roots,
                    intermediates,
                    now,
                    webpki::KeyUsage::server_auth(),
                    None,
                    None,
                )
                .map(|_| ())
        });
        match verdict {
            Err(W::CaUsedAsEndEntity) => CertificateFault::CaUsedAsEndEntity,
            Err(W::EndEntityUsedAsCa) => CertificateFault::EndEntityUsedAsCa,
            Err(W::PathLenConstraintViolated | W::MaximumPathDepthExceeded) => {
                CertificateFault::ChainTooLong
            }
            Err(
                W::MaximumPathBuildCallsExceeded
                | W::MaximumSignatureChecksExceeded
                | W::MaximumNameConstraintComparisonsExceeded,
            ) => CertificateFault::TooComplex,
            Err(
                W::NameConstraintViolation
                | W::MalformedNameConstraint
                | W::InvalidNetworkMaskConstraint,
            ) => CertificateFault::NameConstraint,
            Err(W::UnsupportedCertVersion) => CertificateFault::UnsupportedVersion,
            Err(W::UnsupportedCriticalExtension) => CertificateFault::UnknownCriticalExtension,
            Err(
                W::MalformedExtensions
                | W::MalformedDnsIdentifier
                | W::ExtensionValueInvalid
                | W::InvalidSerialNumber
                | W::SignatureAlgorithmMismatch
                | W::EmptyEkuExtension,
            ) => CertificateFault::BadEncoding,
            _ => CertificateFault::Other,
        }
    }

    /// Who has signed a certificate with a key that no provider takes.
    fn refused_key(&self, chain: &[CertificateSummary]) -> Option<CertificateFault> {
        let sent = chain.iter().skip(1).find_map(refused_length);
        sent.or_else(|| {
            let last = chain.last()?;
            self.roots.roots.iter().find_map(|root| {
                let name = certificate::name(&root.subject)?;
                let bits = PublicKey::read(&root.subject_public_key_info)?.refused_bits()?;
                (name == last.issuer).then(|| CertificateFault::RsaKeyLength {
                    subject: name.into(),
                    bits,
                })
            })
        })
    }

    /// Tells a handshake signed with a key that no provider takes from one that is signed wrongly.
    // Not inlined, as `refuse`.
    #[inline(never)]
    fn explain_signature(&self, leaf: &CertificateDer<'_>) {
        let chain = CertificateSummary::read_chain([leaf]);
        if let Some(fault) = chain.first().and_then(refused_length) {
            self.remember(None, fault, chain);
        }
    }

    fn fault(
        &self,
        error: &Error,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        chain: &[CertificateSummary],
        now: UnixTime,
    ) -> CertificateFault {
        use CertificateError as C;
        let Error::InvalidCertificate(error) = error else {
            return CertificateFault::Other;
        };
        match error {
            C::ExpiredContext { time, not_after } => {
                let not_after = not_after.as_secs();
                CertificateFault::Expired {
                    subject: subject(chain, |c| c.not_after == not_after),
                    not_after,
                    checked_at: time.as_secs(),
                }
            }
            C::NotValidYetContext { time, not_before } => {
                let not_before = not_before.as_secs();
                CertificateFault::NotYetValid {
                    subject: subject(chain, |c| c.not_before == not_before),
                    not_before,
                    checked_at: time.as_secs(),
                }
            }
            C::NotValidForNameContext { expected, .. } => CertificateFault::NameMismatch {
                expected: name_text(expected),
                presented: chain
                    .first()
                    .map(|leaf| leaf.names.clone())
                    .unwrap_or_default()
                    .into_boxed_slice(),
            },
            C::UnknownIssuer => CertificateFault::UnknownIssuer {
                issuer: chain
                    .last()
                    .map(|last| last.issuer.as_str())
                    .unwrap_or_default()
                    .into(),
                presented: u8::try_from(chain.len()).unwrap_or(u8::MAX),
                self_signed: chain.len() == 1
                    && chain.iter().all(CertificateSummary::is_self_issued),
            },
            C::BadSignature => match self.refused_key(chain) {
                Some(fault) => fault,
                None => CertificateFault::BadSignature,
            },
            C::Other(_) => self.ask_webpki(end_entity, intermediates, now),
            other => fault_without_context(other),
        }
    }
}

/// The fault of a certificate whose key no provider takes.
fn refused_length(certificate: &CertificateSummary) -> Option<CertificateFault> {
    Some(CertificateFault::RsaKeyLength {
        bits: certificate.key.refused_bits()?,
        subject: subject(core::slice::from_ref(certificate), |_| true),
    })
}

fn name_text(name: &ServerName<'_>) -> Box<str> {
    use rustls_pki_types::IpAddr;
    match name {
        ServerName::DnsName(name) => name.as_ref().into(),
        ServerName::IpAddress(IpAddr::V4(v4)) => Ipv4Addr::from(*v4.as_ref()).to_string().into(),
        ServerName::IpAddress(IpAddr::V6(v6)) => Ipv6Addr::from(*v6.as_ref()).to_string().into(),
        _ => Box::default(),
    }
}

/// The subject of the certificate that is at fault: the first that answers to the description.
fn subject(
    chain: &[CertificateSummary],
    at_fault: impl Fn(&CertificateSummary) -> bool,
) -> Box<str> {
    let found = chain.iter().find(|c| at_fault(c)).or(chain.first());
    let Some(certificate) = found else {
        return Box::default();
    };
    // Many leaves have an empty subject and are known by their names alone.
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
        self.verify(end_entity, intermediates, server_name, now)
            .inspect_err(|error| self.refuse(error, end_entity, intermediates, server_name, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
            .inspect_err(|_| self.explain_signature(cert))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
            .inspect_err(|_| self.explain_signature(cert))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
