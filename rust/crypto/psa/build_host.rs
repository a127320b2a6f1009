//! The host's PSA: Mbed TLS 3.6 from the crate mbedtls-rs-sys, or the TF-PSA-Crypto that a variable
//! names.

use std::env;
use std::path::{Path, PathBuf};

/// A checkout of TF-PSA-Crypto 1.x, the PSA of Mbed TLS 4.
const CHECKOUT: &str = "THREAD_MQTT_TF_PSA_CRYPTO";

pub(crate) fn compile() {
    println!("cargo::rerun-if-env-changed={CHECKOUT}");
    let library = match env::var_os(CHECKOUT).filter(|value| !value.is_empty()) {
        Some(checkout) => tf_psa_crypto(Path::new(&checkout)),
        None => mbedtls(),
    };
    cc::Build::new()
        .includes(&library.includes)
        .flag("-include")
        .flag("c/host.h")
        .file("c/thread_mqtt_psa.c")
        .file("c/host.c")
        .compile("thread_mqtt_psa");
    // After the shim, which needs their symbols.
    for (folder, name) in &library.archives {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static={name}");
    }
}

struct Library {
    includes: Vec<PathBuf>,
    archives: Vec<(PathBuf, &'static str)>,
}

/// Returns what the crate mbedtls-rs-sys compiles and links.
fn mbedtls() -> Library {
    // Set by mbedtls-rs-sys: its configuration first, then the plain headers.
    let includes = env::var_os("DEP_MBEDTLS_INCLUDE").expect("mbedtls-rs-sys says where");
    Library {
        includes: env::split_paths(&includes).collect(),
        archives: Vec::new(),
    }
}

/// Builds the checkout with its own CMake and default configuration.
fn tf_psa_crypto(checkout: &Path) -> Library {
    for (part, cure) in [
        (
            "include/psa/crypto.h",
            "name the folder of a checkout of TF-PSA-Crypto",
        ),
        (
            "framework/CMakeLists.txt",
            "run `git submodule update --init` in it",
        ),
    ] {
        assert!(
            checkout.is_absolute() && checkout.join(part).is_file(),
            "{CHECKOUT}={} is not an absolute path with {part} in it; {cure}",
            checkout.display(),
        );
    }
    for part in ["CMakeLists.txt", "core", "drivers", "include"] {
        println!("cargo::rerun-if-changed={}", checkout.join(part).display());
    }
    println!("cargo::rustc-cfg=tf_psa_crypto");

    let built = cmake::Config::new(checkout)
        .profile("Release")
        .define("ENABLE_TESTING", "OFF")
        .define("ENABLE_PROGRAMS", "OFF")
        .build_target("tfpsacrypto")
        .build();
    Library {
        includes: ["include", "drivers/builtin/include"]
            .map(|part| checkout.join(part))
            .to_vec(),
        archives: vec![(built.join("build/core"), "tfpsacrypto")],
    }
}
