//! Hashes and MACs in several parts.

use alloc::boxed::Box;
use alloc::vec;
use core::ffi::c_void;

use zeroize::Zeroize;

use crate::error::{Call, Error, Status};
use crate::key::filled;
use crate::{Algorithm, Hash, KeyId, ffi};

/// Memory for a PSA operation structure, whose size only C knows: zeroed, aligned to 8 and never
/// moved, as the shim requires.
struct Memory(Box<[u64]>);

impl Memory {
    fn new(bytes: usize) -> Self {
        Self(vec![0; bytes.div_ceil(size_of::<u64>())].into_boxed_slice())
    }

    fn get(&self) -> *const c_void {
        self.0.as_ptr().cast()
    }

    fn get_mut(&mut self) -> *mut c_void {
        self.0.as_mut_ptr().cast()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A hash being computed.
pub struct HashOperation {
    memory: Memory,
    hash: Hash,
}

impl HashOperation {
    /// Starts a computation.
    pub fn start(hash: Hash) -> Result<Self, Error> {
        let mut operation = Self::idle(hash);
        // SAFETY: the memory meets the shim's requirements.
        let status =
            unsafe { ffi::thread_mqtt_psa_hash_setup(operation.memory.get_mut(), hash as u32) };
        Call::HashSetup.check(status)?;
        Ok(operation)
    }

    fn idle(hash: Hash) -> Self {
        // SAFETY: a constant of the C side.
        let size = unsafe { ffi::thread_mqtt_psa_hash_size() };
        Self {
            memory: Memory::new(size),
            hash,
        }
    }

    /// Adds `data`. After an error every further call fails, too.
    pub fn update(&mut self, data: &[u8]) -> Result<(), Error> {
        // SAFETY: the memory holds an operation; `data` is readable for its length.
        let status = unsafe {
            ffi::thread_mqtt_psa_hash_update(self.memory.get_mut(), data.as_ptr(), data.len())
        };
        Call::HashUpdate.check(status)
    }

    /// Returns a second computation that continues from the current state.
    pub fn fork(&self) -> Result<Self, Error> {
        let mut copy = Self::idle(self.hash);
        // SAFETY: one memory holds an operation, the other meets the shim's requirements.
        let status =
            unsafe { ffi::thread_mqtt_psa_hash_clone(self.memory.get(), copy.memory.get_mut()) };
        Call::HashClone.check(status)?;
        Ok(copy)
    }

    /// Ends the computation and writes the digest to `out`.
    pub fn finish(mut self, out: &mut [u8; Hash::MAX_LEN]) -> Result<&mut [u8], Error> {
        let mut len = 0;
        // SAFETY: the memory holds an operation; `out` is writable for its length.
        let status = unsafe {
            ffi::thread_mqtt_psa_hash_finish(
                self.memory.get_mut(),
                out.as_mut_ptr(),
                out.len(),
                &mut len,
            )
        };
        exactly(Call::HashFinish, status, out, len, self.hash)
    }
}

impl Drop for HashOperation {
    fn drop(&mut self) {
        // Nothing can be done about a failure: the memory is wiped next.
        // SAFETY: the memory holds an operation, active or not.
        let _ = unsafe { ffi::thread_mqtt_psa_hash_abort(self.memory.get_mut()) };
    }
}

/// An HMAC being computed.
pub struct HmacOperation {
    memory: Memory,
    hash: Hash,
}

impl HmacOperation {
    /// Starts a computation with a key for `Algorithm::hmac(hash)`.
    pub fn start(key: KeyId, hash: Hash) -> Result<Self, Error> {
        // SAFETY: a constant of the C side.
        let size = unsafe { ffi::thread_mqtt_psa_mac_size() };
        let mut operation = Self {
            memory: Memory::new(size),
            hash,
        };
        let algorithm = Algorithm::hmac(hash);
        // SAFETY: the memory meets the shim's requirements.
        let status = unsafe {
            ffi::thread_mqtt_psa_mac_setup(operation.memory.get_mut(), key.0, algorithm.0)
        };
        Call::MacSetup.check(status)?;
        Ok(operation)
    }

    /// Adds `data`. After an error every further call fails, too.
    pub fn update(&mut self, data: &[u8]) -> Result<(), Error> {
        // SAFETY: the memory holds an operation; `data` is readable for its length.
        let status = unsafe {
            ffi::thread_mqtt_psa_mac_update(self.memory.get_mut(), data.as_ptr(), data.len())
        };
        Call::MacUpdate.check(status)
    }

    /// Ends the computation and writes the tag to `out`.
    pub fn finish(mut self, out: &mut [u8; Hash::MAX_LEN]) -> Result<&mut [u8], Error> {
        let mut len = 0;
        // SAFETY: the memory holds an operation; `out` is writable for its length.
        let status = unsafe {
            ffi::thread_mqtt_psa_mac_finish(
                self.memory.get_mut(),
                out.as_mut_ptr(),
                out.len(),
                &mut len,
            )
        };
        exactly(Call::MacFinish, status, out, len, self.hash)
    }
}

impl Drop for HmacOperation {
    fn drop(&mut self) {
        // Nothing can be done about a failure: the memory is wiped next.
        // SAFETY: the memory holds an operation, active or not.
        let _ = unsafe { ffi::thread_mqtt_psa_mac_abort(self.memory.get_mut()) };
    }
}

/// Checks that a result is as long as the hash's output, never shorter.
fn exactly(
    call: Call,
    status: i32,
    out: &mut [u8; Hash::MAX_LEN],
    len: usize,
    hash: Hash,
) -> Result<&mut [u8], Error> {
    let out = filled(call, status, out, len)?;
    match out.len() == hash.output_len() {
        true => Ok(out),
        false => Err(call.failed(Status::CORRUPTION_DETECTED)),
    }
}
