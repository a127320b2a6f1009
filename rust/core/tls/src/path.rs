//! Finds the path from a broker's certificate to a CA, by names alone: which of the certificates
//! sent are useful.
//!
//! Servers send more than needed: roots, cross-signed roots, duplicates, in any order. webpki
//! recurses once for each possible issuer, before it verifies a signature. So it is given the
//! certificates of one path at a time, of limited length. (RFC 4158 section 2.4.1 calls this
//! building in the forward direction.)

use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::certificate;

/// Longest path that webpki accepts, leaf included.
pub(crate) const MAX_PATH: usize = 7;
/// How many certificates are considered, of those sent in addition to the leaf.
const MAX_SENT: usize = 32;
/// How many paths are tried: several only if certificates of one name have different keys.
const MAX_PATHS: usize = 4;
/// How many partial paths are followed at once.
const MAX_OPEN: usize = 16;

/// Positions in what was sent in addition to the leaf, in path order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    at: [u8; MAX_PATH - 1],
    len: u8,
}

impl Path {
    /// Only the leaf.
    pub(crate) const LEAF: Self = Self {
        at: [0; MAX_PATH - 1],
        len: 0,
    };

    fn positions(&self) -> &[u8] {
        self.at.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn and(mut self, next: u8) -> Option<Self> {
        *self.at.get_mut(usize::from(self.len))? = next;
        self.len += 1;
        Some(self)
    }

    /// Returns the number of certificates, including the leaf.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len) + 1
    }

    /// Returns the last certificate, which may be the leaf.
    pub(crate) fn last<'a, 'd>(
        &self,
        leaf: &'a CertificateDer<'d>,
        sent: &'a [CertificateDer<'d>],
    ) -> &'a CertificateDer<'d> {
        let last = self.positions().last();
        last.and_then(|at| sent.get(usize::from(*at)))
            .unwrap_or(leaf)
    }

    /// Returns the certificates between the leaf and the root.
    pub(crate) fn intermediates<'a>(
        &self,
        sent: &'a [CertificateDer<'_>],
    ) -> Vec<CertificateDer<'a>> {
        let found = self
            .positions()
            .iter()
            .filter_map(|at| sent.get(usize::from(*at)));
        found
            .map(|der| CertificateDer::from(der.as_ref()))
            .collect()
    }
}

/// The paths between a leaf and the CAs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    /// Paths that end at a CA, shortest first.
    pub(crate) complete: Vec<Path>,
    /// Length of the shortest path that is too long.
    pub(crate) too_long: Option<usize>,
    /// The longest path that does not end at a CA, cut to the allowed length.
    pub(crate) dead_end: Path,
}

/// Finds paths of at most `longest` certificates, counting the leaf but not the root.
// Not inlined, to keep its frame off the stack while webpki runs.
#[inline(never)]
pub(crate) fn find(
    leaf: &[u8],
    sent: &[CertificateDer<'_>],
    roots: &[TrustAnchor<'_>],
    longest: usize,
) -> Paths {
    let mut paths = Paths {
        complete: Vec::new(),
        too_long: None,
        dead_end: Path::LEAF,
    };
    let Some((issuer, _)) = certificate::issuer_and_subject(leaf) else {
        return paths;
    };
    let names = names(leaf, sent);
    let mut open = Vec::from([(Path::LEAF, issuer)]);
    while !open.is_empty() {
        let mut longer = Vec::new();
        for (path, issuer) in open {
            if path.len() <= longest {
                paths.dead_end = path;
            }
            if has_root(roots, issuer) {
                match path.len() <= longest {
                    true => paths.complete.push(path),
                    false => paths.too_long = paths.too_long.or(Some(path.len())),
                }
                if paths.complete.len() == MAX_PATHS {
                    return paths;
                }
            }
            for (at, name) in (0_u8..).zip(&names) {
                let Some((next, subject)) = *name else {
                    continue;
                };
                if subject != issuer || path.positions().contains(&at) {
                    continue;
                }
                match path.and(at) {
                    Some(path) if longer.len() < MAX_OPEN => longer.push((path, next)),
                    Some(_) => {}
                    // Too long to be tried: only its length may still be reported.
                    None if paths.too_long.is_none() => {
                        paths.too_long = length_on(next, &names, roots).map(|on| path.len() + on);
                    }
                    None => {}
                }
            }
        }
        open = longer;
    }
    paths
}

fn has_root(roots: &[TrustAnchor<'_>], name: &[u8]) -> bool {
    let mut roots = roots.iter();
    roots.any(|root| certificate::is_same_name(&root.subject, name))
}

/// Returns the number of certificates up to a root, starting with this issuer's and taking the
/// first of each name.
fn length_on<'a>(
    mut issuer: &'a [u8],
    names: &[Option<(&'a [u8], &[u8])>],
    roots: &[TrustAnchor<'_>],
) -> Option<usize> {
    for length in 1..=names.len() {
        if has_root(roots, issuer) {
            return Some(length);
        }
        let mut readable = names.iter().flatten();
        (issuer, _) = *readable.find(|(_, subject)| *subject == issuer)?;
    }
    None
}

/// Returns issuer and subject of each certificate; `None` if it is unreadable or a duplicate.
fn names<'a>(leaf: &[u8], sent: &'a [CertificateDer<'_>]) -> Vec<Option<(&'a [u8], &'a [u8])>> {
    let sent = sent.get(..MAX_SENT).unwrap_or(sent);
    let read = |(at, der): (usize, &'a CertificateDer<'_>)| {
        let again = sent.iter().take(at).any(|earlier| earlier == der) || der.as_ref() == leaf;
        match again {
            true => None,
            false => certificate::issuer_and_subject(der),
        }
    };
    sent.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use rcgen::{CertificateParams, DnType, Issuer, KeyPair};

    /// Makes a certificate for this subject by this issuer.
    fn issue(subject: &str, issuer: &str) -> CertificateDer<'static> {
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let key = || KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let issuer = Issuer::new(named(issuer), key());
        let certificate = named(subject).signed_by(&key(), &issuer).unwrap();
        certificate.der().clone()
    }

    /// Finds the paths from "leaf", issued by I, to the roots, through certificates given as
    /// "subject issuer".
    fn paths(sent: &str, roots: &str, longest: usize) -> Paths {
        let sent: Vec<_> = sent
            .split(", ")
            .filter_map(|pair| pair.split_once(' '))
            .map(|(subject, issuer)| issue(subject, issuer))
            .collect();
        let roots: Vec<_> = roots
            .split_whitespace()
            .map(|root| issue(root, root))
            .collect();
        let roots: Vec<_> = roots
            .iter()
            .map(|root| webpki::anchor_from_trusted_cert(root).unwrap())
            .collect();
        find(&issue("leaf", "I"), &sent, &roots, longest)
    }

    fn complete(paths: &Paths) -> String {
        let path = |path: &Path| format!("{:?}", path.positions());
        paths.complete.iter().map(path).collect()
    }

    #[test]
    fn what_is_not_needed_is_left_out() {
        for (sent, roots, expected) in [
            ("", "I", "[]"),
            ("I R", "R", "[0]"),
            // With the root, and with a cross-signed one and the older root.
            ("I R, R R", "R", "[0][0, 1]"),
            ("I R, R O, O O", "R", "[0]"),
            ("I R, R O, O O", "O", "[0, 1][0, 1, 2]"),
            // In the wrong order, mixed with unrelated ones.
            ("X Y, R O, Y X, I R", "O", "[3, 1]"),
            // Two with the same name.
            ("I R, I R", "R", "[0][1]"),
            // In loops.
            ("I J, J I", "R", ""),
            ("I I", "R", ""),
        ] {
            let found = paths(sent, roots, 4);
            assert_eq!(complete(&found), expected, "{sent}; {roots}");
            assert_eq!(found.too_long, None);
        }
    }

    #[test]
    fn the_limit_is_the_path_and_not_what_was_sent() {
        let long = "I A, A B, B C, C D";
        assert_eq!(complete(&paths(long, "A", 2)), "[0]");
        assert_eq!(complete(&paths(long, "D", 5)), "[0, 1, 2, 3]");
        let found = paths(long, "D", 4);
        assert_eq!((complete(&found), found.too_long), (String::new(), Some(5)));
        assert_eq!(found.dead_end.positions(), [0, 1, 2]);
        let found = paths(long, "X", 4);
        assert_eq!((complete(&found), found.too_long), (String::new(), None));
        // No path is longer than webpki accepts.
        let longer = "I A, A B, B C, C D, D E, E F, F G";
        assert_eq!(complete(&paths(longer, "F", 7)), "[0, 1, 2, 3, 4, 5]");
        let found = paths(longer, "G", 7);
        assert_eq!((found.dead_end.len(), found.too_long), (7, Some(8)));
        let longest = [longer, "G H, H K, K L, L M"].join(", ");
        assert_eq!(paths(&longest, "M", 7).too_long, Some(12));
        assert_eq!(paths(&longest, "M", 2).too_long, Some(12));
        assert_eq!(paths(&longest, "X", 7).too_long, None);
        // In a loop after the longest path.
        let circle = [longer, "G A"].join(", ");
        assert_eq!(paths(&circle, "X", 7).too_long, None);
    }

    #[test]
    fn the_work_is_bounded() {
        // Any may follow any: millions of paths.
        let alike = ["I I"; 20].join(", ");
        let found = paths(&alike, "I", 7);
        assert_eq!(found.complete.len(), MAX_PATHS);
        let found = paths(&alike, "R", 7);
        assert_eq!((found.complete.len(), found.dead_end.len()), (0, 7));
        // A duplicate does not count as another certificate.
        let one = issue("I", "R");
        let root = issue("R", "R");
        let roots = [webpki::anchor_from_trusted_cert(&root).unwrap()];
        let found = find(
            &issue("leaf", "I"),
            &[one.clone(), one.clone(), one],
            &roots,
            4,
        );
        assert_eq!(found.complete.len(), 1);
    }
}
