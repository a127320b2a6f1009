/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Random numbers.
 */
#ifndef STUB_RANDOM_H_
#define STUB_RANDOM_H_
#include <stddef.h>
int sys_csrand_get(void *buffer, size_t length);
#endif
