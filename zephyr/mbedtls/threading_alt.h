/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The mutex of Mbed TLS 3, by the name under which it looks for it (MBEDTLS_THREADING_ALT).
 */
#ifndef THREAD_MQTT_THREADING_ALT_H_
#define THREAD_MQTT_THREADING_ALT_H_

#include <zephyr/kernel.h>

typedef struct k_mutex mbedtls_threading_mutex_t;

#endif /* THREAD_MQTT_THREADING_ALT_H_ */
