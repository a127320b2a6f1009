/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A C application, compiled as arm-none-eabi-gcc does by default, that uses every call of thread_mqtt.h,
 * every event and every field. c_api.py runs it against Mosquitto and lists what listens on which port in
 * the same words.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include <thread_mqtt.h>
#include <thread_mqtt_port.h>

#include "board.h"
#include "check.h"
#include "client.h"
#include "cooperative.h"
#include "offline.h"
#include "pieces.h"
#include "script.h"
#include "stored.h"

/* The last reported failure is kept with the same text. */
static void check_last_error(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	struct thread_mqtt_failure failure;

	memset(&failure, 0xa5, sizeof(failure));
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), THREAD_MQTT_OK);
	CHECK_EQUAL(failure.error, event->error);
	CHECK_EQUAL(failure.stage, event->stage);
	CHECK_EQUAL(failure.reason, event->reason);
	CHECK(failure.uptime_ms > 0 && failure.uptime_ms <= tmq_port_uptime_ms());
	CHECK_STRING(failure.cause, event->text);
	CHECK_STRING(failure.cure, event->cure == NULL ? "" : event->cure);
}

static void test_set_time(void)
{
	CHECK_EQUAL(thread_mqtt_set_time(0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_set_time(INT64_MIN), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_set_time(SCRIPT_BUILD_TIME - 1), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_set_time(SCRIPT_BUILD_TIME + 3600), THREAD_MQTT_OK);
}

static void test_refused(void)
{
	struct thread_mqtt *client = client_for(CLOSED_PORT);
	struct thread_mqtt_config second = defaults(BROKER);
	struct thread_mqtt_failure failure;

	refused(&second, THREAD_MQTT_ERROR_CLIENTS);
	CHECK_EQUAL(thread_mqtt_last_error(client, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), THREAD_MQTT_OK);
	CHECK_EQUAL(failure.error, THREAD_MQTT_OK);
	CHECK_EQUAL(failure.stage, THREAD_MQTT_STAGE_NONE);
	CHECK_EQUAL(failure.reason, 0);
	CHECK_EQUAL(failure.uptime_ms, 0);
	CHECK_STRING(failure.cause, "");
	CHECK_STRING(failure.cure, "");
	CHECK_EQUAL(thread_mqtt_time(client), 0);
	CHECK_EQUAL(thread_mqtt_stop(client), THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_ERROR_STATE);
	CHECK(!thread_mqtt_is_online(client));

	expect_way(client);
	EXPECT(client, .type = THREAD_MQTT_EVENT_CANDIDATE_FAILED, .stage = THREAD_MQTT_STAGE_TCP,
	       .error = THREAD_MQTT_ERROR_REFUSED, .text = "203.0.113.10", .cure = CURE);
	check_last_error(client, EXPECT(client, .type = THREAD_MQTT_EVENT_FAILED,
					.stage = THREAD_MQTT_STAGE_TCP,
					.error = THREAD_MQTT_ERROR_REFUSED, .text = "refused",
					.cure = CURE,
					.retry_most_ms = 60000));
	CHECK(!thread_mqtt_is_online(client));
	stop(client);
	end(client);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_deinit(client), THREAD_MQTT_ERROR_ARGUMENT);
}

static void test_two_addresses(void)
{
	struct thread_mqtt *client = client_for(TWO);

	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_way(client);
	EXPECT(client, .type = THREAD_MQTT_EVENT_CANDIDATE_FAILED, .stage = THREAD_MQTT_STAGE_TCP,
	       .error = THREAD_MQTT_ERROR_REFUSED, .text = "203.0.113.66", .cure = CURE);
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_TCP,
	       .text = "203.0.113.10");
	EXPECT(client, .type = THREAD_MQTT_EVENT_ONLINE, .stage = THREAD_MQTT_STAGE_MQTT,
	       .text = "online");
	stop(client);
	end(client);
}

static struct {
	int deinit, publish, publish_wait, subscribe, last_error, stop;
	bool online;
} called;

static bool call_everything(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	struct thread_mqtt_message message = {.topic = "from/callback"};
	struct thread_mqtt_failure failure;

	if (event->type != THREAD_MQTT_EVENT_ONLINE) {
		return false;
	}
	called.deinit = thread_mqtt_deinit(client);
	called.online = thread_mqtt_is_online(client);
	called.publish = thread_mqtt_publish(client, &message, NULL);
	called.publish_wait = thread_mqtt_publish_wait(client, &message, NULL,
						       THREAD_MQTT_WAIT_ACKNOWLEDGED, -1);
	called.subscribe = thread_mqtt_subscribe(client, "from/callback", 0, NULL);
	called.last_error = thread_mqtt_last_error(client, &failure);
	called.stop = thread_mqtt_stop(client);
	return false;
}

static void test_from_the_callback(void)
{
	struct thread_mqtt *client = client_for(BROKER);

	events_hook = call_everything;
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_way(client);
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_TCP, .text = "1883");
	EXPECT(client, .type = THREAD_MQTT_EVENT_ONLINE, .stage = THREAD_MQTT_STAGE_MQTT,
	       .text = "online");
	EXPECT(client, .type = THREAD_MQTT_EVENT_STOPPED);
	events_hook = NULL;
	CHECK_EQUAL(called.deinit, THREAD_MQTT_ERROR_STATE);
	CHECK(called.online);
	CHECK_EQUAL(called.publish, THREAD_MQTT_OK);
	CHECK_EQUAL(called.publish_wait, THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(called.subscribe, THREAD_MQTT_OK);
	CHECK_EQUAL(called.last_error, THREAD_MQTT_OK);
	CHECK_EQUAL(called.stop, THREAD_MQTT_OK);
	/* The message and the answer may still have arrived. */
	events_forget();
	end(client);
}

/* Arguments that publish and subscribe refuse at once: nothing is queued, no token is returned. */
static void bad_commands(struct thread_mqtt *client)
{
	static uint8_t large[8192];
	struct thread_mqtt_message message = {.topic = "t"};
	uint32_t token = 77;

	CHECK_EQUAL(thread_mqtt_publish(client, NULL, &token), THREAD_MQTT_ERROR_ARGUMENT);
	message.qos = 3;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_ARGUMENT);
	message.qos = 1;
	message.payload_len = 1;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_ARGUMENT);
	message.payload = large;
	message.payload_len = sizeof(large);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_TOO_LARGE);
	message.payload_len = 0;
	message.topic = "";
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_TOPIC);
	message.topic = "a/+";
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_TOPIC);
	message.topic = "\xff";
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_ARGUMENT);
	message.topic = NULL;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_subscribe(client, NULL, 0, &token), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "t", 3, &token), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "a/#/b", 0, &token), THREAD_MQTT_ERROR_TOPIC);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, NULL, &token), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, "", &token), THREAD_MQTT_ERROR_TOPIC);
	CHECK_EQUAL(token, 77);
}

/* Publishes a message and receives it, subscribed to at QoS 2. */
static void round_trip(struct thread_mqtt *client, const struct thread_mqtt_message *message)
{
	static uint32_t before;
	uint32_t token = 0;

	CHECK_EQUAL(thread_mqtt_publish(client, message, &token), THREAD_MQTT_OK);
	CHECK(token != before);
	before = token;
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISHED, .token = token);
	EXPECT(client, .type = THREAD_MQTT_EVENT_MESSAGE, .message = message);
}

static void exchange(struct thread_mqtt *client)
{
	struct thread_mqtt_message message = {
		.topic = "board/echo",
		.payload = "with\0a NUL \xff",
		.payload_len = 12,
	};
	struct thread_mqtt_message kept = {
		.topic = "board/kept",
		.payload = "kept",
		.payload_len = 4,
		.qos = 1,
		.retain = true,
	};
	uint32_t token = 0, first = subscribed(client, "board/echo", 2);

	for (message.qos = 0; message.qos <= 2; message.qos++) {
		round_trip(client, &message);
	}
	message.qos = 1;
	message.payload = NULL;
	message.payload_len = 0;
	round_trip(client, &message);

	/* Retained: the flag is set on what the broker had kept. */
	CHECK_EQUAL(thread_mqtt_publish(client, &kept, &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISHED, .token = token);
	CHECK(subscribed(client, "board/kept", 1) != first);
	EXPECT(client, .type = THREAD_MQTT_EVENT_MESSAGE, .message = &kept);
	subscribed(client, "board/least", 0);

	CHECK_EQUAL(thread_mqtt_unsubscribe(client, "board/echo", &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_UNSUBSCRIBED, .token = token);
	/* It is not received any more. */
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISHED, .token = token);
}

static void test_exchange(void)
{
	struct thread_mqtt *client = client_for(BROKER);
	struct thread_mqtt_message denied = {.topic = "denied", .qos = 1};
	uint32_t token = 0;

	bad_commands(client);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_online(client, "port 1883", false);
	exchange(client);
	CHECK_EQUAL(thread_mqtt_publish(client, &denied, &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISH_FAILED, .token = token, .reason = 0x87,
	       .error = THREAD_MQTT_ERROR_REJECTED, .text = "authori");
	/* It is not an error that there was no such subscription (0x11). */
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, "board/never", &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_UNSUBSCRIBED, .token = token);
	end(client);
}

/* Sends and receives every MQTT 5 property. */
static void test_properties(void)
{
	static const struct thread_mqtt_user_property user[] = {
		{.name = "unit", .value = "K"}, {.name = "unit", .value = ""}};
	static const struct thread_mqtt_properties properties = {
		.content_type = "text/plain",
		.response_topic = "board/answer",
		.correlation_data = "\0\xff!",
		.correlation_data_len = 3,
		.user = user,
		.user_count = 2,
		.message_expiry_s = 0x10000,
		.payload_is_utf8 = true,
		.has_message_expiry = true,
		.has_payload_format = true,
	};
	static const struct thread_mqtt_properties not_text = {.has_payload_format = true};
	static const struct thread_mqtt_properties neither = {.content_type = "text/plain"};
	struct thread_mqtt_message message = {.topic = "board/properties", .properties = &properties};
	struct thread_mqtt_properties wrong = {.user_count = 1};
	struct thread_mqtt *client = client_for(BROKER);

	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_online(client, "port 1883", false);
	subscribed(client, "board/properties", 2);
	for (message.qos = 0; message.qos <= 2; message.qos++) {
		round_trip(client, &message);
	}
	/* A Payload Format Indicator of 0, and no indicator. */
	message.qos = 1;
	message.properties = &not_text;
	round_trip(client, &message);
	message.properties = &neither;
	round_trip(client, &message);
	message.properties = &wrong;
	message.qos = 0;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	stop(client);
	end(client);
}

static void test_several_filters(void)
{
	static const struct thread_mqtt_subscription wanted[] = {
		{.filter = "board/a", .qos = 2}, {.filter = "board/b", .qos = 0}, {.filter = "board/c", .qos = 1}};
	static const char *const names[] = {"board/a", "board/b", "board/c"};
	static const uint8_t granted[] = {2, 0, 1}, none[] = {0, 0, 0};
	struct thread_mqtt *client = client_for(BROKER);
	uint32_t token = 0;

	CHECK_EQUAL(thread_mqtt_subscribe_many(client, wanted, 0, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_subscribe_many(client, wanted, SIZE_MAX, NULL),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_online(client, "port 1883", false);
	CHECK_EQUAL(thread_mqtt_subscribe_many(client, wanted, 3, &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_SUBSCRIBED, .token = token, .reason = 2,
	       .reasons = granted, .reason_count = 3);
	CHECK_EQUAL(thread_mqtt_unsubscribe_many(client, names, 3, &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_UNSUBSCRIBED, .token = token, .reasons = none,
	       .reason_count = 3);
	stop(client);
	end(client);
}

/* Message fields that are not sent: priority, latest, expiry_s; and the policies. */
static void test_outbox(void)
{
	struct thread_mqtt_config config = defaults(BROKER);
	struct thread_mqtt_message message = {.topic = "board/outbox", .qos = 1};
	struct thread_mqtt *client;
	uint32_t token = 0, first = 0;
	int readings = 0;

	config.overflow = THREAD_MQTT_OVERFLOW_DROP_OLDEST_QOS0;
	client = client_of(&config);
	message.priority = 3;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	message.priority = THREAD_MQTT_PRIORITY_NORMAL;
	message.latest = true;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &first), THREAD_MQTT_OK);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISH_FAILED, .token = first, .reason = 0x80,
	       .error = THREAD_MQTT_ERROR_SUPERSEDED, .text = "newer");
	message.latest = false;
	message.expiry_s = 2;
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, -1),
		    THREAD_MQTT_ERROR_EXPIRED);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISH_FAILED, .token = token, .reason = 0x80,
	       .error = THREAD_MQTT_ERROR_EXPIRED, .text = "expired");
	end(client);

	/* QoS 0 leaves a quarter of the eight places free, and is sent first. */
	client = client_of(&config);
	message.expiry_s = 0;
	message.qos = 0;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &first), THREAD_MQTT_OK);
	for (readings = 1; readings < 6; readings++) {
		CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_OK);
	}
	message.qos = 1;
	for (int alarms = 0; alarms < 3; alarms++) {
		CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_OK);
	}
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISH_FAILED, .token = first, .reason = 0x80,
	       .error = THREAD_MQTT_ERROR_DISPLACED, .text = "full");
	end(client);
}

/* publish_wait: every argument and every result. */
static void test_publish_wait(void)
{
	struct thread_mqtt *client = client_for(BROKER);
	struct thread_mqtt_message message = {.topic = "board/wait", .qos = 1};
	struct thread_mqtt_message denied = {.topic = "denied", .qos = 1};
	uint32_t token = 77, queued[2];
	int64_t began;
	int result;

	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token, 3, 0),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_publish_wait(client, NULL, &token, THREAD_MQTT_WAIT_ROOM, 0),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(token, 77);
	/* Offline: there is room, but no acknowledgement before the timeout. */
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &queued[0], THREAD_MQTT_WAIT_ROOM,
					     0),
		    THREAD_MQTT_OK);
	began = tmq_port_uptime_ms();
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &queued[1],
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, 250),
		    THREAD_MQTT_ERROR_TIMED_OUT);
	CHECK(tmq_port_uptime_ms() - began >= 250);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_online(client, "port 1883", false);
	for (size_t i = 0; i < 2; i++) {
		EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISHED, .token = queued[i]);
	}
	for (message.qos = 0; message.qos <= 2; message.qos++) {
		CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token,
						     THREAD_MQTT_WAIT_ACKNOWLEDGED, -1),
			    THREAD_MQTT_OK);
		EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISHED, .token = token);
	}
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &denied, &token,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, 60000),
		    THREAD_MQTT_ERROR_REJECTED);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISH_FAILED, .token = token, .reason = 0x87,
	       .error = THREAD_MQTT_ERROR_REJECTED, .text = "authori");
	stop(client);

	/* Offline again: the outbox fills. */
	message.qos = 1;
	do {
		result = thread_mqtt_publish(client, &message, NULL);
	} while (result == THREAD_MQTT_OK);
	CHECK_EQUAL(result, THREAD_MQTT_ERROR_FULL);
	token = 77;
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token, THREAD_MQTT_WAIT_ROOM, 100),
		    THREAD_MQTT_ERROR_FULL);
	CHECK_EQUAL(token, 77);
	end(client);
}

/* The same in MQTT 3.1.1, where the broker sends no reasons. */
static void test_version_4(void)
{
	struct thread_mqtt_config config = defaults(BROKER);
	struct thread_mqtt *client;

	config.mqtt_version = 4;
	config.client_id = "board-4";
	config.keep_alive_s = 123;
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_online(client, "port 1883", false);
	exchange(client);
	stop(client);
	end(client);
}

/* clean_start and session_expiry_s reach the broker, and session_present the application. */
static void test_session(void)
{
	struct thread_mqtt_config config = defaults(BROKER);
	struct thread_mqtt *client;

	config.client_id = "board-session";
	config.clean_start = false;
	config.session_expiry_s = 600;
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_online(client, "port 1883", false);
	stop(client);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_online(client, "port 1883", true);
	stop(client);
	end(client);
}

/* The broker's own log shows what it received: user, keep-alive and will. */
static void test_password(void)
{
	struct thread_mqtt_message will = {
		.topic = "board/will",
		.payload = "gone",
		.payload_len = 4,
		.qos = 1,
		.retain = true,
	};
	struct thread_mqtt_config config = defaults(PASSWORDS);
	struct thread_mqtt *client;

	config.client_id = "board-password";
	config.username = "ann";
	config.password = "secret and more";
	config.password_len = 6;
	config.keep_alive_s = 321;
	config.will = &will;
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_online(client, "port 1885", false);
	stop(client);
	end(client);

	config.password_len = 5;
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_way(client);
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_TCP, .text = "1885");
	check_last_error(client, EXPECT(client, .type = THREAD_MQTT_EVENT_FAILED,
					.stage = THREAD_MQTT_STAGE_MQTT, .reason = 0x87,
					.error = THREAD_MQTT_ERROR_REJECTED, .text = "authori",
					.cure = MAYBE_CURE, .retry_least_ms = 1000,
					.retry_most_ms = 3600000));
	stop(client);
	end(client);
}

/* The limits that the broker of relay.py sends in its CONNACK. */
static void check_limits(struct thread_mqtt *client)
{
	struct thread_mqtt_limits limits;
	char id[8];

	memset(&limits, 0xa5, sizeof(limits));
	CHECK_EQUAL(thread_mqtt_get_limits(client, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_get_limits(client, &limits), THREAD_MQTT_OK);
	CHECK_EQUAL(limits.max_packet_size, 0x12345);
	CHECK_EQUAL(limits.session_expiry_s, 0x67890);
	CHECK_EQUAL(limits.keep_alive_s, 345);
	CHECK_EQUAL(limits.receive_maximum, 3);
	CHECK_EQUAL(limits.topic_alias_maximum, 0x123);
	CHECK_EQUAL(limits.learnt_keep_alive_s, 0);
	CHECK_EQUAL(limits.mqtt_version, 5);
	CHECK_EQUAL(limits.maximum_qos, 1);
	CHECK_EQUAL(limits.retain_available, false);
	CHECK_EQUAL(limits.wildcards_available, true);
	CHECK_EQUAL(limits.shared_available, false);
	CHECK_EQUAL(thread_mqtt_get_client_id(client, id, sizeof(id)), 15);
	CHECK_STRING(id, "board-f");
}

/* A broker that closes the connection, has then lost the session, and refuses the subscription. */
static void test_forgetful(void)
{
	struct thread_mqtt_config config = defaults(FORGETFUL);
	struct thread_mqtt_limits limits;
	struct thread_mqtt *client;

	config.client_id = "board-forgetful";
	config.clean_start = false;
	config.session_expiry_s = 600;
	config.request_response_information = true;
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_get_limits(client, &limits), THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(thread_mqtt_retry_now(client), THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	CHECK_EQUAL(thread_mqtt_retry_now(client), THREAD_MQTT_OK);
	expect_online(client, "port 1886", false);
	EXPECT(client, .type = THREAD_MQTT_EVENT_RESPONSE_INFORMATION, .value = "answers/");
	check_limits(client);
	subscribed(client, "board/lost", 1);
	check_last_error(client, EXPECT(client, .type = THREAD_MQTT_EVENT_FAILED,
					.stage = THREAD_MQTT_STAGE_MQTT,
					.error = THREAD_MQTT_ERROR_CLOSED, .text = "closed",
					.cure = CURE,
					.retry_most_ms = 60000));
	CHECK(!thread_mqtt_is_online(client));
	CHECK_EQUAL(thread_mqtt_get_limits(client, &limits), THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(thread_mqtt_retry_now(client), THREAD_MQTT_OK);
	expect_online(client, "port 1886", false);
	EXPECT(client, .type = THREAD_MQTT_EVENT_RESPONSE_INFORMATION, .value = "answers/");
	EXPECT(client, .type = THREAD_MQTT_EVENT_REASON_STRING, .value = "no more");
	EXPECT(client, .type = THREAD_MQTT_EVENT_SUBSCRIPTION_LOST, .reason = 0x97,
	       .text = "quota", .filter = "board/lost");
	stop(client);
	end(client);
}

/* No time server answers: strict does not connect; lenient reports it and connects. */
static void test_time_unknown(void)
{
	struct thread_mqtt_config config = with_tls();
	struct thread_mqtt *client;

	config.time_servers = "time.example.com:124";
	config.time_deadline_s = 2;
	config.time_strict = true;
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_ATTACH, .text = "up");
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_PREFIX,
	       .text = "2001:db8:64::/96");
	check_last_error(client, EXPECT(client, .type = THREAD_MQTT_EVENT_FAILED,
					.stage = THREAD_MQTT_STAGE_TIME,
					.error = THREAD_MQTT_ERROR_TIME, .text = "time",
					.cure = CURE,
					.retry_most_ms = 60000));
	stop(client);
	end(client);

	config.time_strict = false;
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_TIME_UNKNOWN, .stage = THREAD_MQTT_STAGE_TIME,
	       .text = "time", .cure = CURE);
	expect_online_over_tls(client);
	stop(client);
	end(client);
}

/* A time server answers, and the client uses its time. */
static void test_time(void)
{
	struct thread_mqtt_config config = with_tls();
	struct thread_mqtt *client;
	int64_t time;

	config.time_servers = "time.example.com";
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_time(client), 0);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_TIME,
	       .text = "203.0.113.123");
	time = thread_mqtt_time(client);
	CHECK(time >= SCRIPT_BUILD_TIME + 86400 && time < SCRIPT_BUILD_TIME + 86400 + 600);
	expect_online_over_tls(client);
	/* The application's time takes precedence. */
	test_set_time();
	time = thread_mqtt_time(client);
	CHECK(time >= SCRIPT_BUILD_TIME + 3600 && time < SCRIPT_BUILD_TIME + 3600 + 600);
	stop(client);
	end(client);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"strings", test_strings},
	{"URI", test_uri_check},
	{"without a client", test_without_a_client},
	{"configuration", test_configuration},
	{"a stored session", test_stored},
	{"a stored session, encrypted", test_stored_encrypted},
	{"damaged CA", test_damaged_ca},
	{"refused", test_refused},
	{"two addresses", test_two_addresses},
	{"from the callback", test_from_the_callback},
	{"exchange", test_exchange},
	{"properties", test_properties},
	{"several filters", test_several_filters},
	{"outbox", test_outbox},
	{"waiting publish", test_publish_wait},
	{"MQTT 3.1.1", test_version_4},
	{"session", test_session},
	{"password", test_password},
	{"a forgetful broker", test_forgetful},
	{"time unknown", test_time_unknown},
	{"time", test_time},
	{"wrong pieces", test_wrong_pieces},
	{"pieces", test_pieces},
	{"pieces over TLS", test_pieces_over_tls},
	{"larger than pieces may be", test_skipped},
	{"pieces given up", test_given_up},
	{"cut while sending pieces", test_cut_while_sending},
	{"cut while receiving pieces", test_cut_while_receiving},
};

int board_client(void)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s (%lu bytes of heap so far)", tests[i].name,
			 (unsigned long)mallinfo().arena);
		board_say(text, strlen(text));
		tests[i].run();
	}
	check_end();
}
