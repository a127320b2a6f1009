//! What TLS allows of SEC 1's point encodings.

/// `point` if it claims to be uncompressed, the only form that TLS 1.3 knows (RFC
/// 8446, section 4.2.8.2) and TLS 1.2 offers by default (RFC 8422, section 5.1.2).
/// The `sec1` crate would take the compressed forms, too.
pub(crate) fn uncompressed(point: &[u8]) -> Option<&[u8]> {
    (point.first() == Some(&0x04)).then_some(point)
}
