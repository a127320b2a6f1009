//! What is configured as CA, and what it vouches for.
use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::certificate;
use crate::der::{self, Reader};

/// What is configured as CA.
#[derive(Default)]
pub(crate) struct Roots {
    /// Those that may issue certificates.
    pub(crate) cas: Vec<TrustAnchor<'static>>,
    /// The others, which vouch for themselves alone: the usual certificate of a broker at home, which signs
    /// itself. webpki has no such thing, and would let the owner of its key certify any name.
    pub(crate) leaves: Vec<CertificateDer<'static>>,
}

impl Roots {
    pub(crate) fn is_empty(&self) -> bool {
        self.cas.is_empty() && self.leaves.is_empty()
    }

    /// The trust anchor for a certificate that is itself configured and that has signed itself.
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

    /// Whether one that vouches for itself alone has this subject.
    pub(crate) fn has_leaf(&self, subject: &[u8]) -> bool {
        let mut leaves = self.leaves.iter();
        leaves.any(|leaf| {
            certificate::issuer_and_subject(leaf).is_some_and(|(_, name)| name == subject)
        })
    }

    /// Those of `anchors` that have this name, as the certificate that names it writes it: webpki compares
    /// byte by byte.
    pub(crate) fn named<'a>(
        anchors: &'a [TrustAnchor<'_>],
        name: &'a [u8],
    ) -> Vec<TrustAnchor<'a>> {
        let mut named = Vec::new();
        for anchor in anchors {
            if certificate::is_same_name(&anchor.subject, name) {
                let constraints = anchor.name_constraints.as_deref();
                // A vector would make room for four at once.
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

    /// What may vouch for a certificate: itself, where there is [`itself`](Self::itself), or the CAs.
    pub(crate) fn anchors<'a>(
        &'a self,
        itself: &'a Option<TrustAnchor<'a>>,
    ) -> &'a [TrustAnchor<'a>] {
        itself.as_ref().map_or(&*self.cas, core::slice::from_ref)
    }
}
