//! The configured CAs, and what they vouch for.
use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::certificate;
use crate::der::{self, Reader};

/// The configured CAs.
#[derive(Default)]
pub(crate) struct Roots {
    /// Those that may issue certificates.
    pub(crate) cas: Vec<TrustAnchor<'static>>,
    /// The others, trusted only as themselves: typically self-signed certificates of brokers at
    /// home. webpki has no such concept, and would let the owner of such a key certify any name.
    pub(crate) leaves: Vec<CertificateDer<'static>>,
}

impl Roots {
    pub(crate) fn is_empty(&self) -> bool {
        self.cas.is_empty() && self.leaves.is_empty()
    }

    /// Returns the trust anchor for a self-signed certificate that is itself configured.
    pub(crate) fn itself<'a>(&self, end_entity: &'a CertificateDer<'_>) -> Option<TrustAnchor<'a>> {
        if !self.leaves.contains(end_entity) {
            return None;
        }
        let (issuer, subject) = certificate::issuer_and_subject(end_entity)?;
        let key = Reader::new(certificate::public_key_info(end_entity)?).expect(der::SEQUENCE)?;
        (issuer == subject).then(|| TrustAnchor {
            subject: subject.into(),
            subject_public_key_info: key.into(),
            name_constraints: None,
        })
    }

    /// Returns whether a certificate that is trusted only as itself has this subject.
    pub(crate) fn has_leaf(&self, subject: &[u8]) -> bool {
        let mut leaves = self.leaves.iter();
        leaves.any(|leaf| {
            certificate::issuer_and_subject(leaf).is_some_and(|(_, name)| name == subject)
        })
    }

    /// Returns those of `anchors` that have this name, spelled as in the certificate that names it:
    /// webpki compares byte by byte.
    pub(crate) fn named<'a>(
        anchors: &'a [TrustAnchor<'_>],
        name: &'a [u8],
    ) -> Vec<TrustAnchor<'a>> {
        let mut named = Vec::new();
        for anchor in anchors {
            if certificate::is_same_name(&anchor.subject, name) {
                let constraints = anchor.name_constraints.as_deref();
                // A vector would reserve room for four at once.
                named.reserve_exact(1);
                named.push(TrustAnchor {
                    subject: name.into(),
                    subject_public_key_info: anchor.subject_public_key_info.as_ref().into(),
                    name_constraints: constraints.map(Into::into),
                });
            }
        }
        named
    }

    /// Returns what may vouch for a certificate: itself, if [`itself`](Self::itself) says so, or
    /// the CAs.
    pub(crate) fn anchors<'a>(
        &'a self,
        itself: &'a Option<TrustAnchor<'a>>,
    ) -> &'a [TrustAnchor<'a>] {
        itself.as_ref().map_or(&*self.cas, core::slice::from_ref)
    }
}
