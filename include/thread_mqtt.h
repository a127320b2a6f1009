/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

/**
 * @file
 * @brief MQTT over TLS for a Thread device: keeps a connection to a broker and moves messages.
 *
 * One client is one connection to one broker, run by one thread of its own. Every function may be
 * called from any thread (not from an interrupt), by several at once, and from the event callback,
 * unless it says otherwise. Functions return 0 or a positive value on success and a negative
 * #thread_mqtt_error otherwise; nothing was changed or queued then. They return at once: none waits
 * for the client's thread, whatever that computes, but thread_mqtt_deinit(),
 * thread_mqtt_publish_wait(), and the first message or request of a client with a stored session, until
 * that was read. thread_mqtt_config_check() computes in the caller's thread.
 *
 * A handle that is NULL, or that no client has (any more), is answered with
 * THREAD_MQTT_ERROR_ARGUMENT and not looked into, also while another thread is in
 * thread_mqtt_deinit().
 *
 * Memory comes from the C library's heap. A call that copies something of the caller's (a message,
 * a topic, a certificate) returns THREAD_MQTT_ERROR_MEMORY when that does not fit. Before the
 * client's own thread processes a TLS record or an MQTT packet, it asks the heap for what that
 * takes; if it is not available the attempt fails with the same number, and is repeated. If the heap
 * is still exhausted, because others took it meanwhile, the image panics with a line in the log that
 * names the size wanted and the option to raise.
 *
 * Compatibility: numbers keep their meaning and are never used again for another; new ones may be
 * added. Fields may be added at the end of a structure, and then #THREAD_MQTT_ABI is raised. A
 * configuration carries that number, so that thread_mqtt_init() refuses an object file that was
 * compiled against the header of another version: compile the application again. Every field has
 * the same width for every compiler, with and without short enums: an enum names values, a field
 * or an argument that holds one of them is a fixed-width integer.
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
 * Called in the client's thread. It may call every function of this header but
 * thread_mqtt_deinit(); while it runs the client does nothing else.
 */
typedef void (*thread_mqtt_callback)(struct thread_mqtt *client,
				     const struct thread_mqtt_event *event, void *user_data);

/**
 * Configuration. Begin with THREAD_MQTT_CONFIG_DEFAULT(), then change what you need.
 * Everything it points to is copied by thread_mqtt_init().
 */
struct thread_mqtt_config {
	/** #THREAD_MQTT_ABI, set by THREAD_MQTT_CONFIG_DEFAULT(); leave it alone. */
	uint32_t abi;
	/** 5, or 4 for MQTT 3.1.1. */
	uint8_t mqtt_version;
	/** Start with a new session at the broker. With @ref session_name that is once in MQTT 5, and at
	 *  every connection in MQTT 3.1.1: clear it there.
	 */
	bool clean_start;
	/** Keep-alive, seconds; 0 switches it off. */
	uint16_t keep_alive_s;
	/** Broker: `mqtt://host[:1883]` or `mqtts://host[:8883]`; the host is a name, an IPv4 or an
	 *  [IPv6] address. A port left out may be another by CONFIG_THREAD_MQTT_PORT.
	 *
	 *  With CONFIG_THREAD_MQTT_FAILOVER a list of them: blanks or commas put brokers in order of
	 *  preference; `|` stands between brokers of the same preference, of which one is drawn, and
	 *  `*N` behind a URI is its weight there, 1 if not given:
	 *  "mqtts://a.example*3|mqtts://b.example, mqtts://far.example". Priority and weight are as in
	 *  RFC 2782. All have the same credentials, CA and scheme of authentication.
	 */
	const char *broker;
	/** Client identifier; NULL lets the broker assign one (then @ref clean_start must be true).
	 *  "" is "thread-mqtt-" and the EUI-64 of the radio, or the device id of the chip; where there
	 *  is neither, as NULL.
	 */
	const char *client_id;
	/** User name, or NULL. */
	const char *username;
	/** Password, or NULL. */
	const void *password;
	/** Length of the password, bytes. */
	size_t password_len;
	/** Trust anchors: a PEM bundle or one DER certificate. Needed for `mqtts://`, here or under
	 *  @ref sec_tag.
	 */
	const void *ca;
	/** Length of @ref ca, bytes (for PEM with or without the final NUL). */
	size_t ca_len;
	/** Client certificate chain, leaf first, PEM or DER; NULL without mutual TLS, or if it and its
	 *  key are kept under @ref sec_tag.
	 */
	const void *certificate;
	/** Length of the chain, bytes. */
	size_t certificate_len;
	/** Private key of the client certificate, PEM or DER. */
	const void *private_key;
	/** Length of the key, bytes. */
	size_t private_key_len;
	/** The private key instead as one that stays in PSA Crypto, by its psa_key_id_t; 0 for none.
	 *  It must be permitted to sign hashes, and stay until thread_mqtt_deinit().
	 */
	uint32_t private_key_id;
	/** Tag of Zephyr's TLS credentials; negative: none. What is not set above is read from there: the CA
	 *  certificate, and certificate and private key if there are any. thread_mqtt_init() sees whether
	 *  they are there, the client's thread reads them at its beginning.
	 */
	int32_t sec_tag;
	/** MQTT 5: the broker keeps the session this long after a connection, seconds. */
	uint32_t session_expiry_s;
	/** How long the search for the time may hold up a connection, seconds. */
	uint16_t time_deadline_s;
	/** Without the time: true refuses to connect with TLS, false checks certificates against the
	 *  build's date or the last time kept (THREAD_MQTT_EVENT_TIME_UNKNOWN).
	 */
	bool time_strict;
	/** A #thread_mqtt_interface. On another interface than Thread's a client uses IPv4 if the
	 *  interface has an IPv4 address.
	 */
	uint8_t interface;
	/** SNTP servers, names or addresses with blanks between, `:port` behind one that does not use
	 *  123; asked in turn for the time before the first connection with TLS, unless
	 *  thread_mqtt_set_time() was called. NULL or empty: none.
	 */
	const char *time_servers;
	/** The will, or NULL. */
	const struct thread_mqtt_message *will;
	/** Called with every event, or NULL. */
	thread_mqtt_callback callback;
	/** Handed to the callback; never looked at. */
	void *user_data;
	/** ALPN protocol names with blanks between, most wanted first (RFC 7301); "": none; NULL:
	 *  those of CONFIG_THREAD_MQTT_TLS_ALPN. AWS IoT on port 443 wants "x-amzn-mqtt-ca". Each 1 to
	 *  255 bytes, else THREAD_MQTT_ERROR_SETTING.
	 */
	const char *tls_alpn;
	/** Pins with blanks between: the SHA-256 of the broker's certificate (DER) or of its key
	 *  (SubjectPublicKeyInfo in DER, RFC 7469 section 2.4), as "sha256:" and 64 hexadecimal digits
	 *  or "sha256//" and base64. One of them must match. Beside a CA both are demanded; without
	 *  one, or for a certificate that is its own issuer and configured as CA, the pin alone
	 *  decides, and names and dates do not count. "": none; NULL: those of
	 *  CONFIG_THREAD_MQTT_TLS_PINS. Needs CONFIG_THREAD_MQTT_TLS_PINNING.
	 */
	const char *tls_pins;
	/** Cipher suites with blanks between, by their IANA or OpenSSL names, in order of preference;
	 *  "": all that the image has; NULL: those of CONFIG_THREAD_MQTT_TLS_SUITES. Needs
	 *  CONFIG_THREAD_MQTT_TLS_CHOICE.
	 */
	const char *tls_suites;
	/** Groups of the key exchange with blanks between (X25519 P-256 P-384), in order of preference;
	 *  "": all that the image has; NULL: those of CONFIG_THREAD_MQTT_TLS_GROUPS. Needs
	 *  CONFIG_THREAD_MQTT_TLS_CHOICE.
	 */
	const char *tls_groups;
	/** MQTT 5: seconds that the broker waits before it publishes the will (section 3.1.3.2.2); a
	 *  client that is back sooner has none published.
	 */
	uint32_t will_delay_s;
	/** Several brokers: seconds with a less preferred broker after which a preferred one is tried
	 *  again, at a quiet moment; each device draws between half and one and a half of it. 0 stays
	 *  until the connection is lost. At most 30 days, as every time below.
	 */
	uint32_t return_after_s;
	/** The pause after the first failure is drawn between 0 and this, milliseconds; not 0. */
	uint32_t backoff_min_ms;
	/** Each failure doubles the range of the pause up to this, milliseconds. */
	uint32_t backoff_max_ms;
	/** A connection on which the broker answered more than CONNECT, and which lasted so long since,
	 *  ends the growth of the pauses, milliseconds.
	 */
	uint32_t stable_after_ms;
	/** A change of the network begins an attempt within so many milliseconds, at an instant that is
	 *  drawn: all devices of a network see the change at once.
	 */
	uint32_t network_jitter_ms;
	/** Shortest silence before a ping if @ref keep_alive_auto is set, seconds; at least 10. */
	uint16_t keep_alive_min_s;
	/** Longest silence if @ref keep_alive_auto is set, seconds. */
	uint16_t keep_alive_max_s;
	/** What an earlier life has learnt (THREAD_MQTT_EVENT_KEEP_ALIVE) if @ref keep_alive_auto is
	 *  set, seconds; 0: nothing.
	 */
	uint16_t keep_alive_start_s;
	/** MQTT 5: most redirects in a row that are followed (Server Reference with reason code 0x9C
	 *  or 0x9D, section 4.11). The scheme stays, and the certificate must carry the new name. 0, or
	 *  without CONFIG_THREAD_MQTT_FAILOVER: none.
	 */
	uint8_t redirects;
	/** Versions of TLS: bit 0 for 1.2, bit 1 for 1.3; 0: all that the image has. */
	uint8_t tls_versions;
	/** TLS 1.3 tickets kept to resume sessions, 1 to 4, some 3 kB of heap each; 0 resumes none,
	 *  also with TLS 1.2, and every connection is a full handshake.
	 */
	uint8_t tls_tickets;
	/** What a full outbox does with a new message: a #thread_mqtt_overflow. */
	uint8_t overflow;
	/** The keep-alive is learnt: as long as the path bears between @ref keep_alive_min_s and
	 *  @ref keep_alive_max_s. @ref keep_alive_s does not count then. Needs
	 *  CONFIG_THREAD_MQTT_KEEP_ALIVE_AUTO.
	 */
	bool keep_alive_auto;
	/** The brokers share their sessions, as the nodes of a cluster do. Otherwise a session begins
	 *  anew at another broker: unacknowledged messages are sent again, subscriptions repeated.
	 */
	bool brokers_cluster;
	/** A broker that refuses MQTT 5, or closes the connection instead of answering, is tried with
	 *  MQTT 3.1.1 (THREAD_MQTT_EVENT_VERSION), and is spoken to in it if it accepts. Needs
	 *  CONFIG_THREAD_MQTT_FALLBACK_V311.
	 */
	bool fallback_v311;
	/** A QoS 2 message that was under way when the broker lost the session is given up with
	 *  THREAD_MQTT_ERROR_SESSION_LOST: it arrives once or not at all. Otherwise it is sent again
	 *  (THREAD_MQTT_EVENT_SENT_AGAIN): it arrives, perhaps twice.
	 */
	bool report_lost_session;
	/** MQTT 5: asks for THREAD_MQTT_EVENT_RESPONSE_INFORMATION (section 3.1.2.11.6). */
	bool request_response_information;
	/** Demands the extended master secret of TLS 1.2 (RFC 7627); brokers with OpenSSL before 1.1.0
	 *  do not have it. TLS 1.3 has no need of it.
	 */
	bool tls_require_ems;
	/** Name under which the session is kept in the platform's storage, so that it outlives a restart:
	 *  1 to 12 of a-z, A-Z, 0-9, - and _, else THREAD_MQTT_ERROR_SETTING. Each client has one of its
	 *  own: a name that another client has, until its thread_mqtt_deinit(), is refused with the same
	 *  number. NULL is CONFIG_THREAD_MQTT_SESSION_NAME, "" keeps it in RAM. The broker has to keep it as well: set
	 *  @ref session_expiry_s, with MQTT 3.1.1 clear @ref clean_start. Needs
	 *  CONFIG_THREAD_MQTT_DURABLE; docs/durable.md says what is stored when.
	 */
	const char *session_name;
	/** Messages of QoS 1 and 2 are durable, unless thread_mqtt_message.durable says otherwise, if
	 *  @ref session_name is set.
	 */
	bool durable;
	/** Takes over the session that the broker kept for an earlier life of this client, also with
	 *  MQTT 5 and without @ref session_name, for a device that only listens, and has nothing
	 *  unacknowledged to remember. What the broker queued meanwhile is delivered. Otherwise a
	 *  connection of MQTT 5 that finds such a session is closed [MQTT-3.2.2-4], and the next one
	 *  begins a new session. Clear @ref clean_start with it.
	 */
	bool adopt_session;
	/** A QoS 2 message that the broker answers as one of QoS 1, as RabbitMQ does, counts as
	 *  delivered (THREAD_MQTT_EVENT_QOS_LOWERED). Otherwise it is given up with
	 *  THREAD_MQTT_ERROR_REJECTED.
	 */
	bool accept_lower_qos;
	/** A message that was under way when so many connections ended is suspected of having ended
	 *  them: it waits behind the others and is sent alone. It is given up if it ends connections
	 *  then, too, on which the broker answered others (THREAD_MQTT_ERROR_ENDS_CONNECTION).
	 *  After so many connections that a TLS record too large for the heap or for
	 *  CONFIG_THREAD_MQTT_TLS_INBOUND ended, the session at the broker begins anew, without
	 *  what the broker kept for it. 0 suspects none.
	 */
	uint8_t suspect_after;
	/** Time for TCP to connect to one address, milliseconds; not 0. An address is left for the next
	 *  sooner (CONFIG_THREAD_MQTT_NEXT_ADDRESS) while there is one.
	 */
	uint32_t tcp_connect_ms;
	/** Time for the TLS handshake, milliseconds; not 0. */
	uint32_t tls_handshake_ms;
	/** Time for the broker to answer CONNECT, and later each ping, and for the application to supply
	 *  a piece that was asked for, milliseconds; not 0.
	 */
	uint32_t response_timeout_ms;
	/** Key with which the stored session is encrypted: 16 or 32 random bytes, for AES-GCM, the same in
	 *  every life of the device; or NULL. Needs CONFIG_THREAD_MQTT_SESSION_ENCRYPTION.
	 *  docs/durable.md says what it protects from.
	 */
	const void *session_key;
	/** Its length, bytes. */
	size_t session_key_len;
	/** The key instead as one that stays in PSA Crypto, by its psa_key_id_t; 0 for none. It is one of
	 *  AES for PSA_ALG_GCM, or of ChaCha20 for PSA_ALG_CHACHA20_POLY1305, may be used to encrypt and to
	 *  decrypt, and stays until thread_mqtt_deinit().
	 */
	uint32_t session_key_id;
	/** First packet identifier, 1 to 32,767; 0 draws one, so that a late answer of the broker to an
	 *  earlier life of this device is not taken for one to this.
	 */
	uint16_t first_packet_id;
	/** Leaves messages of QoS 1 and 2 at the broker: they are neither told nor acknowledged, and come
	 *  again to the next connection that takes them. For a connection that only publishes under a
	 *  client identifier that has subscriptions: a device that wakes up to report, and fetches what
	 *  waits for it later. Clear @ref clean_start with it.
	 */
	bool leave_messages;
};

/** @cond INTERNAL */
/* true for an option that is defined as 1, false for one that is not defined. */
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

/** The defaults: those of Kconfig, outside of Zephyr those of <thread_mqtt_config.h>. An initialiser in C, a value in C++ (11 and later). */
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
 * Makes a client. It does nothing until thread_mqtt_start().
 *
 * It takes less than 10 ms of a Cortex-M4 at 64 MHz. What takes longer is done by the client's thread, at its
 * beginning: it reads the stored session (thread_mqtt_config.session_name), reads certificates and
 * keys, 5 ms for a certificate of RSA-2048 in PEM, sees whether a key belongs to its certificate, 0.1 s for a
 * P-256 key without its public half or in PSA Crypto and up to 0.4 s with Rust's cryptography, and asks PSA Crypto
 * what it can do. docs/footprint.md has the numbers. A message or request that is queued before the stored session
 * was read waits for that, because how much room it leaves in the outbox is not known before.
 *
 * What is missing, what excludes each other, and what is something else than a certificate or a key, or cut off, is
 * refused at once. What shows only when it is read (damage inside, a key of another certificate, a key that
 * PSA Crypto does not have) is told after thread_mqtt_start() by THREAD_MQTT_EVENT_FAILED with
 * THREAD_MQTT_STAGE_TLS, the same number and the same sentence, and by thread_mqtt_last_error(). .retry_ms is -1
 * then: nothing is tried, and every thread_mqtt_retry_now(), or thread_mqtt_stop() and thread_mqtt_start(), tells it
 * again. Make another client. To know it at once use thread_mqtt_config_check().
 *
 * @param[out] client The client.
 * @param config Its configuration; not needed after the call.
 * @return 0; THREAD_MQTT_ERROR_SETTING also for an interface that the image does not have, and for a
 * session_name that another client has;
 * THREAD_MQTT_ERROR_ABI for a configuration that was not begun with
 * THREAD_MQTT_CONFIG_DEFAULT() of this header; or another negative #thread_mqtt_error.
 */
int thread_mqtt_init(struct thread_mqtt **client, const struct thread_mqtt_config *config);

/**
 * Checks a configuration as thread_mqtt_init() and the client's thread do, and waits: for a production line, for
 * credentials that were just stored, for a test. It works on the stack of a client, so that one of
 * CONFIG_THREAD_MQTT_MAX_CLIENTS has to be free. A stored session is not touched, also if another client has
 * it, nor is thread_mqtt_config.interface looked at. The log has the sentence of an error.
 *
 * @param config The configuration.
 * @return 0 if thread_mqtt_init() takes it and the client can use its credentials; else what
 * thread_mqtt_init() returns or THREAD_MQTT_EVENT_FAILED tells; THREAD_MQTT_ERROR_CLIENTS if no client is free.
 */
int thread_mqtt_config_check(const struct thread_mqtt_config *config);

/**
 * Begins to connect, and from then on keeps connected: waits for the Thread network, resolves,
 * connects, and after a failure begins again with a pause that grows. After thread_mqtt_stop() it
 * need not wait for THREAD_MQTT_EVENT_STOPPED: the client begins when it has stopped.
 *
 * @param client The client.
 * @return 0; THREAD_MQTT_ERROR_STATE if it was started already.
 */
int thread_mqtt_start(struct thread_mqtt *client);

/**
 * Disconnects from the broker (the will is not published). THREAD_MQTT_EVENT_STOPPED follows;
 * unacknowledged messages stay queued for a later thread_mqtt_start().
 *
 * @param client The client.
 * @return 0; THREAD_MQTT_ERROR_STATE if it was not started.
 */
int thread_mqtt_stop(struct thread_mqtt *client);

/**
 * Ends the client's thread and frees everything. Waits for a running callback and for calls of
 * other threads. The connection is cut, not closed: the broker publishes the will. For a goodbye
 * call thread_mqtt_stop() first and wait for THREAD_MQTT_EVENT_STOPPED. The handle is invalid
 * afterwards. Ends a thread_mqtt_publish_wait() that is under way. Do not call it with OpenThread's lock
 * held: the client's thread takes that lock, and the call would never return.
 *
 * @param client The client.
 * @return 0; THREAD_MQTT_ERROR_STATE from within the callback, where it would wait for itself, and from
 * OpenThread's thread, which has OpenThread's lock.
 */
int thread_mqtt_deinit(struct thread_mqtt *client);

/**
 * Queues a message, also while offline. Topic and payload are copied.
 *
 * @param client The client.
 * @param message The message.
 * @param[out] token Names the message in its events; may be NULL. Written before the first of them.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_publish(struct thread_mqtt *client, const struct thread_mqtt_message *message,
			uint32_t *token);

/** What thread_mqtt_publish_wait() waits for. */
enum thread_mqtt_wait {
	/** Room in the outbox. */
	THREAD_MQTT_WAIT_ROOM = 0,
	/** Room, and then the end of the message: written out (QoS 0), acknowledged (1 and 2). */
	THREAD_MQTT_WAIT_ACKNOWLEDGED = 1,
	/** Room, and then that a durable message is in the storage; for another one its end. */
	THREAD_MQTT_WAIT_STORED = 2,
};

/**
 * As thread_mqtt_publish(), and waits. Not from the event callback, where the client would wait for
 * itself, and not from OpenThread's thread. Do not call it with OpenThread's lock held: the client's thread takes
 * that lock, and neither goes on until the time-out.
 *
 * @param client The client.
 * @param message The message.
 * @param[out] token Names the message in its events, which come as for thread_mqtt_publish(); may be
 *                   NULL. Written whenever the message was queued, before its first event.
 * @param until A #thread_mqtt_wait.
 * @param timeout_ms Longest wait, milliseconds; 0 does not wait, a negative number waits for ever.
 * @return 0;
 * THREAD_MQTT_ERROR_FULL with @p token untouched: no room in time, nothing was queued;
 * THREAD_MQTT_ERROR_TIMED_OUT: queued but not acknowledged in time, the message stays queued and its
 * event follows;
 * queued and given up, with the error of THREAD_MQTT_EVENT_PUBLISH_FAILED: THREAD_MQTT_ERROR_REJECTED,
 * _EXPIRED, _DISPLACED, _SUPERSEDED, _ENDS_CONNECTION, _SESSION_LOST, _NOT_STORED, _TOO_LARGE or _FULL;
 * THREAD_MQTT_ERROR_STATE: from the callback or OpenThread's thread, or thread_mqtt_deinit() was called
 * meanwhile;
 * or another negative #thread_mqtt_error.
 */
int thread_mqtt_publish_wait(struct thread_mqtt *client, const struct thread_mqtt_message *message,
			     uint32_t *token, uint8_t until, int32_t timeout_ms);

/**
 * Queues a message whose payload follows in pieces: a file that is larger than the memory. When its
 * turn has come, THREAD_MQTT_EVENT_PIECE_WANTED asks for the first piece, and then for one after the
 * other; thread_mqtt_supply() answers. Its end is told like that of any message. It is not durable,
 * and in the outbox it takes the bytes of its largest piece.
 *
 * After a lost connection all of it is asked for again, also what was sent but not acknowledged: keep
 * the payload until THREAD_MQTT_EVENT_PUBLISHED, or give the message up. MQTT has no means to send
 * anything else in the middle of a message, no acknowledgement and no ping. So supply promptly: a
 * piece that does not come within thread_mqtt_config.response_timeout_ms ends the message with
 * THREAD_MQTT_ERROR_NOT_SUPPLIED, and the connection if the message is half sent.
 *
 * @param client The client.
 * @param message The message; its payload is NULL and of length 0.
 * @param total Bytes of the whole payload, at least 1.
 * @param piece Bytes of the largest piece that will be supplied, at least 1.
 * @param[out] token Names the message in its events; may be NULL.
 * @return 0; THREAD_MQTT_ERROR_ARGUMENT for a payload, a length of 0 or a durable message;
 * THREAD_MQTT_ERROR_NOT_BUILT without CONFIG_THREAD_MQTT_PIECES; or another negative
 * #thread_mqtt_error.
 */
int thread_mqtt_publish_in_pieces(struct thread_mqtt *client,
				  const struct thread_mqtt_message *message, uint32_t total,
				  uint32_t piece, uint32_t *token);

/**
 * Supplies the piece that THREAD_MQTT_EVENT_PIECE_WANTED asks for, from within the callback or later,
 * from any thread. It is copied. One that is not wanted any more, because the connection or the message
 * has ended meanwhile, is dropped.
 *
 * @param client The client.
 * @param token The message: .token of the event.
 * @param offset .offset of the event.
 * @param piece The piece.
 * @param length Its length, bytes: 1 to .number of the event.
 * @return 0; THREAD_MQTT_ERROR_FULL if pieces wait that the client's thread has not taken yet;
 * THREAD_MQTT_ERROR_NOT_BUILT without CONFIG_THREAD_MQTT_PIECES; or another negative #thread_mqtt_error.
 */
int thread_mqtt_supply(struct thread_mqtt *client, uint32_t token, uint32_t offset,
		       const void *piece, size_t length);

/**
 * Gives up a message that was published in pieces: one whose payload cannot be read, or not again.
 * THREAD_MQTT_EVENT_PUBLISH_FAILED with THREAD_MQTT_ERROR_NOT_SUPPLIED follows, unless it has ended. If
 * it is half sent, the connection ends as well. If all of it is sent, the broker's answer still decides:
 * the message fails only where it would have to be sent again.
 *
 * @param client The client.
 * @param token The message.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_give_up(struct thread_mqtt *client, uint32_t token);

/**
 * Subscribes; repeated by itself whenever the broker has lost the session. Messages that wait do not keep
 * it out: THREAD_MQTT_ERROR_FULL means that too many other requests wait, or too many of their bytes.
 *
 * @param client The client.
 * @param filter Topic filter, NUL-terminated UTF-8.
 * @param qos Highest quality of service wanted: 0, 1 or 2.
 * @param[out] token Names the command in its event; may be NULL.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_subscribe(struct thread_mqtt *client, const char *filter, uint8_t qos,
			  uint32_t *token);

/**
 * Unsubscribes.
 *
 * @param client The client.
 * @param filter Topic filter, as it was subscribed to.
 * @param[out] token Names the command in its event; may be NULL.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_unsubscribe(struct thread_mqtt *client, const char *filter, uint32_t *token);

/**
 * As thread_mqtt_subscribe(), with several filters and one event, which has the answers for all. They
 * go out in packets of at most eight filters (AWS IoT closes the connection on a ninth).
 *
 * @param client The client.
 * @param subscriptions The filters.
 * @param count Their number, at least 1.
 * @param[out] token Names the command in its event; may be NULL.
 * @return 0 or a negative #thread_mqtt_error; if one filter is refused, nothing was queued.
 */
int thread_mqtt_subscribe_many(struct thread_mqtt *client,
			       const struct thread_mqtt_subscription *subscriptions, size_t count,
			       uint32_t *token);

/**
 * As thread_mqtt_unsubscribe(), with several filters and one event.
 *
 * @param client The client.
 * @param filters Topic filters, as they were subscribed to.
 * @param count Their number, at least 1.
 * @param[out] token Names the command in its event; may be NULL.
 * @return 0 or a negative #thread_mqtt_error; if one filter is refused, nothing was queued.
 */
int thread_mqtt_unsubscribe_many(struct thread_mqtt *client, const char *const *filters,
				 size_t count, uint32_t *token);

/**
 * What the broker allows on the current connection.
 *
 * @param client The client.
 * @param[out] limits The limits.
 * @return 0; THREAD_MQTT_ERROR_STATE while the client is not online; or another negative
 * #thread_mqtt_error.
 */
int thread_mqtt_get_limits(struct thread_mqtt *client, struct thread_mqtt_limits *limits);

/**
 * The client identifier in use: the configured one, or the one that an MQTT 5 broker assigned
 * (Assigned Client Identifier, section 3.2.2.3.7).
 *
 * @param client The client.
 * @param[out] to The identifier, NUL-terminated and cut off to @p size; may be NULL if @p size is 0.
 * @param size Size of @p to, bytes.
 * @return Its length in bytes without the NUL, also if it was cut off; THREAD_MQTT_ERROR_STATE while
 * the client is not online; THREAD_MQTT_ERROR_MEMORY while the heap has no room to keep it; or another negative
 * #thread_mqtt_error.
 */
int thread_mqtt_get_client_id(struct thread_mqtt *client, char *to, size_t size);

/**
 * Ends the pause after a failure: the next attempt begins now. No effect while there is none. The
 * pauses go on growing, so that a button that sticks does not flood the broker.
 *
 * @param client The client.
 * @return 0; THREAD_MQTT_ERROR_STATE if it was not started.
 */
int thread_mqtt_retry_now(struct thread_mqtt *client);

/**
 * Whether messages flow now.
 *
 * @param client The client; may be NULL.
 * @return true if they do; false for NULL.
 */
bool thread_mqtt_is_online(struct thread_mqtt *client);

/**
 * Why the client is not online, or was not: the failure that was told last by
 * THREAD_MQTT_EVENT_FAILED or THREAD_MQTT_EVENT_CANDIDATE_FAILED. Kept until the next one or
 * thread_mqtt_deinit(), also while online.
 *
 * What thread_mqtt_init() refuses has no client to ask; the log has its sentence. What the client's thread
 * finds wrong with certificates and keys is told after thread_mqtt_start().
 *
 * @param client The client.
 * @param[out] failure The failure; .error is 0 if there was none.
 * @return 0 or a negative #thread_mqtt_error.
 */
int thread_mqtt_last_error(struct thread_mqtt *client, struct thread_mqtt_failure *failure);

/**
 * Tells the wall clock, to check certificates with; kept against the uptime from then on.
 * It takes precedence over the time of SNTP servers, which are not asked any more. A client without
 * either does as thread_mqtt_config.time_strict says.
 *
 * The time is trusted: once a certificate was valid then, it is kept over reboots as a time that has
 * passed. So pass none that came from an unauthenticated server; configure that server in
 * thread_mqtt_config.time_servers instead, where it cannot lock the device out (docs/time.md).
 *
 * @param unix_seconds Seconds since 1970-01-01T00:00:00Z.
 * @return 0; THREAD_MQTT_ERROR_ARGUMENT for a time before the build's date. A later one that is more than an hour
 * before a time known to have passed is not used for certificates (THREAD_MQTT_EVENT_TIME_UNKNOWN tells it).
 */
int thread_mqtt_set_time(int64_t unix_seconds);

/**
 * The wall clock: thread_mqtt_set_time()'s, or else that of the SNTP server the client has asked.
 * To the second or so; SNTP is not authenticated.
 *
 * @param client The client.
 * @return Seconds since 1970-01-01T00:00:00Z; 0 if they are not known, and for NULL.
 */
int64_t thread_mqtt_time(struct thread_mqtt *client);

/**
 * Checks a broker URI, or a list of them as in thread_mqtt_config.broker.
 *
 * @param uri The URI.
 * @param[out] sentence Says which part is wrong and how to fix it, NUL-terminated and cut off to
 *                      @p size; may be NULL. Empty in an image with neither
 *                      CONFIG_THREAD_MQTT_SENTENCES nor CONFIG_THREAD_MQTT_SHELL.
 * @param size Size of @p sentence, bytes.
 * @return 0 if it is well formed, THREAD_MQTT_ERROR_URI if not, THREAD_MQTT_ERROR_ARGUMENT for NULL and for text that is
 *         not UTF-8, THREAD_MQTT_ERROR_MEMORY if the heap has no room to look.
 */
int thread_mqtt_uri_check(const char *uri, char *sentence, size_t size);

/**
 * What a negative result of any function here means.
 *
 * @param error The result.
 * @return A sentence, never NULL.
 */
const char *thread_mqtt_error_to_str(int error);

/**
 * The name of a stage.
 *
 * @param stage A #thread_mqtt_stage.
 * @return A word or two, never NULL.
 */
const char *thread_mqtt_stage_to_str(uint8_t stage);

/**
 * The name of an event type.
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
