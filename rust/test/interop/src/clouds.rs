//! Chains like those of brokers in public clouds: the same types of keys, digests, lengths and
//! order of the certificates, cross-signed roots and unnecessary certificates.

use std::path::Path;
use std::process::Command;
use std::time::UNIX_EPOCH;

use thread_mqtt_tls::Version;

use crate::backend::{Backend, parallel};
use crate::openssl::OpenSsl;
use crate::page::{check, head, row};
use crate::pki::{Chain, Kind};
use crate::scratch::Scratch;
use crate::wire::Wire;

use Kind::{P256, P384, Rsa2048, Rsa4096};

/// The owner of a key: its name and the type of the key.
type Owner = (&'static str, Kind);

/// A certificate: its owner, its issuer, the digest, and the length to pad it to.
struct Certificate(Owner, Owner, &'static str, usize);

struct Shape {
    name: &'static str,
    /// The certificates in the order sent, the broker's first.
    sent: &'static [Certificate],
    /// The owner of the trusted CA certificate, and the number of certificates on the path to it.
    trusted: &'static [(Owner, usize)],
}

const LEAF_RSA: Owner = ("Broker", Rsa2048);
const LEAF_EC: Owner = ("Broker", P256);

// Amazon Trust Services.
const AMAZON_M: Owner = ("Amazon RSA 2048 M", Rsa2048);
const AMAZON_1: Owner = ("Amazon Root CA 1", Rsa2048);
const STARFIELD_G2: Owner = ("Starfield Services Root G2", Rsa2048);
const STARFIELD: Owner = ("Starfield Class 2", Rsa2048);
// ISRG, of Let's Encrypt.
const ISRG_R: Owner = ("ISRG R", Rsa2048);
const ISRG_E: Owner = ("ISRG E", P384);
const ISRG_YE: Owner = ("ISRG Root YE", P384);
const ISRG_X1: Owner = ("ISRG Root X1", Rsa4096);
const ISRG_X2: Owner = ("ISRG Root X2", P384);
const DST: Owner = ("DST Root CA X3", Rsa2048);
// DigiCert, for Microsoft.
const AZURE: Owner = ("Microsoft Azure RSA TLS Issuing CA", Rsa4096);
const DIGICERT: Owner = ("DigiCert Global Root G2", Rsa2048);
// Google Trust Services.
const GTS_WR: Owner = ("GTS WR", Rsa2048);
const GTS_WE: Owner = ("GTS WE", P256);
const GTS_R1: Owner = ("GTS Root R1", Rsa4096);
const GTS_R4: Owner = ("GTS Root R4", P384);
const GLOBALSIGN: Owner = ("GlobalSign Root CA", Rsa2048);

const SHAPES: &[Shape] = &[
    Shape {
        name: "AWS IoT Core",
        sent: &[
            Certificate(LEAF_RSA, AMAZON_M, "sha256", 1_500),
            Certificate(AMAZON_M, AMAZON_1, "sha256", 1_120),
            Certificate(AMAZON_1, STARFIELD_G2, "sha256", 1_170),
            Certificate(STARFIELD_G2, STARFIELD, "sha256", 1_150),
        ],
        trusted: &[(AMAZON_1, 2), (STARFIELD_G2, 3), (STARFIELD, 4)],
    },
    Shape {
        name: "AWS IoT Core, with roots",
        sent: &[
            Certificate(LEAF_RSA, AMAZON_M, "sha256", 1_500),
            Certificate(AMAZON_M, AMAZON_1, "sha256", 1_120),
            Certificate(AMAZON_1, STARFIELD_G2, "sha256", 1_170),
            Certificate(STARFIELD_G2, STARFIELD, "sha256", 1_150),
            Certificate(AMAZON_1, AMAZON_1, "sha256", 840),
            Certificate(STARFIELD, STARFIELD, "sha256", 1_040),
        ],
        trusted: &[(AMAZON_1, 2), (STARFIELD, 4)],
    },
    Shape {
        name: "Let's Encrypt, RSA",
        sent: &[
            Certificate(LEAF_RSA, ISRG_R, "sha256", 1_280),
            Certificate(ISRG_R, ISRG_X1, "sha256", 1_290),
        ],
        trusted: &[(ISRG_X1, 2)],
    },
    Shape {
        name: "Let's Encrypt, ECDSA",
        sent: &[
            Certificate(LEAF_EC, ISRG_E, "sha384", 1_000),
            Certificate(ISRG_E, ISRG_X1, "sha256", 1_110),
        ],
        trusted: &[(ISRG_X1, 2)],
    },
    Shape {
        name: "Let's Encrypt, ECDSA below two cross-signed roots",
        sent: &[
            Certificate(LEAF_EC, ISRG_E, "sha384", 1_000),
            Certificate(ISRG_E, ISRG_YE, "sha384", 670),
            Certificate(ISRG_YE, ISRG_X2, "sha384", 690),
            Certificate(ISRG_X2, ISRG_X1, "sha256", 1_130),
        ],
        trusted: &[(ISRG_YE, 2), (ISRG_X2, 3), (ISRG_X1, 4)],
    },
    Shape {
        name: "HiveMQ Cloud, with the old root",
        sent: &[
            Certificate(LEAF_RSA, ISRG_R, "sha256", 1_320),
            Certificate(ISRG_R, ISRG_X1, "sha256", 1_290),
            Certificate(ISRG_X1, DST, "sha256", 1_380),
        ],
        trusted: &[(ISRG_X1, 2), (DST, 3)],
    },
    Shape {
        name: "Azure IoT Hub",
        sent: &[
            Certificate(LEAF_RSA, AZURE, "sha384", 2_100),
            Certificate(AZURE, DIGICERT, "sha384", 1_450),
        ],
        trusted: &[(DIGICERT, 2)],
    },
    Shape {
        name: "Google Trust Services, RSA",
        sent: &[
            Certificate(LEAF_RSA, GTS_WR, "sha256", 1_300),
            Certificate(GTS_WR, GTS_R1, "sha256", 1_290),
            Certificate(GTS_R1, GLOBALSIGN, "sha256", 1_380),
        ],
        trusted: &[(GTS_R1, 2), (GLOBALSIGN, 3)],
    },
    Shape {
        name: "Google Trust Services, ECDSA",
        sent: &[
            Certificate(LEAF_EC, GTS_WE, "sha256", 920),
            Certificate(GTS_WE, GTS_R4, "sha384", 670),
            Certificate(GTS_R4, GLOBALSIGN, "sha256", 930),
        ],
        trusted: &[(GTS_R4, 2), (GLOBALSIGN, 3)],
    },
    Shape {
        name: "Everything twice and in the wrong order",
        sent: &[
            Certificate(LEAF_RSA, AMAZON_M, "sha256", 1_500),
            Certificate(STARFIELD, STARFIELD, "sha256", 1_040),
            Certificate(AMAZON_1, STARFIELD_G2, "sha256", 1_170),
            Certificate(AMAZON_M, AMAZON_1, "sha256", 1_120),
            Certificate(LEAF_RSA, AMAZON_M, "sha256", 1_500),
            Certificate(AMAZON_M, AMAZON_1, "sha256", 1_120),
        ],
        trusted: &[(AMAZON_1, 2), (STARFIELD_G2, 3)],
    },
];

/// Makes certificates with openssl, in a temporary directory.
struct Workshop(Scratch);

impl Workshop {
    fn openssl(&self, arguments: &str) {
        let words = arguments
            .split_whitespace()
            .map(|word| word.replace('~', " "));
        let output = Command::new("openssl")
            .args(words)
            .current_dir(self.0.path())
            .output()
            .expect("this test needs the command openssl; install it");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {said}");
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.path().join(file)).unwrap()
    }

    /// Returns the file with an owner's key.
    fn key(&self, (name, kind): Owner) -> String {
        let file = format!("{}.key", name.replace(' ', "-"));
        if !Path::new(&self.0.path().join(&file)).exists() {
            // One key for each name of a type, selected by name.
            let nth = name
                .bytes()
                .fold(1_000, |sum, byte| sum + usize::from(byte));
            self.0.file(&file, kind.key(nth).serialize_pem());
        }
        file
    }

    /// Returns the file with an owner's self-signed certificate.
    fn own(&self, owner: Owner) -> String {
        let (key, subject) = (self.key(owner), owner.0.replace(' ', "~"));
        let file = key.replace(".key", ".own");
        self.openssl(&format!(
            "req -x509 -new -key {key} -subj /CN={subject} -days 3650 -out {file}"
        ));
        file
    }

    /// Returns a certificate, padded to its length.
    fn certificate(&self, certificate: &Certificate) -> String {
        let Certificate(owner, issuer, digest, length) = *certificate;
        let (key, ca, ca_key) = (self.key(owner), self.own(issuer), self.key(issuer));
        let subject = owner.0.replace(' ', "~");
        self.openssl(&format!("req -new -key {key} -subj /CN={subject} -out csr"));
        let is_leaf = owner.0 == LEAF_RSA.0;
        let extensions = match is_leaf {
            true => {
                "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n\
                 subjectAltName=DNS:broker.test,DNS:localhost\n"
            }
            false => "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n",
        };
        // Real ones also contain policies, addresses and timestamps. An extension takes up the same
        // space; a first attempt determines its size.
        let mut padding = 32;
        for _ in 0..2 {
            let filling = "aa".repeat(padding);
            self.0.file(
                "ext",
                format!("{extensions}1.3.6.1.4.1.99999.1=DER:{filling}\n"),
            );
            self.openssl(&format!(
                "x509 -req -in csr -CA {ca} -CAkey {ca_key} -set_serial 0x1234567890abcdef -days 3650 \
                 -{digest} -extfile ext -out crt"
            ));
            self.openssl("x509 -in crt -outform DER -out der");
            let now = std::fs::metadata(self.0.path().join("der")).unwrap().len();
            padding = (padding + length).saturating_sub(usize::try_from(now).unwrap());
        }
        self.read("crt")
    }
}

#[test]
fn chains_of_public_clouds() {
    let seen = parallel(SHAPES, |shape| {
        let workshop = Workshop(Scratch::new());
        let sent: Vec<_> = shape.sent.iter().map(|c| workshop.certificate(c)).collect();
        let mut chain = Chain {
            key: workshop.read(&workshop.key(shape.sent[0].0)),
            root: String::new(),
            sent,
        };
        // Three quarters of the base64 is the size on the wire.
        let base64 = |pem: &String| {
            pem.lines()
                .filter(|l| !l.starts_with('-'))
                .map(str::len)
                .sum::<usize>()
        };
        let bytes: usize = chain.sent.iter().map(base64).sum::<usize>() * 3 / 4;
        let server = OpenSsl::mirror(&chain, &[]);
        let mut works = Vec::new();
        for backend in Backend::ALL {
            for (root, path) in shape.trusted {
                chain.root = workshop.read(&workshop.own(*root));
                for version in Version::ALL {
                    let context = format!("{}, {} over {backend}, {version}", shape.name, root.0);
                    let config = backend.config().ca(chain.root.as_bytes()).unwrap();
                    let config = config
                        .versions(&[*version])
                        .max_chain(*path)
                        .build()
                        .unwrap();
                    // openssl dates certificates from now.
                    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
                    let mut wire = Wire::connect_at(&config, server.port, now);
                    wire.until("the handshake", |wire| !wire.tls.is_handshaking())
                        .unwrap_or_else(|error| panic!("{context}: {error}"));
                    wire.mirrored("from the cloud").unwrap();
                    let presented = wire.tls.peer_certificates().len();
                    assert_eq!(presented, chain.sent.len(), "{context}");
                    wire.close();
                    works.push((backend, *version));
                }
            }
        }
        (bytes, works)
    });
    let mut page = head(&[
        "shape",
        "keys, as sent",
        "certificates",
        "bytes",
        "CA",
        "path",
        "soft-provider",
        "psa-provider",
    ]);
    for (shape, (bytes, works)) in SHAPES.iter().zip(seen) {
        // The length of an ECDSA signature varies by a few bytes.
        let tenths = (bytes + 50) / 100;
        let keys: Vec<_> = shape.sent.iter().map(|c| c.0.1.to_string()).collect();
        let roots: Vec<_> = shape
            .trusted
            .iter()
            .map(|(root, _)| root.0.to_owned())
            .collect();
        let paths: Vec<_> = shape
            .trusted
            .iter()
            .map(|(_, path)| path.to_string())
            .collect();
        let works = |backend| works.iter().filter(|(over, _)| *over == backend).count();
        let [soft, psa] = Backend::ALL.map(works);
        page += &row([
            shape.name.to_owned(),
            keys.join(", "),
            shape.sent.len().to_string(),
            format!("{}.{} kB", tenths / 10, tenths % 10),
            roots.join(", "),
            paths.join(", "),
            format!("{soft} work"),
            format!("{psa} work"),
        ]);
    }
    check("clouds", &page);
}
