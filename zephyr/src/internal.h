/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Declarations shared by the port's C files.
 */
#ifndef THREAD_MQTT_INTERNAL_H_
#define THREAD_MQTT_INTERNAL_H_

#include "compat.h"
#include <thread_mqtt_port.h>

/* DNS sends the A and AAAA queries to one server at a time, each from its own port. */
#define TMQ_UDP_SOCKETS 2

struct tmq_udp {
	int fd;
	uint16_t port;
	bool is_ipv4;
};

/* Indices of arrays with one element per address family. */
enum {
	TMQ_IPV6,
	TMQ_IPV4,
	TMQ_FAMILIES,
};

struct tmq_port {
	/* Any thread writes to it to end a wait. */
	int wake_fd;
	int tcp_fd;
	/* TMQ_TCP_* or a negative code. */
	int32_t tcp_state;
	/* TCP refused to send: the next wait pauses before the retry. */
	bool send_refused;
	struct tmq_udp udp[TMQ_UDP_SOCKETS];

	/* When bytes were last sent and last received. */
	int64_t sent_at;
	int64_t received_at;
	bool answer_awaited;
	/* This client wants the radio to poll often. */
	bool polls_fast;

	struct k_mutex lock;
	struct k_condvar changed;
	struct k_thread thread;
	k_tid_t thread_id;
	void (*run)(void *argument);
	void *argument;

	/* The network's state changed since it was last read. */
	atomic_t network_changed;
	/* The network as last read: when the port was opened, or in a wait. */
	struct tmq_network network;
	/* The IPv6 and IPv4 addresses that answers are sent to, and whether each has changed since the
	 * connection began, which uses one of them.
	 */
	struct tmq_address own_addresses[TMQ_FAMILIES];
	bool address_changed[TMQ_FAMILIES];
	uint8_t tcp_family;
	/* When the Thread parent is certain to know the address; the client was told to wait for it. */
	int64_t registered_at;
	bool registers;
#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	bool on_other_interface;
#endif
};

/** All ports; unused ones are idle. */
extern struct tmq_port tmq_ports[CONFIG_THREAD_MQTT_MAX_CLIENTS];

/** Returns the code for an errno. */
static inline int32_t tmq_code(int error)
{
	return TMQ_ERRNO_BASE - error;
}

/** Returns whether the port uses an interface of Zephyr's other than Thread. */
static inline bool tmq_is_on_other_interface(const struct tmq_port *port)
{
#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	return port->on_other_interface;
#else
	ARG_UNUSED(port);
	return !IS_ENABLED(CONFIG_NET_L2_OPENTHREAD);
#endif
}

/** Makes every open port read the network's state again. Any thread; takes only the ports' lock. */
void tmq_network_has_changed(void);

/** Ends the wait of a port, if it is open. Any thread; takes only the ports' lock. */
void tmq_wake(struct tmq_port *port);

/*
 * The network of a port. All these functions take a lock of OpenThread or of Zephyr's network stack,
 * whose callbacks may call into a client, so the caller must hold no lock of ours.
 */

/** Starts to follow network changes. Later calls have no effect. */
void tmq_network_follow(void);
/** Reads the network's state if it has changed. Called in the port's thread, or before that exists. */
void tmq_network_refresh(struct tmq_port *port);
/** Returns the milliseconds until the network must be checked, because no event announces changes. */
int64_t tmq_network_due(const struct tmq_port *port);

#if defined(CONFIG_NET_L2_OPENTHREAD)
/* openthread.c: the Thread network. */
void tmq_thread_follow(void);
/** Reads the network's state and the address that answers are sent to. */
void tmq_thread_read(struct tmq_port *port, struct tmq_network *network);
#endif

#if !defined(CONFIG_NET_L2_OPENTHREAD) || defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
/* interface.c: any other interface. */
void tmq_interface_read(struct tmq_port *port, struct tmq_network *network);
uint8_t tmq_interface_addresses(struct tmq_address *addresses, uint8_t most);
/** Gets the address of a family that answers are sent to; returns false if there is none. */
bool tmq_interface_address(bool is_ipv4, struct tmq_address *address);
#endif

#if defined(CONFIG_THREAD_MQTT_FAST_POLL) && CONFIG_THREAD_MQTT_FAST_POLL > 0
/** Sets a sleepy device's poll period for the next wait; returns the milliseconds until it changes. */
int64_t tmq_poll_due(struct tmq_port *port);
/** Ends fast polling for a port that is being closed. */
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

/** Drops a pending look-up; its answer is ignored. */
void tmq_resolve_cancel(struct tmq_port *port);

/** Returns whether a 16-byte address is IPv4 (::ffff:a.b.c.d). */
bool tmq_is_mapped(const uint8_t bytes[16]);

#endif /* THREAD_MQTT_INTERNAL_H_ */
