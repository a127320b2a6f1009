/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Zephyr's mutexes and condition variables for Mbed TLS (MBEDTLS_THREADING_ALT), which includes this
 * header by name. The first type is for Mbed TLS 3, the others are for Mbed TLS 4.
 */
#ifndef THREAD_MQTT_THREADING_ALT_H_
#define THREAD_MQTT_THREADING_ALT_H_

#include <zephyr/kernel.h>

#if defined(MBEDTLS_VERSION_MAJOR) && MBEDTLS_VERSION_MAJOR < 4
typedef struct k_mutex mbedtls_threading_mutex_t;
#else
typedef struct k_mutex mbedtls_platform_mutex_t;
typedef struct k_condvar mbedtls_platform_condition_variable_t;
#endif

#endif /* THREAD_MQTT_THREADING_ALT_H_ */
