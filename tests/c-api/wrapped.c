/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Wrappers of the port's and heap's functions that the library calls here (linked with --wrap). Each
 * checks that the library holds no port lock during the call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdatomic.h>

#include <thread_mqtt_port.h>

#include "check.h"

/* ------------------------------------------------------------------------------------- the heap */

static atomic_size_t used;
static atomic_size_t peak;
static atomic_size_t limit = SIZE_MAX;
/* What this thread has allocated minus what it has freed. */
static _Thread_local long long used_here;
static _Thread_local long long limit_here = LLONG_MAX;
static _Thread_local size_t limit_each = SIZE_MAX;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
int __real_posix_memalign(void **pointer, size_t alignment, size_t size);
void __real_free(void *pointer);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
int __wrap_posix_memalign(void **pointer, size_t alignment, size_t size);
void __wrap_free(void *pointer);

static bool is_too_much(size_t size)
{
	size_t all = atomic_load(&limit);

	return size > limit_each ||
	       (limit_here != LLONG_MAX && used_here + (long long)size > limit_here) ||
	       (all != SIZE_MAX && atomic_load(&used) + size > all);
}

static void *counted(void *pointer)
{
	size_t size = pointer == NULL ? 0 : malloc_usable_size(pointer);
	size_t now = atomic_fetch_add(&used, size) + size;
	size_t most = atomic_load(&peak);

	used_here += (long long)size;
	while (now > most && !atomic_compare_exchange_weak(&peak, &most, now)) {
	}
	return pointer;
}

void *__wrap_malloc(size_t size)
{
	return is_too_much(size) ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_too_much(count * size) ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *pointer, size_t size)
{
	size_t before = pointer == NULL ? 0 : malloc_usable_size(pointer);
	void *moved;

	if (is_too_much(size)) {
		return NULL;
	}
	moved = __real_realloc(pointer, size);
	if (moved != NULL) {
		atomic_fetch_sub(&used, before);
		used_here -= (long long)before;
	}
	return counted(moved);
}

int __wrap_posix_memalign(void **pointer, size_t alignment, size_t size)
{
	int error = is_too_much(size) ? ENOMEM : __real_posix_memalign(pointer, alignment, size);

	if (error == 0) {
		(void)counted(*pointer);
	}
	return error;
}

void __wrap_free(void *pointer)
{
	size_t size = pointer == NULL ? 0 : malloc_usable_size(pointer);

	atomic_fetch_sub(&used, size);
	used_here -= (long long)size;
	__real_free(pointer);
}

size_t heap_used(void)
{
	return atomic_load(&used);
}

size_t heap_peak(void)
{
	return atomic_load(&peak);
}

size_t heap_peak_restart(void)
{
	size_t now = heap_used();

	atomic_store(&peak, now);
	return now;
}

long long heap_used_here(void)
{
	return used_here;
}

void heap_limit(size_t bytes)
{
	atomic_store(&limit, bytes);
}

void heap_limit_here(long long bytes)
{
	limit_here = bytes;
}

void heap_limit_each(size_t bytes)
{
	limit_each = bytes;
}

/* ------------------------------------------------------------------------------------ the locks */

/* Number of port locks held by this thread. */
static _Thread_local int held;

void __real_tmq_port_lock(struct tmq_port *port);
void __real_tmq_port_unlock(struct tmq_port *port);
void __real_tmq_port_lock_wait(struct tmq_port *port, int64_t timeout_ms);
void __wrap_tmq_port_lock(struct tmq_port *port);
void __wrap_tmq_port_unlock(struct tmq_port *port);
void __wrap_tmq_port_lock_wait(struct tmq_port *port, int64_t timeout_ms);

void __wrap_tmq_port_lock(struct tmq_port *port)
{
	CHECK_EQUAL(held, 0);
	__real_tmq_port_lock(port);
	held++;
}

void __wrap_tmq_port_unlock(struct tmq_port *port)
{
	CHECK_EQUAL(held, 1);
	held--;
	__real_tmq_port_unlock(port);
}

void __wrap_tmq_port_lock_wait(struct tmq_port *port, int64_t timeout_ms)
{
	CHECK_EQUAL(held, 1);
	held--;
	__real_tmq_port_lock_wait(port, timeout_ms);
	held++;
}

/* Wraps a port function that must not be called with the lock held. */
#define UNLOCKED(result, name, parameters, arguments)                                              \
	result __real_##name parameters;                                                           \
	result __wrap_##name parameters;                                                           \
	result __wrap_##name parameters                                                            \
	{                                                                                          \
		CHECK_EQUAL(held, 0);                                                              \
		return __real_##name arguments;                                                    \
	}

UNLOCKED(void, tmq_port_wake, (struct tmq_port *port), (port))
UNLOCKED(int32_t, tmq_client_enter, (const void *client), (client))
UNLOCKED(void, tmq_client_leave, (const void *client), (client))
UNLOCKED(int32_t, tmq_client_close, (const void *client), (client))
UNLOCKED(uint8_t, tmq_client_may_wait, (const void *client), (client))
UNLOCKED(void, tmq_port_thread_join, (struct tmq_port *port), (port))

static atomic_bool no_threads;

int32_t __real_tmq_port_thread_start(struct tmq_port *port, void (*run)(void *argument),
				     void *argument);
int32_t __wrap_tmq_port_thread_start(struct tmq_port *port, void (*run)(void *argument),
				     void *argument);

static void (*thread_run)(void *argument);
static void (*thread_begins)(void);

static void run_thread(void *argument)
{
	thread_begins();
	thread_run(argument);
}

int32_t __wrap_tmq_port_thread_start(struct tmq_port *port, void (*run)(void *argument),
				     void *argument)
{
	if (atomic_load(&no_threads)) {
		return THREAD_MQTT_ERROR_PLATFORM - EAGAIN;
	}
	if (thread_begins != NULL) {
		thread_run = run;
		run = run_thread;
	}
	return __real_tmq_port_thread_start(port, run, argument);
}

void at_thread_begin(void (*call)(void))
{
	thread_begins = call;
}

void refuse_threads(bool refuse)
{
	atomic_store(&no_threads, refuse);
}
UNLOCKED(void, tmq_port_await_answer, (struct tmq_port *port, uint8_t awaited), (port, awaited))
UNLOCKED(void, tmq_port_wait,
	 (struct tmq_port *port, int64_t timeout_ms, uint8_t receive, uint8_t send),
	 (port, timeout_ms, receive, send))
/* The last log text of any thread. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char logged[1024];
static size_t logged_len;

bool was_logged(const char *text)
{
	bool found;

	(void)pthread_mutex_lock(&log_lock);
	found = strstr(logged, text) != NULL;
	(void)pthread_mutex_unlock(&log_lock);
	return found;
}

void __real_tmq_port_log(uint8_t level, const char *text, size_t length);
void __wrap_tmq_port_log(uint8_t level, const char *text, size_t length);

void __wrap_tmq_port_log(uint8_t level, const char *text, size_t length)
{
	CHECK_EQUAL(held, 0);
	/* Zephyr's log accepts no longer lines. */
	CHECK(length <= 160);
	(void)pthread_mutex_lock(&log_lock);
	if (logged_len + length >= sizeof(logged)) {
		logged_len = 0;
	}
	memcpy(&logged[logged_len], text, length);
	logged_len += length;
	logged[logged_len] = '\0';
	(void)pthread_mutex_unlock(&log_lock);
	__real_tmq_port_log(level, text, length);
}

UNLOCKED(int32_t, tmq_port_store_read, (const char *key, uint8_t *buffer, size_t size),
	 (key, buffer, size))
UNLOCKED(int32_t, tmq_port_store_write, (const char *key, const uint8_t *data, size_t length),
	 (key, data, length))
UNLOCKED(int32_t, tmq_port_store_delete, (const char *key), (key))
UNLOCKED(int32_t, tmq_port_store_each,
	 (const char *prefix,
	  void (*found)(void *context, const char *key, const uint8_t *data, size_t length),
	  void *context),
	 (prefix, found, context))
UNLOCKED(void, tmq_port_network, (struct tmq_port *port, struct tmq_network *network),
	 (port, network))
UNLOCKED(int32_t, tmq_port_tcp_connect, (struct tmq_port *port, const struct tmq_address *to),
	 (port, to))
UNLOCKED(int32_t, tmq_port_tcp_state, (struct tmq_port *port), (port))
UNLOCKED(int32_t, tmq_port_tcp_send, (struct tmq_port *port, const uint8_t *data, size_t length),
	 (port, data, length))
UNLOCKED(int32_t, tmq_port_tcp_receive, (struct tmq_port *port, uint8_t *buffer, size_t length),
	 (port, buffer, length))
UNLOCKED(void, tmq_port_tcp_close, (struct tmq_port *port, uint8_t with_reset), (port, with_reset))
UNLOCKED(int32_t, tmq_port_resolve,
	 (struct tmq_port *port, const char *name, size_t length, uint8_t family),
	 (port, name, length, family))

/* --------------------------------------------------------------------------------- a computation */

static pthread_mutex_t random_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t random_changed = PTHREAD_COND_INITIALIZER;
static bool random_is_held;
static int threads_held;

int32_t __real_tmq_port_random(uint8_t *buffer, size_t length);
int32_t __wrap_tmq_port_random(uint8_t *buffer, size_t length);

int32_t __wrap_tmq_port_random(uint8_t *buffer, size_t length)
{
	CHECK_EQUAL(held, 0);
	(void)pthread_mutex_lock(&random_lock);
	threads_held++;
	(void)pthread_cond_broadcast(&random_changed);
	while (random_is_held) {
		(void)pthread_cond_wait(&random_changed, &random_lock);
	}
	threads_held--;
	(void)pthread_mutex_unlock(&random_lock);
	return __real_tmq_port_random(buffer, length);
}

static void set_random(bool is_held)
{
	(void)pthread_mutex_lock(&random_lock);
	random_is_held = is_held;
	(void)pthread_cond_broadcast(&random_changed);
	(void)pthread_mutex_unlock(&random_lock);
}

void hold_random(void)
{
	set_random(true);
}

void release_random(void)
{
	set_random(false);
}

void await_held(void)
{
	(void)pthread_mutex_lock(&random_lock);
	while (threads_held == 0) {
		(void)pthread_cond_wait(&random_changed, &random_lock);
	}
	(void)pthread_mutex_unlock(&random_lock);
}
