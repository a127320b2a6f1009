/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Keeps values across reboots in Zephyr's settings, whose back ends survive a power cut: a value is then
 * either the old one or the new one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#if defined(CONFIG_THREAD_MQTT_STORAGE)

#include <zephyr/settings/settings.h>

/* Size of "thread_mqtt/" and the longest key in use. */
#define NAME_SIZE 32

struct value {
	uint8_t *buffer;
	size_t size;
	int32_t result;
};

static int32_t failure(int error)
{
	switch (error) {
	case -ENOSPC:
	case -ENOMEM:
		return TMQ_STORAGE_FULL;
	default:
		return tmq_code(-error);
	}
}

/* Gets the settings name of a key; initialises the settings if needed. */
static int32_t open_settings(const char *key, char name[NAME_SIZE])
{
	int length = snprintf(name, NAME_SIZE, "thread_mqtt/%s", key);
	int error;

	if (length < 0 || length >= NAME_SIZE) {
		return tmq_code(EINVAL);
	}
	error = settings_subsys_init();
	return error == 0 ? 0 : failure(error);
}

static int take(const char *rest, size_t length, settings_read_cb read, void *argument,
		void *parameter)
{
	struct value *value = parameter;
	ssize_t taken;

	if (rest != NULL) {
		/* An entry below the key. */
		return 0;
	}
	if (length > value->size) {
		value->result = tmq_code(EMSGSIZE);
		return 0;
	}
	taken = read(argument, value->buffer, length);
	value->result = taken >= 0 ? (int32_t)taken : failure((int)taken);
	return 0;
}

int32_t tmq_port_store_read(const char *key, uint8_t *buffer, size_t size)
{
	struct value value = {.buffer = buffer, .size = size, .result = TMQ_NOT_FOUND};
	char name[NAME_SIZE];
	int32_t code = open_settings(key, name);
	int error;

	if (code != 0) {
		return code;
	}
	error = settings_load_subtree_direct(name, take, &value);
	return error == 0 ? value.result : failure(error);
}

int32_t tmq_port_store_write(const char *key, const uint8_t *data, size_t length)
{
	char name[NAME_SIZE];
	int32_t code = open_settings(key, name);
	int error;

	if (code != 0) {
		return code;
	}
	error = settings_save_one(name, data, length);
	return error == 0 ? 0 : failure(error);
}

int32_t tmq_port_store_delete(const char *key)
{
	char name[NAME_SIZE];
	int32_t code = open_settings(key, name);
	int error;

	if (code != 0) {
		return code;
	}
	error = settings_delete(name);
	return error == 0 ? 0 : failure(error);
}

struct each {
	const char *prefix;
	void (*found)(void *context, const char *key, const uint8_t *data, size_t length);
	void *context;
	int32_t result;
};

static int take_each(const char *key, size_t length, settings_read_cb read, void *argument,
		     void *parameter)
{
	struct each *each = parameter;
	uint8_t *data;
	ssize_t taken;

	if (key == NULL || length == 0 || strncmp(key, each->prefix, strlen(each->prefix)) != 0) {
		return 0;
	}
	data = malloc(length);
	if (data == NULL) {
		each->result = tmq_code(ENOMEM);
		return 0;
	}
	taken = read(argument, data, length);
	if (taken >= 0) {
		each->found(each->context, key, data, (size_t)taken);
	} else {
		each->result = failure((int)taken);
	}
	free(data);
	return 0;
}

int32_t tmq_port_store_each(const char *prefix,
			    void (*found)(void *context, const char *key, const uint8_t *data,
					  size_t length),
			    void *context)
{
	struct each each = {.prefix = prefix, .found = found, .context = context};
	int error = settings_subsys_init();

	if (error == 0) {
		error = settings_load_subtree_direct("thread_mqtt", take_each, &each);
	}
	return error == 0 ? each.result : failure(error);
}

#else

int32_t tmq_port_store_read(const char *key, uint8_t *buffer, size_t size)
{
	ARG_UNUSED(key);
	ARG_UNUSED(buffer);
	ARG_UNUSED(size);
	return TMQ_NOT_SUPPORTED;
}

int32_t tmq_port_store_write(const char *key, const uint8_t *data, size_t length)
{
	ARG_UNUSED(key);
	ARG_UNUSED(data);
	ARG_UNUSED(length);
	return TMQ_NOT_SUPPORTED;
}

int32_t tmq_port_store_delete(const char *key)
{
	ARG_UNUSED(key);
	return TMQ_NOT_SUPPORTED;
}

int32_t tmq_port_store_each(const char *prefix,
			    void (*found)(void *context, const char *key, const uint8_t *data,
					  size_t length),
			    void *context)
{
	ARG_UNUSED(prefix);
	ARG_UNUSED(found);
	ARG_UNUSED(context);
	return TMQ_NOT_SUPPORTED;
}

#endif
