/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The contract with a platform: what the Rust core needs of an operating system, in an ABI of our
 * own: fixed-width integers, 16-byte addresses, our own error list. It includes nothing of any
 * platform; Rust's bindings are made from it. docs/porting.md says how to implement it, and which
 * implementations there are.
 *
 * All functions with a struct tmq_port run in the client's thread, except those that any thread may
 * call: tmq_port_wake() and tmq_port_lock...(), beside tmq_client...(). None blocks for longer than
 * moments but tmq_port_wait(), tmq_port_lock_wait(), tmq_port_thread_join() and tmq_client_close(),
 * with one exception named at tmq_port_resolve().
 */
#ifndef THREAD_MQTT_PORT_H_
#define THREAD_MQTT_PORT_H_

#include <stddef.h>
#include <stdint.h>

/** Most NAT64 prefixes, DNS servers and answers looked at. */
#define TMQ_PREFIXES 4
#define TMQ_DNS_SERVERS 3
#define TMQ_ANSWERS 8
#define TMQ_ADDRESSES 8

/** Results below zero; others are -1000 - errno. */
#define TMQ_WOULD_BLOCK -1
#define TMQ_REFUSED -2
#define TMQ_UNREACHABLE -3
#define TMQ_TIMED_OUT -4
#define TMQ_RESET -5
#define TMQ_NO_TCP -6
#define TMQ_NOT_FOUND -7
#define TMQ_STORAGE_FULL -8
/** The image was built without it. */
#define TMQ_NOT_SUPPORTED -9
/** The buffer is. */
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

/** The network as it is now. */
struct tmq_network {
	uint8_t attached;
	uint8_t native_ipv4;
	uint8_t prefix_count;
	uint8_t dns_server_count;
	struct tmq_prefix prefixes[TMQ_PREFIXES];
	struct tmq_address dns_servers[TMQ_DNS_SERVERS];
};

/** Bytes that the hardware's own name has at most. */
#define TMQ_HARDWARE_ID 16

/**
 * The options of a build, which Kconfig describes: CONFIG_THREAD_MQTT_*. thread_mqtt_options.def lists
 * which field has the value of which.
 */
struct tmq_options {
	/** Addresses with spaces or commas between them, or "". */
	const char *dns_servers;
	/** A prefix, or "". */
	const char *nat64_prefix;
	/** A URI, or "". */
	const char *broker;
	/** A client identifier, or "" for one made of tmq_port_hardware_id(). */
	const char *client_id;
	/** Names or addresses with blanks between them, or "". */
	const char *time_servers;
	/** ALPN protocols, pins, suites and groups of TLS with blanks between them, or "". */
	const char *tls_alpn;
	const char *tls_pins;
	const char *tls_suites;
	const char *tls_groups;
	/** The name of the stored session, or "" for one in RAM. */
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
	/** 0 resumes no session. */
	uint8_t tls_tickets;
	/** For URIs that name none; 0 leaves it to the scheme. */
	uint16_t port;
	uint16_t receive_maximum;
	uint16_t topic_alias_maximum;
	uint16_t keep_alive_min_s;
	uint16_t keep_alive_max_s;
	/** 0 waits for ever. */
	uint16_t ack_timeout_s;
	/** Tag of credentials that tmq_port_credential() reads; negative: none. */
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
	/** 0 takes none in pieces. */
	uint32_t max_size_in_pieces;
	uint32_t tls_inbound;
	uint32_t tls_outbound;
	uint32_t tls_fragment;
	uint32_t tcp_connect_ms;
	uint32_t tls_handshake_ms;
	uint32_t response_timeout_ms;
	uint32_t session_expiry_s;
	/** The psa_key_id_t of the key that encrypts the stored session; 0 for none. */
	uint32_t session_key_id;
	/** 0 suspects no message. */
	uint8_t suspect_after;
	/** QoS 2 messages from the broker that are remembered until PUBREL. */
	uint16_t received_ids;
};

/** The options; the same for as long as the program runs. */
const struct tmq_options *tmq_port_options(void);
/** The EUI-64 of the radio, or the device id of the chip; its length, 0 if there is none. */
uint8_t tmq_port_hardware_id(uint8_t id[TMQ_HARDWARE_ID]);

/** Sockets, wake-up, lock and thread of one client. */
struct tmq_port;

/** Makes a port; NULL if the platform has no more, or a resource is missing, which the log names. */
struct tmq_port *tmq_port_open(void);
/** Closes its sockets and gives it back. Not from its own thread. */
void tmq_port_close(struct tmq_port *port);

/**
 * Interfaces that a client can use: the one that Kconfig chooses, Thread, or another one of an
 * image with CONFIG_THREAD_MQTT_OTHER_INTERFACE (Ethernet, Wi-Fi, a modem), with IPv4 if that has
 * an IPv4 address.
 */
#define TMQ_INTERFACE_DEFAULT 0
#define TMQ_INTERFACE_THREAD 1
#define TMQ_INTERFACE_OTHER 2

/** Chooses the interface, before the port's thread starts. 0, or TMQ_NOT_SUPPORTED. */
int32_t tmq_port_use_interface(struct tmq_port *port, uint8_t interface);

/** Starts the port's thread, which calls run(argument) and ends when that returns. */
int32_t tmq_port_thread_start(struct tmq_port *port, void (*run)(void *argument), void *argument);
/** Waits for the thread's end. */
void tmq_port_thread_join(struct tmq_port *port);

/** Room for the name of a stored session, with its NUL. */
#define TMQ_SESSION_SIZE 13

/**
 * Makes a port known as that of a client, by the client's address, and by the name of its stored session,
 * which is copied; "" if it has none. 1, or 0 if another registered client has a session of this name.
 * A client of NULL, with "", takes both back.
 */
uint8_t tmq_client_register(struct tmq_port *port, const void *client, const char *session);

/**
 * Keeps a client from being freed until tmq_client_leave(): 0; TMQ_NO_CLIENT for an address under
 * which no client is registered, TMQ_CLOSING if the client is about to be freed.
 */
int32_t tmq_client_enter(const void *client);
void tmq_client_leave(const void *client);
/**
 * Lets no other thread in and waits until all have left: 0, after which the caller may free the
 * client; TMQ_NO_CLIENT; TMQ_CLOSING if another thread does it already; TMQ_WOULD_BLOCK in a thread
 * that must not wait, see tmq_client_may_wait().
 */
int32_t tmq_client_close(const void *client);

/** Ends a wait of this client's thread, if there is such a client. */
void tmq_client_wake(const void *client);
/** Ends a wait of every client's thread. */
void tmq_clients_wake(void);
/**
 * Whether the caller's thread may wait for this client: not the client's own thread, nor one of the
 * network stack for which the client's may wait.
 */
uint8_t tmq_client_may_wait(const void *client);

/** The client of this port, from 0 to one less than there are ports, or NULL. */
const void *tmq_client_at(size_t index);

/**
 * A mutex, which a thread may take only once. It is held for moments, never during a computation, a
 * callback or another function of this file but tmq_port_uptime_ms().
 */
void tmq_port_lock(struct tmq_port *port);
void tmq_port_unlock(struct tmq_port *port);
/**
 * Gives the lock back, waits for tmq_port_lock_notify() or for timeout_ms (-1: for ever), and takes
 * the lock again. Nothing that happens after the lock was given back is missed; the wait may end
 * without a cause.
 */
void tmq_port_lock_wait(struct tmq_port *port, int64_t timeout_ms);
/** Ends every tmq_port_lock_wait() of this port. The caller holds the lock. */
void tmq_port_lock_notify(struct tmq_port *port);
/** Ends a tmq_port_wait(), this one or the next. */
void tmq_port_wake(struct tmq_port *port);
/** Whether an answer is under way: during the next wait a radio that sleeps listens often. */
void tmq_port_await_answer(struct tmq_port *port, uint8_t awaited);
/** Waits for the socket, a datagram, an answer, a change of the network, a wake or timeout_ms (-1: for ever). */
void tmq_port_wait(struct tmq_port *port, int64_t timeout_ms, uint8_t want_receive, uint8_t want_send);

/** Milliseconds since boot. */
int64_t tmq_port_uptime_ms(void);
/** A number of the calling thread that no other running thread has, such as its control block's address. */
uintptr_t tmq_port_this_thread(void);
/** The wall clock in Unix seconds, as far as the platform knows it by itself; 0 if it does not. */
int64_t tmq_port_unix_time(void);
/** Unix seconds of the build: a time known to have passed. */
int64_t tmq_port_build_time(void);
/** Fills the buffer with cryptographically secure random bytes: 0 or a negative code. */
int32_t tmq_port_random(uint8_t *buffer, size_t length);
/** The highest TMQ_LOG_* that is shown, 0 for none. */
uint8_t tmq_port_log_level(void);
/** One line for the log, not NUL-terminated. */
void tmq_port_log(uint8_t level, const char *text, size_t length);
/** Does not return. */
void tmq_port_panic(const char *text, size_t length);

/**
 * A few bytes kept over restarts, by key: up to 19 characters without a slash. A value is the old one
 * or the new one even if the power fails, and when a call returns it is done: the power may fail then.
 * Any thread may call them; they take as long as the flash takes. TMQ_NOT_SUPPORTED where nothing is
 * kept.
 *
 * Reads what is kept: its length, TMQ_NOT_FOUND, or another negative code.
 */
int32_t tmq_port_store_read(const char *key, uint8_t *buffer, size_t size);
/** Keeps it, in the place of what was kept before. 0, TMQ_STORAGE_FULL, or another code. */
int32_t tmq_port_store_write(const char *key, const uint8_t *data, size_t length);
/** Forgets it; nothing there is no error. 0 or a negative code. */
int32_t tmq_port_store_delete(const char *key);
/**
 * Hands everything that is kept under keys that begin with the prefix to found(context, key, data,
 * length), in any order. found() calls no function of this file. 0 or a negative code.
 */
int32_t tmq_port_store_each(const char *prefix,
			    void (*found)(void *context, const char *key, const uint8_t *data,
					  size_t length),
			    void *context);

/**
 * Copies a credential (TMQ_CREDENTIAL_*) that the platform keeps under a tag. Its length,
 * TMQ_NOT_FOUND, TMQ_TOO_SMALL, TMQ_NOT_SUPPORTED, or another negative code. thread_mqtt_init() calls it with room
 * for one byte, to see whether there is one; the client's thread reads it.
 */
int32_t tmq_port_credential(int32_t tag, uint8_t kind, uint8_t *buffer, size_t size);

/** What this device is in its Thread network: "child", "router", ...; NULL without one. */
const char *tmq_port_role(void);
/** The unicast addresses of this device beyond link-local ones; how many. */
uint8_t tmq_port_addresses(struct tmq_address addresses[TMQ_ADDRESSES]);

/** The network as it is now. */
void tmq_port_network(struct tmq_port *port, struct tmq_network *network);

/** Begins a connect; an earlier connection is aborted. 0 or a negative code. */
int32_t tmq_port_tcp_connect(struct tmq_port *port, const struct tmq_address *to);
/** TMQ_TCP_* or, once failed, a negative code. */
int32_t tmq_port_tcp_state(struct tmq_port *port);
/** Bytes sent, 0 if none fits now, or a negative code. */
int32_t tmq_port_tcp_send(struct tmq_port *port, const uint8_t *data, size_t length);
/** Bytes received, 0 at the end of the stream, TMQ_WOULD_BLOCK or another negative code. */
int32_t tmq_port_tcp_receive(struct tmq_port *port, uint8_t *buffer, size_t length);
/** FIN, or RST with abort. */
void tmq_port_tcp_close(struct tmq_port *port, uint8_t abort);

/**
 * Sends a datagram from a local port, which is bound if needed. 0 or a negative code. After TMQ_UNREACHABLE (no
 * route) and TMQ_REFUSED no more are sent there by the same look-up; after any other it is as good as lost.
 */
int32_t tmq_port_udp_send(struct tmq_port *port, uint16_t from_port, const struct tmq_address *to,
			  const uint8_t *data, size_t length);
/**
 * Bytes of the next datagram or TMQ_WOULD_BLOCK. Where the platform knows that one did not arrive at the address
 * from (ICMP), once TMQ_UNREACHABLE or TMQ_REFUSED.
 */
int32_t tmq_port_udp_receive(struct tmq_port *port, struct tmq_address *from, uint16_t *to_port,
			     uint8_t *buffer, size_t length);
/** Closes all UDP sockets. */
void tmq_port_udp_close(struct tmq_port *port);

/**
 * Begins a look-up with the platform's own resolver, which answers later; an earlier one is
 * forgotten. A name with a final dot is absolute (RFC 1034 section 3.1): no search domain is
 * appended. A platform whose resolver blocks asks it in a thread, or blocks here; the client does
 * nothing else meanwhile. 0 or a negative code, as of tmq_port_resolved().
 */
int32_t tmq_port_resolve(struct tmq_port *port, const char *name, size_t length, uint8_t family);
/**
 * TMQ_WOULD_BLOCK, or the number of addresses written, 0 if the name has none of the family, or another
 * negative code. The client explains TMQ_NOT_FOUND (the name does not exist), TMQ_NO_SERVER, TMQ_TIMED_OUT
 * (no server answered), TMQ_SERVER_FAILED, TMQ_REFUSED (the server refused the question) and
 * TMQ_UNREACHABLE (only IPv4 addresses, and no NAT64 prefix). Any other it reports as a number.
 */
int32_t tmq_port_resolved(struct tmq_port *port, struct tmq_address answers[TMQ_ANSWERS]);

#endif /* THREAD_MQTT_PORT_H_ */
