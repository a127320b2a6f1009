/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Zephyr's mutexes for Mbed TLS, whose PSA is then safe to call from several threads: its key
 * slots, its state, its random generator and its heap.
 */
#include <zephyr/init.h>
#include <zephyr/kernel.h>

#include <mbedtls/build_info.h>
#include <mbedtls/threading.h>

#if MBEDTLS_VERSION_MAJOR > 3
#error "Mbed TLS 4 wants other locks: set CONFIG_THREAD_MQTT_MBEDTLS_THREADING=n and supply them"
#endif

static void init(mbedtls_threading_mutex_t *mutex)
{
	(void)k_mutex_init(mutex);
}

static void release(mbedtls_threading_mutex_t *mutex)
{
	ARG_UNUSED(mutex);
}

static int lock(mbedtls_threading_mutex_t *mutex)
{
	return k_mutex_lock(mutex, K_FOREVER) == 0 ? 0 : MBEDTLS_ERR_THREADING_MUTEX_ERROR;
}

static int unlock(mbedtls_threading_mutex_t *mutex)
{
	return k_mutex_unlock(mutex) == 0 ? 0 : MBEDTLS_ERR_THREADING_MUTEX_ERROR;
}

static int set_locks(void)
{
	mbedtls_threading_set_alt(init, release, lock, unlock);
	return 0;
}

/* Before Zephyr's initialisation of Mbed TLS, which takes them. */
SYS_INIT(set_locks, PRE_KERNEL_1, 0);
