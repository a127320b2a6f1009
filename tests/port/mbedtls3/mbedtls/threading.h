/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Mbed TLS 3: what it requires of MBEDTLS_THREADING_ALT.
 */
#ifndef STUB_MBEDTLS_THREADING_H_
#define STUB_MBEDTLS_THREADING_H_
#include <mbedtls/build_info.h>
#include <threading_alt.h>
#define MBEDTLS_ERR_THREADING_MUTEX_ERROR -0x001E
void mbedtls_threading_set_alt(void (*init)(mbedtls_threading_mutex_t *),
			       void (*release)(mbedtls_threading_mutex_t *),
			       int (*lock)(mbedtls_threading_mutex_t *),
			       int (*unlock)(mbedtls_threading_mutex_t *));
#endif
