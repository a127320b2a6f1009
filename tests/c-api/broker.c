/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Tests with a real broker, over TLS: every event with its fields, waiting, and calls during a handshake.
 */
#include "check.h"

static struct thread_mqtt *tls_client(struct told *told)
{
	struct thread_mqtt_config config = tls_config(told, "TEST_BROKER_TLS");

	return started(&config);
}

static void there_and_back(uint8_t version)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client = NULL;
	uint32_t subscribed = 0;

	config.mqtt_version = version;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "there/+", 2, &subscribed), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);
	CHECK(thread_mqtt_is_online(client));
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_ONLINE).stage, THREAD_MQTT_STAGE_MQTT);
	CHECK(!told_last(&told, THREAD_MQTT_EVENT_ONLINE).session_present);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_SUBSCRIBED).token, subscribed);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_SUBSCRIBED).reason, 2);
	/* attach, resolve, TCP, TLS; the MQTT stage was checked above */
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_STAGE), 4);

	for (uint8_t qos = 0; qos <= 2; qos++) {
		char payload[] = "payload 0";
		struct thread_mqtt_message message = {
			.topic = "there/t",
			.payload = payload,
			.payload_len = strlen(payload),
			.qos = qos,
		};
		uint32_t token = 0;

		payload[8] = (char)('0' + qos);
		CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), 0);
		/* The caller may reuse its buffers. */
		memset(payload, 'x', sizeof(payload));
		await(&told, THREAD_MQTT_EVENT_MESSAGE, qos + 1);
		await(&told, THREAD_MQTT_EVENT_PUBLISHED, qos + 1);
		CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISHED).token, token);
		CHECK(strcmp(told.topic, "there/t") == 0);
		CHECK_EQUAL(told.payload_len, 9);
		CHECK_EQUAL(told.payload[8], '0' + qos);
	}
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, "there/+", NULL), 0);
	await(&told, THREAD_MQTT_EVENT_UNSUBSCRIBED, 1);
	CHECK_EQUAL(thread_mqtt_stop(client), 0);
	await(&told, THREAD_MQTT_EVENT_STOPPED, 1);
	CHECK(!thread_mqtt_is_online(client));
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_FAILED), 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

static void version_3(void)
{
	there_and_back(4);
}

static void version_5(void)
{
	there_and_back(5);
}

static void wrong_ca(void)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client = NULL;
	struct thread_mqtt_failure failure;
	size_t length;
	char *other = read_all(setting("TEST_OTHER_CA"), &length);

	config.ca = other;
	config.ca_len = length;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	/* The data that the configuration points to has been copied. */
	free(other);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).error,
		    THREAD_MQTT_ERROR_CERTIFICATE);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).stage, THREAD_MQTT_STAGE_TLS);
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), 0);
	CHECK(failure.cause[0] != '\0' && failure.cure[0] != '\0');
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* Takes the CA by the tag under which the platform keeps it. */
static void by_tag(void)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client = NULL;

	config.ca = NULL;
	config.ca_len = 0;
	config.sec_tag = 43;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_CA);
	config.sec_tag = 42;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* Uses a name, which getaddrinfo() resolves. */
static void by_name(void)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client = NULL;

	config.broker = setting("TEST_BROKER_NAME");
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

#define THREADS  4
#define MESSAGES 25

static void *publisher(void *client)
{
	for (int i = 0; i < MESSAGES; i++) {
		struct thread_mqtt_message message = {.topic = "many", .payload = "x", .payload_len = 1};
		uint8_t until = i % 2 == 0 ? THREAD_MQTT_WAIT_ROOM : THREAD_MQTT_WAIT_ACKNOWLEDGED;

		message.qos = (uint8_t)(i % 3);
		CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, until, PATIENCE), 0);
	}
	return NULL;
}

/* Several waiting threads publish more messages than the outbox has room for. */
static void waiting(void)
{
	struct told told;
	struct thread_mqtt *client = tls_client(&told);
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		CHECK_EQUAL(pthread_create(&threads[i], NULL, publisher, client), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	}
	await(&told, THREAD_MQTT_EVENT_PUBLISHED, THREADS * MESSAGES);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_PUBLISHED), THREADS * MESSAGES);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* Waits for room only, which acknowledgements of other messages make. */
static void waiting_for_room(void)
{
	struct told told;
	struct thread_mqtt *client = tls_client(&told);
	struct thread_mqtt_message message = {.topic = "room", .qos = 1};

	for (int i = 0; i < 3 * CONFIG_THREAD_MQTT_OUTBOX_MESSAGES; i++) {
		/* A finite time-out would check again and hide a lost wake-up. */
		CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_ROOM,
						     -1),
			    0);
	}
	await(&told, THREAD_MQTT_EVENT_PUBLISHED, 3 * CONFIG_THREAD_MQTT_OUTBOX_MESSAGES);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

static void waiting_in_vain(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};
	uint32_t token = 0;

	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, 20),
		    THREAD_MQTT_ERROR_TIMED_OUT);
	/* It stays queued under this token. */
	CHECK_EQUAL(token, 1);
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token, THREAD_MQTT_WAIT_ROOM, 0),
		    0);
	CHECK_EQUAL(token, 2);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* Actions that the broker does not permit this user. */
static void refused_by_the_broker(void)
{
	struct told told;
	struct thread_mqtt *client = tls_client(&told);
	struct thread_mqtt_message message = {.topic = "forbidden", .qos = 1};
	uint32_t token = 0;

	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, PATIENCE),
		    THREAD_MQTT_ERROR_REJECTED);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).token, token);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).reason, 0x87);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* No call waits while the client computes: its thread is stopped during the handshake until all calls
 * have returned.
 */
static void calls_during_a_handshake(void)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client = NULL;
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};
	struct thread_mqtt_failure failure;
	uint32_t token = 0;

	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	hold_random();
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await_held();
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), 0);
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_ROOM, -1), 0);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "t", 0, NULL), 0);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, "t", NULL), 0);
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), 0);
	CHECK(!thread_mqtt_is_online(client));
	CHECK(thread_mqtt_time(client) > 0);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(thread_mqtt_stop(client), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	release_random();
	await(&told, THREAD_MQTT_EVENT_STOPPED, 1);
	await(&told, THREAD_MQTT_EVENT_PUBLISHED, 2);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

void broker_cases(void)
{
	version_3();
	version_5();
	by_name();
	by_tag();
	wrong_ca();
	waiting();
	waiting_for_room();
	waiting_in_vain();
	refused_by_the_broker();
	calls_during_a_handshake();
}
