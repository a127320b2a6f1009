/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Zephyr's OpenThread up to 4.1: see openthread.c.
 */
#ifndef STUB_OLD_OPENTHREAD_H_
#define STUB_OLD_OPENTHREAD_H_
#include <openthread/instance.h>
#include <zephyr/kernel.h>
struct openthread_context;
struct openthread_state_changed_cb {
	void (*state_changed_cb)(otChangedFlags flags, struct openthread_context *context,
				 void *user_data);
	void *user_data;
};
struct openthread_context *openthread_get_default_context(void);
int openthread_state_changed_cb_register(struct openthread_context *context,
					 struct openthread_state_changed_cb *callback);
struct otInstance *openthread_get_default_instance(void);
k_tid_t openthread_thread_id_get(void);
void openthread_api_mutex_lock(struct openthread_context *context);
void openthread_api_mutex_unlock(struct openthread_context *context);
#endif
