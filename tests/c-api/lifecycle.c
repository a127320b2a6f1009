/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A client's life cycle without a broker: the order of events, and calls from the callback.
 */
#include <dirent.h>

#include "check.h"

static void start_and_stop(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	struct thread_mqtt_failure failure;

	CHECK_EQUAL(thread_mqtt_stop(client), THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_ERROR_STATE);
	await(&told, THREAD_MQTT_EVENT_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).error, THREAD_MQTT_ERROR_REFUSED);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).stage, THREAD_MQTT_STAGE_TCP);
	CHECK(told_last(&told, THREAD_MQTT_EVENT_FAILED).retry_ms > 0);
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), 0);
	CHECK_EQUAL(failure.error, THREAD_MQTT_ERROR_REFUSED);
	CHECK_EQUAL(failure.stage, THREAD_MQTT_STAGE_TCP);
	CHECK(failure.uptime_ms > 0 && failure.cause[0] != '\0');
	/* Stop and start without a wait: both take effect. */
	CHECK_EQUAL(thread_mqtt_stop(client), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_STOPPED, 1);
	await(&told, THREAD_MQTT_EVENT_FAILED, 2);
	CHECK_EQUAL(thread_mqtt_stop(client), 0);
	CHECK_EQUAL(thread_mqtt_stop(client), THREAD_MQTT_ERROR_STATE);
	await(&told, THREAD_MQTT_EVENT_STOPPED, 2);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* What every function returns in the callback. */
static struct {
	int deinit, start, publish, publish_wait, subscribe, last_error, stop;
} called;

static void call_everything(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};
	struct thread_mqtt_failure failure;

	if (event->type != THREAD_MQTT_EVENT_FAILED) {
		return;
	}
	called.deinit = thread_mqtt_deinit(client);
	called.start = thread_mqtt_start(client);
	called.publish = thread_mqtt_publish(client, &message, NULL);
	called.publish_wait =
		thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_ROOM, -1);
	called.subscribe = thread_mqtt_subscribe(client, "t", 0, NULL);
	called.last_error = thread_mqtt_last_error(client, &failure);
	CHECK_EQUAL(failure.error, event->error);
	CHECK(!thread_mqtt_is_online(client));
	called.stop = thread_mqtt_stop(client);
}

static void from_the_callback(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);

	told_call(&told, call_everything);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_STOPPED, 1);
	CHECK_EQUAL(called.deinit, THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(called.start, THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(called.publish, 0);
	CHECK_EQUAL(called.publish_wait, THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(called.subscribe, 0);
	CHECK_EQUAL(called.last_error, 0);
	CHECK_EQUAL(called.stop, 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

static void too_many_clients(void)
{
	struct told told[CONFIG_THREAD_MQTT_MAX_CLIENTS + 1];
	struct thread_mqtt *clients[CONFIG_THREAD_MQTT_MAX_CLIENTS];
	struct thread_mqtt *more = NULL;
	struct thread_mqtt_config config = idle_config(&told[CONFIG_THREAD_MQTT_MAX_CLIENTS]);

	for (size_t i = 0; i < COUNT(clients); i++) {
		clients[i] = idle_client(&told[i]);
	}
	CHECK_EQUAL(thread_mqtt_init(&more, &config), THREAD_MQTT_ERROR_CLIENTS);
	CHECK_EQUAL(thread_mqtt_deinit(clients[0]), 0);
	CHECK_EQUAL(thread_mqtt_init(&clients[0], &config), 0);
	for (size_t i = 0; i < COUNT(clients); i++) {
		CHECK_EQUAL(thread_mqtt_deinit(clients[i]), 0);
	}
}

static void time_of_day(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);

	CHECK(thread_mqtt_time(client) > 1767225600); /* 2026 */
	CHECK_EQUAL(thread_mqtt_set_time(-1), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_set_time(0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_set_time(INT64_MIN), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

static size_t descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	CHECK(folder != NULL);
	while (readdir(folder) != NULL) {
		count++;
	}
	(void)closedir(folder);
	return count;
}

/* Does once everything that a client can do without a broker. */
static void cycle(bool wait)
{
	struct told told;
	struct thread_mqtt_message message = {.topic = "t", .payload = "1234", .payload_len = 4};
	struct thread_mqtt *client = idle_client(&told);

	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "t/#", 1, NULL), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	if (wait) {
		await(&told, THREAD_MQTT_EVENT_FAILED, 1);
		CHECK_EQUAL(thread_mqtt_stop(client), 0);
		await(&told, THREAD_MQTT_EVENT_STOPPED, 1);
	}
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

static void nothing_is_left_behind(void)
{
	size_t heap;
	size_t open;

	/* The first cycle allocates what is allocated only once. */
	cycle(true);
	heap = heap_used();
	open = descriptors();
	for (int i = 0; i < 20; i++) {
		cycle(i % 2 == 0);
		CHECK_EQUAL(heap_used(), heap);
		CHECK_EQUAL(descriptors(), open);
	}
}

void lifecycle_cases(void)
{
	start_and_stop();
	from_the_callback();
	too_many_clients();
	time_of_day();
	nothing_is_left_behind();
}
