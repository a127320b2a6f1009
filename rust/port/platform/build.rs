//! Makes the bindings to the C layer's header. That header includes nothing of Zephyr, so neither
//! the board nor the configuration of the image has a say in them.
use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let root =
        PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../../..");
    let headers = [
        root.join("zephyr/src/port.h"),
        root.join("include/thread_mqtt.h"),
        root.join("zephyr/src/shell.h"),
    ];
    let mut builder = bindgen::Builder::default()
        .use_core()
        .ctypes_prefix("core::ffi")
        .clang_arg("-ffreestanding")
        .clang_arg(format!("-I{}", root.join("include").display()))
        .allowlist_item("tmq_.*|TMQ_.*")
        .allowlist_item(
            "thread_mqtt|thread_mqtt_(error|stage|event.*|failure|message|callback|config)",
        )
        .allowlist_item("THREAD_MQTT_.*")
        .prepend_enum_name(false)
        .merge_extern_blocks(true)
        .derive_default(true)
        .layout_tests(false);
    // libclang comes without <stdint.h> and <stddef.h> where only the library is installed.
    if let Some(directory) = compiler_headers() {
        builder = builder.clang_arg(format!("-isystem{directory}"));
    }
    for header in &headers {
        println!("cargo::rerun-if-changed={}", header.display());
        builder = builder.header(header.to_str().expect("the path of a source file is UTF-8"));
    }
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo")).join("ffi.rs");
    builder
        .generate()
        .expect("bindings to zephyr/src/port.h; install libclang (Debian: libclang-dev)")
        .write_to_file(out)
        .expect("the build directory can be written to");
}

/// The compiler's own headers, by the compiler's word.
fn compiler_headers() -> Option<String> {
    let output = Command::new("cc")
        .arg("-print-file-name=include")
        .output()
        .ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| path.trim().to_owned())
}
