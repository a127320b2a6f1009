//! The fuzzer: any input that makes the client panic or hang is a defect.
#![no_main]

use thread_mqtt_fuzz::Input;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    Input::read(bytes).outcome();
});
