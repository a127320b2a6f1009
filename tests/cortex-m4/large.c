/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A message larger than the largest packet, in one TLS record, with a protocol that cannot tell the broker
 * what fits. Tested in a heap with room for any record, and in that of the release. c_api.py publishes the
 * messages, and selects one of the two with mqtt_version.
 */
#include <stdio.h>
#include <string.h>

#include <thread_mqtt.h>

#include "board.h"
#include "check.h"
#include "client.h"

#define TOPIC    "board/large"
#define RETAINED "board/retained"
#define AFTER    "after"
/* The same as in c_api.py. */
#define TOTAL 15900u

static struct thread_mqtt *started(void)
{
	struct thread_mqtt_config config = with_tls();
	struct thread_mqtt *client;

	config.time_servers = "";
	config.mqtt_version = 4;
	config.client_id = "board-large";
	config.clean_start = false;
	/* The board's clock may be slower than the broker's. */
	config.keep_alive_s = 0;
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_TIME_UNKNOWN, .stage = THREAD_MQTT_STAGE_TIME,
	       .text = "time", .cure = CURE);
	return client;
}

static void expect_online_again(struct thread_mqtt *client, bool session_present)
{
	expect_way(client);
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_TCP, .text = "8883");
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_TLS, .text = "TLS 1.");
	EXPECT(client, .type = THREAD_MQTT_EVENT_ONLINE, .stage = THREAD_MQTT_STAGE_MQTT,
	       .session_present = session_present, .text = "online");
}

static void expect_skipped(struct thread_mqtt *client, const char *topic, uint32_t identifier)
{
	EXPECT(client, .type = THREAD_MQTT_EVENT_MESSAGE_SKIPPED, .topic = topic,
	       .number = 3 + 2 + strlen(topic) + identifier + TOTAL,
	       .error = THREAD_MQTT_ERROR_TOO_LARGE, .text = "MAX_PACKET_SIZE");
}

static void expect_after(struct thread_mqtt *client)
{
	struct thread_mqtt_message after = {
		.topic = TOPIC, .payload = AFTER, .payload_len = strlen(AFTER), .qos = 1};

	EXPECT(client, .type = THREAD_MQTT_EVENT_MESSAGE, .message = &after);
}

/* Skips what the broker kept for the session and what is retained for all subscribers, once each. */
static void test_skipped(void)
{
	struct thread_mqtt *client = started();

	expect_online_again(client, true);
	expect_skipped(client, TOPIC, 2);
	expect_after(client);
	subscribed(client, RETAINED, 1);
	expect_skipped(client, RETAINED, 2);
	stop(client);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	expect_online_again(client, true);
	subscribed(client, "board/nothing", 1);
	CHECK(thread_mqtt_is_online(client));
	stop(client);
	end(client);
}

/* No record of it fits, so the client starts a new session, once. */
static void test_anew(void)
{
	struct thread_mqtt *client = started();

	for (int i = 0; i < CONFIG_THREAD_MQTT_SUSPECT_AFTER; i++) {
		expect_online_again(client, true);
		EXPECT(client, .type = THREAD_MQTT_EVENT_FAILED, .stage = THREAD_MQTT_STAGE_MQTT,
		       .error = THREAD_MQTT_ERROR_MEMORY, .text = "heap", .cure = CURE,
		       .retry_most_ms = 60000);
		CHECK_EQUAL(thread_mqtt_retry_now(client), THREAD_MQTT_OK);
	}
	expect_online_again(client, false);
	subscribed(client, TOPIC, 1);
	CHECK(thread_mqtt_is_online(client));
	stop(client);
	end(client);
}

int board_client(void)
{
	switch (BOARD_PARAMETERS->mqtt_version) {
	case 1:
		test_skipped();
		break;
	case 2:
		test_anew();
		break;
	default:
		CHECK(false);
	}
	check_end();
}
