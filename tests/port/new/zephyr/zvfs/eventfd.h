/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Event descriptors, which can run out: see sockets.c.
 */
#ifndef STUB_EVENTFD_H_
#define STUB_EVENTFD_H_
#include <stdint.h>
typedef uint64_t zvfs_eventfd_t;
#define ZVFS_EFD_NONBLOCK 1
int zvfs_eventfd(unsigned int value, int flags);
int zvfs_eventfd_read(int fd, zvfs_eventfd_t *value);
int zvfs_eventfd_write(int fd, zvfs_eventfd_t value);
#endif
