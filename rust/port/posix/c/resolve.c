/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Look-ups by the C library's resolver, each in a thread of its own because getaddrinfo() blocks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

struct tmq_lookup {
	pthread_mutex_t lock;
	/* The port and the thread; the last one frees it. */
	int owners;
	/* A duplicate, so that the port may be closed before the answer comes. */
	int wake_fd;
	char name[256];
	uint8_t family;
	bool done;
	int32_t status;
	uint8_t count;
	struct tmq_address answers[TMQ_ANSWERS];
};

static void release(struct tmq_lookup *lookup)
{
	int owners;

	(void)pthread_mutex_lock(&lookup->lock);
	owners = --lookup->owners;
	(void)pthread_mutex_unlock(&lookup->lock);
	if (owners == 0) {
		(void)close(lookup->wake_fd);
		(void)pthread_mutex_destroy(&lookup->lock);
		free(lookup);
	}
}

static int32_t resolver_failure(int error)
{
	switch (error) {
	case 0: /* the name exists, without an address of the family */
	case EAI_NODATA:
		return 0;
	case EAI_NONAME:
		return TMQ_NOT_FOUND;
	case EAI_AGAIN: /* no server answered */
		return TMQ_TIMED_OUT;
	case EAI_FAIL:
		return TMQ_SERVER_FAILED;
	case EAI_MEMORY:
		return tmq_code(ENOMEM);
	case EAI_SYSTEM:
		return tmq_code(errno);
	default:
		return tmq_code(EIO);
	}
}

static void *look_up(void *argument)
{
	struct tmq_lookup *lookup = argument;
	struct addrinfo hints = {
		.ai_family = lookup->family == TMQ_FAMILY_INET    ? AF_INET
			     : lookup->family == TMQ_FAMILY_INET6 ? AF_INET6
								  : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;
	int error = getaddrinfo(lookup->name, NULL, &hints, &found);
	int32_t status = resolver_failure(error);

	(void)pthread_mutex_lock(&lookup->lock);
	for (const struct addrinfo *info = error == 0 ? found : NULL;
	     info != NULL && lookup->count < TMQ_ANSWERS; info = info->ai_next) {
		uint8_t *bytes = lookup->answers[lookup->count].bytes;

		if (info->ai_family == AF_INET) {
			tmq_map(&((struct sockaddr_in *)info->ai_addr)->sin_addr, bytes);
			lookup->count++;
		} else if (info->ai_family == AF_INET6) {
			memcpy(bytes, &((struct sockaddr_in6 *)info->ai_addr)->sin6_addr, 16);
			lookup->count++;
		}
	}
	lookup->status = lookup->count > 0 ? lookup->count : status;
	lookup->done = true;
	(void)pthread_mutex_unlock(&lookup->lock);
	if (error == 0) {
		freeaddrinfo(found);
	}
	tmq_signal(lookup->wake_fd);
	release(lookup);
	return NULL;
}

void tmq_resolve_cancel(struct tmq_port *port)
{
	if (port->lookup != NULL) {
		release(port->lookup);
		port->lookup = NULL;
	}
}

int32_t tmq_port_resolve(struct tmq_port *port, const char *name, size_t length, uint8_t family)
{
	struct tmq_lookup *lookup;
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	tmq_resolve_cancel(port);
	if (length >= sizeof(lookup->name)) {
		return tmq_code(EINVAL);
	}
	lookup = calloc(1, sizeof(*lookup));
	if (lookup == NULL) {
		return tmq_code(ENOMEM);
	}
	memcpy(lookup->name, name, length);
	lookup->family = family;
	lookup->owners = 1;
	lookup->wake_fd = dup(port->wake_fd);
	if (lookup->wake_fd < 0 || pthread_mutex_init(&lookup->lock, NULL) != 0) {
		error = errno;
		if (lookup->wake_fd >= 0) {
			(void)close(lookup->wake_fd);
		}
		free(lookup);
		return tmq_code(error);
	}
	error = pthread_attr_init(&attributes);
	if (error == 0) {
		(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		lookup->owners = 2;
		error = pthread_create(&thread, &attributes, look_up, lookup);
		if (error != 0) {
			lookup->owners = 1;
		}
		(void)pthread_attr_destroy(&attributes);
	}
	if (error != 0) {
		release(lookup);
		return tmq_code(error);
	}
	port->lookup = lookup;
	return 0;
}

int32_t tmq_port_resolved(struct tmq_port *port, struct tmq_address answers[TMQ_ANSWERS])
{
	struct tmq_lookup *lookup = port->lookup;
	int32_t result = TMQ_WOULD_BLOCK;

	if (lookup == NULL) {
		return TMQ_WOULD_BLOCK;
	}
	(void)pthread_mutex_lock(&lookup->lock);
	if (lookup->done) {
		result = lookup->status;
		memcpy(answers, lookup->answers, sizeof(lookup->answers));
	}
	(void)pthread_mutex_unlock(&lookup->lock);
	if (result != TMQ_WOULD_BLOCK) {
		tmq_resolve_cancel(port);
	}
	return result;
}
