/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The flags of a descriptor up to Zephyr 3.6.
 */
#include <fcntl.h>
