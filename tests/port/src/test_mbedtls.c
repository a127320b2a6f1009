/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The locks that Mbed TLS receives: two threads count together, and one waits for the other.
 */
#include "stub.h"

#if __has_include(<mbedtls/threading.h>)
#include <mbedtls/threading.h>

#if defined(MBEDTLS_VERSION_MAJOR)

typedef mbedtls_threading_mutex_t mutex_type;

static void (*mutex_init)(mutex_type *);
static void (*mutex_release)(mutex_type *);
static int (*mutex_lock)(mutex_type *);
static int (*mutex_unlock)(mutex_type *);

void mbedtls_threading_set_alt(void (*init)(mutex_type *), void (*release)(mutex_type *),
			       int (*lock)(mutex_type *), int (*unlock)(mutex_type *))
{
	mutex_init = init;
	mutex_release = release;
	mutex_lock = lock;
	mutex_unlock = unlock;
}

#else

typedef mbedtls_platform_mutex_t mutex_type;
typedef mbedtls_platform_condition_variable_t condition_type;

static int (*mutex_init)(mutex_type *);
static void (*mutex_release)(mutex_type *);
static int (*mutex_lock)(mutex_type *);
static int (*mutex_unlock)(mutex_type *);
static int (*condition_init)(condition_type *);
static void (*condition_release)(condition_type *);
static int (*condition_signal)(condition_type *);
static int (*condition_broadcast)(condition_type *);
static int (*condition_wait)(condition_type *, mutex_type *);

void mbedtls_threading_set_alt(int (*init)(mutex_type *), void (*release)(mutex_type *),
			       int (*lock)(mutex_type *), int (*unlock)(mutex_type *),
			       int (*c_init)(condition_type *), void (*c_release)(condition_type *),
			       int (*signal)(condition_type *), int (*broadcast)(condition_type *),
			       int (*wait)(condition_type *, mutex_type *))
{
	mutex_init = init;
	mutex_release = release;
	mutex_lock = lock;
	mutex_unlock = unlock;
	condition_init = c_init;
	condition_release = c_release;
	condition_signal = signal;
	condition_broadcast = broadcast;
	condition_wait = wait;
}

static condition_type condition;

static void *count_down(void *argument)
{
	int *count = argument;
	extern mutex_type stub_mutex;

	for (int i = 0; i < 100; i++) {
		CHECK_EQUAL(mutex_lock(&stub_mutex), 0);
		(*count)--;
		CHECK_EQUAL(i % 2 == 0 ? condition_signal(&condition) : condition_broadcast(&condition),
			    0);
		CHECK_EQUAL(mutex_unlock(&stub_mutex), 0);
	}
	return NULL;
}

#endif

mutex_type stub_mutex;

static void *count_up(void *argument)
{
	int *count = argument;

	for (int i = 0; i < 1000; i++) {
		CHECK_EQUAL(mutex_lock(&stub_mutex), 0);
		(*count)++;
		CHECK_EQUAL(mutex_unlock(&stub_mutex), 0);
	}
	return NULL;
}

TEST(mbed_tls_locks_with_zephyrs_mutexes)
{
	pthread_t threads[2];
	int count = 0;

	/* Set at boot, before Mbed TLS uses them. */
	CHECK(mutex_init != NULL);
	(void)mutex_init(&stub_mutex);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		stub_start_thread(&threads[i], count_up, &count);
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		(void)pthread_join(threads[i], NULL);
	}
	CHECK_EQUAL(count, 2000);
	mutex_release(&stub_mutex);
}

#if !defined(MBEDTLS_VERSION_MAJOR)

TEST(mbed_tls_waits_with_zephyrs_condition_variables)
{
	pthread_t thread;
	int count = 100;

	CHECK_EQUAL(mutex_init(&stub_mutex), 0);
	CHECK_EQUAL(condition_init(&condition), 0);
	stub_start_thread(&thread, count_down, &count);
	CHECK_EQUAL(mutex_lock(&stub_mutex), 0);
	while (count > 0) {
		CHECK_EQUAL(condition_wait(&condition, &stub_mutex), 0);
	}
	CHECK_EQUAL(mutex_unlock(&stub_mutex), 0);
	(void)pthread_join(thread, NULL);
	condition_release(&condition);
	mutex_release(&stub_mutex);
}

#endif
#endif
