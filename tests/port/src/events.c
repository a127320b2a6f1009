/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Zephyr's event descriptors are the host's. Up to Zephyr 3.6 their names are those of the host's
 * functions, so this file includes only the stubs it needs.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

bool stub_fails(const char *name);
int stub_count_descriptor(int fd);
int zvfs_eventfd(unsigned int value, int flags);
int zvfs_eventfd_read(int fd, uint64_t *value);
int zvfs_eventfd_write(int fd, uint64_t value);

int zvfs_eventfd(unsigned int value, int flags)
{
	if (flags != 1) {
		fprintf(stderr, "an event descriptor that blocks\n");
		abort();
	}
	return stub_fails("eventfd") ? -1 : stub_count_descriptor(eventfd(value, EFD_NONBLOCK));
}

int zvfs_eventfd_read(int fd, uint64_t *value)
{
	return eventfd_read(fd, value);
}

/* Waking a closed port would write to a descriptor that belongs to something else. */
int zvfs_eventfd_write(int fd, uint64_t value)
{
	int result = eventfd_write(fd, value);

	if (result != 0) {
		fprintf(stderr, "descriptor %d is written to, which is not open\n", fd);
		abort();
	}
	return result;
}
