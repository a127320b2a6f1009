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

/** Number of the layout of the structures here and in <thread_mqtt.h>; in the configuration by THREAD_MQTT_CONFIG_DEFAULT(). */
#define THREAD_MQTT_ABI 4

/** Errors. The numbers are stable; -1000 and below carry the platform's errno: -1000 - errno. */
enum thread_mqtt_error {
	/** Success. */
	THREAD_MQTT_OK = 0,
	/** A pointer is NULL, a handle no client's, a string not UTF-8 or a number out of its range. */
	THREAD_MQTT_ERROR_ARGUMENT = -1,
	/** The call does not fit the client's state: not started, started twice, in deinit. */
	THREAD_MQTT_ERROR_STATE = -2,
	/** The heap has no room for a copy of what was given, or for what the broker sent. */
	THREAD_MQTT_ERROR_MEMORY = -3,
	/** The broker URI is wrong; thread_mqtt_uri_check() says where. */
	THREAD_MQTT_ERROR_URI = -4,
	/** mqtts:// without a CA certificate, or one that cannot be read; the log, or the event, says
	 *  which.
	 */
	THREAD_MQTT_ERROR_CA = -5,
	/** The client certificate or its key is missing, cannot be read, or they do not go together;
	 *  the log, or the event, says which.
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
	/** As many clients as CONFIG_THREAD_MQTT_MAX_CLIENTS exist, or no event descriptor is left for one
	 *  (CONFIG_ZVFS_EVENTFD_MAX).
	 */
	THREAD_MQTT_ERROR_CLIENTS = -12,
	/** PSA Crypto does not start or lacks what TLS needs; the log says what. */
	THREAD_MQTT_ERROR_CRYPTO = -13,
	/** The configuration was not begun with THREAD_MQTT_CONFIG_DEFAULT(), or the application was
	 *  compiled against the header of another version.
	 */
	THREAD_MQTT_ERROR_ABI = -14,
	/** A message expired before it was sent: thread_mqtt_message.expiry_s, or the expiry of its
	 *  properties.
	 */
	THREAD_MQTT_ERROR_EXPIRED = -15,
	/** A message was dropped from a full outbox for a new one (#thread_mqtt_overflow). */
	THREAD_MQTT_ERROR_DISPLACED = -16,
	/** A newer message of the same topic took its place (thread_mqtt_message.latest). */
	THREAD_MQTT_ERROR_SUPERSEDED = -17,
	/** A message ended every connection on which it was sent alone, while the broker answered
	 *  others. It was given up, so that it does not keep back those behind it. One of QoS 2 may
	 *  have arrived.
	 */
	THREAD_MQTT_ERROR_ENDS_CONNECTION = -18,
	/** The broker lost the session while a QoS 2 message was under way; whether it arrived is not
	 *  known.
	 */
	THREAD_MQTT_ERROR_SESSION_LOST = -19,
	/** Not attached, or without an address that reaches beyond the mesh. */
	THREAD_MQTT_ERROR_NETWORK = -20,
	/** No NAT64 prefix is known, or the one in use was withdrawn. */
	THREAD_MQTT_ERROR_PREFIX = -21,
	/** The broker's name did not resolve. */
	THREAD_MQTT_ERROR_RESOLVE = -22,
	/** The broker's host refused the TCP connection. */
	THREAD_MQTT_ERROR_REFUSED = -23,
	/** No route to the broker. */
	THREAD_MQTT_ERROR_UNREACHABLE = -24,
	/** No answer in time. */
	THREAD_MQTT_ERROR_TIMED_OUT = -25,
	/** The connection was closed or reset. */
	THREAD_MQTT_ERROR_CLOSED = -26,
	/** TLS: no version, suite or group in common, an alert, a peer that breaks the protocol. */
	THREAD_MQTT_ERROR_TLS = -27,
	/** The broker's certificate is not good: issuer, name, dates, signature. */
	THREAD_MQTT_ERROR_CERTIFICATE = -28,
	/** The broker refused the client: identifier, credentials, rights. */
	THREAD_MQTT_ERROR_REJECTED = -29,
	/** The broker broke the MQTT protocol or ended the connection by it. */
	THREAD_MQTT_ERROR_MQTT = -30,
	/** The time is not known, and thread_mqtt_config.time_strict does without a connection then. */
	THREAD_MQTT_ERROR_TIME = -31,
	/** The image was built without what is asked for; the log names the option of Kconfig. */
	THREAD_MQTT_ERROR_NOT_BUILT = -32,
	/** A durable message is not in the storage, which is full, fails or is missing: it was not sent. */
	THREAD_MQTT_ERROR_NOT_STORED = -33,
	/** The application gave up a message that it published in pieces, or did not supply a piece
	 *  within thread_mqtt_config.response_timeout_ms.
	 */
	THREAD_MQTT_ERROR_NOT_SUPPLIED = -34,
	/** Below here: -1000 - errno. */
	THREAD_MQTT_ERROR_PLATFORM = -1000,
};

/** Interfaces of a device that has Thread and another one (CONFIG_THREAD_MQTT_OTHER_INTERFACE). */
enum thread_mqtt_interface {
	/** The one that Kconfig chooses, or the only one. */
	THREAD_MQTT_INTERFACE_DEFAULT = 0,
	/** Thread, with NAT64 for brokers that have only IPv4. */
	THREAD_MQTT_INTERFACE_THREAD = 1,
	/** The first other interface that has an address: Ethernet, Wi-Fi, a modem. */
	THREAD_MQTT_INTERFACE_OTHER = 2,
};

/**
 * What a full outbox does with a new message. Only messages that have not been sent yet are dropped,
 * none of a higher priority than the new one, and each with THREAD_MQTT_EVENT_PUBLISH_FAILED. Others
 * than THREAD_MQTT_OVERFLOW_REFUSE need CONFIG_THREAD_MQTT_OUTBOX_POLICIES.
 */
enum thread_mqtt_overflow {
	/** Refuses the new one: THREAD_MQTT_ERROR_FULL. */
	THREAD_MQTT_OVERFLOW_REFUSE = 0,
	/** Drops the oldest QoS 0 message of the lowest priority. */
	THREAD_MQTT_OVERFLOW_DROP_OLDEST_QOS0 = 1,
	/** Drops the oldest message of the lowest priority, whatever its QoS. */
	THREAD_MQTT_OVERFLOW_DROP_OLDEST = 2,
	/** Keeps the latest message of each topic while it waits, as thread_mqtt_message.latest does;
	 *  refuses the new one if that makes no room: THREAD_MQTT_ERROR_FULL, by the call or by
	 *  THREAD_MQTT_EVENT_PUBLISH_FAILED.
	 */
	THREAD_MQTT_OVERFLOW_LATEST_PER_TOPIC = 3,
};

/** The stages of the way to the broker, in order. */
enum thread_mqtt_stage {
	/** No stage: an event or a failure that belongs to none. */
	THREAD_MQTT_STAGE_NONE = 0,
	/** Attached to the Thread network, with an address that reaches beyond the mesh. */
	THREAD_MQTT_STAGE_ATTACH = 1,
	/** A NAT64 prefix is known. */
	THREAD_MQTT_STAGE_PREFIX = 2,
	/** The time is known, from an SNTP server. Skipped for mqtt:// and after
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

/** What happened. 0 is none of them. */
enum thread_mqtt_event_type {
	/** A stage was reached: @ref thread_mqtt_event.stage and .text. */
	THREAD_MQTT_EVENT_STAGE = 1,
	/** Online: messages flow. .session_present tells whether the broker kept the session; .stage,
	 *  .text.
	 */
	THREAD_MQTT_EVENT_ONLINE = 2,
	/** An attempt or a connection failed: .stage, .error, .text, .cure, .retry_ms; .reason if the
	 *  broker gave one when it refused or ended the connection. With THREAD_MQTT_ERROR_CA,
	 *  _IDENTITY, _CRYPTO, _SETTING or _MEMORY and a .retry_ms of -1 TLS cannot be set up: nothing is
	 *  tried (thread_mqtt_init()).
	 */
	THREAD_MQTT_EVENT_FAILED = 3,
	/** TCP to one of several addresses failed; the next is tried: .stage, .error, .text, .cure. */
	THREAD_MQTT_EVENT_CANDIDATE_FAILED = 4,
	/** The time is not known, and the client goes on without it: certificates that expired before
	 *  the build, or before the last time kept in storage, are refused, those not yet valid are
	 *  not. .stage, .text, .cure
	 */
	THREAD_MQTT_EVENT_TIME_UNKNOWN = 5,
	/** thread_mqtt_stop() has finished. */
	THREAD_MQTT_EVENT_STOPPED = 6,
	/** A message arrived: .message. */
	THREAD_MQTT_EVENT_MESSAGE = 7,
	/** QoS 0: written out. QoS 1 and 2: acknowledged. .token */
	THREAD_MQTT_EVENT_PUBLISHED = 8,
	/** A message was given up: .token, .error, .reason, .text. The error is
	 *  THREAD_MQTT_ERROR_REJECTED if the broker refused it or does not take one like it,
	 *  _TOO_LARGE if it exceeds the broker's Maximum Packet Size, _FULL, _EXPIRED, _DISPLACED,
	 *  _SUPERSEDED, _ENDS_CONNECTION, _SESSION_LOST or _NOT_SUPPLIED. The reason is the broker's
	 *  code, or the one
	 *  with which a broker would say the same.
	 */
	THREAD_MQTT_EVENT_PUBLISH_FAILED = 9,
	/** Subscription answered: .token; .reasons, one for each filter in the order of the call
	 *  (granted QoS, or 0x80 and above: refused); .reason, the first of them.
	 */
	THREAD_MQTT_EVENT_SUBSCRIBED = 10,
	/** Unsubscription answered: .token; .reasons, one for each filter (0, or 0x80 and above:
	 *  refused, and still subscribed); .reason, the first of them.
	 */
	THREAD_MQTT_EVENT_UNSUBSCRIBED = 11,
	/** The broker had lost the session and refused to renew a subscription, which is forgotten:
	 *  .filter, .reason, .text.
	 */
	THREAD_MQTT_EVENT_SUBSCRIPTION_LOST = 12,
	/** The broker had lost the session and renewed a subscription with a lower QoS than before:
	 *  .filter, .reason (the QoS it has now).
	 */
	THREAD_MQTT_EVENT_SUBSCRIPTION_LOWERED = 13,
	/** A message arrived for which there is no room; it was skipped and acknowledged: .topic (its
	 *  first 256 bytes or more; empty if the broker used an alias, or if the heap has no room for it),
	 *  .number (bytes of the packet),
	 *  .error: THREAD_MQTT_ERROR_TOO_LARGE above CONFIG_THREAD_MQTT_MAX_PACKET_SIZE,
	 *  THREAD_MQTT_ERROR_MEMORY where the heap had no room. .text
	 */
	THREAD_MQTT_EVENT_MESSAGE_SKIPPED = 14,
	/** The broker lost the session while it had this QoS 2 message under way. It is sent again and
	 *  may arrive twice; its end is told as usual: .token
	 */
	THREAD_MQTT_EVENT_SENT_AGAIN = 15,
	/** The broker answered a QoS 2 message as one of QoS 1, so it may arrive twice;
	 *  THREAD_MQTT_EVENT_PUBLISHED follows: .token
	 */
	THREAD_MQTT_EVENT_QOS_LOWERED = 16,
	/** MQTT 5 Reason String, for a person to read: .value; .token of the command that it is about,
	 *  0 if it came with CONNACK or DISCONNECT. Comes before the event that it belongs to.
	 */
	THREAD_MQTT_EVENT_REASON_STRING = 17,
	/** MQTT 5 Server Reference (section 4.11), the server to use instead: .value. Comes before
	 *  THREAD_MQTT_EVENT_FAILED.
	 */
	THREAD_MQTT_EVENT_SERVER_REFERENCE = 18,
	/** MQTT 5 Response Information (section 3.2.2.3.15), with which response topics are to begin:
	 *  .value. Asked for by thread_mqtt_config.request_response_information.
	 */
	THREAD_MQTT_EVENT_RESPONSE_INFORMATION = 19,
	/** The next attempt goes to this broker of several, or where one pointed to: .value (URI). */
	THREAD_MQTT_EVENT_BROKER = 20,
	/** The broker does not accept the configured version of MQTT, and the next attempt speaks this
	 *  one: .number (5, or 4 for MQTT 3.1.1).
	 */
	THREAD_MQTT_EVENT_VERSION = 21,
	/** The path bears this much silence: .number, seconds. Worth keeping, for
	 *  thread_mqtt_config.keep_alive_start_s after a reboot.
	 */
	THREAD_MQTT_EVENT_KEEP_ALIVE = 22,
	/** The callback took so long that events about the connection were dropped, the oldest ones:
	 *  .number of them. Messages and the ends of commands are never among them.
	 */
	THREAD_MQTT_EVENT_MISSED = 23,
	/** A durable message is in the storage, and will be sent even after a restart: .token */
	THREAD_MQTT_EVENT_STORED = 24,
	/** The session goes on with what was stored before the restart: .number of messages, which are
	 *  sent first. Their ends are told with tokens from 0xFFFF8000 on.
	 */
	THREAD_MQTT_EVENT_RESTORED = 25,
	/** The storage of the session is full or fails, which is told once until it works again: .error
	 *  (_NOT_STORED), .text. What cannot be stored may be lost, or arrive twice, if the power fails.
	 */
	THREAD_MQTT_EVENT_STORAGE_FAILED = 26,
	/** A record of the storage was damaged and is dropped: .number, its key; from 0x8000 on it was a
	 *  message.
	 */
	THREAD_MQTT_EVENT_RECORD_DAMAGED = 27,
	/** A message larger than CONFIG_THREAD_MQTT_MAX_PACKET_SIZE begins to arrive: .message without
	 *  its payload; .number, bytes of the payload, which follows in THREAD_MQTT_EVENT_PIECE. No
	 *  other message comes in between. Needs CONFIG_THREAD_MQTT_PIECES.
	 */
	THREAD_MQTT_EVENT_MESSAGE_BEGINS = 28,
	/** The next piece of that payload: .message, of which only .payload and .payload_len (at least 1)
	 *  are set; .offset, the bytes before it; .number, bytes of the whole payload. With .offset +
	 *  .message->payload_len == .number the message is complete, and is acknowledged when the
	 *  callback has it.
	 */
	THREAD_MQTT_EVENT_PIECE = 29,
	/** The message that was arriving in pieces ends here, incomplete: .number, bytes of the payload
	 *  that came; .error: THREAD_MQTT_ERROR_CLOSED if the connection ended (with QoS 1 and 2 a broker
	 *  that keeps the session sends the message again, from its beginning),
	 *  THREAD_MQTT_ERROR_MEMORY if the heap had no room for a piece (it does not come again).
	 */
	THREAD_MQTT_EVENT_MESSAGE_CUT = 30,
	/** The next piece of a message that was published with thread_mqtt_publish_in_pieces() is to be
	 *  supplied, within thread_mqtt_config.response_timeout_ms, by thread_mqtt_supply(): .token;
	 *  .offset, the bytes before it;
	 *  .number, its length at most. An .offset of 0 after more was supplied: the connection was lost,
	 *  and the message is sent again from its beginning.
	 */
	THREAD_MQTT_EVENT_PIECE_WANTED = 31,
};

/** A client. */
struct thread_mqtt;

/** Whether a message is kept in the storage of the session until it is acknowledged. */
enum thread_mqtt_durable {
	/** As thread_mqtt_config.durable says. */
	THREAD_MQTT_DURABLE_DEFAULT = 0,
	/** It is; where it cannot be, THREAD_MQTT_EVENT_PUBLISH_FAILED with
	 *  THREAD_MQTT_ERROR_NOT_STORED.
	 */
	THREAD_MQTT_DURABLE_YES = 1,
	/** It is not. */
	THREAD_MQTT_DURABLE_NO = 2,
};

/** Which of the waiting messages go first, and which a full outbox drops first. */
enum thread_mqtt_priority {
	/** The usual one. */
	THREAD_MQTT_PRIORITY_NORMAL = 0,
	/** Before all others, and never dropped for one of a lower priority. */
	THREAD_MQTT_PRIORITY_HIGH = 1,
	/** After all others. */
	THREAD_MQTT_PRIORITY_LOW = 2,
};

/** A pair with a meaning between the applications (MQTT 5 section 3.3.2.3.7). */
struct thread_mqtt_user_property {
	/** Name, NUL-terminated UTF-8; may come several times. */
	const char *name;
	/** Value, NUL-terminated UTF-8. */
	const char *value;
};

/**
 * What MQTT 5 lets travel beside a payload (section 3.3.2.3). All zeroes: nothing. Each text and the
 * correlation data have at most 65,535 bytes.
 */
struct thread_mqtt_properties {
	/** Content type, by convention a MIME type, NUL-terminated UTF-8; or NULL. */
	const char *content_type;
	/** Topic on which an answer is expected, NUL-terminated UTF-8; or NULL. */
	const char *response_topic;
	/** What the answer shall carry, so that the requester recognises it; or NULL. */
	const void *correlation_data;
	/** Its length, bytes. */
	size_t correlation_data_len;
	/** User properties, in order; NULL if there are none. Of a received message the first 32. */
	const struct thread_mqtt_user_property *user;
	/** Their number. */
	size_t user_count;
	/** Seconds after which the broker need not deliver the message; 0 for ever. The time that the
	 *  message waits in the outbox is subtracted; one that expires there is given up
	 *  (THREAD_MQTT_ERROR_EXPIRED).
	 */
	uint32_t message_expiry_s;
	/** The payload is said to be UTF-8 text (Payload Format Indicator 1). Not checked. */
	bool payload_is_utf8;
	/** There is a Payload Format Indicator, of 0 if @ref payload_is_utf8 is false. To publish it is
	 *  needed for that 0 alone.
	 */
	bool has_payload_format;
	/** There is a Message Expiry Interval, of 0 if @ref message_expiry_s is 0: the broker may drop
	 *  the message at once. To publish it is needed for that 0 alone.
	 */
	bool has_message_expiry;
};

/** A message. What is not set shall be zero. */
struct thread_mqtt_message {
	/** Topic, NUL-terminated UTF-8. */
	const char *topic;
	/** Payload; may be NULL if @ref payload_len is 0. That of a received message is never NULL, and has no
	 *  NUL behind it. To log it, copy it and put a NUL behind the copy: Zephyr's log reads up to a NUL also
	 *  with "%.*s", because it formats later.
	 */
	const void *payload;
	/** Length of the payload, bytes. */
	size_t payload_len;
	/** Quality of service: 0, 1 or 2. */
	uint8_t qos;
	/** Retain flag. */
	bool retain;
	/** To publish: a #thread_mqtt_priority. Other than THREAD_MQTT_PRIORITY_NORMAL it needs
	 *  CONFIG_THREAD_MQTT_OUTBOX_POLICIES, as the next two do. Not for a will.
	 */
	uint8_t priority;
	/** To publish: replaces a message of the same topic that was published with this flag and
	 *  still waits (THREAD_MQTT_ERROR_SUPERSEDED).
	 */
	bool latest;
	/** To publish: given up with THREAD_MQTT_ERROR_EXPIRED if it was not sent within so many
	 *  seconds, with either version of MQTT; 0 waits for ever.
	 */
	uint32_t expiry_s;
	/** MQTT 5 properties, or NULL. They need CONFIG_THREAD_MQTT_PROPERTIES, without which received
	 *  messages have none.
	 */
	const struct thread_mqtt_properties *properties;
	/** To publish with QoS 1 or 2: a #thread_mqtt_durable. Not for a will. */
	uint8_t durable;
};

/** A topic filter to subscribe to. What is not set shall be zero. */
struct thread_mqtt_subscription {
	/** Topic filter, NUL-terminated UTF-8. */
	const char *filter;
	/** Highest quality of service wanted: 0, 1 or 2. */
	uint8_t qos;
};

/**
 * An event. The library makes it; it and everything it points to are valid until the callback
 * returns. @ref type tells which of the other fields are set; the others are 0, NULL or false, and
 * @ref retry_ms is -1.
 */
struct thread_mqtt_event {
	/** What happened: a #thread_mqtt_event_type. */
	uint8_t type;
	/** The stage: a #thread_mqtt_stage. */
	uint8_t stage;
	/** Reason code as received (MQTT 5 section 2.4; the return code with MQTT 3.1.1). */
	uint8_t reason;
	/** The broker still had the session. */
	bool session_present;
	/** What kind of failure: a negative #thread_mqtt_error. */
	int32_t error;
	/** The name of a publish, subscribe or unsubscribe command. */
	uint32_t token;
	/** Milliseconds until the next attempt; -1 if there is none. */
	int32_t retry_ms;
	/** A sentence: what was reached, or the cause of the failure. NULL if there is none, and
	 *  without CONFIG_THREAD_MQTT_SENTENCES.
	 */
	const char *text;
	/** A sentence: what to do about a failure. NULL if there is none. */
	const char *cure;
	/** The message that arrived, or a piece of one. */
	const struct thread_mqtt_message *message;
	/** The topic filter of the subscription that was lost or lowered. */
	const char *filter;
	/** The topic of the message that was skipped. */
	const char *topic;
	/** What the broker says, or where the next attempt goes. */
	const char *value;
	/** Reason codes, one for each filter. */
	const uint8_t *reasons;
	/** Number of @ref reasons. */
	size_t reason_count;
	/** A number, as the type says. */
	uint32_t number;
	/** Where a piece belongs: bytes of the payload before it. */
	uint32_t offset;
};

/**
 * What was agreed with the broker for the current connection: by its CONNACK (MQTT 5 section
 * 3.2.2.3), and with MQTT 3.1.1, which has no limits to tell, what that version means.
 */
struct thread_mqtt_limits {
	/** Largest packet that the broker accepts, bytes (Maximum Packet Size); 0: it names none. */
	uint32_t max_packet_size;
	/** Seconds that the broker keeps the session after the connection (Session Expiry Interval). */
	uint32_t session_expiry_s;
	/** Keep-alive in force, seconds: the broker's (Server Keep Alive), else this client's. 0: none. */
	uint16_t keep_alive_s;
	/** Most QoS 1 and 2 messages to the broker that are not acknowledged at once: the smaller of
	 *  its Receive Maximum and this client's.
	 */
	uint16_t receive_maximum;
	/** Most topic aliases that the broker accepts (Topic Alias Maximum). This client uses none. */
	uint16_t topic_alias_maximum;
	/** Seconds of silence that the path is known to bear; 0 with a fixed keep-alive. */
	uint16_t learnt_keep_alive_s;
	/** Version spoken: 5, or 4 for MQTT 3.1.1. */
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

/** Room for the cause of a failure, bytes. */
#define THREAD_MQTT_CAUSE_SIZE 320
/** Room for its cure, bytes. */
#define THREAD_MQTT_CURE_SIZE  192

/** A failure of a connection, or of an attempt to make one. A copy: the caller's to keep. */
struct thread_mqtt_failure {
	/** What kind: a negative #thread_mqtt_error; 0 if nothing has failed. */
	int32_t error;
	/** Where: a #thread_mqtt_stage, THREAD_MQTT_STAGE_NONE if nothing has failed. */
	uint8_t stage;
	/** The broker's reason code, if it refused or ended the connection with one; else 0. */
	uint8_t reason;
	/** When: milliseconds since boot. */
	int64_t uptime_ms;
	/** The cause as a sentence, NUL-terminated, cut off where it is too long. Empty, as the cure, in an
	 *  image with neither CONFIG_THREAD_MQTT_SENTENCES nor CONFIG_THREAD_MQTT_SHELL. */
	char cause[THREAD_MQTT_CAUSE_SIZE];
	/** What to do about it, NUL-terminated; empty if the cause says it all. */
	char cure[THREAD_MQTT_CURE_SIZE];
};

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* THREAD_MQTT_TYPES_H_ */
