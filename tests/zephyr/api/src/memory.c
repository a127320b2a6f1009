/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An exhausted heap.
 */
#include <stdlib.h>

#include "certificates.h"
#include "common.h"

ZTEST_SUITE(memory, NULL, NULL, NULL, NULL, NULL);

/* Allocates the whole heap in blocks of this size, each holding the address of the previous one. */
static void **take_all(size_t size)
{
	void **last = NULL;
	void **piece;

	while ((piece = malloc(size)) != NULL) {
		*piece = last;
		last = piece;
	}
	return last;
}

static void give_back(void **last)
{
	while (last != NULL) {
		void **before = *last;

		free(last);
		last = before;
	}
}

static char payload[4096];

ZTEST(memory, test_commands)
{
	struct told told;
	struct thread_mqtt *client = new_client(&told);
	struct thread_mqtt_message message = {
		.topic = "t",
		.payload = payload,
		.payload_len = sizeof(payload),
		.qos = 1,
	};
	uint32_t token = 0;
	size_t before = heap_used();
	void **large = take_all(2048);

	zassert_equal(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_MEMORY);

	void **small = take_all(8);

	message.payload_len = 1;
	zassert_equal(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_MEMORY);
	zassert_equal(thread_mqtt_subscribe(client, "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t", 0,
					    &token),
		      THREAD_MQTT_ERROR_MEMORY);
	zassert_equal(thread_mqtt_unsubscribe(client, "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t",
					      &token),
		      THREAD_MQTT_ERROR_MEMORY);
	zassert_equal(token, 0);

	give_back(small);
	give_back(large);
	zassert_equal(heap_used(), before, "nothing was kept of what was refused");
	message.payload_len = sizeof(payload);
	zassert_ok(thread_mqtt_publish(client, &message, &token));
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(memory, test_init)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client = NULL;
	size_t before = heap_used();
	void **taken = take_all(1024);

	zassert_equal(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_MEMORY);
	zassert_is_null(client);
	give_back(taken);
	zassert_equal(heap_used(), before);
	zassert_ok(thread_mqtt_init(&client, &config));
	zassert_ok(thread_mqtt_deinit(client));
}

/* The heap of an idle client. thread_mqtt_init() checks beforehand that there is enough. */
ZTEST(memory, test_a_client_at_rest)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client;
	size_t before = heap_used();

	config.broker = "mqtts://broker.example";
	config.ca = config.certificate = certificate;
	config.ca_len = config.certificate_len = sizeof(certificate);
	config.private_key = key;
	config.private_key_len = sizeof(key);
	zassert_ok(thread_mqtt_init(&client, &config));
	TC_PRINT("a client at rest: %zu bytes of heap\n", heap_used() - before);
	zassert_true(heap_used() - before < 12288);
	zassert_ok(thread_mqtt_deinit(client));
	zassert_equal(heap_used(), before);
}
