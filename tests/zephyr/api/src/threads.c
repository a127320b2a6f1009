/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Several threads use one client.
 */
#include <stdlib.h>

#include "common.h"

#define THREADS 4
#define CALLS   40

ZTEST_SUITE(threads, NULL, NULL, NULL, NULL, NULL);

static K_THREAD_STACK_ARRAY_DEFINE(stacks, THREADS, 8192);
static struct k_thread pool[THREADS];

static void run(k_thread_entry_t entry, void *first, void *second)
{
	for (size_t i = 0; i < THREADS; i++) {
		(void)k_thread_create(&pool[i], stacks[i], K_THREAD_STACK_SIZEOF(stacks[i]), entry,
				      first, second, (void *)i, K_PRIO_PREEMPT(5), 0, K_NO_WAIT);
	}
}

static void join(void)
{
	for (size_t i = 0; i < THREADS; i++) {
		zassert_ok(k_thread_join(&pool[i], PATIENCE));
	}
}

static void publisher(void *client, void *tokens, void *index)
{
	uint32_t *queued = (uint32_t *)tokens + 8 * (size_t)index;
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};

	/* The outbox holds 4 times 4 messages. */
	for (size_t i = 0; i < 4; i++) {
		zassert_ok(thread_mqtt_publish(client, &message, &queued[i]));
		k_yield();
	}
	zassert_equal(thread_mqtt_publish(NULL, &message, NULL), THREAD_MQTT_ERROR_ARGUMENT);
}

static int by_number(const void *left, const void *right)
{
	return *(const uint32_t *)left > *(const uint32_t *)right ? 1 : -1;
}

ZTEST(threads, test_every_message_is_queued_once)
{
	struct told told;
	struct thread_mqtt *client = new_client(&told);
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};
	uint32_t tokens[THREADS][8] = {0};
	uint32_t all[THREADS * 4];

	run(publisher, client, tokens);
	join();
	for (size_t i = 0; i < THREADS; i++) {
		memcpy(&all[4 * i], tokens[i], 4 * sizeof(uint32_t));
	}
	qsort(all, ARRAY_SIZE(all), sizeof(all[0]), by_number);
	for (size_t i = 1; i < ARRAY_SIZE(all); i++) {
		zassert_equal(all[i], all[i - 1] + 1, "each has a token of its own");
	}
	zassert_equal(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_ERROR_FULL);
	zassert_ok(thread_mqtt_deinit(client));
}

/* Makes calls in any order; each must return 0 or one of the matching errors. */
static void anything(void *client, void *unused, void *index)
{
	struct thread_mqtt_message message = {.topic = "t"};
	struct thread_mqtt_failure failure;

	ARG_UNUSED(unused);
	for (size_t i = 0; i < CALLS; i++) {
		int result;

		switch ((i + (size_t)index) % 5) {
		case 0:
			result = thread_mqtt_start(client);
			break;
		case 1:
			result = thread_mqtt_publish(client, &message, NULL);
			break;
		case 2:
			result = thread_mqtt_stop(client);
			break;
		case 3:
			result = thread_mqtt_subscribe(client, "t", 0, NULL);
			break;
		default:
			result = thread_mqtt_last_error(client, &failure);
			break;
		}
		zassert_true(result == 0 || result == THREAD_MQTT_ERROR_STATE ||
				     result == THREAD_MQTT_ERROR_FULL ||
				     result == THREAD_MQTT_ERROR_ARGUMENT,
			     "%d", result);
		k_sleep(K_TICKS(i % 8 == 0));
	}
}

ZTEST(threads, test_anything_at_once)
{
	struct told told;
	struct thread_mqtt *client = new_client(&told);

	run(anything, client, NULL);
	join();
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(threads, test_the_end_amid_calls)
{
	size_t heap;

	for (int i = 0; i < 10; i++) {
		struct told told;
		struct thread_mqtt *client = new_client(&told);

		run(anything, client, NULL);
		k_msleep(i);
		zassert_ok(thread_mqtt_deinit(client));
		join();
		if (i == 0) {
			heap = heap_used();
		}
		zassert_equal(heap_used(), heap);
	}
}
