//! Generates the bindings to the C layer's headers. The headers include nothing from Zephyr, so the
//! bindings depend neither on the board nor on the image's configuration. The layouts are checked
//! against `zephyr/src/abi.def`, as the C compiler's are.
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn main() {
    let root =
        PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../../..");
    let headers = [
        root.join("include/thread_mqtt_port.h"),
        root.join("include/thread_mqtt.h"),
        root.join("zephyr/src/shell.h"),
    ];
    let mut builder = bindgen::Builder::default()
        .use_core()
        .ctypes_prefix("core::ffi")
        .clang_arg("-ffreestanding")
        .clang_arg(format!("-I{}", root.join("include").display()))
        .allowlist_item("tmq_.*|TMQ_.*")
        .allowlist_item("thread_mqtt.*")
        .allowlist_item("THREAD_MQTT_.*")
        .prepend_enum_name(false)
        .merge_extern_blocks(true)
        .derive_default(true);
    // libclang has no <stdint.h> and <stddef.h> if only the library is installed.
    if let Some(directory) = compiler_headers() {
        builder = builder.clang_arg(format!("-isystem{directory}"));
    }
    for header in &headers {
        println!("cargo::rerun-if-changed={}", header.display());
        builder = builder.header(header.to_str().expect("the path of a source file is UTF-8"));
    }
    // One of the headers includes it.
    let types = root.join("include/thread_mqtt_types.h");
    println!("cargo::rerun-if-changed={}", types.display());
    let table = root.join("zephyr/src/abi.def");
    println!("cargo::rerun-if-changed={}", table.display());
    let table = fs::read_to_string(table).expect("zephyr/src/abi.def can be read");
    // Cargo sets TARGET for this.
    let bindings = builder
        .generate()
        .expect("bindings to include/thread_mqtt_port.h; install libclang (Debian: libclang-dev)");
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo")).join("ffi.rs");
    fs::write(out, format!("{bindings}\n{}", layout_assertions(&table)))
        .expect("the build directory can be written to");
}

/// Turns the layout table into Rust assertions: sizes, offsets and widths, and that no field is
/// missing.
fn layout_assertions(table: &str) -> String {
    let entries = table.lines().filter_map(|line| {
        // Other lines are empty or belong to the comment.
        let entry = line
            .strip_suffix(')')
            .filter(|line| line.starts_with(['S', 'F']))?;
        let (kind, arguments) = entry.split_once('(')?;
        Some((kind, arguments.split(", ").collect::<Vec<_>>()))
    });
    let mut assertions = String::new();
    let mut fields = Vec::<(&str, String)>::new();
    for (kind, arguments) in entries {
        match (kind, arguments.as_slice()) {
            ("STRUCT", [name, size]) => {
                fields.push((name, String::new()));
                let _ = writeln!(
                    assertions,
                    "const _: () = assert!(size_of::<{name}>() == {size}, \"ABI: {name}\");"
                );
            }
            ("FIELD", [name, field, offset, width]) => {
                // bindgen's name for it.
                let rust = match *field {
                    "type" => "type_",
                    field => field,
                };
                let (last, known) = fields.last_mut().expect("STRUCT comes before its FIELDs");
                assert_eq!(
                    last, name,
                    "zephyr/src/abi.def: {field} is not below its STRUCT"
                );
                let _ = write!(known, "{rust}: _, ");
                let _ = writeln!(
                    assertions,
                    "const _: () = assert!(offset_of!({name}, {rust}) == {offset} && \
                     width::<{name}, _>(|whole| &whole.{rust}) == {width}, \
                     \"ABI: {name}.{field}\");"
                );
            }
            _ => panic!("zephyr/src/abi.def: {kind} with {arguments:?} is not understood"),
        }
    }
    for (name, known) in fields {
        let _ = writeln!(
            assertions,
            "const _: fn({name}) = |{name} {{ {known} }}: {name}| ();"
        );
    }
    format!(
        "mod layout {{
            use super::*;
            use core::mem::offset_of;
            const P: usize = size_of::<usize>();
            const fn width<S, F>(_: fn(&S) -> &F) -> usize {{ size_of::<F>() }}
            {assertions}
        }}"
    )
}

/// Returns the compiler's own header directory, as the compiler reports it.
fn compiler_headers() -> Option<String> {
    let output = Command::new("cc")
        .arg("-print-file-name=include")
        .output()
        .ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| path.trim().to_owned())
}
