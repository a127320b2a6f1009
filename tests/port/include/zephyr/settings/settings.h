/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Settings in memory: see storage.c.
 */
#ifndef STUB_SETTINGS_H_
#define STUB_SETTINGS_H_
#include <stddef.h>
#include <sys/types.h>
typedef ssize_t (*settings_read_cb)(void *argument, void *data, size_t length);
typedef int (*settings_load_direct_cb)(const char *rest, size_t length, settings_read_cb read,
				       void *argument, void *parameter);
int settings_subsys_init(void);
int settings_save_one(const char *name, const void *value, size_t length);
int settings_delete(const char *name);
int settings_load_subtree_direct(const char *subtree, settings_load_direct_cb callback,
				 void *parameter);
#endif
