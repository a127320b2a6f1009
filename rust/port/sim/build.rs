//! Checks that OpenThread is built with the options this crate needs, and compiles the one function
//! that Rust cannot define.

/// OpenThread options without a cargo feature in openthread-sys; see .cargo/config.toml.
const CXX_DEFINES: &[&str] = &[
    "OPENTHREAD_CONFIG_MULTIPLE_INSTANCE_ENABLE",
    "OPENTHREAD_CONFIG_NAT64_BORDER_ROUTING_ENABLE",
    "OPENTHREAD_CONFIG_DNS_UPSTREAM_QUERY_ENABLE",
    "OPENTHREAD_CONFIG_PLATFORM_USEC_TIMER_ENABLE",
    "OPENTHREAD_CONFIG_MAC_SOFTWARE_TX_SECURITY_ENABLE",
    "OPENTHREAD_CONFIG_MAC_SOFTWARE_RETRANSMIT_ENABLE",
    "OPENTHREAD_CONFIG_MAC_SOFTWARE_CSMA_BACKOFF_ENABLE",
    "OPENTHREAD_CONFIG_MAC_SOFTWARE_ACK_TIMEOUT_ENABLE",
];

fn main() {
    let target = std::env::var("TARGET").expect("cargo sets TARGET");
    let variable = format!("CXXFLAGS_{}", target.replace('-', "_"));
    println!("cargo::rerun-if-env-changed={variable}");
    println!("cargo::rerun-if-changed=src/log.c");

    let flags = std::env::var(&variable).unwrap_or_default();
    let missing: Vec<_> = CXX_DEFINES
        .iter()
        .filter(|define| !flags.contains(&format!("-D{define}=1")))
        .collect();
    if !missing.is_empty() {
        println!(
            "cargo::error=thread-sim: the environment variable {variable} lacks -D…=1 for {missing:?}. \
             .cargo/config.toml of this repository sets it for x86_64 and aarch64 Linux (gnu): run cargo \
             inside the repository, do not set {variable} yourself (or add the defines to it), and then \
             `cargo clean -p openthread-sys`."
        );
        return;
    }
    cc::Build::new().file("src/log.c").compile("thread_sim_log");
}
