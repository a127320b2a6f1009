//! Versions, cipher suites and groups that can be chosen and negotiated, by their IANA names.

use core::fmt;
use core::str::FromStr;

/// A protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl Version {
    /// Both versions, oldest first.
    pub const ALL: &'static [Self] = &[Self::Tls12, Self::Tls13];

    /// Returns the number on the wire.
    pub const fn id(self) -> u16 {
        match self {
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

impl FromStr for Version {
    type Err = UnknownName;

    /// Accepts `1.2`, `TLS1.2`, `TLSv1.2` and `TLS 1.2`, and the same for 1.3.
    fn from_str(s: &str) -> Result<Self, UnknownName> {
        let s = strip_prefix_ignore_case(s.trim(), "TLS").unwrap_or(s.trim());
        let s = strip_prefix_ignore_case(s, "v").unwrap_or(s);
        match s.trim() {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            _ => Err(UnknownName::Version),
        }
    }
}

fn strip_prefix_ignore_case<'a>(s: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = s.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

/// Cipher suites, by their IANA numbers.
///
/// All of them have forward secrecy and authenticated encryption: rustls supports no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u16)]
pub enum Suite {
    /// TLS_AES_128_GCM_SHA256 (TLS 1.3)
    Aes128GcmSha256 = 0x1301,
    /// TLS_AES_256_GCM_SHA384 (TLS 1.3)
    Aes256GcmSha384 = 0x1302,
    /// TLS_CHACHA20_POLY1305_SHA256 (TLS 1.3)
    Chacha20Poly1305Sha256 = 0x1303,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (TLS 1.2)
    EcdheEcdsaAes128GcmSha256 = 0xc02b,
    /// TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 (TLS 1.2)
    EcdheEcdsaAes256GcmSha384 = 0xc02c,
    /// TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (TLS 1.2)
    EcdheRsaAes128GcmSha256 = 0xc02f,
    /// TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 (TLS 1.2)
    EcdheRsaAes256GcmSha384 = 0xc030,
    /// TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 (TLS 1.2)
    EcdheRsaChacha20Poly1305Sha256 = 0xcca8,
    /// TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 (TLS 1.2)
    EcdheEcdsaChacha20Poly1305Sha256 = 0xcca9,
}

impl Suite {
    /// Every suite, TLS 1.3 first.
    pub const ALL: &'static [Self] = &[
        Self::Aes128GcmSha256,
        Self::Aes256GcmSha384,
        Self::Chacha20Poly1305Sha256,
        Self::EcdheEcdsaAes128GcmSha256,
        Self::EcdheEcdsaAes256GcmSha384,
        Self::EcdheEcdsaChacha20Poly1305Sha256,
        Self::EcdheRsaAes128GcmSha256,
        Self::EcdheRsaAes256GcmSha384,
        Self::EcdheRsaChacha20Poly1305Sha256,
    ];

    /// Returns the IANA number.
    pub const fn id(self) -> u16 {
        self as u16
    }

    /// Returns the suite with an IANA number, if it is one of [`ALL`](Self::ALL).
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|s| s.id() == id)
    }

    /// Returns the version that it belongs to.
    pub const fn version(self) -> Version {
        match self.id() >> 8 {
            0x13 => Version::Tls13,
            _ => Version::Tls12,
        }
    }

    /// Returns the IANA name.
    pub const fn name(self) -> &'static str {
        self.names().0
    }

    /// Returns OpenSSL's name, for brokers that are configured with it.
    pub const fn openssl_name(self) -> &'static str {
        self.names().1
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Aes128GcmSha256 => ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
            Self::Aes256GcmSha384 => ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            Self::Chacha20Poly1305Sha256 => (
                "TLS_CHACHA20_POLY1305_SHA256",
                "TLS_CHACHA20_POLY1305_SHA256",
            ),
            Self::EcdheEcdsaAes128GcmSha256 => (
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "ECDHE-ECDSA-AES128-GCM-SHA256",
            ),
            Self::EcdheEcdsaAes256GcmSha384 => (
                "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                "ECDHE-ECDSA-AES256-GCM-SHA384",
            ),
            Self::EcdheRsaAes128GcmSha256 => (
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "ECDHE-RSA-AES128-GCM-SHA256",
            ),
            Self::EcdheRsaAes256GcmSha384 => (
                "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                "ECDHE-RSA-AES256-GCM-SHA384",
            ),
            Self::EcdheRsaChacha20Poly1305Sha256 => (
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
                "ECDHE-RSA-CHACHA20-POLY1305",
            ),
            Self::EcdheEcdsaChacha20Poly1305Sha256 => (
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "ECDHE-ECDSA-CHACHA20-POLY1305",
            ),
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Suite {
    type Err = UnknownName;

    /// Accepts the IANA and the OpenSSL name, in any case.
    fn from_str(s: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .iter()
            .copied()
            .find(|suite| {
                let (iana, openssl) = suite.names();
                iana.eq_ignore_ascii_case(s) || openssl.eq_ignore_ascii_case(s)
            })
            .ok_or(UnknownName::Suite)
    }
}

/// Groups for the key exchange, by their IANA numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u16)]
pub enum Group {
    /// NIST P-256
    Secp256r1 = 0x0017,
    /// NIST P-384
    Secp384r1 = 0x0018,
    /// NIST P-521
    Secp521r1 = 0x0019,
    /// Curve25519 (RFC 7748)
    X25519 = 0x001d,
    /// Curve25519 with ML-KEM-768, TLS 1.3 only; its key shares are over 1,100 bytes each way.
    X25519MlKem768 = 0x11ec,
}

impl Group {
    /// Every group.
    pub const ALL: &'static [Self] = &[
        Self::X25519,
        Self::Secp256r1,
        Self::Secp384r1,
        Self::Secp521r1,
        Self::X25519MlKem768,
    ];

    /// Returns the IANA number.
    pub const fn id(self) -> u16 {
        self as u16
    }

    /// Returns the group with an IANA number, if it is one of [`ALL`](Self::ALL).
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|g| g.id() == id)
    }

    /// Returns the IANA name.
    pub const fn name(self) -> &'static str {
        self.names().0
    }

    /// Returns OpenSSL's name.
    pub const fn openssl_name(self) -> &'static str {
        self.names().1
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Secp256r1 => ("secp256r1", "P-256"),
            Self::Secp384r1 => ("secp384r1", "P-384"),
            Self::Secp521r1 => ("secp521r1", "P-521"),
            Self::X25519 => ("x25519", "X25519"),
            Self::X25519MlKem768 => ("X25519MLKEM768", "X25519MLKEM768"),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Group {
    type Err = UnknownName;

    /// Accepts the IANA name, OpenSSL's `P-256` and its alias `prime256v1`, in any case.
    fn from_str(s: &str) -> Result<Self, UnknownName> {
        if s.eq_ignore_ascii_case("prime256v1") {
            return Ok(Self::Secp256r1);
        }
        Self::ALL
            .iter()
            .copied()
            .find(|group| {
                let (iana, openssl) = group.names();
                iana.eq_ignore_ascii_case(s) || openssl.eq_ignore_ascii_case(s)
            })
            .ok_or(UnknownName::Group)
    }
}

/// A name that is not a known version, suite or group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownName {
    /// Not a version.
    Version,
    /// Not a cipher suite.
    Suite,
    /// Not a group.
    Group,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "not a supported TLS version; use 1.2 or 1.3",
            Self::Suite => {
                "not a supported cipher suite; use an IANA name such as \
                 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or an OpenSSL name such as \
                 ECDHE-RSA-AES128-GCM-SHA256"
            }
            Self::Group => "not a supported key exchange group; use x25519, secp256r1 or secp384r1",
        })
    }
}

impl core::error::Error for UnknownName {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn suites_are_found_by_either_name_in_any_case() {
        for suite in Suite::ALL {
            assert_eq!(suite.name().parse(), Ok(*suite));
            assert_eq!(suite.openssl_name().to_lowercase().parse(), Ok(*suite));
            assert_eq!(Suite::from_id(suite.id()), Some(*suite));
        }
        assert_eq!(
            "ECDHE-RSA-AES128-GCM-SHA256".parse(),
            Ok(Suite::EcdheRsaAes128GcmSha256)
        );
        // Static RSA has no forward secrecy and is not available.
        assert_eq!(
            "TLS_RSA_WITH_AES_128_GCM_SHA256".parse::<Suite>(),
            Err(UnknownName::Suite)
        );
    }

    #[test]
    fn names_and_numbers_agree_with_rustls() {
        for suite in Suite::ALL {
            let theirs = rustls::CipherSuite::from(suite.id());
            let expected = suite.name().replace("TLS_", "TLS13_");
            let name = theirs.as_str().unwrap();
            assert!(name == suite.name() || name == expected, "{suite}: {name}");
        }
        for group in Group::ALL {
            let theirs = rustls::NamedGroup::from(group.id());
            let name = theirs.as_str().unwrap().to_lowercase();
            assert_eq!(name, group.name().to_lowercase());
        }
    }

    #[test]
    fn versions_and_groups_are_read_as_people_write_them() {
        for text in ["1.2", "TLS1.2", "TLSv1.2", "tls 1.2", "TLS 1.2"] {
            assert_eq!(text.parse(), Ok(Version::Tls12), "{text}");
        }
        assert_eq!("1.1".parse::<Version>(), Err(UnknownName::Version));
        assert_eq!("prime256v1".parse(), Ok(Group::Secp256r1));
        assert_eq!("p-384".parse(), Ok(Group::Secp384r1));
        assert_eq!(
            "ffdhe2048".parse::<Group>().unwrap_err().to_string(),
            UnknownName::Group.to_string()
        );
    }
}
