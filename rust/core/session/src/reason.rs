//! Broker codes and their meaning in plain text.

use core::fmt;

use crate::config::Version;

/// A reason code of MQTT 5 (section 2.4). Codes from 0x80 are failures.
///
/// A failed subscription with MQTT 3.1.1 is reported as 0x80, which both versions share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReasonCode(pub u8);

impl ReasonCode {
    /// Success, or normal disconnection.
    pub const SUCCESS: Self = Self(0x00);
    /// The peer gives no reason.
    pub const UNSPECIFIED: Self = Self(0x80);
    /// A packet could not be decoded.
    pub const MALFORMED_PACKET: Self = Self(0x81);
    /// A packet is not allowed at this point.
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    /// Unsupported protocol version.
    pub const UNSUPPORTED_VERSION: Self = Self(0x84);
    /// Client identifier not valid.
    pub const CLIENT_ID_NOT_VALID: Self = Self(0x85);
    /// Bad user name or password.
    pub const BAD_CREDENTIALS: Self = Self(0x86);
    /// Not authorized.
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    /// Server unavailable.
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    /// Packet identifier in use.
    pub const PACKET_ID_IN_USE: Self = Self(0x91);
    /// Packet identifier not found.
    pub const PACKET_ID_NOT_FOUND: Self = Self(0x92);
    /// Receive maximum exceeded.
    pub const RECEIVE_MAXIMUM_EXCEEDED: Self = Self(0x93);
    /// Topic alias invalid.
    pub const TOPIC_ALIAS_INVALID: Self = Self(0x94);
    /// Packet too large.
    pub const PACKET_TOO_LARGE: Self = Self(0x95);
    /// Quota exceeded.
    pub const QUOTA_EXCEEDED: Self = Self(0x97);
    /// Use another server, for now.
    pub const USE_ANOTHER_SERVER: Self = Self(0x9C);
    /// Server moved, for good.
    pub const SERVER_MOVED: Self = Self(0x9D);
    /// Shared subscriptions not supported.
    pub const NO_SHARED_SUBSCRIPTIONS: Self = Self(0x9E);
    /// Wildcard subscriptions not supported.
    pub const NO_WILDCARD_SUBSCRIPTIONS: Self = Self(0xA2);

    /// Returns whether the operation failed.
    pub fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// Returns the meaning and the remedy, without the number.
    fn sentence(self) -> &'static str {
        match self.0 {
            0x00 => "success",
            0x04 => "disconnected; the will message is published",
            0x10 => "accepted, but no client subscribes to this topic",
            0x11 => "no such subscription existed",
            0x80 => "the broker gave no reason; check its log",
            0x81 => "the broker could not decode a packet",
            0x82 => "the broker detected a protocol error",
            0x83 => "the broker cannot process this (an implementation limit); check its log",
            0x84 => "the broker does not speak this MQTT version; use the other one",
            0x85 => "the broker does not accept this client identifier; choose another one",
            0x86 => "user name or password is wrong; check both",
            0x87 => "not authorized; check the credentials and the broker's access rules",
            0x88 => "the broker is unavailable; try again later",
            0x89 => "the broker is busy; try again later",
            0x8A => "this client is banned; ask the broker's administrator",
            0x8B => "the broker is shutting down; connect again later",
            0x8C => "the authentication method is not supported by the broker",
            0x8D => {
                "the broker received nothing for 1.5 times the keep-alive; the path is lossy or \
                 the keep-alive too short"
            }
            0x8E => {
                "another connection took over this session; give each client its own \
                     client identifier"
            }
            0x8F => "the broker does not accept this topic filter",
            0x90 => "the broker does not accept this topic name",
            0x91 => "the packet identifier is still in use; the session states differ",
            0x92 => "the packet identifier is unknown; the session states differ",
            0x93 => "more messages were in flight than allowed",
            0x94 => "a topic alias is not valid",
            0x95 => "a packet is larger than allowed",
            0x96 => "messages are sent faster than allowed; send less often",
            0x97 => "a quota of the broker is exhausted; ask its administrator",
            0x98 => "the broker's administrator closed the connection",
            0x99 => "the payload does not have the declared format",
            0x9A => "the broker does not support retained messages; publish without retain",
            0x9B => "the broker does not support this quality of service; use a lower one",
            0x9C => "use another broker for now",
            0x9D => "the broker has moved; change the address",
            0x9E => "the broker does not support shared subscriptions",
            0x9F => "connections are made too often; connect less often",
            0xA0 => "the broker's limit on connection time was reached",
            0xA1 => "the broker does not support subscription identifiers",
            0xA2 => "the broker does not support wildcards in subscriptions",
            _ => "a code not defined by MQTT",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.sentence(), self.0)
    }
}

impl fmt::Debug for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReasonCode(0x{:02X})", self.0)
    }
}

/// A broker's refusal of CONNECT: MQTT 3.1.1 table 3.1, or MQTT 5 section 3.2.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectRefusal {
    code: u8,
    reason: ReasonCode,
    version: Version,
}

impl ConnectRefusal {
    /// Creates it from the code received in a CONNACK of this version.
    pub fn new(version: Version, code: u8) -> Self {
        let reason = match (version, code) {
            (Version::V311, 1) => ReasonCode::UNSUPPORTED_VERSION,
            (Version::V311, 2) => ReasonCode::CLIENT_ID_NOT_VALID,
            (Version::V311, 3) => ReasonCode::SERVER_UNAVAILABLE,
            (Version::V311, 4) => ReasonCode::BAD_CREDENTIALS,
            (Version::V311, 5) => ReasonCode::NOT_AUTHORIZED,
            // Some brokers use the codes of MQTT 5.
            (Version::V311, 0x80..) => ReasonCode(code),
            (Version::V311, _) => ReasonCode::UNSPECIFIED,
            (Version::V5, code) => ReasonCode(code),
        };
        ConnectRefusal {
            code,
            reason,
            version,
        }
    }

    /// Sets the version the session spoke, for a broker that answered with the codes of the other
    /// one.
    pub(crate) fn of(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// Returns the code as received.
    pub fn code(self) -> u8 {
        self.code
    }

    /// Returns the MQTT version that was refused.
    pub fn version(self) -> Version {
        self.version
    }

    /// Returns the reason as an MQTT 5 code, for either version.
    pub fn reason(self) -> ReasonCode {
        self.reason
    }

    /// In CONNACK, some codes concern the will, the only message in CONNECT (MQTT 5
    /// section 3.2.2.2).
    fn sentence(self) -> &'static str {
        match self.reason.0 {
            0x90 => "the broker does not accept the will's topic; choose another one",
            0x99 => "the will's payload does not have the declared format",
            0x9A => "the broker does not support retained messages; set a will without retain",
            0x9B => "the broker does not support the will's quality of service; use a lower one",
            _ => self.reason.sentence(),
        }
    }

    /// Returns whether retrying is useless until the configuration or the broker's rules change.
    pub fn is_permanent(self) -> bool {
        !matches!(
            self.reason.0,
            // Unspecified, implementation specific, unavailable, busy, quota, another server, rate.
            0x80 | 0x83 | 0x88 | 0x89 | 0x97 | 0x9C | 0x9F
        )
    }
}

impl fmt::Display for ConnectRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the broker refused the connection: {} (CONNACK code {})",
            self.sentence(),
            self.code
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    /// MQTT 5, table "Connect Reason Code values" in section 3.2.2.2.
    const CONNACK_V5: [u8; 21] = [
        0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
        0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
    ];

    #[test]
    fn every_refusal_has_a_sentence_of_its_own() {
        let undefined = ReasonCode(0xFF).sentence();
        let mut seen = alloc::vec::Vec::new();
        for code in CONNACK_V5 {
            let refusal = ConnectRefusal::new(Version::V5, code);
            let sentence = refusal.reason().sentence();
            assert_ne!(sentence, undefined, "0x{code:02X}");
            assert!(!seen.contains(&sentence), "0x{code:02X}");
            seen.push(sentence);
            assert!(
                refusal
                    .to_string()
                    .ends_with(&format!("(CONNACK code {code})"))
            );
        }
    }

    /// MQTT 5 section 3.2.2.2: "The Will Topic Name", "The CONNECT packet set Will Retain" and so on.
    #[test]
    fn what_connack_says_of_the_will_names_it() {
        for code in [0x90, 0x99, 0x9A, 0x9B] {
            let refusal = ConnectRefusal::new(Version::V5, code).to_string();
            assert!(refusal.contains("will"), "{refusal}");
            assert!(!ReasonCode(code).to_string().contains("will"));
        }
    }

    #[test]
    fn refusals_of_3_1_1_mean_the_same_as_those_of_5() {
        let pairs = [(1, 0x84), (2, 0x85), (3, 0x88), (4, 0x86), (5, 0x87)];
        for (old, new) in pairs {
            let old_refusal = ConnectRefusal::new(Version::V311, old);
            let new_refusal = ConnectRefusal::new(Version::V5, new);
            assert_eq!(old_refusal.reason(), new_refusal.reason());
            assert_eq!(old_refusal.code(), old);
            assert_eq!(old_refusal.is_permanent(), new_refusal.is_permanent());
        }
        assert_eq!(
            ConnectRefusal::new(Version::V311, 5).to_string(),
            "the broker refused the connection: not authorized; check the credentials and the \
             broker's access rules (CONNACK code 5)"
        );
        assert!(!ConnectRefusal::new(Version::V311, 3).is_permanent());
        assert!(ConnectRefusal::new(Version::V311, 4).is_permanent());
    }

    #[test]
    fn every_code_of_mqtt_5_is_known() {
        // MQTT 5, table 2-6, all values; gaps are not defined.
        let defined = [0x00, 0x04, 0x10, 0x11].into_iter().chain(0x80..=0xA2);
        let undefined = ReasonCode(0xFF).sentence();
        for code in defined {
            assert_ne!(ReasonCode(code).sentence(), undefined, "0x{code:02X}");
        }
        assert_eq!(ReasonCode(0xA3).sentence(), undefined);
        assert!(ReasonCode(0x80).is_error() && !ReasonCode(0x10).is_error());
    }
}
