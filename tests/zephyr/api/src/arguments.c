/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Calls every function with arguments that it must refuse.
 */
#include <string.h>

#include "common.h"

#define NOBODY ((struct thread_mqtt *)0x1230)
#define NOT_UTF8 "a\xff"

/* An MQTT string has at most 65,535 bytes. */
static char long_text[65537];

static struct thread_mqtt *client;
static struct told told;

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	memset(long_text, 'x', sizeof(long_text) - 1);
	client = new_client(&told);
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST_SUITE(arguments, NULL, NULL, before, after, NULL);

/* NULL, a pointer that was never a client, and a stale one. */
static void nobody(struct thread_mqtt *none)
{
	struct thread_mqtt_message message = {.topic = "t"};
	struct thread_mqtt_failure failure;
	uint32_t token = 7;

	zassert_equal(thread_mqtt_start(none), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_stop(none), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_deinit(none), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_publish(none, &message, &token), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_subscribe(none, "t", 0, &token), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_unsubscribe(none, "t", &token), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_subscribe_many(none, NULL, 0, &token),
		      THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_unsubscribe_many(none, NULL, 0, &token),
		      THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_get_limits(none, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_get_client_id(none, NULL, 0), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_retry_now(none), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_last_error(none, &failure), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_false(thread_mqtt_is_online(none));
	zassert_equal(token, 7, "a refused command has no token");
}

ZTEST(arguments, test_no_client)
{
	struct told other_told;
	struct thread_mqtt *other = new_client(&other_told);

	nobody(NULL);
	nobody(NOBODY);
	zassert_ok(thread_mqtt_deinit(other));
	nobody(other);
}

static int publish(const char *topic, const void *payload, size_t length, uint8_t qos)
{
	struct thread_mqtt_message message = {
		.topic = topic,
		.payload = payload,
		.payload_len = length,
		.qos = qos,
	};

	return thread_mqtt_publish(client, &message, NULL);
}

ZTEST(arguments, test_publish)
{
	struct thread_mqtt_message message = {.topic = "t"};
	uint32_t first = 0;
	uint32_t second = 0;

	zassert_equal(thread_mqtt_publish(client, NULL, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(publish(NULL, NULL, 0, 0), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(publish(NOT_UTF8, NULL, 0, 0), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(publish("t", NULL, 1, 0), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(publish("t", long_text, SIZE_MAX, 0), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(publish("t", NULL, 0, 3), THREAD_MQTT_ERROR_ARGUMENT);

	zassert_equal(publish("", NULL, 0, 0), THREAD_MQTT_ERROR_TOPIC);
	zassert_equal(publish("a/+", NULL, 0, 0), THREAD_MQTT_ERROR_TOPIC);
	zassert_equal(publish("a/#", NULL, 0, 0), THREAD_MQTT_ERROR_TOPIC);
	zassert_equal(publish(long_text, NULL, 0, 0), THREAD_MQTT_ERROR_TOPIC);

	/* 65,535 bytes are allowed, but do not fit the outbox. */
	long_text[65535] = '\0';
	zassert_equal(publish(long_text, NULL, 0, 0), THREAD_MQTT_ERROR_TOO_LARGE);
	zassert_equal(publish("t", long_text, 65536, 1), THREAD_MQTT_ERROR_TOO_LARGE);
	/* Refused without reading it: there is no such payload. */
	zassert_equal(publish("t", long_text, SIZE_MAX / 2, 1), THREAD_MQTT_ERROR_TOO_LARGE);

	zassert_ok(publish("t", NULL, 0, 0), "an empty payload is allowed");
	zassert_ok(thread_mqtt_publish(client, &message, &first));
	zassert_ok(thread_mqtt_publish(client, &message, &second));
	zassert_not_equal(first, second);
}

ZTEST(arguments, test_outbox_full)
{
	int queued = 0;
	int result;

	while ((result = publish("t", long_text, 100, 1)) == 0) {
		queued++;
		zassert_true(queued < 1000);
	}
	zassert_equal(result, THREAD_MQTT_ERROR_FULL);
	zassert_true(queued > 0);

	/* Requests have their own room. */
	queued = 0;
	while ((result = thread_mqtt_subscribe(client, "t", 0, NULL)) == 0) {
		queued++;
		zassert_true(queued < 1000);
	}
	zassert_equal(result, THREAD_MQTT_ERROR_FULL);
	zassert_true(queued > 0);
}

ZTEST(arguments, test_subscribe)
{
	static const char *const invalid[] = {"", "a/+b", "#/a", "a#", "$share/x", "$share//a"};
	uint32_t token = 0;

	zassert_equal(thread_mqtt_subscribe(client, NULL, 0, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_subscribe(client, NOT_UTF8, 0, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_subscribe(client, "t", 3, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_unsubscribe(client, NULL, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_unsubscribe(client, NOT_UTF8, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
		zassert_equal(thread_mqtt_subscribe(client, invalid[i], 0, NULL),
			      THREAD_MQTT_ERROR_TOPIC, "%s", invalid[i]);
		zassert_equal(thread_mqtt_unsubscribe(client, invalid[i], NULL),
			      THREAD_MQTT_ERROR_TOPIC, "%s", invalid[i]);
	}
	zassert_equal(thread_mqtt_subscribe(client, long_text, 0, NULL), THREAD_MQTT_ERROR_TOPIC);
	long_text[65535] = '\0';
	zassert_equal(thread_mqtt_subscribe(client, long_text, 0, NULL),
		      THREAD_MQTT_ERROR_TOO_LARGE);
	zassert_equal(thread_mqtt_unsubscribe(client, long_text, NULL),
		      THREAD_MQTT_ERROR_TOO_LARGE);

	zassert_ok(thread_mqtt_subscribe(client, "a/+/#", 2, &token));
	zassert_not_equal(token, 0);
	zassert_ok(thread_mqtt_unsubscribe(client, "a/+/#", NULL));
}

ZTEST(arguments, test_several_filters)
{
	struct thread_mqtt_subscription wanted[] = {{.filter = "a"}, {.filter = "b", .qos = 2}};
	static const char *const names[] = {"a", "b"};

	zassert_equal(thread_mqtt_subscribe_many(client, NULL, 0, NULL),
		      THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_subscribe_many(client, wanted, SIZE_MAX, NULL),
		      THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_unsubscribe_many(client, NULL, 2, NULL),
		      THREAD_MQTT_ERROR_ARGUMENT);
	zassert_ok(thread_mqtt_subscribe_many(client, wanted, ARRAY_SIZE(wanted), NULL));
	zassert_ok(thread_mqtt_unsubscribe_many(client, names, ARRAY_SIZE(names), NULL));
	wanted[1].filter = "a#";
	zassert_equal(thread_mqtt_subscribe_many(client, wanted, ARRAY_SIZE(wanted), NULL),
		      THREAD_MQTT_ERROR_TOPIC);
}

ZTEST(arguments, test_message_options)
{
	struct thread_mqtt_user_property pair = {.name = "n", .value = "v"};
	struct thread_mqtt_properties properties = {.user = &pair, .user_count = 1};
	struct thread_mqtt_message message = {.topic = "t", .properties = &properties};
	int policies = IS_ENABLED(CONFIG_THREAD_MQTT_OUTBOX_POLICIES)
			       ? 0
			       : THREAD_MQTT_ERROR_NOT_BUILT;

	zassert_equal(thread_mqtt_publish(client, &message, NULL),
		      IS_ENABLED(CONFIG_THREAD_MQTT_PROPERTIES) ? 0 : THREAD_MQTT_ERROR_NOT_BUILT);
	message.properties = NULL;
	message.priority = THREAD_MQTT_PRIORITY_HIGH;
	zassert_equal(thread_mqtt_publish(client, &message, NULL), policies);
	message.priority = THREAD_MQTT_PRIORITY_NORMAL;
	message.latest = true;
	zassert_equal(thread_mqtt_publish(client, &message, NULL), policies);
	message.latest = false;
	message.expiry_s = 60;
	zassert_equal(thread_mqtt_publish(client, &message, NULL), policies);
}

ZTEST(arguments, test_offline)
{
	struct thread_mqtt_limits limits;
	char id[8];

	zassert_equal(thread_mqtt_get_limits(client, &limits), THREAD_MQTT_ERROR_STATE);
	zassert_equal(thread_mqtt_get_client_id(client, id, sizeof(id)), THREAD_MQTT_ERROR_STATE);
	zassert_equal(thread_mqtt_retry_now(client), THREAD_MQTT_ERROR_STATE);
}

ZTEST(arguments, test_last_error)
{
	struct thread_mqtt_failure failure;

	memset(&failure, 0xff, sizeof(failure));
	zassert_equal(thread_mqtt_last_error(client, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_ok(thread_mqtt_last_error(client, &failure));
	zassert_equal(failure.error, 0, "nothing has failed yet");
	zassert_str_equal(failure.cause, "");
	zassert_str_equal(failure.cure, "");
}

ZTEST(arguments, test_uri_check)
{
	char sentence[16];

	zassert_equal(thread_mqtt_uri_check(NULL, sentence, sizeof(sentence)),
		      THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_uri_check(NOT_UTF8, NULL, 0), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_ok(thread_mqtt_uri_check("mqtts://broker.example", sentence, sizeof(sentence)));

	memset(sentence, 0x7f, sizeof(sentence));
	zassert_equal(thread_mqtt_uri_check("http://x", sentence, sizeof(sentence) - 1),
		      THREAD_MQTT_ERROR_URI);
	zassert_equal(strlen(sentence), sizeof(sentence) - 2, "cut off, with a NUL");
	zassert_equal(sentence[sizeof(sentence) - 1], 0x7f, "and nothing beyond");
	zassert_equal(thread_mqtt_uri_check("http://x", sentence, 0), THREAD_MQTT_ERROR_URI);
	zassert_equal(thread_mqtt_uri_check("http://x", NULL, 10), THREAD_MQTT_ERROR_URI);
	zassert_equal(thread_mqtt_uri_check(long_text, NULL, 0), THREAD_MQTT_ERROR_URI);
}

ZTEST(arguments, test_set_time)
{
	zassert_equal(thread_mqtt_set_time(-1), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_set_time(0), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_set_time(INT64_MIN), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_ok(thread_mqtt_set_time(4102444800), "the year 2100");
	zassert_ok(thread_mqtt_set_time(INT64_MAX), "kept as the latest there is");
}

ZTEST(arguments, test_to_str)
{
	static const int numbers[] = {1, -6, -15, -19, -32, -999, -1000, -1110, INT32_MIN};

	for (int error = 0; error >= THREAD_MQTT_ERROR_SESSION_LOST; error--) {
		zassert_not_equal(strcmp(thread_mqtt_error_to_str(error), "unknown error"), 0, "%d",
				  error);
	}
	for (int error = THREAD_MQTT_ERROR_NETWORK; error >= THREAD_MQTT_ERROR_NOT_STORED; error--) {
		zassert_not_equal(strcmp(thread_mqtt_error_to_str(error), "unknown error"), 0, "%d",
				  error);
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		zassert_true(strlen(thread_mqtt_error_to_str(numbers[i])) > 0);
	}
	zassert_str_equal(thread_mqtt_error_to_str(1), "unknown error");
	zassert_str_equal(thread_mqtt_stage_to_str(THREAD_MQTT_STAGE_TLS), "TLS");
	zassert_str_equal(thread_mqtt_stage_to_str(THREAD_MQTT_STAGE_NONE), "no stage");
	zassert_str_equal(thread_mqtt_stage_to_str(99), "unknown stage");
	zassert_str_equal(thread_mqtt_event_to_str(THREAD_MQTT_EVENT_STOPPED), "stopped");
	zassert_str_equal(thread_mqtt_event_to_str(0), "unknown event");
	zassert_str_equal(thread_mqtt_event_to_str(99), "unknown event");
}
