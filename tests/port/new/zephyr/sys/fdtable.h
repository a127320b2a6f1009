/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The flags of a descriptor.
 */
#ifndef STUB_FDTABLE_H_
#define STUB_FDTABLE_H_
#include <fcntl.h>
#define ZVFS_F_GETFL    F_GETFL
#define ZVFS_F_SETFL    F_SETFL
#define ZVFS_O_NONBLOCK O_NONBLOCK
#endif
