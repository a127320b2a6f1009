/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Calls every function with arguments that it must refuse.
 */
#include "check.h"

#define NO_CLIENT ((struct thread_mqtt *)0x1230)
#define NOT_UTF8  "a\xff"

/* An MQTT string has at most 65,535 bytes. */
static char long_text[65537];

static struct thread_mqtt *client;

/* NULL, a pointer that was never a client, and a stale one. */
static void refuses(struct thread_mqtt *none)
{
	struct thread_mqtt_message message = {.topic = "t"};
	struct thread_mqtt_failure failure;
	uint32_t token = 7;

	CHECK_EQUAL(thread_mqtt_start(none), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_stop(none), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_deinit(none), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_publish(none, &message, &token), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_publish_wait(none, &message, &token, THREAD_MQTT_WAIT_ROOM, -1),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_subscribe(none, "t", 0, &token), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_unsubscribe(none, "t", &token), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_last_error(none, &failure), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK(!thread_mqtt_is_online(none));
	CHECK_EQUAL(thread_mqtt_time(none), 0);
	CHECK_EQUAL(token, 7);
}

static void no_client(void)
{
	struct told told;
	struct thread_mqtt *other = idle_client(&told);

	refuses(NULL);
	refuses(NO_CLIENT);
	CHECK_EQUAL(thread_mqtt_deinit(other), 0);
	refuses(other);
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

static void publishing(void)
{
	struct thread_mqtt_message message = {.topic = "t"};
	uint32_t first = 0;
	uint32_t second = 0;

	CHECK_EQUAL(thread_mqtt_publish(client, NULL, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish(NULL, NULL, 0, 0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish(NOT_UTF8, NULL, 0, 0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish("t", NULL, 1, 0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish("t", long_text, SIZE_MAX, 0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish("t", NULL, 0, 3), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, 3, 0),
		    THREAD_MQTT_ERROR_ARGUMENT);

	CHECK_EQUAL(publish("", NULL, 0, 0), THREAD_MQTT_ERROR_TOPIC);
	CHECK_EQUAL(publish("a/+", NULL, 0, 0), THREAD_MQTT_ERROR_TOPIC);
	CHECK_EQUAL(publish("a/#", NULL, 0, 0), THREAD_MQTT_ERROR_TOPIC);
	CHECK_EQUAL(publish(long_text, NULL, 0, 0), THREAD_MQTT_ERROR_TOPIC);

	/* 65,535 bytes are allowed, but do not fit the outbox. */
	long_text[65535] = '\0';
	CHECK_EQUAL(publish(long_text, NULL, 0, 0), THREAD_MQTT_ERROR_TOO_LARGE);
	CHECK_EQUAL(publish("t", long_text, 65536, 1), THREAD_MQTT_ERROR_TOO_LARGE);
	/* Refused without reading it: there is no such payload. */
	CHECK_EQUAL(publish("t", long_text, SIZE_MAX / 2, 1), THREAD_MQTT_ERROR_TOO_LARGE);
	/* Waiting does not help. */
	message.payload = long_text;
	message.payload_len = 65536;
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_ROOM, -1),
		    THREAD_MQTT_ERROR_TOO_LARGE);
	/* Topic and payload together are one byte too long. */
	CHECK_EQUAL(publish("t", long_text, 16384, 1), THREAD_MQTT_ERROR_TOO_LARGE);
	long_text[65535] = 'x';

	message.payload_len = 0;
	CHECK_EQUAL(publish("t", NULL, 0, 0), 0);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &first), 0);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &second), 0);
	CHECK_EQUAL(second, first + 1);
}

static void full_outbox(void)
{
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};
	uint32_t token = 7;
	int queued = 0;
	int result;

	while ((result = publish("t", long_text, 100, 1)) == 0) {
		queued++;
		CHECK(queued < 1000);
	}
	CHECK_EQUAL(result, THREAD_MQTT_ERROR_FULL);
	CHECK(queued > 0);
	/* Requests have their own room. */
	queued = 0;
	while ((result = thread_mqtt_subscribe(client, "t", 0, NULL)) == 0) {
		queued++;
		CHECK(queued < 1000);
	}
	CHECK_EQUAL(result, THREAD_MQTT_ERROR_FULL);
	CHECK(queued > 0);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, "t", NULL), THREAD_MQTT_ERROR_FULL);
	for (int32_t timeout = 0; timeout <= 20; timeout += 20) {
		CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token,
						     THREAD_MQTT_WAIT_ACKNOWLEDGED, timeout),
			    THREAD_MQTT_ERROR_FULL);
	}
	CHECK_EQUAL(token, 7);
}

static void subscribing(void)
{
	static const char *const invalid[] = {"", "a/+b", "#/a", "a#", "$share/x", "$share//a"};
	uint32_t token = 0;

	CHECK_EQUAL(thread_mqtt_subscribe(client, NULL, 0, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_subscribe(client, NOT_UTF8, 0, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "t", 3, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, NULL, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, NOT_UTF8, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	for (size_t i = 0; i < COUNT(invalid); i++) {
		CHECK_EQUAL(thread_mqtt_subscribe(client, invalid[i], 0, NULL),
			    THREAD_MQTT_ERROR_TOPIC);
		CHECK_EQUAL(thread_mqtt_unsubscribe(client, invalid[i], NULL),
			    THREAD_MQTT_ERROR_TOPIC);
	}
	CHECK_EQUAL(thread_mqtt_subscribe(client, long_text, 0, NULL), THREAD_MQTT_ERROR_TOPIC);
	long_text[65535] = '\0';
	CHECK_EQUAL(thread_mqtt_subscribe(client, long_text, 0, NULL),
		    THREAD_MQTT_ERROR_TOO_LARGE);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, long_text, NULL), THREAD_MQTT_ERROR_TOO_LARGE);
	long_text[65535] = 'x';

	CHECK_EQUAL(thread_mqtt_subscribe(client, "a/+/#", 2, &token), 0);
	CHECK(token != 0);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, "a/+/#", NULL), 0);
}

static void last_error(void)
{
	struct thread_mqtt_failure failure;

	memset(&failure, 0xff, sizeof(failure));
	CHECK_EQUAL(thread_mqtt_last_error(client, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), 0);
	CHECK_EQUAL(failure.error, 0);
	CHECK_EQUAL(failure.stage, THREAD_MQTT_STAGE_NONE);
	CHECK(failure.cause[0] == '\0' && failure.cure[0] == '\0');
}

static void uri_check(void)
{
	char sentence[16];

	CHECK_EQUAL(thread_mqtt_uri_check(NULL, sentence, sizeof(sentence)),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_uri_check(NOT_UTF8, NULL, 0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_uri_check("mqtts://broker.example", sentence, sizeof(sentence)), 0);
	CHECK_EQUAL(thread_mqtt_uri_check("mqtt://a*2|mqtt://b mqtt://c", NULL, 0), 0);
	CHECK_EQUAL(thread_mqtt_uri_check("mqtt://a mqtt://b*x", NULL, 0), THREAD_MQTT_ERROR_URI);

	memset(sentence, 0x7f, sizeof(sentence));
	CHECK_EQUAL(thread_mqtt_uri_check("http://x", sentence, sizeof(sentence) - 1),
		    THREAD_MQTT_ERROR_URI);
	CHECK_EQUAL(strlen(sentence), sizeof(sentence) - 2);
	CHECK_EQUAL(sentence[sizeof(sentence) - 1], 0x7f);
	CHECK_EQUAL(thread_mqtt_uri_check("http://x", sentence, 0), THREAD_MQTT_ERROR_URI);
	CHECK_EQUAL(thread_mqtt_uri_check("http://x", NULL, 10), THREAD_MQTT_ERROR_URI);
	CHECK_EQUAL(thread_mqtt_uri_check(long_text, NULL, 0), THREAD_MQTT_ERROR_URI);
}

static void configuration(void)
{
	struct told told;
	struct thread_mqtt_config good = idle_config(&told);
	struct thread_mqtt_config config = good;
	struct thread_mqtt_message will = {.topic = "a/#"};
	struct thread_mqtt *made = NULL;

	CHECK_EQUAL(thread_mqtt_init(NULL, &config), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_init(&made, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	config.abi++;
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_ABI);
	config = good;
	config.broker = NULL;
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_ARGUMENT);
	config.broker = "http://x";
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_URI);
	config.broker = "mqtts://x";
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_CA);
	config.ca = "no certificate";
	config.ca_len = strlen(config.ca);
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_CA);
	config.ca = NULL;
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_ARGUMENT);
	config = good;
	config.mqtt_version = 3;
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_SETTING);
	CHECK(was_logged("mqtt_version is 3"));
	config = good;
	config.overflow = 9;
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_SETTING);
	CHECK(was_logged("overflow is 9"));
	for (uint8_t interface = THREAD_MQTT_INTERFACE_THREAD; interface < 4; interface++) {
		config = good;
		config.interface = interface;
		CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_SETTING);
		CHECK(was_logged("the image has no interface"));
	}
	config = good;
	config.client_id = NULL;
	config.clean_start = false;
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_SETTING);
	config = good;
	config.time_servers = "a server with:too:many:colons";
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_SETTING);
	config = good;
	config.will = &will;
	CHECK_EQUAL(thread_mqtt_init(&made, &config), THREAD_MQTT_ERROR_TOPIC);
	CHECK(made == NULL);
	config = good;
	config.mqtt_version = 4;
	config.session_name = "half";
	CHECK_EQUAL(thread_mqtt_config_check(&config), 0);
	CHECK(was_logged("the broker keeps its part of the stored session"));
}

static void words(void)
{
	static const int numbers[] = {1, -6, -33, -999, -1000, -1110, INT32_MIN};

	for (int error = 0; error >= THREAD_MQTT_ERROR_SESSION_LOST; error--) {
		CHECK(strcmp(thread_mqtt_error_to_str(error), "unknown error") != 0);
	}
	for (int error = THREAD_MQTT_ERROR_NETWORK; error >= THREAD_MQTT_ERROR_NOT_STORED; error--) {
		CHECK(strcmp(thread_mqtt_error_to_str(error), "unknown error") != 0);
	}
	for (size_t i = 0; i < COUNT(numbers); i++) {
		CHECK(strlen(thread_mqtt_error_to_str(numbers[i])) > 0);
	}
	CHECK(strcmp(thread_mqtt_stage_to_str(THREAD_MQTT_STAGE_TLS), "TLS") == 0);
	CHECK(strcmp(thread_mqtt_stage_to_str(99), "unknown stage") == 0);
	CHECK(strcmp(thread_mqtt_event_to_str(THREAD_MQTT_EVENT_STOPPED), "stopped") == 0);
	CHECK(strcmp(thread_mqtt_event_to_str(99), "unknown event") == 0);
	for (uint8_t type = THREAD_MQTT_EVENT_STAGE; type <= THREAD_MQTT_EVENT_RECORD_DAMAGED; type++) {
		CHECK(strcmp(thread_mqtt_event_to_str(type), "unknown event") != 0);
	}
}

static void with_client(void (*run)(void))
{
	struct told told;

	client = idle_client(&told);
	run();
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

void arguments_cases(void)
{
	memset(long_text, 'x', sizeof(long_text) - 1);
	no_client();
	with_client(publishing);
	with_client(full_outbox);
	with_client(subscribing);
	with_client(last_error);
	uri_check();
	configuration();
	words();
}
