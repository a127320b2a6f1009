/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Several threads use one client, and it is deleted during their calls.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <time.h>

#include "check.h"

#define THREADS 4
#define CALLS   40

struct job {
	struct thread_mqtt *client;
	size_t index;
	uint32_t tokens[4];
	int result;
};

static void run(struct job jobs[THREADS], pthread_t threads[THREADS], struct thread_mqtt *client,
		void *(*entry)(void *))
{
	for (size_t i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){.client = client, .index = i};
		CHECK_EQUAL(pthread_create(&threads[i], NULL, entry, &jobs[i]), 0);
	}
}

static void join(pthread_t threads[THREADS])
{
	for (size_t i = 0; i < THREADS; i++) {
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	}
}

void pause_ms(long milliseconds)
{
	struct timespec time = {.tv_nsec = milliseconds * 1000000};

	(void)nanosleep(&time, NULL);
}

static void *publisher(void *argument)
{
	struct job *job = argument;
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};

	/* The outbox holds 4 times 4 messages. */
	for (size_t i = 0; i < COUNT(job->tokens); i++) {
		CHECK_EQUAL(thread_mqtt_publish(job->client, &message, &job->tokens[i]), 0);
		(void)sched_yield();
	}
	return NULL;
}

static int by_number(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left;
	uint32_t b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

static void every_message_is_queued_once(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};
	struct job jobs[THREADS];
	pthread_t threads[THREADS];
	uint32_t all[THREADS * 4];

	run(jobs, threads, client, publisher);
	join(threads);
	for (size_t i = 0; i < THREADS; i++) {
		memcpy(&all[4 * i], jobs[i].tokens, sizeof(jobs[i].tokens));
	}
	qsort(all, COUNT(all), sizeof(all[0]), by_number);
	for (size_t i = 1; i < COUNT(all); i++) {
		CHECK_EQUAL(all[i], all[i - 1] + 1);
	}
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_ERROR_FULL);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* Makes calls in any order; each must return 0 or one of the matching errors. */
static void *anything(void *argument)
{
	struct job *job = argument;
	struct thread_mqtt_message message = {.topic = "t"};
	struct thread_mqtt_failure failure;

	for (size_t i = 0; i < CALLS; i++) {
		int result;

		switch ((i + job->index) % 7) {
		case 0:
			result = thread_mqtt_start(job->client);
			break;
		case 1:
			result = thread_mqtt_publish(job->client, &message, NULL);
			break;
		case 2:
			result = thread_mqtt_stop(job->client);
			break;
		case 3:
			result = thread_mqtt_subscribe(job->client, "t", 0, NULL);
			break;
		case 4:
			result = thread_mqtt_publish_wait(job->client, &message, NULL,
							  THREAD_MQTT_WAIT_ROOM, 1);
			break;
		case 5:
			result = thread_mqtt_is_online(job->client) ? 1 : 0;
			break;
		default:
			result = thread_mqtt_last_error(job->client, &failure);
			break;
		}
		CHECK(result == 0 || result == THREAD_MQTT_ERROR_STATE ||
		      result == THREAD_MQTT_ERROR_FULL || result == THREAD_MQTT_ERROR_ARGUMENT);
		if (i % 8 == 0) {
			pause_ms(1);
		}
	}
	return NULL;
}

static void anything_at_once(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	struct job jobs[THREADS];
	pthread_t threads[THREADS];

	run(jobs, threads, client, anything);
	join(threads);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

static void the_end_amid_calls(void)
{
	size_t heap = 0;

	for (int i = 0; i < 10; i++) {
		struct told told;
		struct thread_mqtt *client = idle_client(&told);
		struct job jobs[THREADS];
		pthread_t threads[THREADS];

		run(jobs, threads, client, anything);
		pause_ms(i);
		CHECK_EQUAL(thread_mqtt_deinit(client), 0);
		join(threads);
		if (i == 0) {
			heap = heap_used();
		}
		CHECK_EQUAL(heap_used(), heap);
	}
}

static void *waiter(void *argument)
{
	struct job *job = argument;
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};

	job->result = thread_mqtt_publish_wait(job->client, &message, NULL,
					       THREAD_MQTT_WAIT_ACKNOWLEDGED, -1);
	return NULL;
}

static void the_end_ends_waits(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};
	struct job jobs[THREADS];
	pthread_t threads[THREADS];

	/* Half of them wait for an acknowledgement that never comes, half for room. */
	for (int i = 0; i < 14; i++) {
		CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
	}
	run(jobs, threads, client, waiter);
	pause_ms(50);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
	join(threads);
	for (size_t i = 0; i < THREADS; i++) {
		/* A thread that was too late found no client. */
		CHECK(jobs[i].result == THREAD_MQTT_ERROR_STATE ||
		      jobs[i].result == THREAD_MQTT_ERROR_ARGUMENT);
	}
}

void thread_cases(void)
{
	every_message_is_queued_once();
	anything_at_once();
	the_end_amid_calls();
	the_end_ends_waits();
}
