/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

/**
 * @file
 * @brief MQTT over TLS for a Thread device: keeps a connection to a broker and moves messages.
 *
 * A client holds one connection to one broker and runs in its own thread. Unless documented
 * otherwise, every function may be called from any thread (but not from an interrupt), by several
 * threads at once, and from the event callback. Functions return 0 or a positive value on success
 * and a negative #thread_mqtt_error on failure; a call that fails changes and queues nothing.
 *
 * Functions return immediately and never wait for the client's thread, whatever it is computing.
 * The exceptions are thread_mqtt_deinit(), thread_mqtt_publish_wait(), and the first message or
 * request of a client with a stored session, which waits until that session has been read.
 * thread_mqtt_config_check() computes in the caller's thread.
 *
 * A handle that is NULL or stale returns THREAD_MQTT_ERROR_ARGUMENT and is never dereferenced,
 * even while another thread is in thread_mqtt_deinit().
 *
 * Memory comes from the C library's heap. A call that copies data of the caller (a message, a topic,
 * a certificate) returns THREAD_MQTT_ERROR_MEMORY if the copy does not fit. Before the client's
 * thread processes a TLS record or an MQTT packet, it checks that the heap has enough room. If not,
 * the attempt fails with the same error and is retried. If the heap is still exhausted because other
 * code took the memory in between, the image panics and logs the size wanted and the option to
 * raise.
 *
 * Compatibility: numbers keep their meaning and are never reused; new ones may be added. Fields may
 * be added at the end of a structure, which raises #THREAD_MQTT_ABI. A configuration carries that
 * number, so thread_mqtt_init() refuses an object file that was compiled against another version of
 * the header; recompile the application then. Every field has the same width for every compiler,
 * with and without short enums: enums only name values, and a field or an argument that holds one
 * is a fixed-width integer.
 */
#ifndef THREAD_MQTT_H_
#define THREAD_MQTT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thread_mqtt_types.h>

#ifndef CONFIG_THREAD_MQTT
#include <thread_mqtt_config.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @defgroup thread_mqtt MQTT over Thread
 * @{
 */

/**
 * Called in the client's thread. It may call every function in this header except
 * thread_mqtt_deinit(). The client does nothing else until it returns.
 */
typedef void (*thread_mqtt_callback)(struct thread_mqtt *client,
				     const struct thread_mqtt_event *event, void *user_data);

/**
 * Configuration. Start with THREAD_MQTT_CONFIG_DEFAULT(), then change what you need.
 * thread_mqtt_init() copies everything it points to.
 */
struct thread_mqtt_config {
	/** #THREAD_MQTT_ABI, set by THREAD_MQTT_CONFIG_DEFAULT(). Do not change it. */
	uint32_t abi;
	/** 5, or 4 for MQTT 3.1.1. */
	uint8_t mqtt_version;
	/** Starts a new session at the broker. With @ref session_name, MQTT 5 does so once, but
	 *  MQTT 3.1.1 at every connection: clear it there.
	 */
	bool clean_start;
	/** Keep-alive in seconds; 0 disables it. */
	uint16_t keep_alive_s;
	/** Broker: `mqtt://host[:1883]` or `mqtts://host[:8883]`. The host is a name, an IPv4 address or
	 *  an [IPv6] address. CONFIG_THREAD_MQTT_PORT can change the port used if the URI has none.
	 *
	 *  With CONFIG_THREAD_MQTT_FAILOVER this can be a list. Spaces or commas separate brokers in
	 *  order of preference. `|` separates brokers of equal preference, one of which is picked at
	 *  random; `*N` after a URI is its weight, 1 by default:
	 *  "mqtts://a.example*3|mqtts://b.example, mqtts://far.example". Priority and weight work as in
	 *  RFC 2782. All brokers share the credentials, the CA and the authentication scheme.
	 */
	const char *broker;
	/** Client identifier; NULL lets the broker assign one (then @ref clean_start must be true).
	 *  "" stands for "thread-mqtt-" followed by the EUI-64 of the radio or the device ID of the chip.
	 *  If neither exists, "" is the same as NULL.
	 */
	const char *client_id;
	/** User name, or NULL. */
	const char *username;
	/** Password, or NULL. */
	const void *password;
	/** Length of the password in bytes. */
	size_t password_len;
	/** Trust anchors: a PEM bundle or one DER certificate. Required for `mqtts://`, here or under
	 *  @ref sec_tag.
	 */
	const void *ca;
	/** Length of @ref ca in bytes (for PEM with or without the terminating NUL). */
	size_t ca_len;
	/** Client certificate chain, leaf first, PEM or DER. NULL if mutual TLS is not used, or if the
	 *  certificate and its key are stored under @ref sec_tag.
	 */
	const void *certificate;
	/** Length of the chain in bytes. */
	size_t certificate_len;
	/** Private key of the client certificate, PEM or DER. */
	const void *private_key;
	/** Length of the key in bytes. */
	size_t private_key_len;
	/** psa_key_id_t of a private key that stays in PSA Crypto, instead of @ref private_key; 0 for
	 *  none. The key must permit signing hashes and must exist until thread_mqtt_deinit().
	 */
	uint32_t private_key_id;
	/** Tag of Zephyr's TLS credentials; negative for none. The CA certificate, and the client
	 *  certificate and private key if present, are read from there unless set above.
	 *  thread_mqtt_init() checks that they exist; the client's thread reads them when it starts.
	 */
	int32_t sec_tag;
	/** MQTT 5: how long the broker keeps the session after a connection, in seconds. */
	uint32_t session_expiry_s;
	/** Longest time that finding the current time may delay a connection, in seconds. */
	uint16_t time_deadline_s;
	/** If the time is not known, true refuses to connect with TLS; false checks certificates against
	 *  the build date or the last stored time (THREAD_MQTT_EVENT_TIME_UNKNOWN).
	 */
	bool time_strict;
	/** A #thread_mqtt_interface. On an interface other than Thread's, a client uses IPv4 if the
	 *  interface has an IPv4 address.
	 */
	uint8_t interface;
	/** SNTP servers: names or addresses separated by spaces, with `:port` appended if it is not 123.
	 *  They are asked in turn for the time before the first TLS connection, unless
	 *  thread_mqtt_set_time() was called. NULL or empty: none.
	 */
	const char *time_servers;
	/** The will, or NULL. */
	const struct thread_mqtt_message *will;
	/** Called with every event; may be NULL. */
	thread_mqtt_callback callback;
	/** Passed to the callback; the library does not use it. */
	void *user_data;
	/** ALPN protocol names separated by spaces, most preferred first (RFC 7301). "" for none; NULL
	 *  for those of CONFIG_THREAD_MQTT_TLS_ALPN. AWS IoT expects "x-amzn-mqtt-ca" on port 443. Each
	 *  name has 1 to 255 bytes, otherwise THREAD_MQTT_ERROR_SETTING is returned.
	 */
	const char *tls_alpn;
	/** Pins separated by spaces. A pin is the SHA-256 of the broker's certificate (DER) or of its key
	 *  (SubjectPublicKeyInfo in DER, RFC 7469 section 2.4), written as "sha256:" and 64 hexadecimal
	 *  digits or as "sha256//" and base64. One of them must match. If a CA is configured as well,
	 *  both checks must pass. Without a CA, or for a self-signed certificate that is configured as
	 *  the CA, the pin alone decides, and names and dates are ignored. "" for none; NULL for those of
	 *  CONFIG_THREAD_MQTT_TLS_PINS. Needs CONFIG_THREAD_MQTT_TLS_PINNING.
	 */
	const char *tls_pins;
	/** Cipher suites separated by spaces, by IANA or OpenSSL name, in order of preference. "" for all
	 *  suites in the image; NULL for those of CONFIG_THREAD_MQTT_TLS_SUITES. Needs
	 *  CONFIG_THREAD_MQTT_TLS_CHOICE.
	 */
	const char *tls_suites;
	/** Key exchange groups separated by spaces (X25519 P-256 P-384), in order of preference. "" for
	 *  all groups in the image; NULL for those of CONFIG_THREAD_MQTT_TLS_GROUPS. Needs
	 *  CONFIG_THREAD_MQTT_TLS_CHOICE.
	 */
	const char *tls_groups;
	/** MQTT 5: seconds that the broker waits before it publishes the will (section 3.1.3.2.2). It
	 *  does not publish the will if the client is back sooner.
	 */
	uint32_t will_delay_s;
	/** Several brokers: seconds on a less preferred broker after which a preferred one is tried
	 *  again, at a quiet moment. Each device picks a random value between half and one and a half
	 *  times this. 0 stays until the connection is lost. At most 30 days, like every time below.
	 */
	uint32_t return_after_s;
	/** The pause after the first failure is random between 0 and this, in milliseconds; not 0. */
	uint32_t backoff_min_ms;
	/** Each failure doubles the range of the pause up to this, in milliseconds. */
	uint32_t backoff_max_ms;
	/** Resets the back-off once a connection has lasted this long, in milliseconds, and the broker
	 *  has answered more than CONNECT on it.
	 */
	uint32_t stable_after_ms;
	/** A network change starts an attempt at a random instant within this time, in milliseconds,
	 *  because all devices of a network see the change at once.
	 */
	uint32_t network_jitter_ms;
	/** Shortest silence before a ping if @ref keep_alive_auto is set, in seconds; at least 10. */
	uint16_t keep_alive_min_s;
	/** Longest silence if @ref keep_alive_auto is set, in seconds. */
	uint16_t keep_alive_max_s;
	/** Keep-alive learnt before a reboot (THREAD_MQTT_EVENT_KEEP_ALIVE), used if
	 *  @ref keep_alive_auto is set, in seconds; 0 if not known.
	 */
	uint16_t keep_alive_start_s;
	/** MQTT 5: most redirects followed in a row (Server Reference with reason code 0x9C or 0x9D,
	 *  section 4.11). The scheme stays the same, and the certificate must be valid for the new name.
	 *  None are followed if 0 or without CONFIG_THREAD_MQTT_FAILOVER.
	 */
	uint8_t redirects;
	/** TLS versions: bit 0 for 1.2, bit 1 for 1.3; 0 for all in the image. */
	uint8_t tls_versions;
	/** TLS 1.3 tickets kept to resume sessions, 1 to 4, about 3 kB of heap each. 0 disables
	 *  resumption, for TLS 1.2 as well: every connection is a full handshake.
	 */
	uint8_t tls_tickets;
	/** What a full outbox does with a new message: a #thread_mqtt_overflow. */
	uint8_t overflow;
	/** Learns the longest keep-alive that the path supports between @ref keep_alive_min_s and
	 *  @ref keep_alive_max_s; @ref keep_alive_s is then ignored. Needs
	 *  CONFIG_THREAD_MQTT_KEEP_ALIVE_AUTO.
	 */
	bool keep_alive_auto;
	/** The brokers share their sessions, as the nodes of a cluster do. Otherwise each change of
	 *  broker starts a new session: unacknowledged messages are sent again and subscriptions are
	 *  repeated.
	 */
	bool brokers_cluster;
	/** Retries with MQTT 3.1.1 if a broker refuses MQTT 5 or closes the connection instead of
	 *  answering (THREAD_MQTT_EVENT_VERSION). Keeps using it if the broker said that it does not
	 *  support MQTT 5, or after three such connections in a row; otherwise the next connection
	 *  starts with MQTT 5 again. Needs CONFIG_THREAD_MQTT_FALLBACK_V311.
	 */
	bool fallback_v311;
	/** Gives up a QoS 2 message that was in flight when the broker lost the session, with
	 *  THREAD_MQTT_ERROR_SESSION_LOST: it arrives once or not at all. Otherwise it is sent again
	 *  (THREAD_MQTT_EVENT_SENT_AGAIN): it arrives, perhaps twice.
	 */
	bool report_lost_session;
	/** MQTT 5: asks for THREAD_MQTT_EVENT_RESPONSE_INFORMATION (section 3.1.2.11.6). */
	bool request_response_information;
	/** Requires the extended master secret in TLS 1.2 (RFC 7627), which brokers with OpenSSL before
	 *  1.1.0 do not support. TLS 1.3 does not need it.
	 */
	bool tls_require_ems;
	/** Name under which the session is kept in the platform's storage, so that it survives a restart:
	 *  1 to 12 of a-z, A-Z, 0-9, - and _, otherwise THREAD_MQTT_ERROR_SETTING. Each client needs its
	 *  own name: a name is refused with the same error while another client uses it, until that
	 *  client's thread_mqtt_deinit(). NULL stands for CONFIG_THREAD_MQTT_SESSION_NAME; "" keeps the
	 *  session in RAM. The broker has to keep the session as well: set @ref session_expiry_s, or
	 *  clear @ref clean_start with MQTT 3.1.1. Needs CONFIG_THREAD_MQTT_DURABLE. docs/durable.md
	 *  describes what is stored and when.
	 */
	const char *session_name;
	/** Makes QoS 1 and 2 messages durable if @ref session_name is set, unless
	 *  thread_mqtt_message.durable overrides it.
	 */
	bool durable;
	/** Resumes a session that the broker kept from before a restart of this client, with MQTT 5 too
	 *  and without @ref session_name. This is for a device that only listens and therefore has no
	 *  unacknowledged messages to remember. Messages that the broker queued meanwhile are delivered.
	 *  Otherwise an MQTT 5 connection that finds such a session is closed [MQTT-3.2.2-4], and the
	 *  next one starts a new session. Clear @ref clean_start as well.
	 */
	bool adopt_session;
	/** Treats a QoS 2 message that the broker answers as QoS 1, as RabbitMQ does, as delivered
	 *  (THREAD_MQTT_EVENT_QOS_LOWERED). Otherwise it is given up with THREAD_MQTT_ERROR_REJECTED.
	 */
	bool accept_lower_qos;
	/** Number of connections that end with the same message as the oldest unanswered one before that
	 *  message is suspected of ending them. A suspect waits behind the others and is sent alone. If
	 *  connections then still end, it is given up (THREAD_MQTT_ERROR_ENDS_CONNECTION): after two if
	 *  the broker had answered another message or request on them, after four if only a ping.
	 *  The same number of connections ended by a TLS record too large for the heap or for
	 *  CONFIG_THREAD_MQTT_TLS_INBOUND starts a new session at the broker, which discards what the
	 *  broker kept for the old one. 0 disables both.
	 */
	uint8_t suspect_after;
	/** Timeout for TCP to connect to one address, in milliseconds; not 0. While there is another
	 *  address to try, the client moves on sooner (CONFIG_THREAD_MQTT_NEXT_ADDRESS).
	 */
	uint32_t tcp_connect_ms;
	/** Timeout for the TLS handshake, in milliseconds; not 0. */
	uint32_t tls_handshake_ms;
	/** Timeout for the broker to answer CONNECT and each ping, and for the application to supply a
	 *  piece that was asked for, in milliseconds; not 0.
	 */
	uint32_t response_timeout_ms;
	/** Key that encrypts the stored session, or NULL: 16 or 32 random bytes for AES-GCM, which must
	 *  be the same after every restart of the device. Needs CONFIG_THREAD_MQTT_SESSION_ENCRYPTION.
	 *  docs/durable.md describes what it protects against.
	 */
	const void *session_key;
	/** Length of the key in bytes. */
	size_t session_key_len;
	/** psa_key_id_t of a key that stays in PSA Crypto, instead of @ref session_key; 0 for none. It is
	 *  an AES key for PSA_ALG_GCM or a ChaCha20 key for PSA_ALG_CHACHA20_POLY1305, must permit
	 *  encryption and decryption, and must exist until thread_mqtt_deinit().
	 */
	uint32_t session_key_id;
	/** First packet identifier, 1 to 32,767; 0 picks a random one, so that a late answer from the
	 *  broker to a message sent before a restart is not mistaken for one to a new message.
	 */
	uint16_t first_packet_id;
	/** Leaves QoS 1 and 2 messages at the broker: they are neither reported nor acknowledged, and are
	 *  delivered to the next connection that accepts them. This is for a connection that only
	 *  publishes while its client identifier has subscriptions, such as a device that wakes up to
	 *  report and fetches waiting messages later. Clear @ref clean_start as well.
	 */
	bool leave_messages;
};

/** @cond INTERNAL */
/* true for an option that is defined as 1, false for an undefined one. */
#define THREAD_MQTT_COMMA_1                          ,
#define THREAD_MQTT_IS_ON_(option)                   THREAD_MQTT_IS_ON_1_(option)
#define THREAD_MQTT_IS_ON_1_(value)                  THREAD_MQTT_IS_ON_2_(THREAD_MQTT_COMMA_##value)
#define THREAD_MQTT_IS_ON_2_(comma_or_none)          THREAD_MQTT_IS_ON_3_(comma_or_none true, false, 0)
#define THREAD_MQTT_IS_ON_3_(ignored, value, ...)    value
#define THREAD_MQTT_DEFAULTS_(set)                                                                 \
	set(abi, THREAD_MQTT_ABI)                                                                  \
	set(broker, CONFIG_THREAD_MQTT_BROKER)                                                     \
	set(sec_tag, CONFIG_THREAD_MQTT_SEC_TAG)                                                   \
	set(client_id, CONFIG_THREAD_MQTT_CLIENT_ID)                                               \
	set(mqtt_version, CONFIG_THREAD_MQTT_VERSION)                                              \
	set(clean_start, true)                                                                     \
	set(keep_alive_s, CONFIG_THREAD_MQTT_KEEP_ALIVE)                                           \
	set(time_servers, CONFIG_THREAD_MQTT_TIME_SERVERS)                                         \
	set(time_strict, THREAD_MQTT_IS_ON_(CONFIG_THREAD_MQTT_TIME_STRICT))                       \
	set(time_deadline_s, CONFIG_THREAD_MQTT_TIME_DEADLINE)                                     \
	set(return_after_s, CONFIG_THREAD_MQTT_RETURN_AFTER)                                       \
	set(backoff_min_ms, CONFIG_THREAD_MQTT_BACKOFF_MIN)                                        \
	set(backoff_max_ms, CONFIG_THREAD_MQTT_BACKOFF_MAX)                                        \
	set(stable_after_ms, CONFIG_THREAD_MQTT_STABLE_AFTER)                                      \
	set(network_jitter_ms, CONFIG_THREAD_MQTT_NETWORK_JITTER)                                  \
	set(keep_alive_min_s, CONFIG_THREAD_MQTT_KEEP_ALIVE_MIN)                                   \
	set(keep_alive_max_s, CONFIG_THREAD_MQTT_KEEP_ALIVE_MAX)                                   \
	set(redirects, CONFIG_THREAD_MQTT_REDIRECTS)                                               \
	set(tls_tickets, CONFIG_THREAD_MQTT_TLS_TICKETS)                                           \
	set(overflow, CONFIG_THREAD_MQTT_OVERFLOW)                                                 \
	set(keep_alive_auto, THREAD_MQTT_IS_ON_(CONFIG_THREAD_MQTT_KEEP_ALIVE_AUTO))               \
	set(brokers_cluster, THREAD_MQTT_IS_ON_(CONFIG_THREAD_MQTT_BROKERS_CLUSTER))               \
	set(fallback_v311, THREAD_MQTT_IS_ON_(CONFIG_THREAD_MQTT_FALLBACK_V311))                   \
	set(tls_require_ems, THREAD_MQTT_IS_ON_(CONFIG_THREAD_MQTT_TLS_REQUIRE_EMS))               \
	set(session_expiry_s, CONFIG_THREAD_MQTT_SESSION_EXPIRY)                                   \
	set(session_key_id, CONFIG_THREAD_MQTT_SESSION_KEY_ID)                                     \
	set(first_packet_id, 1)                                                                    \
	set(durable, true)                                                                         \
	set(accept_lower_qos, true)                                                                \
	set(suspect_after, CONFIG_THREAD_MQTT_SUSPECT_AFTER)                                       \
	set(tcp_connect_ms, CONFIG_THREAD_MQTT_TCP_CONNECT)                                        \
	set(tls_handshake_ms, CONFIG_THREAD_MQTT_TLS_HANDSHAKE)                                    \
	set(response_timeout_ms, CONFIG_THREAD_MQTT_RESPONSE_TIMEOUT)
#define THREAD_MQTT_INITIALISE_(field, value) .field = value,
#define THREAD_MQTT_ASSIGN_(field, value)     thread_mqtt_defaults_.field = value;
/** @endcond */

/**
 * The defaults of Kconfig, or of <thread_mqtt_config.h> outside Zephyr. An initialiser in C, a value
 * in C++ (11 and later).
 */
#ifndef __cplusplus
#define THREAD_MQTT_CONFIG_DEFAULT() {THREAD_MQTT_DEFAULTS_(THREAD_MQTT_INITIALISE_)}
#else
#define THREAD_MQTT_CONFIG_DEFAULT()                                                               \
	[] {                                                                                       \
		thread_mqtt_config thread_mqtt_defaults_ = thread_mqtt_config();                   \
		THREAD_MQTT_DEFAULTS_(THREAD_MQTT_ASSIGN_)                                         \
		return thread_mqtt_defaults_;                                                      \
	}()
#endif

/**
 * Creates a client. It does nothing until thread_mqtt_start().
 *
 * The call takes less than 10 ms on a Cortex-M4 at 64 MHz. The client's thread does the slower work
 * when it starts: it reads the stored session (thread_mqtt_config.session_name), reads certificates
 * and keys (5 ms for an RSA-2048 certificate in PEM), checks that the key belongs to the certificate
 * (0.1 s for a P-256 key without its public half or in PSA Crypto, up to 0.4 s with Rust's
 * cryptography), and asks PSA Crypto what it can do. docs/footprint.md has the numbers. A message or
 * request queued before the stored session has been read waits for that, because only then is it
 * known how much room the session leaves in the outbox.
 *
 * The call itself refuses missing settings, settings that exclude each other, and credentials that
 * are not a certificate or key or are cut off. Errors that show only when the credentials are read
 * (internal damage, a key of another certificate, a key that PSA Crypto does not have) are reported
 * after thread_mqtt_start() by THREAD_MQTT_EVENT_FAILED, with THREAD_MQTT_STAGE_TLS and the same
 * number and sentence, and by thread_mqtt_last_error(). .retry_ms is then -1: nothing is tried, and
 * every thread_mqtt_retry_now(), or thread_mqtt_stop() and thread_mqtt_start(), reports the error
 * again. Create another client. To find such errors immediately, use thread_mqtt_config_check().
 *
 * @param[out] client The client.
 * @param config Its configuration; not needed after the call.
 * @return 0; THREAD_MQTT_ERROR_SETTING also for an interface that the image does not have, and for a
 * session_name that another client uses; THREAD_MQTT_ERROR_ABI for a configuration that was not
 * initialised with THREAD_MQTT_CONFIG_DEFAULT() of this header; or another negative
 * #thread_mqtt_error.
 */
int thread_mqtt_init(struct thread_mqtt **client, const struct thread_mqtt_config *config);

/**
 * Checks a configuration as thread_mqtt_init() and the client's thread do, and waits for the result.
 * Use it on a production line, for credentials that were just stored, or in a test. It runs on a
 * client's stack, so one of CONFIG_THREAD_MQTT_MAX_CLIENTS must be free. It neither touches a stored
 * session, even if another client uses it, nor checks thread_mqtt_config.interface. The sentence of
 * an error is logged.
 *
 * @param config The configuration.
 * @return 0 if thread_mqtt_init() accepts it and the client can use its credentials; otherwise what
 * thread_mqtt_init() returns or THREAD_MQTT_EVENT_FAILED reports; THREAD_MQTT_ERROR_CLIENTS if no
 * client is free.
 */
int thread_mqtt_config_check(const struct thread_mqtt_config *config);

/**
 * Connects and stays connected: waits for the Thread network, resolves the name, connects, and
 * retries after a failure with increasing pauses. After thread_mqtt_stop() there is no need to wait
 * for THREAD_MQTT_EVENT_STOPPED: the client starts again once it has stopped.
 *
 * @param client The client.
 * @return 0; THREAD_MQTT_ERROR_STATE if it was already started.
 */
int thread_mqtt_start(struct thread_mqtt *client);

/**
 * Disconnects from the broker, which does not publish the will. THREAD_MQTT_EVENT_STOPPED follows.
 * Unacknowledged messages stay queued for a later thread_mqtt_start().
 *
 * @param client The client.
 * @return 0; THREAD_MQTT_ERROR_STATE if it was not started.
 */
int thread_mqtt_stop(struct thread_mqtt *client);

/**
 * Ends the client's thread and frees everything. Waits for a running callback and for calls in other
 * threads, and ends a thread_mqtt_publish_wait() in progress. The handle is invalid afterwards.
 *
 * The connection is cut, not closed, so the broker publishes the will. To disconnect cleanly, call
 * thread_mqtt_stop() first and wait for THREAD_MQTT_EVENT_STOPPED. Do not call this function while
 * holding OpenThread's lock: the client's thread takes that lock, and the call would never return.
 *
 * @param client The client.
 * @return 0; THREAD_MQTT_ERROR_STATE from within the callback, where it would wait for itself, and from
 * OpenThread's thread, which holds OpenThread's lock.
 */
int thread_mqtt_deinit(struct thread_mqtt *client);

/**
 * Queues a message, even while offline. Topic and payload are copied.
 *
 * @param client The client.
 * @param message The message.
 * @param[out] token Identifies the message in its events; may be NULL. Written before the first of
 *                   them.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_publish(struct thread_mqtt *client, const struct thread_mqtt_message *message,
			uint32_t *token);

/** What thread_mqtt_publish_wait() waits for. */
enum thread_mqtt_wait {
	/** Room in the outbox. */
	THREAD_MQTT_WAIT_ROOM = 0,
	/** Room, then completion: the message is written out (QoS 0) or acknowledged (QoS 1 and 2). */
	THREAD_MQTT_WAIT_ACKNOWLEDGED = 1,
	/** Room, then that a durable message is in storage; completion for any other message. */
	THREAD_MQTT_WAIT_STORED = 2,
};

/**
 * Like thread_mqtt_publish(), but waits. Do not call it from the event callback, where the client
 * would wait for itself, or from OpenThread's thread. Do not call it while holding OpenThread's lock
 * either: the client's thread takes that lock, and both threads would block until the time-out.
 *
 * @param client The client.
 * @param message The message.
 * @param[out] token Identifies the message in its events, which are the same as for
 *                   thread_mqtt_publish(); may be NULL. Written whenever the message was queued,
 *                   before its first event.
 * @param until A #thread_mqtt_wait.
 * @param timeout_ms Longest wait in milliseconds; 0 does not wait, a negative number waits forever.
 * @return 0;
 * THREAD_MQTT_ERROR_FULL with @p token untouched: no room in time, nothing was queued;
 * THREAD_MQTT_ERROR_TIMED_OUT: queued but not acknowledged in time; the message stays queued and its
 * event follows;
 * the error of THREAD_MQTT_EVENT_PUBLISH_FAILED if the message was queued and then given up:
 * THREAD_MQTT_ERROR_REJECTED, _EXPIRED, _DISPLACED, _SUPERSEDED, _ENDS_CONNECTION, _SESSION_LOST,
 * _NOT_STORED, _TOO_LARGE or _FULL;
 * THREAD_MQTT_ERROR_STATE: called from the callback or OpenThread's thread, or thread_mqtt_deinit()
 * was called meanwhile;
 * or another negative #thread_mqtt_error.
 */
int thread_mqtt_publish_wait(struct thread_mqtt *client, const struct thread_mqtt_message *message,
			     uint32_t *token, uint8_t until, int32_t timeout_ms);

/**
 * Queues a message whose payload follows in pieces, such as a file that is larger than the memory.
 * When it is the message's turn, THREAD_MQTT_EVENT_PIECE_WANTED asks for the first piece and then for
 * each next one; answer with thread_mqtt_supply(). The result is reported like that of any message.
 * The message is not durable, and it occupies as many bytes of the outbox as its largest piece.
 *
 * After a lost connection the whole payload is asked for again, including what was sent but not
 * acknowledged. Keep the payload until THREAD_MQTT_EVENT_PUBLISHED, or give the message up. MQTT
 * cannot send anything else in the middle of a message, neither an acknowledgement nor a ping, so
 * supply pieces promptly. A piece that does not arrive within thread_mqtt_config.response_timeout_ms
 * ends the message with THREAD_MQTT_ERROR_NOT_SUPPLIED, and also the connection if the message is
 * half sent.
 *
 * @param client The client.
 * @param message The message; its payload is NULL and of length 0.
 * @param total Length of the whole payload in bytes, at least 1.
 * @param piece Length of the largest piece that will be supplied in bytes, at least 1.
 * @param[out] token Identifies the message in its events; may be NULL.
 * @return 0; THREAD_MQTT_ERROR_ARGUMENT for a payload, a length of 0 or a durable message;
 * THREAD_MQTT_ERROR_NOT_BUILT without CONFIG_THREAD_MQTT_PIECES; or another negative
 * #thread_mqtt_error.
 */
int thread_mqtt_publish_in_pieces(struct thread_mqtt *client,
				  const struct thread_mqtt_message *message, uint32_t total,
				  uint32_t piece, uint32_t *token);

/**
 * Supplies the piece that THREAD_MQTT_EVENT_PIECE_WANTED asked for, from within the callback or later,
 * from any thread. The piece is copied. It is dropped if it is no longer wanted because the connection
 * or the message has ended meanwhile.
 *
 * @param client The client.
 * @param token The message: .token of the event.
 * @param offset .offset of the event.
 * @param piece The piece.
 * @param length Its length in bytes: 1 to .number of the event.
 * @return 0; THREAD_MQTT_ERROR_FULL if earlier pieces are still waiting for the client's thread;
 * THREAD_MQTT_ERROR_NOT_BUILT without CONFIG_THREAD_MQTT_PIECES; or another negative
 * #thread_mqtt_error.
 */
int thread_mqtt_supply(struct thread_mqtt *client, uint32_t token, uint32_t offset,
		       const void *piece, size_t length);

/**
 * Gives up a message that is published in pieces, because its payload cannot be read or cannot be
 * read again. THREAD_MQTT_EVENT_PUBLISH_FAILED with THREAD_MQTT_ERROR_NOT_SUPPLIED follows, unless the
 * message has already ended. If it is half sent, the connection ends as well. If it is fully sent,
 * the broker's answer still decides: the message fails only if it would have to be sent again.
 *
 * @param client The client.
 * @param token The message.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_give_up(struct thread_mqtt *client, uint32_t token);

/**
 * Subscribes. The client repeats the subscription whenever the broker has lost the session. Waiting
 * messages do not block it: THREAD_MQTT_ERROR_FULL means that too many other requests, or too many
 * bytes of them, are waiting.
 *
 * @param client The client.
 * @param filter Topic filter, NUL-terminated UTF-8.
 * @param qos Highest quality of service wanted: 0, 1 or 2.
 * @param[out] token Identifies the command in its event; may be NULL.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_subscribe(struct thread_mqtt *client, const char *filter, uint8_t qos,
			  uint32_t *token);

/**
 * Unsubscribes.
 *
 * @param client The client.
 * @param filter Topic filter, exactly as it was subscribed to.
 * @param[out] token Identifies the command in its event; may be NULL.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_unsubscribe(struct thread_mqtt *client, const char *filter, uint32_t *token);

/**
 * Like thread_mqtt_subscribe(), for several filters with one event that carries all the answers. They
 * are sent in packets of at most eight filters (AWS IoT closes the connection on a ninth).
 *
 * @param client The client.
 * @param subscriptions The filters.
 * @param count Their number, at least 1.
 * @param[out] token Identifies the command in its event; may be NULL.
 * @return 0 or a negative #thread_mqtt_error; if one filter is refused, nothing was queued.
 */
int thread_mqtt_subscribe_many(struct thread_mqtt *client,
			       const struct thread_mqtt_subscription *subscriptions, size_t count,
			       uint32_t *token);

/**
 * Like thread_mqtt_unsubscribe(), for several filters with one event.
 *
 * @param client The client.
 * @param filters Topic filters, exactly as they were subscribed to.
 * @param count Their number, at least 1.
 * @param[out] token Identifies the command in its event; may be NULL.
 * @return 0 or a negative #thread_mqtt_error; if one filter is refused, nothing was queued.
 */
int thread_mqtt_unsubscribe_many(struct thread_mqtt *client, const char *const *filters,
				 size_t count, uint32_t *token);

/**
 * Gets what the broker allows on the current connection.
 *
 * @param client The client.
 * @param[out] limits The limits.
 * @return 0; THREAD_MQTT_ERROR_STATE while the client is not online; or another negative
 * #thread_mqtt_error.
 */
int thread_mqtt_get_limits(struct thread_mqtt *client, struct thread_mqtt_limits *limits);

/**
 * Gets the client identifier in use: the configured one, or the one that an MQTT 5 broker assigned
 * (Assigned Client Identifier, section 3.2.2.3.7).
 *
 * @param client The client.
 * @param[out] to The identifier, NUL-terminated and truncated to @p size; may be NULL if @p size is 0.
 * @param size Size of @p to in bytes.
 * @return Its full length in bytes without the NUL, even if truncated; THREAD_MQTT_ERROR_STATE while
 * the client is not online; THREAD_MQTT_ERROR_MEMORY while the heap has no room to keep it; or another
 * negative #thread_mqtt_error.
 */
int thread_mqtt_get_client_id(struct thread_mqtt *client, char *to, size_t size);

/**
 * Ends the pause after a failure and starts the next attempt immediately. Has no effect if there is no
 * pause. Later pauses keep increasing, so that a stuck button does not flood the broker.
 *
 * @param client The client.
 * @return 0; THREAD_MQTT_ERROR_STATE if it was not started.
 */
int thread_mqtt_retry_now(struct thread_mqtt *client);

/**
 * Returns whether the client is online, so that messages flow.
 *
 * @param client The client; may be NULL.
 * @return true if it is; false for NULL.
 */
bool thread_mqtt_is_online(struct thread_mqtt *client);

/**
 * Gets the reason why the client is, or was, not online: the failure last reported by
 * THREAD_MQTT_EVENT_FAILED or THREAD_MQTT_EVENT_CANDIDATE_FAILED. It is kept until the next failure or
 * thread_mqtt_deinit(), even while online.
 *
 * If thread_mqtt_init() refuses a configuration, there is no client to ask; the log has the sentence.
 * Errors that the client's thread finds in certificates and keys are reported after
 * thread_mqtt_start().
 *
 * @param client The client.
 * @param[out] failure The failure; .error is 0 if there was none.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_last_error(struct thread_mqtt *client, struct thread_mqtt_failure *failure);

/**
 * Sets the wall clock used to check certificates; from then on it advances with the uptime.
 * It takes precedence over SNTP servers, which are no longer asked. If a client has neither,
 * thread_mqtt_config.time_strict decides.
 *
 * The time is trusted: once a certificate was valid at that time, it is kept across reboots as a time
 * known to have passed. Therefore do not pass a time from an unauthenticated server. Configure such a
 * server in thread_mqtt_config.time_servers instead, where it cannot lock the device out
 * (docs/time.md).
 *
 * @param unix_seconds Seconds since 1970-01-01T00:00:00Z.
 * @return 0; THREAD_MQTT_ERROR_ARGUMENT for a time before the build date. A later time that is more
 * than an hour before a time known to have passed is accepted, but not used for certificates
 * (THREAD_MQTT_EVENT_TIME_UNKNOWN reports that).
 */
int thread_mqtt_set_time(int64_t unix_seconds);

/**
 * Returns the wall clock: that of thread_mqtt_set_time(), otherwise that of the SNTP server that the
 * client asked. It is accurate to about a second; SNTP is not authenticated.
 *
 * @param client The client.
 * @return Seconds since 1970-01-01T00:00:00Z; 0 if not known, and for NULL.
 */
int64_t thread_mqtt_time(struct thread_mqtt *client);

/**
 * Checks a broker URI, or a list of URIs as in thread_mqtt_config.broker.
 *
 * @param uri The URI.
 * @param[out] sentence Says which part is wrong and how to fix it, NUL-terminated and truncated to
 *                      @p size; may be NULL. Empty in an image with neither
 *                      CONFIG_THREAD_MQTT_SENTENCES nor CONFIG_THREAD_MQTT_SHELL.
 * @param size Size of @p sentence in bytes.
 * @return 0 if it is well formed, THREAD_MQTT_ERROR_URI if not, THREAD_MQTT_ERROR_ARGUMENT for NULL and
 *         for text that is not UTF-8, THREAD_MQTT_ERROR_MEMORY if the heap has no room for the check.
 */
int thread_mqtt_uri_check(const char *uri, char *sentence, size_t size);

/**
 * Explains the negative result of any function in this header.
 *
 * @param error The result.
 * @return A sentence, never NULL.
 */
const char *thread_mqtt_error_to_str(int error);

/**
 * Returns the name of a stage.
 *
 * @param stage A #thread_mqtt_stage.
 * @return A word or two, never NULL.
 */
const char *thread_mqtt_stage_to_str(uint8_t stage);

/**
 * Returns the name of an event type.
 *
 * @param type A #thread_mqtt_event_type.
 * @return A word or two, never NULL.
 */
const char *thread_mqtt_event_to_str(uint8_t type);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* THREAD_MQTT_H_ */
