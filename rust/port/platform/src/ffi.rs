//! Bindings to `include/thread_mqtt_port.h` and the types of `include/thread_mqtt.h`, made by bindgen.
#![allow(
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    dead_code,
    unreachable_pub,
    rustdoc::all,
    clippy::all,
    clippy::undocumented_unsafe_blocks
)]
include!(concat!(env!("OUT_DIR"), "/ffi.rs"));
