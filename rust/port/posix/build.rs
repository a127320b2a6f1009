//! Compiles the C files.
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let include = here.join("../../../include");
    println!("cargo::rerun-if-changed={}", include.display());
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let mut build = cc::Build::new();
    build
        .std("c11")
        .include(include)
        .define("THREAD_MQTT_BUILD_TIME", &*format!("{}LL", build_time()))
        .warnings(true)
        .extra_warnings(true)
        // Rust refers to all of these objects, but the linker sees them first.
        .link_lib_modifier("+whole-archive");
    let c = here.join("c");
    println!("cargo::rerun-if-changed={}", c.display());
    for entry in fs::read_dir(c).expect("the folder c can be read") {
        let path = entry.expect("the folder c can be read").path();
        if path.extension().is_some_and(|extension| extension == "c") {
            build.file(path);
        }
    }
    build.compile("tmq_posix");
    // An abandoned look-up ends in its own thread, maybe after dlclose().
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}

/// Returns the Unix time in seconds, or SOURCE_DATE_EPOCH for a reproducible build.
fn build_time() -> u64 {
    let asked = env::var("SOURCE_DATE_EPOCH").ok();
    asked
        .and_then(|asked| asked.parse().ok())
        .unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| since.as_secs())
        })
}
