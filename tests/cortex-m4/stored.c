/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Sessions that survive their client, plain and encrypted. thread_mqtt_init() does not read the stored session.
 * A caller that publishes before the client's thread has read it waits for that.
 */
#include <string.h>

#include <thread_mqtt.h>

#include "check.h"
#include "client.h"
#include "cooperative.h"
#include "store.h"
#include "stored.h"

static void outlives_its_client(const void *key, size_t key_len)
{
	struct thread_mqtt_message message = {.topic = "stored/t", .qos = 2};
	struct thread_mqtt_config config = defaults(BROKER);
	struct thread_mqtt *client;
	uint32_t token;

	store_wipe();
	config.client_id = "board-stored";
	config.clean_start = false;
	config.session_expiry_s = 600;
	config.session_name = "stored";
	config.session_key = key;
	config.session_key_len = key_len;
	client = client_of(&config);
	for (int i = 0; i < CONFIG_THREAD_MQTT_OUTBOX_MESSAGES; i++) {
		CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_OK);
		EXPECT(client, .type = THREAD_MQTT_EVENT_STORED, .token = token);
	}
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_ERROR_FULL);
	end(client);

	/* The first call already knows the remaining room. */
	client = client_of(&config);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_ERROR_FULL);
	EXPECT(client, .type = THREAD_MQTT_EVENT_RESTORED,
	       .number = CONFIG_THREAD_MQTT_OUTBOX_MESSAGES);
	end(client);

	client = client_of(&config);
	/* Restored messages do not block requests. */
	CHECK_EQUAL(thread_mqtt_subscribe(client, "stored/#", 0, NULL), THREAD_MQTT_OK);
	events_forget();
	end(client);

	/* Deleted before its thread has run. */
	end(client_of(&config));

	/* Refused at once. */
	config.session_name = "thirteen-char";
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config.session_name = "stored";
	config.session_key = "short";
	config.session_key_len = 5;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	store_wipe();
}

void test_stored(void)
{
	outlives_its_client(NULL, 0);
}

void test_stored_encrypted(void)
{
	static const uint8_t key[16] = {1, 2, 3};

	outlives_its_client(key, sizeof(key));
}
