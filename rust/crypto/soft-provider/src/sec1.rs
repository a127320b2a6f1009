//! The SEC 1 point encodings that TLS allows.

/// Returns `point` if it is marked as uncompressed, the only form that TLS 1.3 allows (RFC 8446,
/// section 4.2.8.2) and TLS 1.2 offers by default (RFC 8422, section 5.1.2). The `sec1` crate would
/// also accept the compressed forms.
pub(crate) fn uncompressed(point: &[u8]) -> Option<&[u8]> {
    (point.first() == Some(&0x04)).then_some(point)
}
