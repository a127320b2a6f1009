/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Mbed TLS 4 and TF-PSA-Crypto: what they require of MBEDTLS_THREADING_ALT.
 */
#ifndef STUB_MBEDTLS_THREADING_H_
#define STUB_MBEDTLS_THREADING_H_
#include <threading_alt.h>
#define MBEDTLS_ERR_THREADING_USAGE_ERROR -0x001E
#define MBEDTLS_ERR_THREADING_MUTEX_ERROR MBEDTLS_ERR_THREADING_USAGE_ERROR
void mbedtls_threading_set_alt(int (*init)(mbedtls_platform_mutex_t *),
			       void (*release)(mbedtls_platform_mutex_t *),
			       int (*lock)(mbedtls_platform_mutex_t *),
			       int (*unlock)(mbedtls_platform_mutex_t *),
			       int (*condition_init)(mbedtls_platform_condition_variable_t *),
			       void (*condition_release)(mbedtls_platform_condition_variable_t *),
			       int (*signal)(mbedtls_platform_condition_variable_t *),
			       int (*broadcast)(mbedtls_platform_condition_variable_t *),
			       int (*wait)(mbedtls_platform_condition_variable_t *,
					   mbedtls_platform_mutex_t *));
#endif
