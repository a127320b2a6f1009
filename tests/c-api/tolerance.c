/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Tolerance settings: timeouts, sessions from before a restart, brokers that lower a QoS, messages that
 * end connections. Also the difference between a property of 0 and none.
 */
#include <stddef.h>

#include "check.h"

/* ---------------------------------------------------------------- timeouts */

static void set(struct thread_mqtt_config *config, size_t field, uint32_t milliseconds)
{
	memcpy((char *)config + field, &milliseconds, sizeof(milliseconds));
}

/* The client with a timeout of a day starts first, and the other one fails first. */
static void patience(const char *broker, size_t field, uint8_t stage)
{
	struct told patient_told;
	struct told told;
	struct thread_mqtt_config patient_config = tls_config(&patient_told, "TEST_BROKER_TLS");
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *patient;
	struct thread_mqtt *client = NULL;

	patient_config.broker = broker;
	config.broker = broker;
	set(&config, field, 0);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	set(&config, field, UINT32_MAX);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	set(&patient_config, field, 86400000);
	set(&config, field, 200);
	patient = started(&patient_config);
	await(&patient_told, THREAD_MQTT_EVENT_STAGE, stage == THREAD_MQTT_STAGE_TCP ? 2 : 3);
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).stage, stage);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).error, THREAD_MQTT_ERROR_TIMED_OUT);
	CHECK_EQUAL(told_count(&patient_told, THREAD_MQTT_EVENT_FAILED), 0);
	end(client);
	end(patient);
}

static void times(void)
{
	char uri[64];

	patience(setting("TEST_FULL"), offsetof(struct thread_mqtt_config, tcp_connect_ms),
		 THREAD_MQTT_STAGE_TCP);
	(void)snprintf(uri, sizeof(uri), "mqtts://%s", setting("TEST_SILENT"));
	patience(uri, offsetof(struct thread_mqtt_config, tls_handshake_ms), THREAD_MQTT_STAGE_TLS);
	(void)snprintf(uri, sizeof(uri), "mqtt://%s", setting("TEST_SILENT"));
	patience(uri, offsetof(struct thread_mqtt_config, response_timeout_ms), THREAD_MQTT_STAGE_MQTT);
}

/* ---------------------------------------------------------------- sessions from before a restart */

static void publish(struct thread_mqtt *client, const char *topic, uint8_t qos)
{
	struct thread_mqtt_message message = {.topic = topic, .qos = qos};

	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
}

static void adopted_session(bool adopt)
{
	struct told told;
	struct told other_told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER");
	struct thread_mqtt_config other_config = config_for(&other_told, "TEST_BROKER");
	struct thread_mqtt *client;
	struct thread_mqtt *other;

	config.client_id = adopt ? "adopts" : "does-not-adopt";
	config.session_expiry_s = 3600;
	client = started(&config);
	CHECK_EQUAL(thread_mqtt_subscribe(client, config.client_id, 1, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);
	end(client);
	other = started(&other_config);
	publish(other, config.client_id, 1);
	await(&other_told, THREAD_MQTT_EVENT_PUBLISHED, 1);
	end(other);

	/* A restart, after which nothing is known of the first run. */
	told_init(&told);
	config.clean_start = false;
	config.adopt_session = adopt;
	config.backoff_min_ms = 1;
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_ONLINE).session_present, adopt);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_FAILED), adopt ? 0 : 1);
	if (adopt) {
		await(&told, THREAD_MQTT_EVENT_MESSAGE, 1);
		CHECK(strcmp(told.topic, "adopts") == 0);
	}
	end(client);
}

static void adoption(void)
{
	adopted_session(false);
	adopted_session(true);
}

/* A client that only publishes leaves waiting messages to a later one that accepts them. */
static void left_messages(void)
{
	struct told told;
	struct told other_told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER");
	struct thread_mqtt_config other_config = config_for(&other_told, "TEST_BROKER");
	struct thread_mqtt *client;

	CHECK(!config.leave_messages);
	config.client_id = "leaves";
	config.clean_start = false;
	config.adopt_session = true;
	config.session_expiry_s = 3600;
	client = started(&config);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "left", 2, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);
	end(client);
	client = started(&other_config);
	for (uint8_t qos = 1; qos <= 2; qos++) {
		publish(client, "left", qos);
		await(&other_told, THREAD_MQTT_EVENT_PUBLISHED, qos);
	}
	end(client);

	for (int takes = 0; takes <= 1; takes++) {
		told_init(&told);
		config.leave_messages = takes == 0;
		client = started(&config);
		publish(client, "up", 1);
		await(&told, THREAD_MQTT_EVENT_PUBLISHED, 1);
		CHECK(told_last(&told, THREAD_MQTT_EVENT_ONLINE).session_present);
		if (takes) {
			await(&told, THREAD_MQTT_EVENT_MESSAGE, 2);
		} else {
			CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_MESSAGE), 0);
		}
		end(client);
	}
}

/* ---------------------------------------------------------------- odd brokers, odd messages */

static void lower_qos(void)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER_ODD");
	struct thread_mqtt *client;

	CHECK(config.accept_lower_qos);
	client = started(&config);
	publish(client, "t", 2);
	await(&told, THREAD_MQTT_EVENT_PUBLISHED, 1);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_QOS_LOWERED), 1);
	end(client);

	told_init(&told);
	config.accept_lower_qos = false;
	client = started(&config);
	publish(client, "t", 2);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).error,
		    THREAD_MQTT_ERROR_REJECTED);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_QOS_LOWERED), 0);
	end(client);
}

static unsigned int ends;
static unsigned int ends_then;

/* Runs in the client's thread. The end of the connection is reported after that of the message, so another
 * thread could count before or after it.
 */
static void count_ends(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	(void)client;
	if (event->type == THREAD_MQTT_EVENT_FAILED) {
		ends++;
	} else if (event->type == THREAD_MQTT_EVENT_PUBLISH_FAILED) {
		ends_then = ends;
	}
}

/* Returns how many connections, except the last, a message ends before it is given up. */
static unsigned int ends_until_given_up(uint8_t suspect_after)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER_ODD");
	struct thread_mqtt *client;

	config.suspect_after = suspect_after;
	config.backoff_min_ms = 1;
	config.backoff_max_ms = 1;
	ends = 0;
	told_call(&told, count_ends);
	client = started(&config);
	publish(client, "poison", 1);
	publish(client, "t", 1);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).error,
		    THREAD_MQTT_ERROR_ENDS_CONNECTION);
	end(client);
	return ends_then;
}

static void poison(void)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();

	CHECK_EQUAL(config.suspect_after, 3);
	CHECK_EQUAL(ends_until_given_up(6), ends_until_given_up(3) + 3);
}

/* ---------------------------------------------------------------- a property of 0, and none */

static void has_formats(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	static unsigned int count;
	const struct thread_mqtt_properties *got;

	(void)client;
	if (event->type != THREAD_MQTT_EVENT_MESSAGE) {
		return;
	}
	got = event->message->properties;
	CHECK(got != NULL);
	CHECK_EQUAL(got->message_expiry_s, 0);
	CHECK(!got->payload_is_utf8);
	CHECK_EQUAL(got->has_message_expiry, count == 0);
	CHECK_EQUAL(got->has_payload_format, count == 0);
	count++;
}

static void has_zero_format(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	(void)client;
	if (event->type == THREAD_MQTT_EVENT_MESSAGE) {
		CHECK(event->message->properties->has_payload_format);
		CHECK(!event->message->properties->payload_is_utf8);
		CHECK(!event->message->properties->has_message_expiry);
	}
}

/* Both what a broker sent and what was published. */
static void formats(void)
{
	static const struct thread_mqtt_properties zero = {.has_payload_format = true};
	struct thread_mqtt_message message = {.topic = "format", .properties = &zero};
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER_ODD");
	struct thread_mqtt *client;

	told_call(&told, has_formats);
	client = started(&config);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "formats", 0, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_MESSAGE, 2);
	end(client);

	told_init(&told);
	told_call(&told, has_zero_format);
	config.broker = setting("TEST_BROKER");
	client = started(&config);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "format", 0, NULL), 0);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_MESSAGE, 1);
	end(client);
}

void tolerance_cases(void)
{
	RUN(times);
	RUN(adoption);
	RUN(left_messages);
	RUN(lower_qos);
	RUN(poison);
	RUN(formats);
}
