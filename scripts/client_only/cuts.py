"""What a client removes from rustls and webpki, by name and for these versions. See docs/footprint.md."""
from cut import arm, body, call, condition, emptied, left_out, names_after, never, without_fields

VERSIONS = {"rustls": "0.23.46", "rustls-webpki": "0.103.17"}

# Encrypted Client Hello: there is no configuration, hence no state.
ECH = {
    "src/client/ech.rs": [
        never("pub struct EchConfig"),
        never("pub struct EchGreaseConfig"),
        never("pub(crate) struct EchState"),
        body("impl EchConfig", "pub fn new"),
        body("impl EchConfig", "pub(super) fn state"),
        body("impl EchGreaseConfig", "pub fn new"),
        body("impl EchGreaseConfig", "pub(crate) fn grease_ext"),
        body("impl EchState", "pub(crate) fn new"),
        body("impl EchState", "pub(crate) fn ech_hello"),
        body("impl EchState", "pub(crate) fn confirm_acceptance"),
        body("impl EchState", "pub(crate) fn confirm_hrr_acceptance"),
        body("impl EchState", "pub(crate) fn transcript_hrr_update"),
    ],
    "src/msgs/handshake.rs": [
        never("pub struct EchConfigContents"),
        body("impl Codec<'_> for EchConfigContents", "fn read"),
        never("pub enum EchConfigPayload", "Unknown"),
        body("impl Codec<'_> for EchConfigPayload", "fn encode"),
        body("impl Codec<'_> for EchConfigPayload", "fn read"),
        never("pub(crate) struct EncryptedClientHelloOuter"),
        body("impl Codec<'_> for EncryptedClientHelloOuter", "fn read"),
        # If a server sends it unasked, that alone is an error, whatever it contains.
        body("impl Codec<'_> for ServerEncryptedClientHello", "fn read",
             is_now="r.rest(); Ok(Self { retry_configs: Vec::new() })"),
        condition("!to_compress.is_empty()", "impl ClientHelloPayload", "pub(crate) fn payload_encode"),
    ],
}

# Certificate compression: never offered, so a compressed certificate is an unexpected message.
COMPRESSION = {
    "src/msgs/handshake.rs": [
        never("pub(crate) struct CompressedCertificatePayload<'a>"),
        arm("HandshakeType::CompressedCertificate", "impl<'a> HandshakeMessagePayload<'a>", "pub(crate) fn read_version"),
        body("impl<'a> Codec<'a> for CompressedCertificatePayload<'a>", "fn read"),
        body("impl CompressedCertificatePayload<'_>", "pub(crate) fn as_borrowed"),
    ],
    "src/compress.rs": [
        body("impl CompressionCache", "fn compression_for_impl"),
        body("impl CompressionCache", "fn uncached_compression"),
    ],
    "src/client/hs.rs": [
        condition("supported_versions.tls13 && !config.cert_decompressors.is_empty()", "fn emit_client_hello_for_retry"),
    ],
    "src/client/tls13.rs": [
        condition("self.hello.offered_cert_compression", "impl State<ClientConnectionData> for ExpectEncryptedExtensions",
                  "fn handle<'m>"),
        condition("self.offered_cert_compression", "impl State<ClientConnectionData> for ExpectCertificateRequest",
                  "fn handle<'m>"),
    ],
}

# What only a server reads or writes. As before, a message that only a client sends is an unexpected message.
SERVER = {
    "src/msgs/handshake.rs": [
        arm("HandshakeType::ClientHello", "impl<'a> HandshakeMessagePayload<'a>", "pub(crate) fn read_version"),
        arm("HandshakeType::ClientKeyExchange", "impl<'a> HandshakeMessagePayload<'a>", "pub(crate) fn read_version"),
        arm("HandshakeType::EndOfEarlyData", "impl<'a> HandshakeMessagePayload<'a>", "pub(crate) fn read_version"),
        body("impl<'a> Codec<'a> for ServerExtensions<'a>", "fn encode"),
        body("impl<'a> Codec<'a> for HelloRetryRequestExtensions<'a>", "fn encode"),
        body("impl HelloRetryRequest", "fn payload_encode"),
        body("impl ServerHelloPayload", "fn payload_encode"),
        body("impl Codec<'_> for ServerKeyExchangePayload", "fn encode"),
        body("impl Codec<'_> for CertificateRequestPayload", "fn encode"),
        body("impl Codec<'_> for CertificateRequestExtensions", "fn encode"),
        body("impl Codec<'_> for NewSessionTicketPayload", "fn encode"),
        body("impl Codec<'_> for NewSessionTicketExtensions", "fn encode"),
        body("impl Codec<'_> for NewSessionTicketPayloadTls13", "fn encode"),
        body("impl<'a> Codec<'a> for CertificateStatus<'a>", "fn encode"),
    ],
}

# Early data: never enabled.
EARLY_DATA = {
    "src/client/client_conn.rs": [
        body("impl EarlyData", "pub(super) fn is_enabled", is_now="false"),
    ],
    "src/client/tls13.rs": [
        condition("config.enable_early_data && max_early_data_size > 0 && !doing_retry", "pub(super) fn prepare_resumption"),
    ],
}

QUIC = {
    "src/common_state.rs": [
        body("impl CommonState", "pub(crate) fn is_quic", is_now="false"),
        condition("let Protocol::Quic = self.protocol", "impl CommonState", "pub(crate) fn send_msg"),
    ],
    "src/conn/kernel.rs": [
        body("impl KernelContext<'_>", "pub(crate) fn is_quic", is_now="false"),
    ],
    "src/client/tls13.rs": [
        condition("let Protocol::Quic = common.protocol", "fn handle_key_update"),
    ],
}

# Key export: the trait's default says that there are no keys.
EXPORTERS = {
    "src/client/tls12.rs": [
        left_out("impl State<ClientConnectionData> for ExpectTraffic", f"fn {name}")
        for name in ("export_keying_material", "extract_secrets", "into_external_state")
    ],
    "src/client/tls13.rs": [
        left_out("impl State<ClientConnectionData> for ExpectTraffic", f"fn {name}")
        for name in ("export_keying_material", "extract_secrets", "into_external_state")
    ],
}

# Cipher suites that neither rustls nor a provider implements keep their numbers but lose their names.
NAMES = {
    "src/enums.rs": [
        names_after("!Debug:", "pub enum CipherSuite"),
    ],
}

# Certificate status (OCSP): a client of this project does not use it, so it does not ask for it. If a server sends it
# unasked, that is an error, because no certificate extension was requested (RFC 8446, section 4.4.2).
STATUS = {
    "src/client/hs.rs": [
        condition("Some(CertificateStatusRequest::build_ocsp())", "fn emit_client_hello_for_retry", is_now="None"),
    ],
    "src/client/tls12.rs": [
        condition("server_hello.certificate_status_request_ack.is_some()", "pub(in crate::client) fn handle_server_hello"),
        condition("self.may_send_cert_status", "impl State<ClientConnectionData> for ExpectCertificate", "fn handle<'m>"),
    ],
    "src/msgs/handshake.rs": [
        arm("HandshakeType::CertificateStatus", "impl<'a> HandshakeMessagePayload<'a>", "pub(crate) fn read_version"),
        condition("out.read_one(&mut sub, |_unk| { Err(InvalidMessage::UnknownCertificateExtension) })?;",
                  "impl<'a> Codec<'a> for CertificateExtensions<'a>", "fn read",
                  is_now="return Err(InvalidMessage::UnknownCertificateExtension);"),
        body("impl<'a> CertificatePayloadTls13<'a>", "pub(crate) fn end_entity_ocsp", is_now="Vec::new()"),
    ],
}

# Raw public keys (RFC 7250).
RAW_KEYS = {
    "src/client/hs.rs": [
        condition(f"config.{asks}()", f"fn {function}")
        for function, asks in (
            ("emit_client_hello_for_retry", "client_auth_cert_resolver.only_raw_public_keys"),
            ("emit_client_hello_for_retry", "verifier.requires_raw_public_keys"),
            ("process_client_cert_type_extension", "client_auth_cert_resolver.only_raw_public_keys"),
            ("process_server_cert_type_extension", "verifier.requires_raw_public_keys"))
    ],
}

# Finite-field Diffie-Hellman: no provider of this project supports it.
FINITE_FIELDS = {
    "src/msgs/handshake.rs": [
        never("pub(crate) struct ServerDhParams"),
        body("impl ServerDhParams", "pub(crate) fn new"),
        body("impl Codec<'_> for ServerDhParams", "fn read"),
    ],
}

# FIPS approval: no part of this project asks for it.
FIPS = {
    "src/crypto/mod.rs": [
        body("impl CryptoProvider", "pub fn fips", is_now="false"),
    ],
}

# Stores the set of seen extensions in a vector: there are about ten of them, and a map takes 1 kB of code.
SETS = {
    "src/msgs/handshake.rs": [
        condition("use alloc::collections::BTreeSet;", is_now="""
/// The part of the map's interface that is used.
#[derive(Clone, Debug)]
pub(crate) struct BTreeSet<T>(Vec<T>);

impl<T: PartialEq> BTreeSet<T> {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn insert(&mut self, value: T) -> bool {
        let is_new = !self.0.contains(&value);
        if is_new {
            self.0.push(value);
        }
        is_new
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> Default for BTreeSet<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}
"""),
        # The extensions of a ClientHello are always in the same order.
        call("order.sort_by_cached_key", "fn order_insensitive_extensions_in_random_order"),
    ],
}

# The peer's certificates, stored once: a resumable session shares them with the connection that received them.
# The constant tells the crate `tls` that no room is needed for a copy.
CHAIN = {
    "src/common_state.rs": [
        condition("pub fn peer_certificates", is_now="""
    pub const SHARES_PEER_CERTIFICATES: bool = true;

    pub fn peer_certificates"""),
    ],
    "src/msgs/handshake.rs": [
        condition("pub(crate) struct CertificateChain<'a>(pub(crate) Vec<CertificateDer<'a>>);",
                  is_now="pub(crate) struct CertificateChain<'a>(pub(crate) Arc<Vec<CertificateDer<'a>>>);"),
        body("impl CertificateChain<'_>", "pub(crate) fn into_owned", is_now="""
        let certificates = Arc::unwrap_or_clone(self.0);
        CertificateChain(Arc::new(certificates.into_iter().map(|c| c.into_owned()).collect()))
    """),
        condition("map(Self)", "impl<'a> Codec<'a> for CertificateChain<'a>", "fn read", is_now="map(|chain| Self(Arc::new(chain)))"),
        body("impl<'a> CertificatePayloadTls13<'a>", "pub(crate) fn into_certificate_chain", is_now="""
        CertificateChain(Arc::new(self.entries.into_iter().map(|e| e.cert).collect()))
    """),
    ],
    "src/client/tls12.rs": [
        # A shared chain needs no copy to be owned.
        condition("resuming.server_cert_chain().clone().into_owned()", "pub(in crate::client) fn handle_server_hello",
                  is_now="resuming.server_cert_chain().clone()"),
        condition("CertificateChain(certkey.cert.clone())", "impl State<ClientConnectionData> for ExpectServerDone<'_>",
                  "fn handle<'m>", is_now="CertificateChain(Arc::new(certkey.cert.clone()))"),
    ],
    "src/server/tls12.rs": [
        condition("CertificateChain(cert_chain.to_vec())", "fn emit_certificate",
                  is_now="CertificateChain(Arc::new(cert_chain.to_vec()))"),
    ],
}

# Errors that a handshake signature cannot have, because webpki verifies the certificates directly.
SIGNATURE_ERRORS = {
    "src/webpki/mod.rs": [
        arm(pattern, "fn pki_error") for pattern in (
            "CertNotValidForName(InvalidNameContext { expected, presented, })",
            "UnsupportedCrlSignatureAlgorithmContext(cx)",
            "UnsupportedCrlSignatureAlgorithmForPublicKeyContext(cx)",
            "RequiredEkuNotFoundContext(webpki::RequiredEkuNotFoundContext { required, present })")
    ],
}

# What webpki copies for an error message: this project builds its own from the certificate.
CONTEXT = {
    "src/error.rs": [
        body("pub struct InvalidNameContext", is_now=""),
    ],
    "src/subject_name/dns_name.rs": [
        without_fields("InvalidNameContext", "pub(crate) fn verify_dns_names"),
    ],
    "src/subject_name/ip_address.rs": [
        without_fields("InvalidNameContext", "pub(crate) fn verify_ip_address_names"),
    ],
    "src/verify_cert.rs": [
        body("pub struct RequiredEkuNotFoundContext", is_now=""),
        body("impl fmt::Debug for RequiredEkuNotFoundContext", "fn fmt", is_now="Ok(())"),
        condition("let mut present = Vec::new();", "impl ExtendedKeyUsageValidator for KeyUsage", "fn validate", is_now="();"),
        condition("present.push(id.to_decoded_oid());", "impl ExtendedKeyUsageValidator for KeyUsage", "fn validate", is_now="();"),
        without_fields("RequiredEkuNotFoundContext", "impl ExtendedKeyUsageValidator for KeyUsage", "fn validate"),
    ],
    "src/signed_data.rs": [
        condition("supported_algorithms.iter().map(|&alg| alg.signature_alg_id()).collect()", "fn verify_signed_data", is_now="Vec::new()"),
    ],
}

REVOCATION = {
    "src/crl/mod.rs": [
        never("pub struct RevocationOptions<'a>"),
        body("impl<'a> RevocationOptionsBuilder<'a>", "pub fn build"),
    ],
}


# CA keys that webpki knows to be distrusted. All are P-384 keys, so none of their signatures is accepted if P-384
# signatures are not verified at all.
DISTRUSTED = {
    "src/verify_cert.rs": [
        emptied("const DISTRUSTED_SPKIS: &[&[u8]] = &["),
    ],
}


def cuts(crate, p384=True):
    """Returns all edits of a crate: {file: edits}; `p384` says whether the image verifies P-384 signatures."""
    parts = {
        "rustls": (ECH, COMPRESSION, SERVER, EARLY_DATA, QUIC, EXPORTERS, NAMES, STATUS, RAW_KEYS, FINITE_FIELDS, FIPS, SETS,
                   CHAIN, SIGNATURE_ERRORS),
        "rustls-webpki": (REVOCATION, CONTEXT) if p384 else (REVOCATION, CONTEXT, DISTRUSTED),
    }[crate]
    files = {}
    for part in parts:
        for file, edits in part.items():
            files.setdefault(file, []).extend(edits)
    return files
