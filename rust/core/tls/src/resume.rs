//! Sessions kept for resumption.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

/// Sessions that later connections resume, for TLS 1.2 (session id and ticket, RFC 5077) and 1.3
/// (PSK with a fresh key exchange, RFC 8446 section 2.2).
///
/// A resumed handshake transfers no certificates and verifies no signature. That saves most of the
/// bytes of connecting on a Thread network, and most of the time on a Cortex-M.
///
/// The server is trusted because of the certificates of the handshake that made the session. So a
/// session is no longer offered once the first of them has expired.
///
/// The store belongs to the application, which passes clones to the [`Config`](crate::Config) and
/// keeps one, so that sessions outlive any connection. Clones share their contents.
///
/// # Limits
/// The store keeps `servers` servers and, for each, one TLS 1.2 session and `tickets` TLS 1.3
/// tickets. The oldest are evicted. A session is removed when it is offered, and stored again when
/// the handshake is done. A server that cannot resume it therefore fails one handshake, and the
/// next is a full one (with two tickets, the one after). After a fatal alert all sessions of that
/// server are dropped (RFC 5246 section 7.2.2, RFC 8446 section 6.2). Each session holds the
/// ticket, its secret and a copy of the server's chain: about 3 KB with two RSA-2048 certificates,
/// for as long as the device runs.
///
/// A session is only resumed by a connection with the same [`Config`](crate::Config) (or a clone)
/// and the same kind of [`CertificateTime`](crate::CertificateTime) as the one that made it: rustls
/// compares the verifier and the client identity. So a session that was checked against a floor is
/// not resumed as if its dates had been checked against a clock.
///
/// # No persistence across reboots
/// rustls 0.23 keeps sessions in [`Tls12ClientSessionValue`] and [`Tls13ClientSessionValue`]. Their
/// fields and constructors are private, there is neither an encoder nor a decoder, and they are
/// tied to the verifier in memory as described above. A session can therefore not be written to
/// flash and read back through rustls's public interface. A device that sleeps with its RAM powered
/// keeps its sessions; after a reset the first handshake is a full one.
#[derive(Clone)]
pub struct SessionStore {
    shared: Arc<Shared>,
}

struct Shared {
    /// Oldest first. Never waits for the lock: on a single core with priorities, a spinning thread
    /// could wait for ever on one it has preempted. Without the lock, a thread does without a
    /// session, which costs a full handshake.
    servers: spin::Mutex<Vec<Server>>,
    max_servers: usize,
    max_tickets: usize,
    /// Incremented by `clear`. Sessions of an earlier epoch are dead even if they could not be
    /// freed yet.
    epoch: AtomicU32,
    kept: AtomicU32,
    offered: AtomicU32,
    dropped: AtomicU32,
}

struct Server {
    name: ServerName<'static>,
    epoch: u32,
    /// When the first of the certificates expires that its sessions rest on, in Unix seconds;
    /// `None` before a full handshake is done.
    end: Option<u64>,
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// Newest last.
    tls13: Vec<Tls13ClientSessionValue>,
}

/// The servers, locked for this thread; `None` while another thread holds the lock.
type Servers<'a> = Option<spin::MutexGuard<'a, Vec<Server>>>;

/// Counters of a [`SessionStore`] since its creation. They wrap around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionCounters {
    /// Sessions received and kept.
    pub kept: u32,
    /// Sessions handed to a handshake.
    pub offered: u32,
    /// Sessions dropped: evicted, replaced, removed after a refusal, or cleared.
    pub dropped: u32,
}

impl SessionStore {
    /// Creates a store for this many servers, and this many TLS 1.3 tickets for each (at least one
    /// of each).
    pub fn new(servers: usize, tickets: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                servers: spin::Mutex::new(Vec::new()),
                max_servers: servers.max(1),
                max_tickets: tickets.max(1),
                epoch: AtomicU32::new(0),
                kept: AtomicU32::new(0),
                offered: AtomicU32::new(0),
                dropped: AtomicU32::new(0),
            }),
        }
    }

    /// Drops all sessions. None stored so far will be offered again.
    pub fn clear(&self) {
        self.shared.epoch.fetch_add(1, Ordering::AcqRel);
        drop(self.shared.alive());
    }

    /// Returns the number of stored sessions of both versions; 0 while another thread uses the
    /// store.
    pub fn len(&self) -> usize {
        let servers = self.shared.alive();
        servers.map_or(0, |servers| servers.iter().map(Server::len).sum())
    }

    /// Returns whether there is nothing to resume.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the counters.
    pub fn counters(&self) -> SessionCounters {
        SessionCounters {
            kept: self.shared.kept.load(Ordering::Relaxed),
            offered: self.shared.offered.load(Ordering::Relaxed),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
        }
    }

    /// Drops the sessions of a server, unless their certificates are valid at the given time. If
    /// another thread holds the lock, drops all sessions.
    pub(crate) fn forget(&self, server_name: &ServerName<'_>, unless_valid_at: Option<u64>) {
        let Some(mut servers) = self.shared.alive() else {
            return self.clear();
        };
        if let Some(server) = find(&mut servers, server_name) {
            let valid = unless_valid_at.zip(server.end);
            if valid.is_none_or(|(now, end)| now > end) {
                self.shared.count_dropped(server.len());
                server.end = None;
                server.tls12 = None;
                server.tls13.clear();
            }
        }
    }

    /// Sets when the certificates expire that the sessions of a server rest on. If it has sessions
    /// of an earlier handshake, the earlier time counts.
    pub(crate) fn set_end(&self, server_name: &ServerName<'_>, end: u64) {
        let Some(mut servers) = self.shared.alive() else {
            return self.clear();
        };
        if let Some(server) = find(&mut servers, server_name) {
            server.end = Some(server.end.map_or(end, |earlier| earlier.min(end)));
        }
    }

    pub(crate) fn for_rustls(&self) -> Arc<dyn ClientSessionStore> {
        self.shared.clone()
    }
}

impl Default for SessionStore {
    /// For one server and one ticket.
    fn default() -> Self {
        Self::new(1, 1)
    }
}

impl fmt::Debug for SessionStore {
    /// Shows no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStore")
            .field("servers", &self.shared.max_servers)
            .field("tickets", &self.shared.max_tickets)
            .finish_non_exhaustive()
    }
}

// Required by rustls, so it is in every image; formatting numbers would be, too.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionStore")
    }
}

impl Server {
    fn len(&self) -> usize {
        usize::from(self.tls12.is_some()) + self.tls13.len()
    }
}

impl Shared {
    /// Returns the sessions that are not dead.
    #[inline(never)]
    fn alive(&self) -> Servers<'_> {
        let mut servers = self.servers.try_lock()?;
        let epoch = self.epoch.load(Ordering::Acquire);
        servers.retain(|server| {
            let alive = server.epoch == epoch;
            if !alive {
                self.count_dropped(server.len());
            }
            alive
        });
        Some(servers)
    }

    #[inline(never)]
    fn find_or_add<'s>(
        &self,
        servers: &'s mut Servers<'_>,
        name: ServerName<'static>,
    ) -> Option<&'s mut Server> {
        let servers = servers.as_mut()?;
        if let Some(known) = servers.iter().position(|server| server.name == name) {
            return servers.get_mut(known);
        }
        while servers.len() >= self.max_servers {
            self.count_dropped(servers.remove(0).len());
        }
        // A vector would reserve room for four at once, and these are large.
        servers.reserve_exact(1);
        servers.push(Server {
            name,
            epoch: self.epoch.load(Ordering::Acquire),
            end: None,
            group: None,
            tls12: None,
            tls13: Vec::new(),
        });
        servers.last_mut()
    }

    fn count_dropped(&self, n: usize) {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        self.dropped.fetch_add(n, Ordering::Relaxed);
    }

    fn count_kept(&self) {
        self.kept.fetch_add(1, Ordering::Relaxed);
    }

    fn count_offered(&self) {
        self.offered.fetch_add(1, Ordering::Relaxed);
    }
}

#[inline(never)]
fn find<'s>(servers: &'s mut [Server], name: &ServerName<'_>) -> Option<&'s mut Server> {
    servers.iter_mut().find(|server| server.name == *name)
}

impl ClientSessionStore for Shared {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        if let Some(server) = self.find_or_add(&mut self.alive(), server_name) {
            server.group = Some(group);
        }
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        find(&mut self.alive()?, server_name)?.group
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        if let Some(server) = self.find_or_add(&mut self.alive(), server_name) {
            self.count_dropped(server.tls12.is_some().into());
            server.tls12 = Some(value);
            self.count_kept();
        }
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        // Remove it, like a ticket: rustls stores it again when the handshake is done, and its
        // unbuffered interface does not remove one that failed.
        let session = find(&mut self.alive()?, server_name)?.tls12.take()?;
        self.count_offered();
        Some(session)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        if let Some(mut servers) = self.alive() {
            if let Some(server) = find(&mut servers, server_name) {
                self.count_dropped(server.tls12.is_some().into());
                server.tls12 = None;
            }
        }
    }

    fn insert_tls13_ticket(
        &self,
        server_name: ServerName<'static>,
        value: Tls13ClientSessionValue,
    ) {
        if let Some(server) = self.find_or_add(&mut self.alive(), server_name) {
            while server.tls13.len() >= self.max_tickets {
                server.tls13.remove(0);
                self.count_dropped(1);
            }
            server.tls13.reserve_exact(1);
            server.tls13.push(value);
            self.count_kept();
        }
    }

    fn take_tls13_ticket(
        &self,
        server_name: &ServerName<'static>,
    ) -> Option<Tls13ClientSessionValue> {
        let ticket = find(&mut self.alive()?, server_name)?.tls13.pop()?;
        self.count_offered();
        Some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(s: &'static str) -> ServerName<'static> {
        ServerName::try_from(s).unwrap()
    }

    fn servers(store: &SessionStore) -> Vec<ServerName<'static>> {
        let servers = store.shared.alive().unwrap();
        servers.iter().map(|server| server.name.clone()).collect()
    }

    #[test]
    fn the_oldest_server_gives_way() {
        let store = SessionStore::new(2, 1);
        let inner = store.for_rustls();
        for server in ["a.test", "b.test", "c.test"] {
            inner.set_kx_hint(name(server), NamedGroup::X25519);
        }
        assert_eq!(servers(&store), [name("b.test"), name("c.test")]);
        assert_eq!(inner.kx_hint(&name("a.test")), None);
        assert_eq!(inner.kx_hint(&name("c.test")), Some(NamedGroup::X25519));
    }

    #[test]
    fn clear_holds_even_while_another_thread_uses_the_store() {
        let store = SessionStore::default();
        let inner = store.for_rustls();
        inner.set_kx_hint(name("a.test"), NamedGroup::X25519);
        let held = store.shared.servers.try_lock().unwrap();
        assert_eq!(inner.kx_hint(&name("a.test")), None);
        store.clear();
        drop(held);
        assert_eq!(inner.kx_hint(&name("a.test")), None);
        assert!(store.is_empty());
    }
}
