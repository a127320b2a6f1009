/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An exhausted heap.
 */
#include "check.h"

#define LONG_FILTER "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t"

static char payload[4096];

/* Only of this thread: that of the client makes its turns meanwhile. */
static void commands(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	struct thread_mqtt_message message = {
		.topic = "t",
		.payload = payload,
		.payload_len = sizeof(payload),
		.qos = 1,
	};
	uint32_t token = 0;
	long long before = heap_used_here();

	heap_limit_here(before + 2048);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_MEMORY);
	heap_limit_here(before);
	message.payload_len = 1;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_MEMORY);
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, -1),
		    THREAD_MQTT_ERROR_MEMORY);
	CHECK_EQUAL(thread_mqtt_subscribe(client, LONG_FILTER, 0, &token), THREAD_MQTT_ERROR_MEMORY);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, LONG_FILTER, &token), THREAD_MQTT_ERROR_MEMORY);
	CHECK_EQUAL(token, 0);

	heap_limit_here(LLONG_MAX);
	CHECK_EQUAL(heap_used_here(), before);
	message.payload_len = sizeof(payload);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

static void init(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;
	size_t before = heap_used();

	heap_limit_here(heap_used_here() + 4096);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_MEMORY);
	CHECK(client == NULL);
	heap_limit_here(LLONG_MAX);
	CHECK_EQUAL(heap_used(), before);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* Called in the client's thread: from then on large pieces are refused to it. */
static void limit_when_online(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	(void)client;
	if (event->type == THREAD_MQTT_EVENT_SUBSCRIBED) {
		heap_limit_each(8192);
	} else if (event->type == THREAD_MQTT_EVENT_MESSAGE) {
		heap_limit_each(SIZE_MAX);
	}
}

static void a_message_that_is_too_large(void)
{
	static char large[12000];
	struct told receiver_told;
	struct told sender_told;
	struct thread_mqtt_config config = idle_config(&receiver_told);
	struct thread_mqtt_message message = {
		.topic = "memory",
		.payload = large,
		.payload_len = sizeof(large),
	};
	struct thread_mqtt *receiver = NULL;
	struct thread_mqtt *sender = NULL;

	told_call(&receiver_told, limit_when_online);
	config.broker = setting("TEST_BROKER");
	CHECK_EQUAL(thread_mqtt_init(&receiver, &config), 0);
	CHECK_EQUAL(thread_mqtt_subscribe(receiver, "memory", 0, NULL), 0);
	CHECK_EQUAL(thread_mqtt_start(receiver), 0);
	await(&receiver_told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);

	told_init(&sender_told);
	config.user_data = &sender_told;
	CHECK_EQUAL(thread_mqtt_init(&sender, &config), 0);
	CHECK_EQUAL(thread_mqtt_start(sender), 0);
	CHECK_EQUAL(thread_mqtt_publish_wait(sender, &message, NULL, THREAD_MQTT_WAIT_ACKNOWLEDGED,
					     PATIENCE),
		    0);
	/* It is skipped as it streams by; the connection stays, and what fits behind it arrives. */
	message.payload_len = 7;
	CHECK_EQUAL(thread_mqtt_publish_wait(sender, &message, NULL, THREAD_MQTT_WAIT_ACKNOWLEDGED,
					     PATIENCE),
		    0);
	await(&receiver_told, THREAD_MQTT_EVENT_MESSAGE, 1);
	CHECK_EQUAL(told_count(&receiver_told, THREAD_MQTT_EVENT_MESSAGE), 1);
	CHECK_EQUAL(told_count(&receiver_told, THREAD_MQTT_EVENT_FAILED), 0);
	CHECK_EQUAL(thread_mqtt_deinit(sender), 0);
	CHECK_EQUAL(thread_mqtt_deinit(receiver), 0);
}

void memory_cases(void)
{
	commands();
	init();
	a_message_that_is_too_large();
}
