"""What a client leaves out of rustls and webpki: for these versions, by name. See docs/footprint.md."""
from cut import arm, body, condition, left_out, names_after, never

VERSIONS = {"rustls": "0.23.46", "rustls-webpki": "0.103.17"}

# Encrypted Client Hello: no configuration, so no state of it.
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
        never("pub(crate) struct EncryptedClientHelloOuter"),
        body("impl Codec<'_> for EncryptedClientHelloOuter", "fn read"),
        # A server that sends it unasked is refused for that, whatever is in it.
        body("impl Codec<'_> for ServerEncryptedClientHello", "fn read",
             is_now="r.rest(); Ok(Self { retry_configs: Vec::new() })"),
        condition("!to_compress.is_empty()", "impl ClientHelloPayload", "pub(crate) fn payload_encode"),
    ],
}

# Certificate compression: never offered, so a compressed certificate is a message that is not expected.
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

# What only a server reads, and what only it writes. A message that only a client sends is one that is not
# expected, as before.
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

# Data before the handshake is done: never enabled.
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

# Keys for others: the trait's default says that there are none.
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

# Cipher suites that neither rustls nor a provider knows keep their numbers and lose their names.
NAMES = {
    "src/enums.rs": [
        names_after("!Debug:", "pub enum CipherSuite"),
    ],
}

REVOCATION = {
    "src/crl/mod.rs": [
        never("pub struct RevocationOptions<'a>"),
        body("impl<'a> RevocationOptionsBuilder<'a>", "pub fn build"),
    ],
}


def cuts(crate):
    """All edits of a crate: {file: edits}."""
    parts = {
        "rustls": (ECH, COMPRESSION, SERVER, EARLY_DATA, QUIC, EXPORTERS, NAMES),
        "rustls-webpki": (REVOCATION,),
    }[crate]
    files = {}
    for part in parts:
        for file, edits in part.items():
            files.setdefault(file, []).extend(edits)
    return files
