//! [`Port`] over the C layer.
use crate::ffi;
use crate::session_store::SessionName;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Interest, Port, Received, TcpState};
use thread_mqtt_resolve::resolver::{Family, LookupError, Network, UdpError};
use thread_mqtt_resolve::{AdvertisedPrefix, Preference, Prefix};

/// An open port of the C layer, closed when its last owner is dropped.
#[derive(Debug)]
struct Open(NonNull<ffi::tmq_port>);

// SAFETY: the pointer itself belongs to no thread. A shared `Open` only calls functions that any
// thread may call (waking, the lock); the others need a `&mut PlatformPort`.
unsafe impl Send for Open {}
// SAFETY: as above.
unsafe impl Sync for Open {}

impl Open {
    fn raw(&self) -> *mut ffi::tmq_port {
        self.0.as_ptr()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the port is open, and nothing else refers to it any more.
        unsafe { ffi::tmq_port_close(self.raw()) }
    }
}

/// The sockets of one client and the means to wait for them: one of the platform's ports. Closed
/// when it and everything made from it ([`Waker`], [`PortMutex`]) is dropped.
#[derive(Debug)]
pub struct PlatformPort {
    open: Arc<Open>,
    /// Destination of an undelivered datagram, until queried.
    undelivered: Option<(SocketAddrV6, UdpError)>,
}

/// Ends a [`wait`](Port::wait) from another thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Open>);

impl Waker {
    /// Ends the current wait, or the next one.
    pub fn wake(&self) {
        // SAFETY: the port is open as long as self exists, and any thread may call it.
        unsafe { ffi::tmq_port_wake(self.0.raw()) }
    }
}

impl PlatformPort {
    /// Takes a free port. Returns `None` if all are taken or if a resource is missing, which the
    /// log names.
    pub fn open() -> Option<Self> {
        // SAFETY: no precondition.
        let port = NonNull::new(unsafe { ffi::tmq_port_open() })?;
        Some(Self {
            open: Arc::new(Open(port)),
            undelivered: None,
        })
    }

    /// Selects the network interface, one of `TMQ_INTERFACE_*`, for a client that has no thread
    /// yet. Returns a negative code if the platform does not have it.
    pub fn use_interface(&mut self, interface: u8) -> Result<(), i32> {
        // SAFETY: the port is open, and no thread of its own runs.
        match unsafe { ffi::tmq_port_use_interface(self.raw(), interface) } {
            0 => Ok(()),
            code => Err(code),
        }
    }

    /// Returns a handle that wakes this port.
    pub fn waker(&self) -> Waker {
        Waker(self.open.clone())
    }

    /// Returns the port's lock.
    pub fn mutex(&self) -> PortLock {
        PortLock(self.open.clone())
    }

    fn raw(&mut self) -> *mut ffi::tmq_port {
        self.open.raw()
    }
}

/// Registers a client's address with the platform until dropped.
#[derive(Debug)]
pub struct Registration(Arc<Open>);

impl Registration {
    /// Registers the client of `port` by its address, which is only compared, and by the name of
    /// its stored session, empty if it has none. Returns `None` if another client has a session of
    /// this name.
    #[allow(clippy::not_unsafe_ptr_arg_deref)] // it is not dereferenced
    pub fn new(port: &Waker, client: *const c_void, session: SessionName) -> Option<Self> {
        // SAFETY: the port is open, any thread may call it, and the name ends with a NUL.
        let known =
            unsafe { ffi::tmq_client_register(port.0.raw(), client, session.as_c().as_ptr()) };
        // Without stored sessions no name can be taken, and the image does not contain the error
        // text.
        let is_taken = cfg!(feature = "durable") && known == 0;
        (!is_taken).then(|| Self(port.0.clone()))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { ffi::tmq_client_register(self.0.raw(), core::ptr::null(), c"".as_ptr()) };
    }
}

/// A port's thread, to be joined.
#[derive(Debug)]
pub struct PortThread(Arc<Open>);

impl PortThread {
    /// Starts the thread of `port`, which calls `run` and ends when that returns. Returns a
    /// negative code if no thread can be started.
    ///
    /// # Safety
    /// `run` may be called with `argument` in another thread, until the thread is joined. The port
    /// has no other thread.
    pub unsafe fn start(
        port: &Waker,
        run: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
    ) -> Result<Self, i32> {
        // SAFETY: the port is open; the rest is promised by the caller.
        match unsafe { ffi::tmq_port_thread_start(port.0.raw(), Some(run), argument) } {
            0 => Ok(Self(port.0.clone())),
            code => Err(code),
        }
    }

    /// Waits for the thread to end.
    pub fn join(self) {
        // SAFETY: the port is open, and its thread was started.
        unsafe { ffi::tmq_port_thread_join(self.0.raw()) }
    }
}

/// A value behind the lock of a port. Hold the lock only briefly: the platform may raise the
/// priority of the holder to that of a waiting thread. Do not call platform functions meanwhile.
#[derive(Debug)]
pub struct PortMutex<T> {
    open: Arc<Open>,
    /// The platform's lock may be recursive; this one is not.
    taken: UnsafeCell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: value and flag are accessed only by the thread that holds the port's lock.
unsafe impl<T: Send> Sync for PortMutex<T> {}

/// The lock of a port, not yet protecting a value.
#[derive(Debug)]
pub struct PortLock(Arc<Open>);

impl PortLock {
    /// Wraps a value. A port has one lock, so a thread must not hold two of these.
    pub fn around<T>(self, value: T) -> PortMutex<T> {
        PortMutex {
            open: self.0,
            taken: UnsafeCell::new(false),
            value: UnsafeCell::new(value),
        }
    }
}

impl<T> PortMutex<T> {
    /// Takes the lock.
    ///
    /// # Panics
    /// If this thread already holds the lock.
    pub fn lock(&self) -> PortGuard<'_, T> {
        // SAFETY: the port is open, and any thread may call it.
        unsafe { ffi::tmq_port_lock(self.open.raw()) };
        // SAFETY: the lock is held, so no other thread is here.
        let taken = unsafe { &mut *self.taken.get() };
        assert!(!core::mem::replace(taken, true), "the lock does not nest");
        PortGuard {
            mutex: self,
            not_send: PhantomData,
        }
    }
}

/// Access to the value while the lock is held.
#[derive(Debug)]
pub struct PortGuard<'a, T> {
    mutex: &'a PortMutex<T>,
    /// The thread that took the lock must release it.
    not_send: PhantomData<*const ()>,
}

impl<T> PortGuard<'_, T> {
    /// Releases the lock, waits for [`notify`](Self::notify) or until `until`, and takes the lock
    /// again. May return early. Returns false if the time had already passed.
    pub fn wait(&mut self, until: Option<Duration>) -> bool {
        let timeout = match until.map(left) {
            Some(..=0) => return false,
            Some(milliseconds) => milliseconds,
            None => -1,
        };
        // SAFETY: the lock is held, so this thread owns the flag.
        unsafe { *self.mutex.taken.get() = false };
        // SAFETY: the port is open, and this thread holds its lock.
        unsafe { ffi::tmq_port_lock_wait(self.mutex.open.raw(), timeout) };
        // SAFETY: the lock is held again.
        unsafe { *self.mutex.taken.get() = true };
        true
    }

    /// Ends the [`wait`](Self::wait)s of other threads.
    pub fn notify(&self) {
        // SAFETY: the port is open, and this thread holds its lock.
        unsafe { ffi::tmq_port_lock_notify(self.mutex.open.raw()) }
    }
}

impl<T> Deref for PortGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held, once, as long as self exists.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for PortGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for PortGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the lock is held, so this thread owns the flag.
        unsafe { *self.mutex.taken.get() = false };
        // SAFETY: the port is open, and this thread holds its lock.
        unsafe { ffi::tmq_port_unlock(self.mutex.open.raw()) }
    }
}

/// Why there is no client stack to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoStack {
    /// All clients that the image has room for exist. None is left for the caller's own either.
    NoClientFree,
    /// The platform does not start the thread; the platform's code.
    NoThread(i32),
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoClientFree => {
                f.write_str("too many clients for this image; raise CONFIG_THREAD_MQTT_MAX_CLIENTS")
            }
            Self::NoThread(code) => write!(
                f,
                "the platform cannot start the client's thread (code {code}); allow more memory \
                 or more threads"
            ),
        }
    }
}

/// Runs `work` on the stack of a free client and returns its result.
pub fn on_client_stack<T: Send, F: FnOnce() -> T + Send>(work: F) -> Result<T, NoStack> {
    struct Job<T, F> {
        work: Option<F>,
        result: Option<T>,
    }
    unsafe extern "C" fn run<T, F: FnOnce() -> T>(job: *mut c_void) {
        // SAFETY: the job below, which nothing else touches until this thread has ended.
        let job = unsafe { &mut *job.cast::<Job<T, F>>() };
        job.result = job.work.take().map(|work| work());
    }

    let port = PlatformPort::open().ok_or(NoStack::NoClientFree)?;
    let mut job = Job {
        work: Some(work),
        result: None,
    };
    // SAFETY: the port has no thread yet, and the job lives until its thread has ended.
    let thread = unsafe { PortThread::start(&port.waker(), run::<T, F>, (&raw mut job).cast()) };
    thread.map_err(NoStack::NoThread)?.join();
    // The thread has finished the work before it ends.
    job.result.ok_or(NoStack::NoThread(0))
}

/// Returns the milliseconds until `until`, rounded up, so that a timer is due when the wait ends.
fn left(until: Duration) -> i64 {
    let left = until.saturating_sub(now());
    milliseconds(left.saturating_add(Duration::from_nanos(999_999)))
}

/// Returns whole milliseconds, without the 128-bit arithmetic of `Duration::as_millis`.
#[inline(never)]
pub fn milliseconds(duration: Duration) -> i64 {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    seconds
        .saturating_mul(1_000)
        .saturating_add(duration.subsec_millis().into())
}

/// Returns the time since boot.
pub fn now() -> Duration {
    // SAFETY: no precondition.
    let milliseconds = unsafe { ffi::tmq_port_uptime_ms() };
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}

/// Unix time in seconds at boot, once the wall clock was set; 0 before. 32 bits, because Cortex-M4
/// has no 64-bit atomics.
static BOOT_TIME: AtomicU32 = AtomicU32::new(0);

/// Returns a number that is unique among running threads.
pub(crate) fn this_thread() -> usize {
    // SAFETY: no precondition.
    unsafe { ffi::tmq_port_this_thread() }
}

/// Returns the build's Unix time in seconds: known to have passed if the device starts without a
/// clock.
pub fn build_time() -> u64 {
    // SAFETY: no precondition.
    u64::try_from(unsafe { ffi::tmq_port_build_time() }).unwrap_or(0)
}

/// Sets the wall clock, which then advances with the uptime. Ends every client's wait, because one
/// may be waiting for the time.
pub fn set_unix_time(seconds: u32) {
    let uptime = u32::try_from(now().as_secs()).unwrap_or(u32::MAX);
    BOOT_TIME.store(seconds.saturating_sub(uptime).max(1), Ordering::Relaxed);
    // SAFETY: no precondition; any thread may call it.
    unsafe { ffi::tmq_clients_wake() }
}

/// Returns the wall clock in Unix seconds, if it was set or the platform knows it.
pub fn unix_time() -> Option<u64> {
    match BOOT_TIME.load(Ordering::Relaxed) {
        // SAFETY: no precondition.
        0 => match unsafe { ffi::tmq_port_unix_time() } {
            ..=0 => None,
            known => u64::try_from(known).ok(),
        },
        boot => Some(u64::from(boot) + now().as_secs()),
    }
}

/// Returns this device's role in its network, if the network has roles.
pub fn role() -> Option<&'static str> {
    // SAFETY: no precondition; the result is NULL or a static string.
    let role = unsafe {
        let role = ffi::tmq_port_role();
        (!role.is_null()).then(|| core::ffi::CStr::from_ptr(role))
    };
    role.and_then(|role| role.to_str().ok())
}

/// Returns the addresses that other hosts can send to.
pub fn addresses() -> Vec<Ipv6Addr> {
    let mut found = [ffi::tmq_address::default(); ffi::TMQ_ADDRESSES as usize];
    // SAFETY: there is room for TMQ_ADDRESSES.
    let count = usize::from(unsafe { ffi::tmq_port_addresses(found.as_mut_ptr()) });
    let found = found.iter().take(count);
    found.map(|address| *from_c(address).ip()).collect()
}

/// Fills `buf`, or returns the platform's error code.
pub fn fill_random(buf: &mut [u8]) -> Result<(), i32> {
    // SAFETY: the buffer is valid for its length.
    match unsafe { ffi::tmq_port_random(buf.as_mut_ptr(), buf.len()) } {
        0 => Ok(()),
        code => Err(code),
    }
}

fn to_c(address: SocketAddrV6) -> ffi::tmq_address {
    ffi::tmq_address {
        bytes: address.ip().octets(),
        port: address.port(),
    }
}

fn from_c(address: &ffi::tmq_address) -> SocketAddrV6 {
    SocketAddrV6::new(Ipv6Addr::from(address.bytes), address.port, 0, 0)
}

fn tcp_error(code: i32) -> TcpError {
    match code {
        ffi::TMQ_REFUSED => TcpError::Refused,
        ffi::TMQ_UNREACHABLE => TcpError::Unreachable,
        ffi::TMQ_TIMED_OUT => TcpError::TimedOut,
        ffi::TMQ_RESET => TcpError::Reset,
        code => TcpError::Other(code),
    }
}

fn udp_error(code: i32) -> Option<UdpError> {
    match code {
        ffi::TMQ_REFUSED => Some(UdpError::Refused),
        ffi::TMQ_UNREACHABLE => Some(UdpError::Unreachable),
        _ => None,
    }
}

/// Returns one prefix of the network data; `None` if RFC 6052 does not allow it.
fn prefix(prefix: &ffi::tmq_prefix) -> Option<AdvertisedPrefix> {
    Some(AdvertisedPrefix {
        prefix: Prefix::new(Ipv6Addr::from(prefix.bytes), prefix.length).ok()?,
        preference: match prefix.preference {
            ..0 => Preference::Low,
            0 => Preference::Medium,
            1.. => Preference::High,
        },
    })
}

/// Splits a result into a length and a negative code.
fn length(result: i32) -> Result<usize, i32> {
    usize::try_from(result).map_err(|_| result)
}

/// Translates the code of a look-up.
fn lookup_error(code: i32) -> LookupError {
    match code {
        ffi::TMQ_NOT_FOUND => LookupError::NameError,
        ffi::TMQ_NO_SERVER => LookupError::NoServer,
        ffi::TMQ_TIMED_OUT => LookupError::Timeout,
        ffi::TMQ_SERVER_FAILED => LookupError::ServerFailure,
        ffi::TMQ_REFUSED => LookupError::Refused,
        ffi::TMQ_UNREACHABLE => LookupError::NoPrefix,
        code => LookupError::Platform(code),
    }
}

impl Port for PlatformPort {
    fn now(&self) -> Duration {
        now()
    }

    fn unix_time(&self) -> Option<u64> {
        unix_time()
    }

    fn fill_random(&mut self, buf: &mut [u8]) -> Result<(), i32> {
        fill_random(buf)
    }

    fn network(&mut self) -> Network {
        let mut network = ffi::tmq_network::default();
        // SAFETY: the port is open, this is its thread, and the structure is valid.
        unsafe { ffi::tmq_port_network(self.raw(), &mut network) };
        let mut found = Network {
            attached: network.attached != 0,
            native_ipv4: network.native_ipv4 != 0,
            ..Network::default()
        };
        for advertised in network.prefixes.iter().take(network.prefix_count.into()) {
            found.prefixes.extend(prefix(advertised));
        }
        for server in network
            .dns_servers
            .iter()
            .take(network.dns_server_count.into())
        {
            found.dns_servers.push(from_c(server));
        }
        found
    }

    fn tcp_connect(&mut self, to: SocketAddrV6) -> Result<(), TcpError> {
        // SAFETY: the port is open, this is its thread, and the address is read during the call.
        match unsafe { ffi::tmq_port_tcp_connect(self.raw(), &to_c(to)) } {
            0 => Ok(()),
            code => Err(tcp_error(code)),
        }
    }

    fn tcp_state(&mut self) -> TcpState {
        // SAFETY: the port is open, and this is its thread.
        match unsafe { ffi::tmq_port_tcp_state(self.raw()) } {
            0 => TcpState::Closed,
            1 => TcpState::Connecting,
            2 => TcpState::Connected,
            code => TcpState::Failed(tcp_error(code)),
        }
    }

    fn tcp_send(&mut self, data: &[u8]) -> Result<usize, TcpError> {
        // SAFETY: the port is open, this is its thread, and the data is valid for its length.
        length(unsafe { ffi::tmq_port_tcp_send(self.raw(), data.as_ptr(), data.len()) })
            .map_err(tcp_error)
    }

    fn tcp_receive(&mut self, buf: &mut [u8]) -> Result<Received, TcpError> {
        // SAFETY: the port is open, this is its thread, and the buffer is valid for its length.
        match unsafe { ffi::tmq_port_tcp_receive(self.raw(), buf.as_mut_ptr(), buf.len()) } {
            0 => Ok(Received::EndOfStream),
            ffi::TMQ_WOULD_BLOCK => Ok(Received::WouldBlock),
            result => length(result).map(Received::Bytes).map_err(tcp_error),
        }
    }

    fn tcp_close(&mut self, abort: bool) {
        // SAFETY: the port is open, and this is its thread.
        unsafe { ffi::tmq_port_tcp_close(self.raw(), abort.into()) }
    }

    fn udp_send(&mut self, from_port: u16, to: SocketAddrV6, payload: &[u8]) -> Result<(), i32> {
        // SAFETY: the port is open, this is its thread, and the payload is valid for its length.
        match unsafe {
            ffi::tmq_port_udp_send(
                self.raw(),
                from_port,
                &to_c(to),
                payload.as_ptr(),
                payload.len(),
            )
        } {
            0 => Ok(()),
            code => {
                self.undelivered = udp_error(code).map(|error| (to, error));
                Err(code)
            }
        }
    }

    fn udp_receive(&mut self, buf: &mut [u8]) -> Option<(SocketAddrV6, u16, usize)> {
        let mut from = ffi::tmq_address::default();
        let mut to_port = 0;
        // SAFETY: the port is open, this is its thread, and all buffers are valid.
        let result = unsafe {
            ffi::tmq_port_udp_receive(
                self.raw(),
                &mut from,
                &mut to_port,
                buf.as_mut_ptr(),
                buf.len(),
            )
        };
        match length(result) {
            Ok(n) => Some((from_c(&from), to_port, n)),
            Err(code) => {
                self.undelivered = udp_error(code).map(|error| (from_c(&from), error));
                None
            }
        }
    }

    fn udp_undelivered(&mut self) -> Option<(SocketAddrV6, UdpError)> {
        self.undelivered.take()
    }

    fn udp_close(&mut self) {
        // SAFETY: the port is open, and this is its thread.
        unsafe { ffi::tmq_port_udp_close(self.raw()) }
    }

    fn platform_lookup(&mut self, name: &str, family: Family) -> Result<(), LookupError> {
        let family = match family {
            Family::Unspecified => ffi::TMQ_FAMILY_UNSPECIFIED,
            Family::Inet => ffi::TMQ_FAMILY_INET,
            Family::Inet6 => ffi::TMQ_FAMILY_INET6,
        };
        // SAFETY: the port is open, this is its thread, and the name is valid for its length.
        match unsafe {
            ffi::tmq_port_resolve(
                self.raw(),
                name.as_ptr().cast(),
                name.len(),
                u8::try_from(family).unwrap_or(0),
            )
        } {
            0 => Ok(()),
            code => Err(lookup_error(code)),
        }
    }

    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, LookupError>> {
        let mut answers = [ffi::tmq_address::default(); ffi::TMQ_ANSWERS as usize];
        // SAFETY: the port is open, this is its thread, and there is room for TMQ_ANSWERS.
        match unsafe { ffi::tmq_port_resolved(self.raw(), answers.as_mut_ptr()) } {
            ffi::TMQ_WOULD_BLOCK => None,
            result => Some(length(result).map_err(lookup_error).map(|n| {
                let mut addresses = Vec::new();
                for answer in answers.iter().take(n) {
                    addresses.push(Ipv6Addr::from(answer.bytes).to_canonical());
                }
                addresses
            })),
        }
    }

    fn await_answer(&mut self, awaited: bool) {
        // SAFETY: the port is open, and this is its thread.
        unsafe { ffi::tmq_port_await_answer(self.raw(), awaited.into()) }
    }

    fn wait(&mut self, until: Option<Duration>, interest: Interest) {
        let timeout = until.map_or(-1, left);
        // SAFETY: the port is open, and this is its thread.
        unsafe {
            ffi::tmq_port_wait(
                self.raw(),
                timeout,
                interest.receive.into(),
                interest.send.into(),
            )
        }
    }
}
