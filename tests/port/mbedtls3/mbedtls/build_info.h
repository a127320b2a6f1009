/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The version of Mbed TLS.
 */
#define MBEDTLS_VERSION_MAJOR 3
