/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The storage of thread_mqtt_port.h, in RAM.
 */
#include <stdbool.h>
#include <string.h>

#include <thread_mqtt_port.h>

#include "store.h"

/* The longest key is 12 characters, ".8001" and a NUL. */
#define KEY     18
#define LENGTH  256
#define RECORDS 24

static struct record {
	bool used;
	char key[KEY];
	uint8_t data[LENGTH];
	size_t length;
} records[RECORDS];

void store_wipe(void)
{
	memset(records, 0, sizeof(records));
}

static struct record *find(const char *key)
{
	for (size_t i = 0; i < RECORDS; i++) {
		if (records[i].used && strcmp(records[i].key, key) == 0) {
			return &records[i];
		}
	}
	return NULL;
}

static struct record *find_free(void)
{
	for (size_t i = 0; i < RECORDS; i++) {
		if (!records[i].used) {
			return &records[i];
		}
	}
	return NULL;
}

int32_t tmq_port_store_read(const char *key, uint8_t *buffer, size_t size)
{
	const struct record *record = find(key);

	if (record == NULL) {
		return TMQ_NOT_FOUND;
	}
	if (record->length > size) {
		return TMQ_TOO_SMALL;
	}
	memcpy(buffer, record->data, record->length);
	return (int32_t)record->length;
}

int32_t tmq_port_store_write(const char *key, const uint8_t *data, size_t length)
{
	struct record *record = find(key);

	if (record == NULL) {
		record = find_free();
	}
	if (record == NULL || length > LENGTH || strlen(key) >= KEY) {
		return TMQ_STORAGE_FULL;
	}
	record->used = true;
	strcpy(record->key, key);
	memcpy(record->data, data, length);
	record->length = length;
	return 0;
}

int32_t tmq_port_store_delete(const char *key)
{
	struct record *record = find(key);

	if (record != NULL) {
		record->used = false;
	}
	return 0;
}

int32_t tmq_port_store_each(const char *prefix,
			    void (*found)(void *context, const char *key, const uint8_t *data,
					  size_t length),
			    void *context)
{
	for (size_t i = 0; i < RECORDS; i++) {
		if (records[i].used && strncmp(records[i].key, prefix, strlen(prefix)) == 0) {
			found(context, records[i].key, records[i].data, records[i].length);
		}
	}
	return 0;
}
