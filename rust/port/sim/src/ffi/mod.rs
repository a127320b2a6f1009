//! Everything that touches OpenThread, and all of the crate's `unsafe`.
//!
//! The rules that the `SAFETY` comments below refer to:
//!
//! 1. **One call at a time.** OpenThread has process-wide state apart from its instances: a
//!    pseudo-random generator, and lazily filled tables of mbedTLS. Every call into it is made
//!    inside [`enter`], which holds a process-wide lock. So worlds on several threads take turns,
//!    call by call, and never see each other.
//! 2. **One world at a time.** While the lock is held, a thread-local names the [`Platform`] of the
//!    world that entered. OpenThread calls the platform functions only from within one of our
//!    calls, on the same thread, so they find their own world there.
//! 3. **No re-entry.** A platform function or callback only records the request (in the `Platform`,
//!    in `Cell`s of its context) and never calls `enter`. The world acts on it after the call has
//!    returned. The `Platform` is not borrowed during a call.
//! 4. **An instance is neither moved nor dropped while in use.** [`Instance`] owns the memory and
//!    is not `Send`. Everything registered with it (sockets, endpoints, buffers) is owned by a
//!    value that keeps the instance alive and deregisters on drop.
mod callbacks;
mod dns;
mod instance;
mod ip6;
mod network;
mod udp;

pub(crate) use dns::Query;
pub(crate) use instance::{Instance, TransmitResult};
pub(crate) use network::{Commissioning, Nat64Route};
pub(crate) use udp::UdpSocket;

use crate::config::WorldError;
use crate::platform::Platform;
use core::net::Ipv6Addr;
use openthread_sys as ot;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A world's platform, shared with the platform functions.
pub(crate) type SharedPlatform = Rc<RefCell<Platform>>;

/// Held while any thread is inside OpenThread.
static OPENTHREAD: Mutex<()> = Mutex::new(());

thread_local! {
    /// The world that is inside OpenThread on this thread.
    static CURRENT: RefCell<Option<SharedPlatform>> = const { RefCell::new(None) };
}

unsafe extern "C" {
    /// `ot::Random::Manager::sPrng`, the state of OpenThread's non-cryptographic generator:
    /// a class of one `uint32_t`, shared by all instances of the process.
    #[link_name = "_ZN2ot6Random7Manager5sPrngE"]
    static mut SHARED_PRNG: u32;
    /// `ot::Random::Manager::sInitCount`. With several instances, every constructor increments it.
    /// As OpenThread never runs the destructor, it is never decremented. OpenThread asserts at
    /// 65,535.
    #[link_name = "_ZN2ot6Random7Manager10sInitCountE"]
    static mut SHARED_PRNG_USERS: u16;
}

/// Leaves OpenThread when dropped, also while unwinding.
struct Inside<'a> {
    platform: &'a SharedPlatform,
    _lock: MutexGuard<'static, ()>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        // SAFETY: rule 1, `_lock` is still held.
        self.platform.borrow_mut().prng = unsafe { SHARED_PRNG };
        CURRENT.set(None);
    }
}

/// Calls into OpenThread on behalf of a node of a world.
pub(crate) fn enter<R>(platform: &SharedPlatform, node: usize, call: impl FnOnce() -> R) -> R {
    let lock = OPENTHREAD.lock().unwrap_or_else(PoisonError::into_inner);
    let outer = CURRENT.replace(Some(Rc::clone(platform)));
    debug_assert!(outer.is_none(), "OpenThread was entered twice");
    let prng = {
        let mut platform = platform.borrow_mut();
        platform.running = node;
        platform.prng
    };
    // SAFETY: rule 1, the lock is held. The count is at least one, so that constructing an instance
    // does not seed the generator again, and small, so that it never overflows.
    unsafe {
        SHARED_PRNG = prng;
        SHARED_PRNG_USERS = 1;
    }
    let _inside = Inside {
        platform,
        _lock: lock,
    };
    call()
}

/// Accesses the platform of the world that is inside OpenThread (rule 2). A panic here cannot
/// unwind through OpenThread; it ends the process with its message.
fn with_platform<R>(access: impl FnOnce(&mut Platform) -> R) -> R {
    CURRENT.with_borrow(|current| {
        let platform = current
            .as_ref()
            .expect("OpenThread calls the platform only from within a world");
        access(&mut platform.borrow_mut())
    })
}

/// Converts an `otError` into a result.
fn check(call: &'static str, code: ot::otError) -> Result<(), WorldError> {
    match code {
        0 => Ok(()),
        code => Err(WorldError::OpenThread { call, code }),
    }
}

fn to_address(address: &ot::otIp6Address) -> Ipv6Addr {
    // SAFETY: every bit pattern is a valid array of bytes.
    Ipv6Addr::from(unsafe { address.mFields.m8 })
}

fn from_address(address: Ipv6Addr) -> ot::otIp6Address {
    let mut raw = ot::otIp6Address::default();
    raw.mFields.m8 = address.octets();
    raw
}

/// Returns the bytes of an OpenThread message from its offset, where the payload begins.
///
/// # Safety
/// `message` is a live message, and the caller is inside [`enter`].
unsafe fn message_payload(message: *const ot::otMessage) -> Vec<u8> {
    // SAFETY: guaranteed by the caller.
    unsafe { message_bytes(message, ot::otMessageGetOffset(message)) }
}

/// Returns the bytes of an OpenThread message from `offset` on.
///
/// # Safety
/// `message` is a live message, and the caller is inside [`enter`].
unsafe fn message_bytes(message: *const ot::otMessage, offset: u16) -> Vec<u8> {
    // SAFETY: guaranteed by the caller; the buffer has room for the length passed.
    unsafe {
        let length = ot::otMessageGetLength(message).saturating_sub(offset);
        let mut bytes = vec![0; usize::from(length)];
        let read = ot::otMessageRead(message, offset, bytes.as_mut_ptr().cast(), length);
        bytes.truncate(usize::from(read));
        bytes
    }
}
