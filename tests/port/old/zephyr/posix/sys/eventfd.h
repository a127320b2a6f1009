/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Event descriptors under their names up to Zephyr 3.6.
 */
#ifndef STUB_OLD_EVENTFD_H_
#define STUB_OLD_EVENTFD_H_
#include <stdint.h>
typedef uint64_t eventfd_t;
#define EFD_NONBLOCK 1
int zvfs_eventfd(unsigned int value, int flags);
int zvfs_eventfd_read(int fd, eventfd_t *value);
int zvfs_eventfd_write(int fd, eventfd_t value);
#define eventfd       zvfs_eventfd
#define eventfd_read  zvfs_eventfd_read
#define eventfd_write zvfs_eventfd_write
#endif
