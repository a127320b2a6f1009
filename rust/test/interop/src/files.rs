//! Files in the formats of OpenSSL and similar tools, given as CA, as client certificate and as
//! private key: either read, or refused by naming their format.

use std::io::{Write, stdout};
use std::path::Path;
use std::process::{Command, Stdio};

use thread_mqtt_tls::{ConfigError, Fault, FileKind, Given};

use crate::backend::Backend;
use crate::page::{check, head, row};
use crate::scratch::Scratch;

/// The basis of the other files: a P-256 key and a self-signed certificate for it.
const BASE: &str = "
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
    openssl req -x509 -new -key key.pem -days 365 -subj /CN=device -out cert.pem \
        -addext subjectAltName=DNS:device
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out other.pem
    openssl x509 -in cert.pem -outform DER -out cert.der
    openssl pkey -in key.pem -outform DER -out key.der
";

/// The result of reading a file.
enum Seen {
    Read,
    Is(FileKind),
    Says(&'static str),
}

use FileKind as Kind;
use Seen::{Is, Read, Says};

/// A form of a file: its name, the command that prints it or writes `out`, and the result if it is
/// given as CA, as client certificate and as private key.
type Form = (&'static str, &'static str, [Seen; 3]);

const NOT_A_KEY: Seen = Is(Kind::Certificate);
const NOT_A_CERTIFICATE: Seen = Is(Kind::PrivateKey);
const KEY: [Seen; 3] = [NOT_A_CERTIFICATE, NOT_A_CERTIFICATE, Read];
const CERTIFICATE: [Seen; 3] = [Read, Read, NOT_A_KEY];

const fn all(kind: Kind) -> [Seen; 3] {
    [Is(kind), Is(kind), Is(kind)]
}

const FORMS: &[Form] = &[
    ("PEM", "cat cert.pem", CERTIFICATE),
    ("DER", "cat cert.der", CERTIFICATE),
    (
        "DER padded with zeros",
        "cat cert.der; head -c 512 /dev/zero",
        CERTIFICATE,
    ),
    (
        "DER with trailing bytes",
        "cat cert.der; echo more",
        [
            Says("followed by extra bytes"),
            Says("followed by extra bytes"),
            NOT_A_KEY,
        ],
    ),
    (
        "truncated DER",
        "head -c 200 cert.der",
        [Says("is cut short"), Says("is cut short"), NOT_A_KEY],
    ),
    (
        "PEM with text output",
        "openssl x509 -in cert.pem -text",
        CERTIFICATE,
    ),
    (
        "two PEM certificates joined without a newline",
        "printf %s \"$(cat cert.pem)\"; cat cert.pem",
        CERTIFICATE,
    ),
    (
        "PEM with a byte order mark",
        "printf '\\357\\273\\277'; cat cert.pem",
        CERTIFICATE,
    ),
    ("PEM with CRLF", "sed 's/$/\\r/' cert.pem", CERTIFICATE),
    ("PEM with CR", "tr '\\n' '\\r' < cert.pem", CERTIFICATE),
    (
        "PEM with escaped newlines",
        "sed ':a;N;$!ba;s/\\n/\\\\n/g' cert.pem",
        CERTIFICATE,
    ),
    ("indented PEM", "sed 's/^/    /' cert.pem", CERTIFICATE),
    (
        "PEM as a C string",
        "sed 's/.*/\"&\\\\n\"/' cert.pem",
        CERTIFICATE,
    ),
    (
        "PEM in JSON",
        "printf '{\"pem\": \"'; sed ':a;N;$!ba;s/\\n/\\\\n/g' cert.pem; printf '\"}'",
        CERTIFICATE,
    ),
    (
        "PEM in UTF-16",
        "iconv -f ASCII -t UTF-16 cert.pem",
        CERTIFICATE,
    ),
    (
        "base64 without BEGIN and END",
        "openssl base64 -in cert.der",
        CERTIFICATE,
    ),
    (
        "base64 of PEM",
        "openssl base64 -A -in cert.pem",
        all(Kind::Base64OfPem),
    ),
    (
        "trusted certificate",
        "openssl x509 -in cert.pem -trustout -addtrust serverAuth",
        CERTIFICATE,
    ),
    (
        "trusted certificate, rejected for servers",
        "openssl x509 -in cert.pem -trustout -addreject serverAuth",
        [Says("exclude servers"), Says("exclude servers"), NOT_A_KEY],
    ),
    (
        "certificate with a missing line",
        "sed 4d cert.pem",
        [
            Says("CA certificate 1 is cut short"),
            Says("is cut short"),
            NOT_A_KEY,
        ],
    ),
    (
        "certificate without its END line",
        "sed '/END/d' cert.pem",
        [Says("no END line"), Says("no END line"), NOT_A_KEY],
    ),
    (
        "certificate request",
        "openssl req -new -key key.pem -subj /CN=device",
        all(Kind::CertificateRequest),
    ),
    (
        "certificate request, DER",
        "openssl req -new -key key.pem -subj /CN=device -outform DER",
        all(Kind::CertificateRequest),
    ),
    (
        "revocation list",
        "touch index; printf '[ca]\\ndefault_ca=c\\n[c]\\ndatabase=index\\ndefault_md=sha256\\n' > ca.cnf; \
         openssl ca -config ca.cnf -gencrl -crldays 9 -keyfile key.pem -cert cert.pem",
        all(Kind::RevocationList),
    ),
    (
        "PKCS#7",
        "openssl crl2pkcs7 -nocrl -certfile cert.pem",
        all(Kind::Pkcs7),
    ),
    (
        "PKCS#7, DER",
        "openssl crl2pkcs7 -nocrl -certfile cert.pem -outform DER",
        all(Kind::Pkcs7),
    ),
    (
        "PKCS#12",
        "openssl pkcs12 -export -in cert.pem -inkey key.pem -passout pass:secret",
        all(Kind::Pkcs12),
    ),
    ("PKCS#8", "cat key.pem", KEY),
    ("PKCS#8, DER", "cat key.der", KEY),
    (
        "PKCS#8 with a byte order mark and CRLF",
        "printf '\\357\\273\\277'; sed 's/$/\\r/' key.pem",
        KEY,
    ),
    (
        "PKCS#8 with escaped newlines",
        "sed ':a;N;$!ba;s/\\n/\\\\n/g' key.pem",
        KEY,
    ),
    ("SEC1", "openssl ec -in key.pem", KEY),
    (
        "SEC1 with leading parameters",
        "openssl ecparam -name prime256v1; openssl ec -in key.pem",
        KEY,
    ),
    ("SEC1, DER", "openssl ec -in key.pem -outform DER", KEY),
    (
        "two keys, the wrong one first",
        "cat other.pem key.pem",
        KEY,
    ),
    (
        "certificate and key together",
        "cat cert.pem key.pem",
        [Read, Read, Read],
    ),
    (
        "another key",
        "cat other.pem",
        [
            NOT_A_CERTIFICATE,
            NOT_A_CERTIFICATE,
            Says("does not belong to the client certificate"),
        ],
    ),
    (
        "RSA key",
        "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
        [
            NOT_A_CERTIFICATE,
            NOT_A_CERTIFICATE,
            Says("rejected the private key (RSA-2048)"),
        ],
    ),
    (
        "Ed25519 key",
        "openssl genpkey -algorithm ED25519",
        [
            NOT_A_CERTIFICATE,
            NOT_A_CERTIFICATE,
            Says("rejected the private key (Ed25519)"),
        ],
    ),
    (
        "key on another curve",
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
        [
            NOT_A_CERTIFICATE,
            NOT_A_CERTIFICATE,
            Says("is ECDSA on another curve"),
        ],
    ),
    (
        "key with explicit curve parameters",
        "openssl pkey -in key.pem -ec_param_enc explicit",
        [
            NOT_A_CERTIFICATE,
            NOT_A_CERTIFICATE,
            Says("openssl pkey -in FILE -ec_param_enc named_curve"),
        ],
    ),
    (
        "encrypted PKCS#8",
        "openssl pkcs8 -topk8 -in key.pem -passout pass:secret",
        all(Kind::EncryptedKey),
    ),
    (
        "encrypted PKCS#8, DER",
        "openssl pkcs8 -topk8 -in key.pem -passout pass:secret -outform DER",
        all(Kind::EncryptedKey),
    ),
    (
        "encrypted SEC1",
        "openssl ec -in key.pem -aes256 -passout pass:secret",
        all(Kind::EncryptedKey),
    ),
    (
        "public key",
        "openssl pkey -in key.pem -pubout",
        all(Kind::PublicKey),
    ),
    (
        "public key, DER",
        "openssl pkey -in key.pem -pubout -outform DER",
        all(Kind::PublicKey),
    ),
    (
        "curve parameters",
        "openssl ecparam -name prime256v1",
        all(Kind::Parameters),
    ),
    (
        "DSA key",
        "openssl dsaparam -genkey -noout 1024 | openssl pkey -traditional",
        all(Kind::DsaKey),
    ),
    ("OpenSSH key", OPENSSH, all(Kind::OpenSshKey)),
    (
        "SSH public key",
        "printf 'ecdsa-sha2-nistp256 '; openssl pkey -in key.pem -pubout -outform DER | openssl base64 -A",
        all(Kind::SshPublicKey),
    ),
    (
        "SSH public key (RFC 4716)",
        "echo '---- BEGIN SSH2 PUBLIC KEY ----'",
        all(Kind::SshPublicKey),
    ),
    (
        "PuTTY key",
        "echo 'PuTTY-User-Key-File-3: ecdsa-sha2-nistp256'",
        all(Kind::PuttyKey),
    ),
    (
        "Java key store, JKS",
        "printf '\\376\\355\\376\\355\\0\\0\\0\\2'",
        all(Kind::JavaKeyStore),
    ),
    (
        "Java key store, JCEKS",
        "printf '\\316\\316\\316\\316\\0\\0\\0\\2'",
        all(Kind::JavaKeyStore),
    ),
    ("empty file", "true", all(Kind::Empty)),
    ("plain text", "openssl version", all(Kind::Text)),
    (
        "web page",
        "printf '<!DOCTYPE html>\\n<html><title>Not Found</title></html>'",
        all(Kind::Html),
    ),
];

/// The frame of OpenSSH's format around its contents; ssh-keygen may not be installed.
const OPENSSH: &str = "echo '-----BEGIN OPENSSH PRIVATE KEY-----'; \
     printf 'openssh-key-v1\\0' | openssl base64; echo '-----END OPENSSH PRIVATE KEY-----'";

fn shell(directory: &Path, command: &str) -> Vec<u8> {
    let output = Command::new("sh")
        .args(["-e", "-c", command])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "this test needs the commands openssl and iconv; install them, if they are not there: \
         {command}: {said}"
    );
    output.stdout
}

#[test]
fn every_form_is_read_or_named() {
    let scratch = Scratch::new();
    let directory = scratch.path();
    shell(directory, BASE);
    let [certificate, key] =
        ["cert.pem", "key.pem"].map(|file| std::fs::read(directory.join(file)).unwrap());
    let ca = |bytes: &[u8]| Backend::Soft.config().ca(bytes).map(drop);
    let client = |chain: &[u8], key: &[u8]| {
        let trusting = Backend::Soft.config().ca(&certificate).unwrap();
        trusting.client_identity(chain, key).map(drop)
    };
    let mut page = head(&[
        "form",
        "command",
        "as CA",
        "as client certificate",
        "as private key",
    ]);
    for (name, command, expected) in FORMS {
        let file = shell(directory, command);
        let outcomes = [
            (Given::Ca, ca(&file)),
            (Given::Certificate, client(&file, &key)),
            (Given::Key, client(&certificate, &file)),
        ];
        let mut cells = vec![(*name).to_owned(), format!("`{}`", shown(command))];
        for ((given, outcome), expected) in outcomes.into_iter().zip(expected) {
            match (&outcome, expected) {
                (Ok(()), Read) => {}
                (Err(ConfigError::Given(at_fault, Fault::Is(is))), Is(kind))
                    if *at_fault == given && is == kind => {}
                (Err(error), Says(words))
                    if error.given() == Some(given) && error.to_string().contains(words) => {}
                _ => panic!("{name} as {given:?}: {outcome:?}"),
            }
            cells.push(outcome.map_or_else(|error| error.to_string(), |()| "read".into()));
        }
        page += &row(cells);
    }
    check("files", &page);
}

/// Escapes a command for a table.
fn shown(command: &str) -> String {
    let words: Vec<_> = command.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

/// A file to be fixed: the command that writes `f`, with a password if it has one; the format
/// detected; where it is given; and what to append to the cure's command.
type Ill = (&'static str, Kind, Given, &'static str);

const PKCS12: &str =
    "openssl pkcs12 -export -in cert.pem -inkey key.pem -passout pass:secret -out f";
const PASSWORD: &str = "-passin pass:secret";

const ILL: &[Ill] = &[
    (
        "openssl pkcs8 -topk8 -in key.pem -passout pass:secret -out f",
        Kind::EncryptedKey,
        Given::Key,
        PASSWORD,
    ),
    (PKCS12, Kind::Pkcs12, Given::Key, PASSWORD),
    (PKCS12, Kind::Pkcs12, Given::Certificate, PASSWORD),
    (
        "openssl pkcs12 -export -in cert.pem -inkey key.pem -certfile cert.pem \
         -passout pass:secret -out f",
        Kind::Pkcs12,
        Given::Certificate,
        PASSWORD,
    ),
    (
        "openssl crl2pkcs7 -nocrl -certfile cert.pem -out f",
        Kind::Pkcs7,
        Given::Ca,
        "",
    ),
];

/// Those that need a tool that few machines have, by the tool's name.
const ILL_OF_OTHER_TOOLS: &[(&str, Ill)] = &[
    (
        "keytool",
        (
            "rm -f f; keytool -importcert -noprompt -file cert.pem -keystore f -storetype JKS \
             -storepass secret -alias ca",
            Kind::JavaKeyStore,
            Given::Ca,
            "-storepass secret",
        ),
    ),
    (
        "keytool",
        (
            "rm -f f store.p12; keytool -importkeystore -srckeystore p12 -srcstoretype PKCS12 \
             -srcstorepass secret -destkeystore f -deststoretype JKS -deststorepass secret",
            Kind::JavaKeyStore,
            Given::Key,
            PASSWORD,
        ),
    ),
    (
        "keytool",
        (
            "rm -f f store.p12; keytool -importkeystore -srckeystore p12 -srcstoretype PKCS12 \
             -srcstorepass secret -destkeystore f -deststoretype JCEKS -deststorepass secret",
            Kind::JavaKeyStore,
            Given::Certificate,
            "-storepass secret",
        ),
    ),
    (
        "puttygen",
        (
            "openssl ec -in key.pem -out sec1; puttygen sec1 -O private -o f",
            Kind::PuttyKey,
            Given::Key,
            "",
        ),
    ),
    (
        "puttygen",
        (
            "openssl ec -in key.pem -out sec1; puttygen sec1 -O private --ppk-param version=2 -o f",
            Kind::PuttyKey,
            Given::Key,
            "",
        ),
    ),
    (
        "ssh-keygen",
        (
            "cp key.pem f; chmod 600 f; ssh-keygen -q -p -N '' -f f",
            Kind::OpenSshKey,
            Given::Key,
            "-N '' -q; cp f key.pem",
        ),
    ),
];

/// Cures that are commands do what they say.
#[test]
fn the_cures_work() {
    for ill in ILL {
        cure(ill);
    }
}

#[test]
fn the_cures_of_other_tools_work_where_they_are() {
    for (tool, ill) in ILL_OF_OTHER_TOOLS {
        let mut there = Command::new("sh");
        there.args(["-c", &format!("command -v {tool}")]);
        match there.stdout(Stdio::null()).status().unwrap().success() {
            true => cure(ill),
            // Not with println!, whose output is hidden if the test passes.
            false => writeln!(stdout(), "\nSKIPPED {}: {tool} is not installed", ill.0).unwrap(),
        }
    }
}

/// Gives the file where it is refused, applies the cure, and gives the result.
fn cure((made, kind, given, more): &Ill) {
    let scratch = Scratch::new();
    let directory = scratch.path();
    shell(directory, BASE);
    shell(directory, &PKCS12.replace("-out f", "-out p12"));
    let read = |file: &str| std::fs::read(directory.join(file)).unwrap();
    let (certificate, key) = (read("cert.pem"), read("key.pem"));
    let try_it = |file: &[u8]| match given {
        Given::Ca => Backend::Soft.config().ca(file).map(drop),
        Given::Certificate => client(file, &key),
        _ => client(&certificate, file),
    };
    shell(directory, made);
    let error = try_it(&read("f")).unwrap_err();
    assert_eq!(
        error,
        ConfigError::Given(*given, Fault::Is(*kind)),
        "{made}"
    );
    let sentence = error.to_string();
    let (_, command) = sentence.split_once("it: ").unwrap();
    let command = command.split(" (").next().unwrap();
    for file in ["cert.pem", "key.pem"] {
        std::fs::remove_file(directory.join(file)).unwrap();
    }
    let command = command
        .replace("FILE", "f")
        .replace("COPY", "f")
        .replace(", then", " -srcstorepass secret -deststorepass secret;");
    shell(directory, &format!("{command} {more}"));
    let cured = ["cert.pem", "ca.pem", "key.pem"].map(|file| std::fs::read(directory.join(file)));
    let cured = cured.into_iter().find_map(Result::ok);
    let outcome = try_it(&cured.expect(&command));
    assert_eq!(outcome, Ok(()), "{made}; {command} {more}");
}

fn client(chain: &[u8], key: &[u8]) -> Result<(), ConfigError> {
    Backend::Soft.config().client_identity(chain, key).map(drop)
}
