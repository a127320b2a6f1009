//! Bindings to `c/thread_mqtt_psa.h`, written by hand because it is ours and small.

#[cfg(feature = "host-mbedtls")]
use core::ffi::c_char;
use core::ffi::c_void;

use crate::Attributes;

unsafe extern "C" {
    pub(crate) fn thread_mqtt_psa_built_in() -> u32;
    pub(crate) fn thread_mqtt_psa_init() -> i32;
    pub(crate) fn thread_mqtt_psa_random(out: *mut u8, len: usize) -> i32;

    pub(crate) fn thread_mqtt_psa_import(
        attributes: *const Attributes,
        data: *const u8,
        len: usize,
        key: *mut u32,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_generate(attributes: *const Attributes, key: *mut u32) -> i32;
    pub(crate) fn thread_mqtt_psa_destroy(key: u32) -> i32;
    pub(crate) fn thread_mqtt_psa_attributes(key: u32, attributes: *mut Attributes) -> i32;
    pub(crate) fn thread_mqtt_psa_export_public(
        key: u32,
        out: *mut u8,
        size: usize,
        len: *mut usize,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_agree(
        key: u32,
        peer: *const u8,
        peer_len: usize,
        out: *mut u8,
        size: usize,
        len: *mut usize,
    ) -> i32;

    pub(crate) fn thread_mqtt_psa_seal(
        key: u32,
        algorithm: u32,
        nonce: *const u8,
        nonce_len: usize,
        aad: *const u8,
        aad_len: usize,
        buf: *mut u8,
        len: usize,
        tag_len: usize,
        done: *mut usize,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_open(
        key: u32,
        algorithm: u32,
        nonce: *const u8,
        nonce_len: usize,
        aad: *const u8,
        aad_len: usize,
        buf: *mut u8,
        len: usize,
        done: *mut usize,
    ) -> i32;

    pub(crate) fn thread_mqtt_psa_hash_size() -> usize;
    pub(crate) fn thread_mqtt_psa_hash_setup(operation: *mut c_void, algorithm: u32) -> i32;
    pub(crate) fn thread_mqtt_psa_hash_update(
        operation: *mut c_void,
        data: *const u8,
        len: usize,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_hash_clone(from: *const c_void, to: *mut c_void) -> i32;
    pub(crate) fn thread_mqtt_psa_hash_finish(
        operation: *mut c_void,
        out: *mut u8,
        size: usize,
        len: *mut usize,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_hash_abort(operation: *mut c_void) -> i32;

    pub(crate) fn thread_mqtt_psa_mac_size() -> usize;
    pub(crate) fn thread_mqtt_psa_mac_setup(
        operation: *mut c_void,
        key: u32,
        algorithm: u32,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_mac_update(
        operation: *mut c_void,
        data: *const u8,
        len: usize,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_mac_finish(
        operation: *mut c_void,
        out: *mut u8,
        size: usize,
        len: *mut usize,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_mac_abort(operation: *mut c_void) -> i32;

    pub(crate) fn thread_mqtt_psa_sign_hash(
        key: u32,
        algorithm: u32,
        hash: *const u8,
        hash_len: usize,
        out: *mut u8,
        size: usize,
        len: *mut usize,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_verify_hash(
        key: u32,
        algorithm: u32,
        hash: *const u8,
        hash_len: usize,
        signature: *const u8,
        signature_len: usize,
    ) -> i32;
    pub(crate) fn thread_mqtt_psa_verify_message(
        key: u32,
        algorithm: u32,
        message: *const u8,
        message_len: usize,
        signature: *const u8,
        signature_len: usize,
    ) -> i32;
}

#[cfg(feature = "host-mbedtls")]
unsafe extern "C" {
    pub(crate) fn thread_mqtt_psa_host_library() -> *const c_char;
    pub(crate) fn thread_mqtt_psa_host_state(states: i32);
    pub(crate) fn thread_mqtt_psa_host_fail(from: u32, count: u32, status: i32);
    pub(crate) fn thread_mqtt_psa_host_counters(
        calls: *mut u32,
        failed: *mut u32,
        slots: *mut u32,
        most_slots: *mut u32,
    );
}
