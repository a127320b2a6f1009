//! Passes Kconfig's settings to the application: the options as `cfg`s, and the CA certificate as a
//! file.
use std::path::PathBuf;
use std::{env, fs};

fn main() {
    zephyr_build::export_bool_kconfig();
    let dotconfig = env::var("DOTCONFIG").expect("set by Zephyr's build");
    println!("cargo::rerun-if-changed={dotconfig}");
    let settings = fs::read_to_string(&dotconfig).expect("Zephyr's .config can be read");
    let path = settings
        .lines()
        .find_map(|line| line.strip_prefix("CONFIG_APP_CA_FILE="))
        .map(|value| value.trim_matches('"'))
        .unwrap_or_default();
    let ca = if path.is_empty() {
        Vec::new()
    } else {
        println!("cargo::rerun-if-changed={path}");
        fs::read(path).unwrap_or_else(|error| {
            panic!("CONFIG_APP_CA_FILE: {path} cannot be read ({error}); set it to the absolute \
                path of a PEM file")
        })
    };
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo")).join("ca.pem");
    fs::write(out, ca).expect("the build directory can be written to");
}
