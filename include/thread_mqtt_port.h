/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The platform interface: what the Rust core needs from an operating system. Its ABI is its own:
 * fixed-width integers, 16-byte addresses and its own error codes. It includes no platform headers;
 * the Rust bindings are generated from it. docs/porting.md describes how to implement it and lists
 * the existing implementations.
 *
 * All functions that take a struct tmq_port run in the client's thread, with two exceptions. Any
 * thread may call tmq_port_wake(), tmq_port_lock...() and tmq_client...(). The functions that open,
 * set up and close a port, and start and join its thread, are called by another thread.
 * No function blocks for more than a moment except tmq_port_wait(), tmq_port_lock_wait(),
 * tmq_port_thread_join() and tmq_client_close(); tmq_port_resolve() describes one more exception.
 */
#ifndef THREAD_MQTT_PORT_H_
#define THREAD_MQTT_PORT_H_

#include <stddef.h>
#include <stdint.h>

/** Maximum numbers of NAT64 prefixes, DNS servers, DNS answers and own addresses. */
#define TMQ_PREFIXES 4
#define TMQ_DNS_SERVERS 3
#define TMQ_ANSWERS 8
#define TMQ_ADDRESSES 8

/** Negative results; all others are -1000 - errno. */
#define TMQ_WOULD_BLOCK -1
#define TMQ_REFUSED -2
#define TMQ_UNREACHABLE -3
#define TMQ_TIMED_OUT -4
#define TMQ_RESET -5
#define TMQ_NO_TCP -6
#define TMQ_NOT_FOUND -7
#define TMQ_STORAGE_FULL -8
/** The image was built without this feature. */
#define TMQ_NOT_SUPPORTED -9
/** The buffer is too small. */
#define TMQ_TOO_SMALL -10
#define TMQ_NO_CLIENT -11
#define TMQ_CLOSING -12
/** No DNS server is known. */
#define TMQ_NO_SERVER -13
/** The DNS server itself failed (SERVFAIL). */
#define TMQ_SERVER_FAILED -14
#define TMQ_ERRNO_BASE -1000

/** States of the TCP connection. */
#define TMQ_TCP_CLOSED 0
#define TMQ_TCP_CONNECTING 1
#define TMQ_TCP_CONNECTED 2

/** Families of a look-up. */
#define TMQ_FAMILY_UNSPECIFIED 0
#define TMQ_FAMILY_INET 4
#define TMQ_FAMILY_INET6 6

/** Kinds of credentials. */
#define TMQ_CREDENTIAL_CA 0
#define TMQ_CREDENTIAL_CERTIFICATE 1
#define TMQ_CREDENTIAL_KEY 2

/** Levels of tmq_port_log(). */
#define TMQ_LOG_ERROR 1
#define TMQ_LOG_WARNING 2
#define TMQ_LOG_INFO 3
#define TMQ_LOG_DEBUG 4

/** An IPv6 address (IPv4 as ::ffff:a.b.c.d) and a port in host byte order. */
struct tmq_address {
	uint8_t bytes[16];
	uint16_t port;
};

/** A NAT64 prefix of the Thread network data. */
struct tmq_prefix {
	uint8_t bytes[16];
	uint8_t length;
	/** -1, 0 or 1 (RFC 4191 section 2.1). */
	int8_t preference;
};

/** The current state of the network. */
struct tmq_network {
	uint8_t attached;
	uint8_t native_ipv4;
	uint8_t prefix_count;
	uint8_t dns_server_count;
	struct tmq_prefix prefixes[TMQ_PREFIXES];
	struct tmq_address dns_servers[TMQ_DNS_SERVERS];
};

/** Maximum length of a hardware ID in bytes. */
#define TMQ_HARDWARE_ID 16

/**
 * The build options, documented in Kconfig as CONFIG_THREAD_MQTT_*. thread_mqtt_options.def maps each
 * field to its option.
 */
struct tmq_options {
	/** Addresses separated by spaces or commas, or "". */
	const char *dns_servers;
	/** A prefix, or "". */
	const char *nat64_prefix;
	/** A URI, or "". */
	const char *broker;
	/** A client identifier, or "" to derive one from tmq_port_hardware_id(). */
	const char *client_id;
	/** Names or addresses separated by spaces, or "". */
	const char *time_servers;
	/** ALPN protocols, pins, suites and groups of TLS, separated by spaces, or "". */
	const char *tls_alpn;
	const char *tls_pins;
	const char *tls_suites;
	const char *tls_groups;
	/** Name of the stored session, or "" for a session in RAM. */
	const char *session_name;
	uint8_t discover_prefix;
	uint8_t well_known_prefix;
	uint8_t time_strict;
	/** 5, or 4 for MQTT 3.1.1. */
	uint8_t mqtt_version;
	uint8_t brokers_cluster;
	uint8_t redirects;
	uint8_t fallback_v311;
	uint8_t keep_alive_auto;
	/** A thread_mqtt_overflow. */
	uint8_t overflow;
	/** Percent. */
	uint8_t outbox_reserve;
	uint8_t tls_require_ems;
	/** 0 disables resumption. */
	uint8_t tls_tickets;
	/** For URIs without a port; 0 uses the default of the scheme. */
	uint16_t port;
	uint16_t receive_maximum;
	uint16_t topic_alias_maximum;
	uint16_t keep_alive_min_s;
	uint16_t keep_alive_max_s;
	/** 0 waits forever. */
	uint16_t ack_timeout_s;
	/** Tag of the credentials that tmq_port_credential() reads; negative: none. */
	int32_t sec_tag;
	uint32_t keep_alive_s;
	uint32_t time_deadline_s;
	/** 0 stays with the broker until the connection is lost. */
	uint32_t return_after_s;
	uint32_t backoff_min_ms;
	uint32_t backoff_max_ms;
	uint32_t stable_after_ms;
	uint32_t network_jitter_ms;
	uint32_t next_address_ms;
	uint32_t max_chain;
	uint32_t outbox_messages;
	uint32_t outbox_bytes;
	uint32_t max_packet_size;
	/** 0 disables receiving in pieces. */
	uint32_t max_size_in_pieces;
	uint32_t tls_inbound;
	uint32_t tls_outbound;
	uint32_t tls_fragment;
	uint32_t tcp_connect_ms;
	uint32_t tls_handshake_ms;
	uint32_t response_timeout_ms;
	uint32_t session_expiry_s;
	/** psa_key_id_t of the key that encrypts the stored session; 0 for none. */
	uint32_t session_key_id;
	/** 0 disables suspecting messages. */
	uint8_t suspect_after;
	/** Number of QoS 2 messages from the broker to remember until PUBREL. */
	uint16_t received_ids;
};

/** Returns the options. They do not change while the program runs. */
const struct tmq_options *tmq_port_options(void);
/** Gets the EUI-64 of the radio or the device ID of the chip. Returns its length, 0 if there is none. */
uint8_t tmq_port_hardware_id(uint8_t id[TMQ_HARDWARE_ID]);

/** Sockets, wake-up, lock and thread of one client. */
struct tmq_port;

/** Opens a port. Returns NULL if no port is free or a resource is missing, which the log names. */
struct tmq_port *tmq_port_open(void);
/** Closes the port's sockets and releases it. Must not be called from the port's own thread. */
void tmq_port_close(struct tmq_port *port);

/**
 * Interfaces that a client can use: the one chosen in Kconfig, Thread, or another interface in an
 * image with CONFIG_THREAD_MQTT_OTHER_INTERFACE (Ethernet, Wi-Fi, a modem). The other interface uses
 * IPv4 if it has an IPv4 address.
 */
#define TMQ_INTERFACE_DEFAULT 0
#define TMQ_INTERFACE_THREAD 1
#define TMQ_INTERFACE_OTHER 2

/** Chooses the interface, before the port's thread starts. Returns 0 or TMQ_NOT_SUPPORTED. */
int32_t tmq_port_use_interface(struct tmq_port *port, uint8_t interface);

/** Starts the port's thread, which calls run(argument) and ends when run() returns. */
int32_t tmq_port_thread_start(struct tmq_port *port, void (*run)(void *argument), void *argument);
/** Waits until the thread has ended. */
void tmq_port_thread_join(struct tmq_port *port);

/** Size of the name of a stored session, including the NUL. */
#define TMQ_SESSION_SIZE 13

/**
 * Registers a port as the port of a client, under the client's address and the name of its stored
 * session, which is copied ("" if it has none). Returns 1, or 0 if another registered client has a
 * session of this name. A client of NULL, with "", removes the registration.
 */
uint8_t tmq_client_register(struct tmq_port *port, const void *client, const char *session);

/**
 * Keeps a client from being freed until tmq_client_leave(). Returns 0, TMQ_NO_CLIENT if no client is
 * registered under this address, or TMQ_CLOSING if the client is about to be freed.
 */
int32_t tmq_client_enter(const void *client);
void tmq_client_leave(const void *client);
/**
 * Stops other threads from entering and waits until all have left. Returns 0, after which the caller
 * may free the client; TMQ_NO_CLIENT; TMQ_CLOSING if another thread is already closing it; or
 * TMQ_WOULD_BLOCK in a thread that must not wait, see tmq_client_may_wait().
 */
int32_t tmq_client_close(const void *client);

/** Ends a wait of this client's thread, if the client exists. */
void tmq_client_wake(const void *client);
/** Ends a wait of every client's thread. */
void tmq_clients_wake(void);
/**
 * Returns whether the calling thread may wait for this client. The client's own thread must not, nor
 * must a network stack thread that the client's thread may wait for.
 */
uint8_t tmq_client_may_wait(const void *client);

/** Returns the client of the port at this index (0 to the number of ports minus 1), or NULL. */
const void *tmq_client_at(size_t index);

/**
 * A non-recursive mutex. It is held briefly, never during a computation, a callback or a call of
 * another function in this file except tmq_port_uptime_ms().
 */
void tmq_port_lock(struct tmq_port *port);
void tmq_port_unlock(struct tmq_port *port);
/**
 * Releases the lock, waits for tmq_port_lock_notify() or for timeout_ms (-1: forever), and takes the
 * lock again. No notification after the release is missed; spurious wake-ups are allowed.
 */
void tmq_port_lock_wait(struct tmq_port *port, int64_t timeout_ms);
/** Ends every tmq_port_lock_wait() of this port. The caller holds the lock. */
void tmq_port_lock_notify(struct tmq_port *port);
/** Ends the current or the next tmq_port_wait(). */
void tmq_port_wake(struct tmq_port *port);
/** Says whether an answer is expected. If so, a sleepy device polls often during the next wait. */
void tmq_port_await_answer(struct tmq_port *port, uint8_t awaited);
/** Waits for the socket, a datagram, an answer, a network change, a wake or timeout_ms (-1: forever). */
void tmq_port_wait(struct tmq_port *port, int64_t timeout_ms, uint8_t want_receive, uint8_t want_send);

/** Returns the milliseconds since boot. */
int64_t tmq_port_uptime_ms(void);
/** Returns a number unique among the running threads, such as the address of the control block. */
uintptr_t tmq_port_this_thread(void);
/** Returns the wall clock in Unix seconds if the platform itself knows it; otherwise 0. */
int64_t tmq_port_unix_time(void);
/** Returns the build date in Unix seconds: a time known to have passed. */
int64_t tmq_port_build_time(void);
/** Fills the buffer with cryptographically secure random bytes. Returns 0 or a negative code. */
int32_t tmq_port_random(uint8_t *buffer, size_t length);
/** Returns the highest TMQ_LOG_* that is shown, 0 for none. */
uint8_t tmq_port_log_level(void);
/** Logs one line, which is not NUL-terminated. */
void tmq_port_log(uint8_t level, const char *text, size_t length);
/** Does not return. */
void tmq_port_panic(const char *text, size_t length);

/**
 * Values of a few bytes that survive restarts, by key. A key has up to 19 characters and no slash. If
 * the power fails during a write, the value afterwards is the old or the new one. When a call
 * returns, the change is permanent. Any thread may call these functions; they take as long as the
 * flash does. They return TMQ_NOT_SUPPORTED if there is no storage.
 *
 * Reads a value. Returns its length, TMQ_NOT_FOUND or another negative code.
 */
int32_t tmq_port_store_read(const char *key, uint8_t *buffer, size_t size);
/** Writes a value, replacing the old one. Returns 0, TMQ_STORAGE_FULL or another negative code. */
int32_t tmq_port_store_write(const char *key, const uint8_t *data, size_t length);
/** Deletes a value; a missing value is not an error. Returns 0 or a negative code. */
int32_t tmq_port_store_delete(const char *key);
/**
 * Calls found(context, key, data, length) for every value whose key starts with the prefix, in any
 * order. found() must not call functions of this file. Returns 0 or a negative code.
 */
int32_t tmq_port_store_each(const char *prefix,
			    void (*found)(void *context, const char *key, const uint8_t *data,
					  size_t length),
			    void *context);

/**
 * Copies a credential (TMQ_CREDENTIAL_*) that the platform keeps under a tag. Returns its length,
 * TMQ_NOT_FOUND, TMQ_TOO_SMALL, TMQ_NOT_SUPPORTED or another negative code. thread_mqtt_init() calls
 * it with a buffer of one byte to check that the credential exists; the client's thread reads it.
 */
int32_t tmq_port_credential(int32_t tag, uint8_t kind, uint8_t *buffer, size_t size);

/** Returns the device's role in the Thread network: "child", "router", ...; NULL without one. */
const char *tmq_port_role(void);
/** Gets the unicast addresses of this device other than link-local ones. Returns their number. */
uint8_t tmq_port_addresses(struct tmq_address addresses[TMQ_ADDRESSES]);

/** Gets the current state of the network. */
void tmq_port_network(struct tmq_port *port, struct tmq_network *network);

/** Starts to connect; an earlier connection is aborted. Returns 0 or a negative code. */
int32_t tmq_port_tcp_connect(struct tmq_port *port, const struct tmq_address *to);
/** Returns TMQ_TCP_*, or a negative code after a failure. */
int32_t tmq_port_tcp_state(struct tmq_port *port);
/** Sends bytes. Returns how many were sent, 0 if none fit now, or a negative code. */
int32_t tmq_port_tcp_send(struct tmq_port *port, const uint8_t *data, size_t length);
/** Receives bytes. Returns how many, 0 at the end of the stream, TMQ_WOULD_BLOCK or another negative code. */
int32_t tmq_port_tcp_receive(struct tmq_port *port, uint8_t *buffer, size_t length);
/** Closes the connection with FIN, or with RST if abort is set. */
void tmq_port_tcp_close(struct tmq_port *port, uint8_t abort);

/**
 * Sends a datagram from a local port, binding it if needed. Returns 0 or a negative code. After
 * TMQ_UNREACHABLE (no route) or TMQ_REFUSED the same look-up sends no more to this address; after any
 * other code the datagram counts as lost.
 */
int32_t tmq_port_udp_send(struct tmq_port *port, uint16_t from_port, const struct tmq_address *to,
			  const uint8_t *data, size_t length);
/**
 * Receives the next datagram. Returns its length or TMQ_WOULD_BLOCK. If the platform learns (by ICMP)
 * that a datagram did not reach an address, it sets from to that address and returns TMQ_UNREACHABLE
 * or TMQ_REFUSED once.
 */
int32_t tmq_port_udp_receive(struct tmq_port *port, struct tmq_address *from, uint16_t *to_port,
			     uint8_t *buffer, size_t length);
/** Closes all UDP sockets. */
void tmq_port_udp_close(struct tmq_port *port);

/**
 * Starts a look-up with the platform's own resolver, which answers later, and discards an earlier
 * one. A name with a final dot is absolute (RFC 1034 section 3.1): no search domain is appended. If
 * the platform's resolver blocks, the port calls it in a thread or blocks here, and the client does
 * nothing else meanwhile. Returns 0 or a negative code like those of tmq_port_resolved().
 */
int32_t tmq_port_resolve(struct tmq_port *port, const char *name, size_t length, uint8_t family);
/**
 * Returns TMQ_WOULD_BLOCK, the number of addresses written (0 if the name has none of the family), or
 * another negative code. The client explains TMQ_NOT_FOUND (the name does not exist), TMQ_NO_SERVER,
 * TMQ_TIMED_OUT (no server answered), TMQ_SERVER_FAILED, TMQ_REFUSED (the server refused the query)
 * and TMQ_UNREACHABLE (only IPv4 addresses, and no NAT64 prefix). It reports others as a number.
 */
int32_t tmq_port_resolved(struct tmq_port *port, struct tmq_address answers[TMQ_ANSWERS]);

#endif /* THREAD_MQTT_PORT_H_ */
