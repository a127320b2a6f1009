/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

/**
 * @file
 * @brief Numbers and structures of <thread_mqtt.h>, which includes this file: errors, stages, events,
 *        messages.
 */
#ifndef THREAD_MQTT_TYPES_H_
#define THREAD_MQTT_TYPES_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @addtogroup thread_mqtt
 * @{
 */

/**
 * Version of the layout of the structures here and in <thread_mqtt.h>. THREAD_MQTT_CONFIG_DEFAULT()
 * stores it in the configuration.
 */
#define THREAD_MQTT_ABI 4

/** Errors. The numbers are stable; -1000 and below carry the platform's errno: -1000 - errno. */
enum thread_mqtt_error {
	/** Success. */
	THREAD_MQTT_OK = 0,
	/** A pointer is NULL, a handle is stale, a string is not UTF-8, or a number is out of range. */
	THREAD_MQTT_ERROR_ARGUMENT = -1,
	/** The call does not fit the client's state: not started, already started, or in deinit. */
	THREAD_MQTT_ERROR_STATE = -2,
	/** The heap has no room for a copy of the arguments, or for what the broker sent. */
	THREAD_MQTT_ERROR_MEMORY = -3,
	/** The broker URI is wrong; thread_mqtt_uri_check() says where. */
	THREAD_MQTT_ERROR_URI = -4,
	/** mqtts:// without a CA certificate, or with one that cannot be read; the log or the event says
	 *  which.
	 */
	THREAD_MQTT_ERROR_CA = -5,
	/** The client certificate or its key is missing or cannot be read, or the two do not match; the
	 *  log or the event says which.
	 */
	THREAD_MQTT_ERROR_IDENTITY = -6,
	/** The outbox is full: wait for THREAD_MQTT_EVENT_PUBLISHED, or use
	 *  thread_mqtt_publish_wait().
	 */
	THREAD_MQTT_ERROR_FULL = -7,
	/** Topic or topic filter is empty, too long or not well formed (MQTT 4.7). */
	THREAD_MQTT_ERROR_TOPIC = -8,
	/** The message is larger than the outbox or than MQTT allows. */
	THREAD_MQTT_ERROR_TOO_LARGE = -9,
	/** The client identifier, user name, keep-alive, a time server or another setting is not
	 *  allowed; the log says which.
	 */
	THREAD_MQTT_ERROR_SETTING = -10,
	/** The platform has no entropy. */
	THREAD_MQTT_ERROR_ENTROPY = -11,
	/** CONFIG_THREAD_MQTT_MAX_CLIENTS clients already exist, or no event descriptor is left
	 *  (CONFIG_ZVFS_EVENTFD_MAX).
	 */
	THREAD_MQTT_ERROR_CLIENTS = -12,
	/** PSA Crypto does not start or lacks what TLS needs; the log says what. */
	THREAD_MQTT_ERROR_CRYPTO = -13,
	/** The configuration was not initialised with THREAD_MQTT_CONFIG_DEFAULT(), or the application
	 *  was compiled against another version of the header.
	 */
	THREAD_MQTT_ERROR_ABI = -14,
	/** A message expired before it was sent: thread_mqtt_message.expiry_s, or the expiry in its
	 *  properties.
	 */
	THREAD_MQTT_ERROR_EXPIRED = -15,
	/** A message was dropped from a full outbox to make room for a new one (#thread_mqtt_overflow). */
	THREAD_MQTT_ERROR_DISPLACED = -16,
	/** A newer message with the same topic replaced it (thread_mqtt_message.latest). */
	THREAD_MQTT_ERROR_SUPERSEDED = -17,
	/** Connections ended repeatedly with this message unanswered, even when it was sent alone
	 *  (thread_mqtt_config.suspect_after). It was given up so that it does not block those behind it.
	 *  A QoS 2 message may have arrived.
	 */
	THREAD_MQTT_ERROR_ENDS_CONNECTION = -18,
	/** The broker lost the session while a QoS 2 message was in flight; it is not known whether the
	 *  message arrived.
	 */
	THREAD_MQTT_ERROR_SESSION_LOST = -19,
	/** Not attached, or no address that reaches beyond the mesh. */
	THREAD_MQTT_ERROR_NETWORK = -20,
	/** No NAT64 prefix is known, or the one in use was withdrawn. */
	THREAD_MQTT_ERROR_PREFIX = -21,
	/** The broker's name did not resolve. */
	THREAD_MQTT_ERROR_RESOLVE = -22,
	/** The broker's host refused the TCP connection. */
	THREAD_MQTT_ERROR_REFUSED = -23,
	/** No route to the broker. */
	THREAD_MQTT_ERROR_UNREACHABLE = -24,
	/** Timed out. */
	THREAD_MQTT_ERROR_TIMED_OUT = -25,
	/** The connection was closed or reset. */
	THREAD_MQTT_ERROR_CLOSED = -26,
	/** TLS failed: no common version, suite or group, an alert, or a protocol violation by the peer. */
	THREAD_MQTT_ERROR_TLS = -27,
	/** The broker's certificate was rejected: issuer, name, dates or signature. */
	THREAD_MQTT_ERROR_CERTIFICATE = -28,
	/** The broker refused the client: identifier, credentials or permissions. */
	THREAD_MQTT_ERROR_REJECTED = -29,
	/** The broker violated the MQTT protocol, or ended the connection with DISCONNECT. */
	THREAD_MQTT_ERROR_MQTT = -30,
	/** The time is not known, and thread_mqtt_config.time_strict forbids a connection without it. */
	THREAD_MQTT_ERROR_TIME = -31,
	/** The image was built without this feature; the log names the Kconfig option. */
	THREAD_MQTT_ERROR_NOT_BUILT = -32,
	/** A durable message was not sent, because storage is full, fails or is missing. */
	THREAD_MQTT_ERROR_NOT_STORED = -33,
	/** The application gave up a message published in pieces, or did not supply a piece within
	 *  thread_mqtt_config.response_timeout_ms.
	 */
	THREAD_MQTT_ERROR_NOT_SUPPLIED = -34,
	/** Base of platform errors: -1000 - errno. */
	THREAD_MQTT_ERROR_PLATFORM = -1000,
};

/** Interfaces of a device that has another one besides Thread (CONFIG_THREAD_MQTT_OTHER_INTERFACE). */
enum thread_mqtt_interface {
	/** The interface chosen in Kconfig, or the only one. */
	THREAD_MQTT_INTERFACE_DEFAULT = 0,
	/** Thread, with NAT64 for brokers that have only IPv4. */
	THREAD_MQTT_INTERFACE_THREAD = 1,
	/** The first other interface that has an address: Ethernet, Wi-Fi, a modem. */
	THREAD_MQTT_INTERFACE_OTHER = 2,
};

/**
 * What a full outbox does with a new message. Only messages that have not been sent yet and whose
 * priority is not higher than that of the new one are dropped, each with
 * THREAD_MQTT_EVENT_PUBLISH_FAILED. All values except THREAD_MQTT_OVERFLOW_REFUSE need
 * CONFIG_THREAD_MQTT_OUTBOX_POLICIES.
 */
enum thread_mqtt_overflow {
	/** Refuses the new message: THREAD_MQTT_ERROR_FULL. */
	THREAD_MQTT_OVERFLOW_REFUSE = 0,
	/** Drops the oldest QoS 0 message of the lowest priority. */
	THREAD_MQTT_OVERFLOW_DROP_OLDEST_QOS0 = 1,
	/** Drops the oldest message of the lowest priority, whatever its QoS. */
	THREAD_MQTT_OVERFLOW_DROP_OLDEST = 2,
	/** Keeps only the latest waiting message of each topic, as thread_mqtt_message.latest does. If
	 *  that makes no room, refuses the new message with THREAD_MQTT_ERROR_FULL, either from the call
	 *  or in THREAD_MQTT_EVENT_PUBLISH_FAILED.
	 */
	THREAD_MQTT_OVERFLOW_LATEST_PER_TOPIC = 3,
};

/** Stages of the path to the broker, in order. */
enum thread_mqtt_stage {
	/** No stage: the event or failure belongs to none. */
	THREAD_MQTT_STAGE_NONE = 0,
	/** Attached to the Thread network, with an address that reaches beyond the mesh. */
	THREAD_MQTT_STAGE_ATTACH = 1,
	/** A NAT64 prefix is known. */
	THREAD_MQTT_STAGE_PREFIX = 2,
	/** The time is known from an SNTP server. Skipped for mqtt:// and after
	 *  thread_mqtt_set_time().
	 */
	THREAD_MQTT_STAGE_TIME = 3,
	/** The broker's addresses are known. */
	THREAD_MQTT_STAGE_RESOLVE = 4,
	/** TCP is connected. */
	THREAD_MQTT_STAGE_TCP = 5,
	/** TLS is established. */
	THREAD_MQTT_STAGE_TLS = 6,
	/** The broker accepted the MQTT connection. */
	THREAD_MQTT_STAGE_MQTT = 7,
};

/** Event types. 0 is not used. */
enum thread_mqtt_event_type {
	/** A stage was reached: @ref thread_mqtt_event.stage, .text. */
	THREAD_MQTT_EVENT_STAGE = 1,
	/** Online: messages flow. .session_present says whether the broker kept the session; .stage,
	 *  .text.
	 */
	THREAD_MQTT_EVENT_ONLINE = 2,
	/** An attempt or a connection failed: .stage, .error, .text, .cure, .retry_ms; .reason if the
	 *  broker refused or ended the connection with a reason code. If .retry_ms is -1 and .error is
	 *  THREAD_MQTT_ERROR_CA, _IDENTITY, _CRYPTO, _SETTING or _MEMORY, TLS cannot be set up and
	 *  nothing is tried (thread_mqtt_init()).
	 */
	THREAD_MQTT_EVENT_FAILED = 3,
	/** TCP to one of several addresses failed; the next one is tried: .stage, .error, .text, .cure. */
	THREAD_MQTT_EVENT_CANDIDATE_FAILED = 4,
	/** The time is not known, and the client continues without it. Certificates that expired before
	 *  the build or before the last time kept in storage are refused; those that are not yet valid
	 *  are accepted. .stage, .text, .cure
	 */
	THREAD_MQTT_EVENT_TIME_UNKNOWN = 5,
	/** thread_mqtt_stop() has finished. */
	THREAD_MQTT_EVENT_STOPPED = 6,
	/** A message arrived: .message. */
	THREAD_MQTT_EVENT_MESSAGE = 7,
	/** A message was written out (QoS 0) or acknowledged (QoS 1 and 2): .token */
	THREAD_MQTT_EVENT_PUBLISHED = 8,
	/** A message was given up: .token, .error, .reason, .text. The error is
	 *  THREAD_MQTT_ERROR_REJECTED if the broker refused the message or does not accept its kind,
	 *  _TOO_LARGE if it exceeds the broker's Maximum Packet Size, _FULL, _EXPIRED, _DISPLACED,
	 *  _SUPERSEDED, _ENDS_CONNECTION, _SESSION_LOST, _NOT_STORED or _NOT_SUPPLIED. The reason is the
	 *  broker's code, or the code that a broker would use for this case.
	 */
	THREAD_MQTT_EVENT_PUBLISH_FAILED = 9,
	/** A subscription was answered: .token; .reasons, one per filter in the order of the call
	 *  (granted QoS; 0x80 and above: refused); .reason, the first of them.
	 */
	THREAD_MQTT_EVENT_SUBSCRIBED = 10,
	/** An unsubscription was answered: .token; .reasons, one per filter (0; 0x80 and above: refused,
	 *  still subscribed); .reason, the first of them.
	 */
	THREAD_MQTT_EVENT_UNSUBSCRIBED = 11,
	/** The broker had lost the session and refused to renew a subscription, which is dropped:
	 *  .filter, .reason, .text.
	 */
	THREAD_MQTT_EVENT_SUBSCRIPTION_LOST = 12,
	/** The broker had lost the session and renewed a subscription with a lower QoS than before:
	 *  .filter, .reason (the new QoS).
	 */
	THREAD_MQTT_EVENT_SUBSCRIPTION_LOWERED = 13,
	/** A message that does not fit was skipped and acknowledged: .topic (at least its first 256 bytes;
	 *  empty if the broker used an alias or the heap has no room for it), .number (size of the packet
	 *  in bytes), .error (THREAD_MQTT_ERROR_TOO_LARGE above CONFIG_THREAD_MQTT_MAX_PACKET_SIZE,
	 *  THREAD_MQTT_ERROR_MEMORY if the heap had no room), .text
	 */
	THREAD_MQTT_EVENT_MESSAGE_SKIPPED = 14,
	/** The broker lost the session while this QoS 2 message was in flight. The message is sent again
	 *  and may arrive twice; its result is reported as usual: .token
	 */
	THREAD_MQTT_EVENT_SENT_AGAIN = 15,
	/** The broker answered a QoS 2 message as QoS 1, so it may arrive twice.
	 *  THREAD_MQTT_EVENT_PUBLISHED follows: .token
	 */
	THREAD_MQTT_EVENT_QOS_LOWERED = 16,
	/** MQTT 5 Reason String, a human-readable text: .value; .token of the command it refers to, 0 if
	 *  it came with CONNACK or DISCONNECT. Precedes the event it belongs to.
	 */
	THREAD_MQTT_EVENT_REASON_STRING = 17,
	/** MQTT 5 Server Reference (section 4.11), the server to use instead: .value. Precedes
	 *  THREAD_MQTT_EVENT_FAILED.
	 */
	THREAD_MQTT_EVENT_SERVER_REFERENCE = 18,
	/** MQTT 5 Response Information (section 3.2.2.3.15), the start of every response topic: .value.
	 *  Requested with thread_mqtt_config.request_response_information.
	 */
	THREAD_MQTT_EVENT_RESPONSE_INFORMATION = 19,
	/** The next attempt goes to this one of several brokers, or follows a redirect: .value (URI). */
	THREAD_MQTT_EVENT_BROKER = 20,
	/** The broker seems not to accept the MQTT version that was used. The next attempt uses
	 *  this one: .number (5, or 4 for MQTT 3.1.1).
	 */
	THREAD_MQTT_EVENT_VERSION = 21,
	/** The path supports this much silence: .number, in seconds. Store it for
	 *  thread_mqtt_config.keep_alive_start_s after a reboot.
	 */
	THREAD_MQTT_EVENT_KEEP_ALIVE = 22,
	/** The callback took so long that the oldest events about the connection were dropped: .number of
	 *  them. Messages and the results of commands are never dropped.
	 */
	THREAD_MQTT_EVENT_MISSED = 23,
	/** A durable message is in storage and will be sent even after a restart: .token */
	THREAD_MQTT_EVENT_STORED = 24,
	/** The session continues with what was stored before the restart: .number of messages, which are
	 *  sent first. Their results are reported with tokens from 0xFFFF8000 on.
	 */
	THREAD_MQTT_EVENT_RESTORED = 25,
	/** The storage of the session is full or fails: .error (_NOT_STORED), .text. Reported once until
	 *  it works again. Whatever cannot be stored may be lost or arrive twice if the power fails.
	 */
	THREAD_MQTT_EVENT_STORAGE_FAILED = 26,
	/** A stored record was damaged and has been dropped: .number, its key; keys from 0x8000 on are
	 *  messages.
	 */
	THREAD_MQTT_EVENT_RECORD_DAMAGED = 27,
	/** A message larger than CONFIG_THREAD_MQTT_MAX_PACKET_SIZE starts to arrive: .message without
	 *  its payload; .number, length of the payload in bytes, which follows in THREAD_MQTT_EVENT_PIECE.
	 *  No other message comes in between. Needs CONFIG_THREAD_MQTT_PIECES.
	 */
	THREAD_MQTT_EVENT_MESSAGE_BEGINS = 28,
	/** The next piece of that payload: .message, in which only .payload and .payload_len (at least 1)
	 *  are set; .offset, the bytes before it; .number, bytes of the whole payload. The message is
	 *  complete if .offset + .message->payload_len == .number, and is acknowledged once the callback has
	 *  received it.
	 */
	THREAD_MQTT_EVENT_PIECE = 29,
	/** A message arriving in pieces ended before it was complete: .number, bytes of the payload that
	 *  arrived; .error: THREAD_MQTT_ERROR_CLOSED if the connection ended (for QoS 1 and 2, a broker
	 *  that keeps the session sends the whole message again), THREAD_MQTT_ERROR_MEMORY if the heap had
	 *  no room for a piece (it is not sent again).
	 */
	THREAD_MQTT_EVENT_MESSAGE_CUT = 30,
	/** Asks for the next piece of a message published with thread_mqtt_publish_in_pieces(). Answer with
	 *  thread_mqtt_supply() within thread_mqtt_config.response_timeout_ms. .token; .offset, the bytes
	 *  before the piece; .number, its maximum length. If .offset is 0 after pieces were supplied, the
	 *  connection was lost and the message is sent again from the beginning.
	 */
	THREAD_MQTT_EVENT_PIECE_WANTED = 31,
};

/** A client. */
struct thread_mqtt;

/** Whether a message is kept in the session's storage until it is acknowledged. */
enum thread_mqtt_durable {
	/** As set in thread_mqtt_config.durable. */
	THREAD_MQTT_DURABLE_DEFAULT = 0,
	/** Stored. If that fails, THREAD_MQTT_EVENT_PUBLISH_FAILED with THREAD_MQTT_ERROR_NOT_STORED
	 *  follows.
	 */
	THREAD_MQTT_DURABLE_YES = 1,
	/** Not stored. */
	THREAD_MQTT_DURABLE_NO = 2,
};

/** Which waiting messages are sent first, and which a full outbox drops first. */
enum thread_mqtt_priority {
	/** The default. */
	THREAD_MQTT_PRIORITY_NORMAL = 0,
	/** Sent before all others, and never dropped for one of a lower priority. */
	THREAD_MQTT_PRIORITY_HIGH = 1,
	/** Sent after all others. */
	THREAD_MQTT_PRIORITY_LOW = 2,
};

/** A name-value pair whose meaning the applications define (MQTT 5 section 3.3.2.3.7). */
struct thread_mqtt_user_property {
	/** Name, NUL-terminated UTF-8; may occur several times. */
	const char *name;
	/** Value, NUL-terminated UTF-8. */
	const char *value;
};

/**
 * MQTT 5 properties sent with a payload (section 3.3.2.3). All zeroes: none. Each text and the
 * correlation data have at most 65,535 bytes.
 */
struct thread_mqtt_properties {
	/** Content type, by convention a MIME type, NUL-terminated UTF-8; or NULL. */
	const char *content_type;
	/** Topic on which a response is expected, NUL-terminated UTF-8; or NULL. */
	const char *response_topic;
	/** Data that the response carries so that the requester can match it; or NULL. */
	const void *correlation_data;
	/** Its length in bytes. */
	size_t correlation_data_len;
	/** User properties, in order; NULL if none. Of a received message, the first 32. */
	const struct thread_mqtt_user_property *user;
	/** Their number. */
	size_t user_count;
	/** Seconds after which the broker may discard the message; 0 for never. The time that the message
	 *  waits in the outbox is subtracted. A message that expires there is given up
	 *  (THREAD_MQTT_ERROR_EXPIRED).
	 */
	uint32_t message_expiry_s;
	/** Declares the payload as UTF-8 text (Payload Format Indicator 1). Not checked. */
	bool payload_is_utf8;
	/** A Payload Format Indicator is present; it is 0 if @ref payload_is_utf8 is false. When
	 *  publishing, set this only to send that 0.
	 */
	bool has_payload_format;
	/** A Message Expiry Interval is present; if @ref message_expiry_s is 0 it is 0, and the broker may
	 *  discard the message at once. When publishing, set this only to send that 0.
	 */
	bool has_message_expiry;
};

/** A message. Set unused fields to zero. */
struct thread_mqtt_message {
	/** Topic, NUL-terminated UTF-8. */
	const char *topic;
	/** Payload; may be NULL if @ref payload_len is 0. The payload of a received message is never NULL
	 *  and is not NUL-terminated. To log it, make a NUL-terminated copy: Zephyr's log formats later
	 *  and reads up to a NUL even with "%.*s".
	 */
	const void *payload;
	/** Length of the payload in bytes. */
	size_t payload_len;
	/** Quality of service: 0, 1 or 2. */
	uint8_t qos;
	/** Retain flag. */
	bool retain;
	/** Publishing only: a #thread_mqtt_priority. Values other than THREAD_MQTT_PRIORITY_NORMAL need
	 *  CONFIG_THREAD_MQTT_OUTBOX_POLICIES, as do the next two fields. Not for a will.
	 */
	uint8_t priority;
	/** Publishing only: replaces a waiting message with the same topic that was published with this
	 *  flag (THREAD_MQTT_ERROR_SUPERSEDED).
	 */
	bool latest;
	/** Publishing only: the message is given up with THREAD_MQTT_ERROR_EXPIRED if it was not sent
	 *  within this many seconds, with either MQTT version; 0 waits forever.
	 */
	uint32_t expiry_s;
	/** MQTT 5 properties, or NULL. Needs CONFIG_THREAD_MQTT_PROPERTIES; without it received messages
	 *  have none.
	 */
	const struct thread_mqtt_properties *properties;
	/** Publishing with QoS 1 or 2 only: a #thread_mqtt_durable. Not for a will. */
	uint8_t durable;
};

/** A topic filter to subscribe to. Set unused fields to zero. */
struct thread_mqtt_subscription {
	/** Topic filter, NUL-terminated UTF-8. */
	const char *filter;
	/** Highest quality of service wanted: 0, 1 or 2. */
	uint8_t qos;
};

/**
 * An event. It and everything it points to are valid until the callback returns. @ref type
 * determines which of the other fields are set; the rest are 0, NULL or false, and @ref retry_ms is
 * -1.
 */
struct thread_mqtt_event {
	/** What happened: a #thread_mqtt_event_type. */
	uint8_t type;
	/** The stage: a #thread_mqtt_stage. */
	uint8_t stage;
	/** Reason code as received (MQTT 5 section 2.4; in MQTT 3.1.1 the return code). */
	uint8_t reason;
	/** The broker still had the session. */
	bool session_present;
	/** Kind of failure: a negative #thread_mqtt_error. */
	int32_t error;
	/** Identifies a publish, subscribe or unsubscribe command. */
	uint32_t token;
	/** Milliseconds until the next attempt; -1 if there is none. */
	int32_t retry_ms;
	/** A sentence that says what was reached or why it failed. NULL if there is none, and without
	 *  CONFIG_THREAD_MQTT_SENTENCES.
	 */
	const char *text;
	/** A sentence that says how to fix a failure. NULL if there is none. */
	const char *cure;
	/** The message that arrived, or a piece of one. */
	const struct thread_mqtt_message *message;
	/** The topic filter of the subscription that was lost or lowered. */
	const char *filter;
	/** The topic of the message that was skipped. */
	const char *topic;
	/** A text from the broker, or the destination of the next attempt. */
	const char *value;
	/** Reason codes, one per filter. */
	const uint8_t *reasons;
	/** Number of @ref reasons. */
	size_t reason_count;
	/** A number whose meaning depends on the type. */
	uint32_t number;
	/** Position of a piece: bytes of the payload before it. */
	uint32_t offset;
};

/**
 * What was agreed with the broker for the current connection: the values of its CONNACK (MQTT 5
 * section 3.2.2.3). MQTT 3.1.1 does not transmit limits; the fields then have that version's values.
 */
struct thread_mqtt_limits {
	/** Largest packet that the broker accepts, in bytes (Maximum Packet Size); 0 if not specified. */
	uint32_t max_packet_size;
	/** Seconds that the broker keeps the session after a connection (Session Expiry Interval). */
	uint32_t session_expiry_s;
	/** Keep-alive in effect, in seconds: the broker's (Server Keep Alive) or this client's; 0: none. */
	uint16_t keep_alive_s;
	/** Most QoS 1 and 2 messages to the broker in flight: the smaller of its Receive Maximum and this
	 *  client's.
	 */
	uint16_t receive_maximum;
	/** Most topic aliases that the broker accepts (Topic Alias Maximum). This client uses none. */
	uint16_t topic_alias_maximum;
	/** Seconds of silence that the path is known to support; 0 with a fixed keep-alive. */
	uint16_t learnt_keep_alive_s;
	/** Version in use: 5, or 4 for MQTT 3.1.1. */
	uint8_t mqtt_version;
	/** Highest quality of service that the broker accepts (Maximum QoS). */
	uint8_t maximum_qos;
	/** The broker keeps retained messages (Retain Available). */
	bool retain_available;
	/** Filters may contain + and # (Wildcard Subscription Available). */
	bool wildcards_available;
	/** Filters may begin with $share/ (Shared Subscription Available). */
	bool shared_available;
};

/** Size of the buffer for the cause of a failure, in bytes. */
#define THREAD_MQTT_CAUSE_SIZE 320
/** Size of the buffer for its cure, in bytes. */
#define THREAD_MQTT_CURE_SIZE  192

/** A failure of a connection or of a connection attempt. A copy that belongs to the caller. */
struct thread_mqtt_failure {
	/** Kind of failure: a negative #thread_mqtt_error; 0 if nothing has failed. */
	int32_t error;
	/** Stage: a #thread_mqtt_stage, THREAD_MQTT_STAGE_NONE if nothing has failed. */
	uint8_t stage;
	/** The broker's reason code if it refused or ended the connection with one; otherwise 0. */
	uint8_t reason;
	/** Time of the failure in milliseconds since boot. */
	int64_t uptime_ms;
	/** The cause as a sentence, NUL-terminated, truncated if too long. Like the cure, it is empty in an
	 *  image with neither CONFIG_THREAD_MQTT_SENTENCES nor CONFIG_THREAD_MQTT_SHELL. */
	char cause[THREAD_MQTT_CAUSE_SIZE];
	/** The cure as a sentence, NUL-terminated; empty if the cause needs none. */
	char cure[THREAD_MQTT_CURE_SIZE];
};

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* THREAD_MQTT_TYPES_H_ */
