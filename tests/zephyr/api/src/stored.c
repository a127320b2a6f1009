/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A session in the settings, and the stack needed to resume it.
 */
#include <stdio.h>

#include <zephyr/settings/settings.h>

#include "common.h"

/* The stack that zephyr/cmake/refuse.cmake requires of the thread that calls thread_mqtt_init(). The thread has
 * more, so that the test can report how much a call that needs more takes.
 */
#define STACK    4096
#define ROOM     16384
#define MESSAGES 8

static struct told told;
static struct k_thread thread;
static K_THREAD_STACK_DEFINE(stack, ROOM);

#define SUBTREE "thread_mqtt"

static int find(const char *key, size_t length, settings_read_cb read, void *argument, void *found)
{
	ARG_UNUSED(length);
	ARG_UNUSED(read);
	ARG_UNUSED(argument);
	(void)snprintf(found, SETTINGS_MAX_NAME_LEN + 1, SUBTREE "/%s", key);
	return 0;
}

/* native_sim's flash is a file, which may be left from an earlier run. */
static void forget(void *fixture)
{
	char found[SETTINGS_MAX_NAME_LEN + 1];

	ARG_UNUSED(fixture);
	do {
		found[0] = '\0';
		zassert_ok(settings_load_subtree_direct(SUBTREE, find, found));
		zassert_ok(found[0] == '\0' ? 0 : settings_delete(found));
	} while (found[0] != '\0');
}

static void *setup(void)
{
	zassert_ok(settings_subsys_init());
	return NULL;
}

ZTEST_SUITE(stored, NULL, setup, forget, forget, NULL);

struct making {
	struct thread_mqtt_config config;
	struct thread_mqtt *client;
	int result;
};

static void make(void *first, void *second, void *third)
{
	struct making *making = first;

	ARG_UNUSED(second);
	ARG_UNUSED(third);
	making->result = thread_mqtt_init(&making->client, &making->config);
}

/* Creates a client in a thread of its own. Returns the stack used. */
static size_t made_by_thread(struct making *making)
{
	size_t unused = 0;
	k_tid_t id;

	told_init(&told);
	id = k_thread_create(&thread, stack, K_THREAD_STACK_SIZEOF(stack), make, making, NULL, NULL,
			     K_PRIO_PREEMPT(5), 0, K_NO_WAIT);
	zassert_ok(k_thread_join(id, PATIENCE));
	zassert_ok(making->result);
	zassert_ok(k_thread_stack_space_get(id, &unused));
	return ROOM - unused;
}

static void say(const char *what, int messages, size_t used)
{
	/* native_sim's threads use the host's stacks. */
	if (!IS_ENABLED(CONFIG_ARCH_POSIX)) {
		TC_PRINT("thread_mqtt_init(), %s, %d messages: %zu of %d bytes of stack\n", what,
			 messages, used, STACK);
	}
}

static void outlives_its_client(const char *what, const char *name, const void *key, size_t key_len)
{
	static const char payload[100];
	struct thread_mqtt_message message = {
		.topic = "stored/message/of/20", .payload = payload, .payload_len = sizeof(payload),
		.qos = 2};
	struct making making = {.config = THREAD_MQTT_CONFIG_DEFAULT()};
	size_t used;

	making.config.callback = tell;
	making.config.user_data = &told;
	making.config.client_id = "stored";
	making.config.clean_start = false;
	making.config.session_expiry_s = 600;
	making.config.session_name = name;
	making.config.session_key = key;
	making.config.session_key_len = key_len;
	used = made_by_thread(&making);
	say(what, 0, used);
	for (int i = 0; i < MESSAGES; i++) {
		zassert_ok(thread_mqtt_publish(making.client, &message, NULL));
		zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_STORED], PATIENCE));
	}
	zassert_ok(thread_mqtt_deinit(making.client));

	used = made_by_thread(&making);
	say(what, MESSAGES, used);
	zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_RESTORED], PATIENCE));
	zassert_equal(told.number, MESSAGES);
	zassert_ok(thread_mqtt_deinit(making.client));
	zassert_true(used <= STACK);
}

ZTEST(stored, test_plain)
{
	outlives_its_client("a session stored plain", "plain", NULL, 0);
}

ZTEST(stored, test_encrypted)
{
	static const uint8_t key[16] = {1, 2, 3};

	outlives_its_client("encrypted", "sealed", key, sizeof(key));
}
