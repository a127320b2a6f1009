/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Zephyr's OpenThread since 4.2: see openthread.c.
 */
#ifndef STUB_OPENTHREAD_H_
#define STUB_OPENTHREAD_H_
#include <openthread/instance.h>
#include <zephyr/kernel.h>
struct openthread_state_changed_callback {
	otStateChangedCallback otCallback;
	void *user_data;
};
int openthread_state_changed_callback_register(struct openthread_state_changed_callback *callback);
otInstance *openthread_get_default_instance(void);
k_tid_t openthread_thread_id_get(void);
void openthread_mutex_lock(void);
void openthread_mutex_unlock(void);
#endif
