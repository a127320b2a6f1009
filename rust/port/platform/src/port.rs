//! [`Port`] over the C layer.
use crate::ffi;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use thread_mqtt_client::TcpError;
use thread_mqtt_driver::{Interest, Port, Received, TcpState};
use thread_mqtt_resolve::resolver::{Family, Network};
use thread_mqtt_resolve::{AdvertisedPrefix, Preference, Prefix};

/// The sockets, the wake-up, the lock and the thread of one client: a handle to one of the
/// `CONFIG_THREAD_MQTT_MAX_CLIENTS` that the image has. Lent for the life of the program, unless
/// the C API gives it back.
#[derive(Debug, Clone, Copy)]
pub struct PlatformPort(NonNull<ffi::tmq_port>);

// SAFETY: the C layer says of each function which thread may call it, and the methods below and
// their callers keep to that; the pointer itself belongs to no thread.
unsafe impl Send for PlatformPort {}
// SAFETY: as above.
unsafe impl Sync for PlatformPort {}

impl PlatformPort {
    /// Takes a free port. `None` if all are taken, or if the image has no event descriptor left
    /// (the log says so).
    pub fn open() -> Option<Self> {
        // SAFETY: no precondition.
        NonNull::new(unsafe { ffi::tmq_port_open() }).map(Self)
    }

    /// The port as C knows it.
    pub fn raw(self) -> *mut ffi::tmq_port {
        self.0.as_ptr()
    }

    /// Ends another thread's wait, this one or the next: any thread may call it.
    pub fn wake(self) {
        // SAFETY: the port is open as long as its client exists; any thread may call it.
        unsafe { ffi::tmq_port_wake(self.raw()) }
    }

    /// Blocks until a socket, the network, another thread or the time `until` has news.
    pub fn wait(self, until: Option<Duration>, interest: Interest) {
        let timeout = until.map_or(-1, |until| {
            // Rounded up: a timer must be due when the wait is over.
            let left = until.saturating_sub(now());
            milliseconds(left.saturating_add(Duration::from_nanos(999_999)))
        });
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

/// Does `work` on the stack of a free client and waits for its answer. `None` if none is free: then
/// there is none for the caller's client either.
pub fn on_client_stack(work: fn() -> bool) -> Option<bool> {
    struct Job {
        work: fn() -> bool,
        answer: Option<bool>,
    }
    extern "C" fn run(job: *mut core::ffi::c_void) {
        // SAFETY: the job below, which nobody else touches until this thread has ended.
        let job = unsafe { &mut *job.cast::<Job>() };
        job.answer = Some((job.work)());
    }

    let port = PlatformPort::open()?;
    let mut job = Job { work, answer: None };
    // SAFETY: the port is open and has no thread yet; the job lives until its thread has ended.
    unsafe {
        ffi::tmq_port_thread_start(port.raw(), Some(run), (&raw mut job).cast());
        ffi::tmq_port_thread_join(port.raw());
        ffi::tmq_port_close(port.raw());
    }
    job.answer
}

/// Whole milliseconds, without the 128 bits of `Duration::as_millis`.
#[inline(never)]
pub fn milliseconds(duration: Duration) -> i64 {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    seconds
        .saturating_mul(1_000)
        .saturating_add(duration.subsec_millis().into())
}

/// Time since boot.
pub fn now() -> Duration {
    // SAFETY: no precondition.
    let milliseconds = unsafe { ffi::tmq_port_uptime_ms() };
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}

/// Unix seconds at boot, once the wall clock was told; 0 before. In 32 bits, because Cortex-M4 has
/// no 64-bit atomics.
static BOOT_TIME: AtomicU32 = AtomicU32::new(0);

/// Unix seconds of the build: what has surely passed when the device starts without a clock.
pub fn build_time() -> u64 {
    // SAFETY: no precondition.
    u64::try_from(unsafe { ffi::tmq_port_build_time() }).unwrap_or(0)
}

/// Tells the wall clock, which is kept against the uptime from now on.
pub fn set_unix_time(seconds: u32) {
    let uptime = u32::try_from(now().as_secs()).unwrap_or(u32::MAX);
    BOOT_TIME.store(seconds.saturating_sub(uptime).max(1), Ordering::Relaxed);
}

/// The wall clock in Unix seconds, if it was told.
fn unix_time() -> Option<u64> {
    match BOOT_TIME.load(Ordering::Relaxed) {
        0 => None,
        boot => Some(u64::from(boot) + now().as_secs()),
    }
}

/// What this device is in its network, where that has a name.
pub fn role() -> Option<&'static str> {
    // SAFETY: no precondition; the result is NULL or a string that lives for ever.
    let role = unsafe {
        let role = ffi::tmq_port_role();
        (!role.is_null()).then(|| core::ffi::CStr::from_ptr(role))
    };
    role.and_then(|role| role.to_str().ok())
}

/// The addresses that other hosts can send to.
pub fn addresses() -> Vec<Ipv6Addr> {
    let mut found = [ffi::tmq_address::default(); ffi::TMQ_ADDRESSES as usize];
    // SAFETY: there is room for TMQ_ADDRESSES.
    let count = usize::from(unsafe { ffi::tmq_port_addresses(found.as_mut_ptr()) });
    let found = found.iter().take(count);
    found.map(|address| *from_c(address).ip()).collect()
}

/// Fills `buf`, or gives the platform's code.
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

/// One prefix of the network data; one that RFC 6052 does not allow is left out.
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

/// A result that is a length, or a negative code.
fn length(result: i32) -> Result<usize, i32> {
    usize::try_from(result).map_err(|_| result)
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
            code => Err(code),
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
        let n = length(result).ok()?;
        Some((from_c(&from), to_port, n))
    }

    fn udp_close(&mut self) {
        // SAFETY: the port is open, and this is its thread.
        unsafe { ffi::tmq_port_udp_close(self.raw()) }
    }

    fn platform_lookup(&mut self, name: &str, family: Family) -> Result<(), i32> {
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
            code => Err(code),
        }
    }

    fn poll_platform_lookup(&mut self) -> Option<Result<Vec<IpAddr>, i32>> {
        let mut answers = [ffi::tmq_address::default(); ffi::TMQ_ANSWERS as usize];
        // SAFETY: the port is open, this is its thread, and there is room for TMQ_ANSWERS.
        match unsafe { ffi::tmq_port_resolved(self.raw(), answers.as_mut_ptr()) } {
            ffi::TMQ_WOULD_BLOCK => None,
            result => Some(length(result).map(|n| {
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
        PlatformPort::wait(*self, until, interest);
    }
}
