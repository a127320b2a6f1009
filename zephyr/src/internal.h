/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the C files of the port share.
 */
#ifndef THREAD_MQTT_INTERNAL_H_
#define THREAD_MQTT_INTERNAL_H_

#include "compat.h"
#include <thread_mqtt_port.h>

/* DNS asks A and AAAA at one server at a time, each from a port of its own. */
#define TMQ_UDP_SOCKETS 2

struct tmq_udp {
	int fd;
	uint16_t port;
	bool is_ipv4;
};

/* Indices of what there is for each family of addresses. */
enum {
	TMQ_IPV6,
	TMQ_IPV4,
	TMQ_FAMILIES,
};

struct tmq_port {
	/* Written to by any thread to end a wait. */
	int wake_fd;
	int tcp_fd;
	/* TMQ_TCP_* or a negative code. */
	int32_t tcp_state;
	/* TCP refused to send: the next wait pauses before the next attempt. */
	bool send_refused;
	struct tmq_udp udp[TMQ_UDP_SOCKETS];

	/* When bytes last left and last came. */
	int64_t sent_at;
	int64_t received_at;
	bool answer_awaited;
	/* This client wants the radio to listen often. */
	bool polls_fast;

	struct k_mutex lock;
	struct k_condvar changed;
	struct k_thread thread;
	k_tid_t thread_id;
	void (*run)(void *argument);
	void *argument;

	/* The network's state changed since it was last read. */
	atomic_t network_changed;
	/* The network as it was last read: when the port was opened, or in a wait. */
	struct tmq_network network;
	/* The addresses that answers come to, of IPv6 and of IPv4, and whether each has changed since the
	 * connection began, which is over one of them.
	 */
	struct tmq_address own_addresses[TMQ_FAMILIES];
	bool address_changed[TMQ_FAMILIES];
	uint8_t tcp_family;
	/* When the Thread parent surely knows the address; the client was told to wait for that. */
	int64_t registered_at;
	bool registers;
#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	bool on_other_interface;
#endif
};

/** All ports; those not taken are idle. */
extern struct tmq_port tmq_ports[CONFIG_THREAD_MQTT_MAX_CLIENTS];

/** The code for an errno. */
static inline int32_t tmq_code(int error)
{
	return TMQ_ERRNO_BASE - error;
}

/** Whether the port's network is not Thread, but another interface of Zephyr's. */
static inline bool tmq_is_on_other_interface(const struct tmq_port *port)
{
#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	return port->on_other_interface;
#else
	ARG_UNUSED(port);
	return !IS_ENABLED(CONFIG_NET_L2_OPENTHREAD);
#endif
}

/** Has every open port read the network's state again. Any thread; takes only the ports' lock. */
void tmq_network_has_changed(void);

/** Ends the wait of a port, if it is open. Any thread; takes only the ports' lock. */
void tmq_wake(struct tmq_port *port);

/*
 * The network of a port. All take a lock of OpenThread or of Zephyr's network stack, whose
 * callbacks may call into a client: the caller holds no lock of ours.
 */

/** Follows the network's changes, from the first call on. */
void tmq_network_follow(void);
/** Reads the network's state, if it has changed. In the port's thread, or before there is one. */
void tmq_network_refresh(struct tmq_port *port);
/** Milliseconds until the network must be looked at without an event that announces it. */
int64_t tmq_network_due(const struct tmq_port *port);

#if defined(CONFIG_NET_L2_OPENTHREAD)
/* openthread.c: the Thread network. */
void tmq_thread_follow(void);
/** Reads the network's state and the address that answers come to. */
void tmq_thread_read(struct tmq_port *port, struct tmq_network *network);
#endif

#if !defined(CONFIG_NET_L2_OPENTHREAD) || defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
/* interface.c: any other interface. */
void tmq_interface_read(struct tmq_port *port, struct tmq_network *network);
uint8_t tmq_interface_addresses(struct tmq_address *addresses, uint8_t most);
/** The address of a family that answers come to; false if there is none. */
bool tmq_interface_address(bool is_ipv4, struct tmq_address *address);
#endif

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

/** Whether an address of 16 bytes is IPv4 (::ffff:a.b.c.d). */
bool tmq_is_mapped(const uint8_t bytes[16]);

#endif /* THREAD_MQTT_INTERNAL_H_ */
