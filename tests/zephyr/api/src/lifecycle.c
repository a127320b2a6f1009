/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Start, stop and deletion in every order. Nothing may be left behind.
 */
#include "common.h"

ZTEST_SUITE(lifecycle, NULL, NULL, NULL, NULL, NULL);

ZTEST(lifecycle, test_twice)
{
	struct told told;
	struct thread_mqtt *client = new_client(&told);

	zassert_equal(thread_mqtt_stop(client), THREAD_MQTT_ERROR_STATE, "not started");
	zassert_ok(thread_mqtt_start(client));
	zassert_equal(thread_mqtt_start(client), THREAD_MQTT_ERROR_STATE, "started already");
	zassert_ok(thread_mqtt_stop(client));
	zassert_equal(thread_mqtt_stop(client), THREAD_MQTT_ERROR_STATE, "stopped already");
	zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_STOPPED], PATIENCE));
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(lifecycle, test_failure_is_told_and_kept)
{
	struct told told;
	struct thread_mqtt_failure failure;
	struct thread_mqtt *client = new_client(&told);

	zassert_ok(thread_mqtt_last_error(client, &failure));
	zassert_equal(failure.error, THREAD_MQTT_OK);
	zassert_equal(failure.stage, THREAD_MQTT_STAGE_NONE);
	zassert_ok(thread_mqtt_start(client));
	zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_FAILED], PATIENCE));
	zassert_equal(told.error, THREAD_MQTT_ERROR_REFUSED);
	zassert_equal(told.stage, THREAD_MQTT_STAGE_TCP);
	zassert_true(told.has_cure);
	zassert_false(thread_mqtt_is_online(client));

	zassert_ok(thread_mqtt_last_error(client, &failure));
	zassert_equal(failure.error, THREAD_MQTT_ERROR_REFUSED);
	zassert_equal(failure.stage, THREAD_MQTT_STAGE_TCP);
	zassert_between_inclusive(failure.uptime_ms, 0, k_uptime_get());
	zassert_str_equal(failure.cause, "the broker's host refused the TCP connection");
	zassert_str_equal(failure.cure,
			  "make sure that the broker is up and listens on this port");
	zassert_ok(thread_mqtt_deinit(client));
}

/* A stop takes time; a start meanwhile is not lost. */
ZTEST(lifecycle, test_start_while_it_stops)
{
	struct told told;
	struct thread_mqtt *client = new_client(&told);

	for (int i = 0; i < 20; i++) {
		zassert_ok(thread_mqtt_start(client));
		zassert_ok(thread_mqtt_stop(client));
	}
	zassert_ok(thread_mqtt_start(client));
	zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_FAILED], PATIENCE));
	zassert_ok(thread_mqtt_stop(client));
	zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_STOPPED], PATIENCE));
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(lifecycle, test_commands_after_stop)
{
	struct told told;
	struct thread_mqtt *client = new_client(&told);
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};

	zassert_ok(thread_mqtt_start(client));
	zassert_ok(thread_mqtt_stop(client));
	zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_STOPPED], PATIENCE));
	/* Queued for the next start. */
	zassert_ok(thread_mqtt_publish(client, &message, NULL));
	zassert_ok(thread_mqtt_subscribe(client, "t", 1, NULL));
	zassert_false(thread_mqtt_is_online(client));
	zassert_ok(thread_mqtt_deinit(client));
}

struct from_callback {
	struct k_sem done;
	int deinit;
	int publish;
	int subscribe;
	int last_error;
	int stop;
};

static void call_everything(struct thread_mqtt *client, const struct thread_mqtt_event *event,
			    void *user_data)
{
	struct from_callback *called = user_data;
	struct thread_mqtt_message message = {.topic = "t"};
	struct thread_mqtt_failure failure;

	if (event->type == THREAD_MQTT_EVENT_FAILED) {
		called->deinit = thread_mqtt_deinit(client);
		called->publish = thread_mqtt_publish(client, &message, NULL);
		called->subscribe = thread_mqtt_subscribe(client, "t", 0, NULL);
		called->last_error = thread_mqtt_last_error(client, &failure);
		called->stop = thread_mqtt_stop(client);
	} else if (event->type == THREAD_MQTT_EVENT_STOPPED) {
		k_sem_give(&called->done);
	}
}

ZTEST(lifecycle, test_from_the_callback)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct from_callback called = {.deinit = 1, .publish = 1, .stop = 1};
	struct thread_mqtt *client;

	(void)k_sem_init(&called.done, 0, 1);
	config.callback = call_everything;
	config.user_data = &called;
	zassert_ok(thread_mqtt_init(&client, &config));
	zassert_ok(thread_mqtt_start(client));
	zassert_ok(k_sem_take(&called.done, PATIENCE));
	zassert_equal(called.deinit, THREAD_MQTT_ERROR_STATE, "it would wait for itself");
	zassert_ok(called.publish);
	zassert_ok(called.subscribe);
	zassert_ok(called.last_error);
	zassert_ok(called.stop);
	zassert_ok(thread_mqtt_deinit(client));
}

/* Does once everything that a client can do without a broker. */
static void cycle(bool wait)
{
	struct told told;
	struct thread_mqtt_message message = {.topic = "t", .payload = "1234", .payload_len = 4};
	struct thread_mqtt *client = new_client(&told);

	zassert_ok(thread_mqtt_publish(client, &message, NULL));
	zassert_ok(thread_mqtt_subscribe(client, "t/#", 1, NULL));
	zassert_ok(thread_mqtt_start(client));
	if (wait) {
		zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_FAILED], PATIENCE));
		zassert_ok(thread_mqtt_stop(client));
		zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_STOPPED], PATIENCE));
	}
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(lifecycle, test_nothing_is_left_behind)
{
	size_t heap;
	int descriptors;

	/* The first cycle allocates what is allocated only once. */
	cycle(true);
	heap = heap_used();
	descriptors = free_descriptors();
	for (int i = 0; i < 50; i++) {
		cycle(i % 2 == 0);
		zassert_equal(heap_used(), heap, "cycle %d", i);
		zassert_equal(free_descriptors(), descriptors, "cycle %d", i);
	}
}
