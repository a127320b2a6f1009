/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The chip's device id.
 */
#ifndef STUB_HWINFO_H_
#define STUB_HWINFO_H_
#include <stdint.h>
#include <sys/types.h>
ssize_t hwinfo_get_device_id(uint8_t *buffer, size_t length);
#endif
