/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Settings and TLS credentials in memory.
 */
#include <errno.h>

#include <zephyr/net/tls_credentials.h>
#include <zephyr/settings/settings.h>

#include "stub.h"

static struct {
	char name[64];
	uint8_t value[512];
	size_t length;
} kept[8];
static int settings_error;

void stub_fail_settings(int error)
{
	settings_error = error;
}

/* Returns the place of a name, or the first free one. */
static size_t place(const char *name)
{
	size_t index = 0;

	while (kept[index].name[0] != '\0' && strcmp(kept[index].name, name) != 0) {
		index++;
		CHECK(index < ARRAY_SIZE(kept));
	}
	return index;
}

size_t stub_kept(const char *name)
{
	size_t index = place(name);

	return kept[index].name[0] == '\0' ? 0 : kept[index].length;
}

int settings_subsys_init(void)
{
	stub_enter_foreign(__func__);
	return settings_error == -EIO ? -EIO : 0;
}

int settings_save_one(const char *name, const void *value, size_t length)
{
	size_t index = place(name);

	if (settings_error != 0) {
		return settings_error;
	}
	CHECK(length <= sizeof(kept[index].value));
	snprintf(kept[index].name, sizeof(kept[index].name), "%s", name);
	memcpy(kept[index].value, value, length);
	kept[index].length = length;
	return 0;
}

int settings_delete(const char *name)
{
	size_t index = place(name);

	if (settings_error == 0) {
		/* A deleted name stays in the list, without a value. */
		kept[index].length = 0;
	}
	return settings_error;
}

static ssize_t read_value(void *argument, void *data, size_t length)
{
	size_t index = *(size_t *)argument;

	if (settings_error == -EBADF) {
		return -EBADF;
	}
	length = MIN(length, kept[index].length);
	memcpy(data, kept[index].value, length);
	return length;
}

int settings_load_subtree_direct(const char *subtree, settings_load_direct_cb callback,
				 void *parameter)
{
	size_t length = strlen(subtree);

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const char *rest = &kept[i].name[length];
		bool is_below = strncmp(kept[i].name, subtree, length) == 0 &&
				(*rest == '\0' || *rest == '/');

		if (kept[i].name[0] != '\0' && kept[i].length > 0 && is_below) {
			(void)callback(*rest == '\0' ? NULL : rest + 1, kept[i].length, read_value, &i,
				       parameter);
		}
	}
	return 0;
}

/* ----------------------------------------------------------------------------------- credentials */

static struct {
	int tag;
	int type;
	const void *data;
	size_t length;
} credentials[4];
static size_t credential_count;

void stub_set_credential(int tag, int type, const void *data, size_t length)
{
	credentials[credential_count].tag = tag;
	credentials[credential_count].type = type;
	credentials[credential_count].data = data;
	credentials[credential_count++].length = length;
}

int tls_credential_get(sec_tag_t tag, enum tls_credential_type type, void *buffer, size_t *length)
{
	for (size_t i = 0; i < credential_count; i++) {
		if (credentials[i].tag != tag || credentials[i].type != (int)type) {
			continue;
		}
		if (credentials[i].length > *length) {
			return -EFBIG;
		}
		memcpy(buffer, credentials[i].data, credentials[i].length);
		*length = credentials[i].length;
		return 0;
	}
	return tag < 0 ? -EACCES : -ENOENT;
}
