/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <zephyr/sys/fdtable.h>
#include <zephyr/sys/sys_heap.h>

#include "common.h"

void told_init(struct told *told)
{
	memset(told, 0, sizeof(*told));
	for (size_t i = 0; i < ARRAY_SIZE(told->of); i++) {
		(void)k_sem_init(&told->of[i], 0, K_SEM_MAX_LIMIT);
	}
}

void tell(struct thread_mqtt *client, const struct thread_mqtt_event *event, void *user_data)
{
	struct told *told = user_data;

	zassert_not_null(client);
	if (event->type == THREAD_MQTT_EVENT_FAILED) {
		zassert_not_null(event->text);
		told->error = event->error;
		told->stage = event->stage;
		told->has_cure = event->cure != NULL;
	}
	told->number = event->number;
	k_sem_give(&told->of[event->type]);
}

struct thread_mqtt *new_client(struct told *told)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client = NULL;

	told_init(told);
	config.callback = tell;
	config.user_data = told;
	zassert_ok(thread_mqtt_init(&client, &config));
	zassert_not_null(client);
	return client;
}

/* Returns what is in use in all heaps, or the peak. */
static size_t heaps(bool peak, bool restart)
{
	struct sys_heap **heaps;
	int count = sys_heap_array_get(&heaps);
	size_t bytes = 0;

	zassert_true(count > 0);
	for (int i = 0; i < count; i++) {
		struct sys_memory_stats stats;

		if (restart) {
			zassert_ok(sys_heap_runtime_stats_reset_max(heaps[i]));
		}
		zassert_ok(sys_heap_runtime_stats_get(heaps[i], &stats));
		bytes += peak ? stats.max_allocated_bytes : stats.allocated_bytes;
	}
	return bytes;
}

size_t heap_used(void)
{
	return heaps(false, false);
}

size_t heap_peak(void)
{
	return heaps(true, false);
}

size_t heap_peak_restart(void)
{
	return heaps(true, true);
}

int free_descriptors(void)
{
	int taken[CONFIG_ZVFS_OPEN_MAX + 1];
	int count = 0;

	while (count < ARRAY_SIZE(taken)) {
		taken[count] = zvfs_reserve_fd();
		if (taken[count] < 0) {
			break;
		}
		count++;
	}
	for (int i = 0; i < count; i++) {
		zvfs_free_fd(taken[i]);
	}
	return count;
}
