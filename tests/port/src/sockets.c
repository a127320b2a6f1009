/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The host's sockets under Zephyr's names. Each call can be made to fail once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "stub.h"

static const char *failing_call;
static int failing_error;
static int open_descriptors;

void stub_fail_call(const char *name, int error)
{
	failing_error = error;
	__atomic_store_n(&failing_call, name, __ATOMIC_SEQ_CST);
}

bool stub_fails(const char *name)
{
	const char *failing = __atomic_load_n(&failing_call, __ATOMIC_SEQ_CST);

	if (failing == NULL || strcmp(failing, name) != 0) {
		return false;
	}
	__atomic_store_n(&failing_call, NULL, __ATOMIC_SEQ_CST);
	errno = failing_error;
	return true;
}

int stub_count_descriptor(int fd)
{
	if (fd >= 0) {
		__atomic_add_fetch(&open_descriptors, 1, __ATOMIC_SEQ_CST);
	}
	return fd;
}

int stub_open_descriptors(void)
{
	return __atomic_load_n(&open_descriptors, __ATOMIC_SEQ_CST);
}

#define CALL(call, ...) (stub_fails("zsock_" #call) ? -1 : call(__VA_ARGS__))

int zsock_socket(int family, int type, int protocol)
{
	return stub_count_descriptor(CALL(socket, family, type, protocol));
}

int zsock_close(int fd)
{
	int result = close(fd);

	if (result != 0) {
		stub_fail(__FILE__, __LINE__, "descriptor %d is closed, which is not open", fd);
	}
	__atomic_sub_fetch(&open_descriptors, 1, __ATOMIC_SEQ_CST);
	return result;
}

int zsock_fcntl(int fd, int command, int flags)
{
	return CALL(fcntl, fd, command, flags);
}

int zsock_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	return CALL(bind, fd, address, length);
}

int zsock_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	return CALL(connect, fd, address, length);
}

int zsock_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
	return CALL(getsockopt, fd, level, option, value, length);
}

ssize_t zsock_send(int fd, const void *data, size_t length, int flags)
{
	return CALL(send, fd, data, length, flags | MSG_NOSIGNAL);
}

ssize_t zsock_recv(int fd, void *data, size_t length, int flags)
{
	return CALL(recv, fd, data, length, flags);
}

ssize_t zsock_sendto(int fd, const void *data, size_t length, int flags,
		     const struct sockaddr *address, socklen_t address_length)
{
	return CALL(sendto, fd, data, length, flags, address, address_length);
}

ssize_t zsock_recvfrom(int fd, void *data, size_t length, int flags, struct sockaddr *address,
		       socklen_t *address_length)
{
	return CALL(recvfrom, fd, data, length, flags, address, address_length);
}

static bool wants_to_send;

bool stub_wants_to_send(void)
{
	return wants_to_send;
}

int zsock_poll(struct pollfd *polls, int count, int timeout)
{
	stub_enter_foreign("zsock_poll()");
	CHECK(count <= TMQ_POLL_MAX);
	wants_to_send = false;
	for (int i = 0; i < count; i++) {
		wants_to_send |= (polls[i].events & POLLOUT) != 0;
	}
	stub_note_timeout(timeout);
	return CALL(poll, polls, count, stub_clock_stands() ? 0 : timeout);
}

/* -------------------------------------------------------------------------------------- getaddrinfo */

static char asked_name[256];
static int times_asked;
static int resolver_failure;
static int resolver_errno;

const char *stub_asked_name(void)
{
	return asked_name;
}

int stub_times_asked(void)
{
	return times_asked;
}

void stub_resolver_fails(int error, int number)
{
	resolver_failure = error;
	resolver_errno = number;
}

int zsock_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		      struct addrinfo **found)
{
	struct addrinfo numeric = *hints;

	snprintf(asked_name, sizeof(asked_name), "%s", host);
	times_asked++;
	if (resolver_failure != 0) {
		int error = resolver_failure;

		resolver_failure = 0;
		errno = resolver_errno;
		return error;
	}
	/* "both.example": one answer per family. */
	numeric.ai_flags = AI_NUMERICHOST;
	if (strcmp(host, "both.example") == 0) {
		struct addrinfo *second;

		CHECK(getaddrinfo("192.0.2.7", service, &numeric, found) == 0);
		CHECK(getaddrinfo("2001:db8::7", service, &numeric, &second) == 0);
		(*found)->ai_next = second;
		return 0;
	}
	return getaddrinfo(host, service, &numeric, found);
}

void zsock_freeaddrinfo(struct addrinfo *found)
{
	while (found != NULL) {
		struct addrinfo *next = found->ai_next;

		found->ai_next = NULL;
		freeaddrinfo(found);
		found = next;
	}
}
