/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the C files of the port share.
 */
#ifndef THREAD_MQTT_INTERNAL_H_
#define THREAD_MQTT_INTERNAL_H_

#include "compat.h"
#include "port.h"

/* DNS asks A and AAAA at one server at a time, each from a port of its own. */
#define TMQ_UDP_SOCKETS 2

struct tmq_udp {
	int fd;
	uint16_t port;
	bool is_ipv4;
};

struct tmq_port {
	bool taken;
	/* The client is about to be freed, and who is in it still. */
	bool closing;
	uint16_t users;
	/* Written to by any thread to end a wait. */
	int wake_fd;
	int tcp_fd;
	/* TMQ_TCP_* or a negative code. */
	int32_t tcp_state;
	struct tmq_udp udp[TMQ_UDP_SOCKETS];

	/* Since the connection began the device's address has changed. */
	bool address_changed;
	/* When bytes last left and last came. */
	int64_t sent_at;
	int64_t received_at;
	bool answer_awaited;
	/* This client wants the radio to listen often. */
	bool polls_fast;

	struct k_mutex lock;
	struct k_thread thread;
	k_tid_t thread_id;
	void (*run)(void *argument);
	void *argument;

	/* The one look-up under way. The callback may be the OpenThread thread's. */
	struct k_spinlock answer_lock;
	uint32_t lookup;
	uint8_t lookups_pending;
	int32_t answer_status;
	uint8_t answer_count;
	struct tmq_address answers[TMQ_ANSWERS];
#if defined(CONFIG_NET_L2_OPENTHREAD)
	/* The network's state changed since it was last read. */
	atomic_t network_changed;
	struct tmq_network network;
	/* The routable address that answers come to, and when the parent surely knows it. */
	uint8_t own_address[16];
	int64_t registered_at;
#endif
};

/** All ports; those not taken are idle. */
extern struct tmq_port tmq_ports[CONFIG_THREAD_MQTT_MAX_CLIENTS];

/** The code for an errno. */
static inline int32_t tmq_code(int error)
{
	return TMQ_ERRNO_BASE - error;
}

/** Called once for a port taken: follow the network's changes. */
void tmq_network_init(struct tmq_port *port);

/** Marks the port as not taken; when it returns no callback uses it any more. */
void tmq_network_end(struct tmq_port *port);

/** Milliseconds until tmq_port_network() has news that no event announces. */
int64_t tmq_network_due(const struct tmq_port *port);

#if defined(CONFIG_THREAD_MQTT_FAST_POLL) && CONFIG_THREAD_MQTT_FAST_POLL > 0
/** Lets a sleepy device poll as the wait that follows needs it; milliseconds until that changes. */
int64_t tmq_poll_due(struct tmq_port *port);
/** The port is closed and awaits nothing. */
void tmq_poll_end(struct tmq_port *port);
#else
static inline int64_t tmq_poll_due(struct tmq_port *port)
{
	ARG_UNUSED(port);
	return INT64_MAX;
}

static inline void tmq_poll_end(struct tmq_port *port)
{
	ARG_UNUSED(port);
}
#endif

/** Drops a look-up under way; its answer is ignored. */
void tmq_resolve_cancel(struct tmq_port *port);

#endif /* THREAD_MQTT_INTERNAL_H_ */
