//! Compiles the C shim for host builds; on a device the image's build does that.

fn main() {
    println!("cargo::rerun-if-changed=c");
    #[cfg(feature = "host-mbedtls")]
    compile_for_the_host();
}

#[cfg(feature = "host-mbedtls")]
fn compile_for_the_host() {
    // Set by mbedtls-rs-sys: its configuration first, then the plain headers.
    let includes = std::env::var_os("DEP_MBEDTLS_INCLUDE").expect("mbedtls-rs-sys says where");
    cc::Build::new()
        .includes(std::env::split_paths(&includes))
        .flag("-include")
        .flag("c/host.h")
        .file("c/thread_mqtt_psa.c")
        .file("c/host.c")
        .compile("thread_mqtt_psa");
}
