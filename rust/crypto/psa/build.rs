//! Compiles the C shim for host builds; on a device the image's build does that.

#[cfg(feature = "host-mbedtls")]
#[path = "build_host.rs"]
mod host;

fn main() {
    println!("cargo::rerun-if-changed=c");
    println!("cargo::rustc-check-cfg=cfg(tf_psa_crypto)");
    #[cfg(feature = "host-mbedtls")]
    host::compile();
}
