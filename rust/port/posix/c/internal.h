/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the C files of this port share.
 */
#ifndef THREAD_MQTT_POSIX_INTERNAL_H_
#define THREAD_MQTT_POSIX_INTERNAL_H_

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <thread_mqtt_config.h>
#include <thread_mqtt_port.h>

/* DNS asks A and AAAA at one server at a time, each from a port of its own. */
#define TMQ_UDP_SOCKETS 2

struct tmq_udp {
	int fd;
	uint16_t port;
	struct tmq_address peer;
};

/* One look-up, shared by the port and the thread that getaddrinfo() blocks. */
struct tmq_lookup;

struct tmq_port {
	struct tmq_port *next;
	/* The client is about to be freed, and the threads that are in it still. */
	bool closing;
	unsigned int users;
	/* An eventfd, written to by any thread to end a wait. */
	int wake_fd;
	int tcp_fd;
	/* TMQ_TCP_* or a negative code. */
	int32_t tcp_state;
	struct tmq_udp udp[TMQ_UDP_SOCKETS];
	struct tmq_lookup *lookup;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool has_thread;
	void (*run)(void *argument);
	void *argument;
	/* Whose port it is, once it has said so. */
	const void *client;
	char session[TMQ_SESSION_SIZE];
	/* That no other process has the session; -1 if there is nothing to lock. */
	int session_fd;
};

/** The code for an errno. */
static inline int32_t tmq_code(int error)
{
	return TMQ_ERRNO_BASE - error;
}

/** Whether an address is an IPv4 address, as ::ffff:a.b.c.d. */
bool tmq_is_mapped(const uint8_t bytes[16]);
/** Maps an IPv4 address. */
void tmq_map(const void *ipv4, uint8_t bytes[16]);

/** Keeps a stored session to this process until the descriptor is closed; -1 if there is nothing to lock, or
 *  TMQ_SESSION_TAKEN.
 */
int tmq_lock_session(const char *session);
#define TMQ_SESSION_TAKEN -2

/** Drops a look-up under way; its answer is ignored. */
void tmq_resolve_cancel(struct tmq_port *port);

/** Adds to an eventfd, which ends the poll of its reader. */
void tmq_signal(int fd);

/** An environment variable that is set and not empty, or NULL. */
const char *tmq_environment(const char *name);

#endif /* THREAD_MQTT_POSIX_INTERNAL_H_ */
