/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Gives Mbed TLS Zephyr's mutexes, which makes its PSA safe to call from several threads: its key
 * slots, its state, its random generator and its heap.
 */
#include <zephyr/init.h>
#include <zephyr/kernel.h>

#if __has_include(<mbedtls/build_info.h>)
#include <mbedtls/build_info.h>
#else /* TF-PSA-Crypto alone */
#include <tf-psa-crypto/build_info.h>
#endif
#include <mbedtls/threading.h>

/* Mbed TLS 4 and its TF-PSA-Crypto use another name for the mutex, let its initialisation fail, and
 * require condition variables.
 */
#if defined(MBEDTLS_VERSION_MAJOR) && MBEDTLS_VERSION_MAJOR < 4
typedef mbedtls_threading_mutex_t mutex_type;

static void init(mutex_type *mutex)
{
	(void)k_mutex_init(mutex);
}
#else
typedef mbedtls_platform_mutex_t mutex_type;
#define HAS_CONDITION_VARIABLES

static int init(mutex_type *mutex)
{
	return k_mutex_init(mutex);
}
#endif

static void release(mutex_type *mutex)
{
	ARG_UNUSED(mutex);
}

static int lock(mutex_type *mutex)
{
	return k_mutex_lock(mutex, K_FOREVER) == 0 ? 0 : MBEDTLS_ERR_THREADING_MUTEX_ERROR;
}

static int unlock(mutex_type *mutex)
{
	return k_mutex_unlock(mutex) == 0 ? 0 : MBEDTLS_ERR_THREADING_MUTEX_ERROR;
}

#if defined(HAS_CONDITION_VARIABLES)
static int condition_init(mbedtls_platform_condition_variable_t *condition)
{
	return k_condvar_init(condition);
}

static void condition_release(mbedtls_platform_condition_variable_t *condition)
{
	ARG_UNUSED(condition);
}

static int condition_signal(mbedtls_platform_condition_variable_t *condition)
{
	/* The caller does not need the number of threads woken. */
	return k_condvar_signal(condition) >= 0 ? 0 : MBEDTLS_ERR_THREADING_MUTEX_ERROR;
}

static int condition_broadcast(mbedtls_platform_condition_variable_t *condition)
{
	return k_condvar_broadcast(condition) >= 0 ? 0 : MBEDTLS_ERR_THREADING_MUTEX_ERROR;
}

static int condition_wait(mbedtls_platform_condition_variable_t *condition, mutex_type *mutex)
{
	return k_condvar_wait(condition, mutex, K_FOREVER) == 0 ? 0
								: MBEDTLS_ERR_THREADING_MUTEX_ERROR;
}
#endif

static int set_locks(void)
{
#if defined(HAS_CONDITION_VARIABLES)
	mbedtls_threading_set_alt(init, release, lock, unlock, condition_init, condition_release,
				  condition_signal, condition_broadcast, condition_wait);
#else
	mbedtls_threading_set_alt(init, release, lock, unlock);
#endif
	return 0;
}

/* Runs before Zephyr initialises Mbed TLS, which uses these functions. */
SYS_INIT(set_locks, PRE_KERNEL_1, 0);
