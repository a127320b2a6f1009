/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The network of a client: Thread or another interface. Its state is read when the port is opened and
 * in tmq_port_wait(), but never while the client runs: reading takes a lock of OpenThread or of
 * Zephyr's network stack, whose callbacks may publish.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* A child registers a new address with its parent after about 0.1 s. Until then answers from beyond
 * the mesh are lost, because the border router cannot find the address.
 */
#define REGISTRATION_MS 250

/* How often to check an interface whose changes no event announces. */
#define LOOK_MS 1000

void tmq_network_follow(void)
{
#if defined(CONFIG_NET_L2_OPENTHREAD)
	tmq_thread_follow();
#endif
	/* interface.c follows changes from boot on. */
}

/* Returns whether the interface must be checked: it can change, but no event announces that. */
static bool is_looked_at(const struct tmq_port *port)
{
	return tmq_is_on_other_interface(port) && !IS_ENABLED(CONFIG_NET_MGMT_EVENT) &&
	       !IS_ENABLED(CONFIG_NET_SOCKETS_OFFLOAD);
}

void tmq_network_refresh(struct tmq_port *port)
{
	struct tmq_network network = {0};
	struct tmq_address known[TMQ_FAMILIES];
	bool was_attached = port->network.attached != 0;

	if (atomic_set(&port->network_changed, 0) == 0 && !is_looked_at(port)) {
		return;
	}
	memcpy(known, port->own_addresses, sizeof(known));
#if defined(CONFIG_NET_L2_OPENTHREAD)
	if (!tmq_is_on_other_interface(port)) {
		tmq_thread_read(port, &network);
	}
#endif
#if !defined(CONFIG_NET_L2_OPENTHREAD) || defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	if (tmq_is_on_other_interface(port)) {
		tmq_interface_read(port, &network);
	}
#endif
	if (network.attached != 0) {
		bool is_new = false;

		for (size_t i = 0; i < TMQ_FAMILIES; i++) {
			bool changed = memcmp(known[i].bytes, port->own_addresses[i].bytes, 16) != 0;

			port->address_changed[i] |= changed;
			is_new |= changed;
		}
		if ((is_new || !was_attached) && !tmq_is_on_other_interface(port)) {
			port->registered_at = k_uptime_get() + REGISTRATION_MS;
		}
	}
	port->network = network;
}

void tmq_port_network(struct tmq_port *port, struct tmq_network *network)
{
	*network = port->network;
	port->registers = network->attached != 0 && k_uptime_get() < port->registered_at;
	if (port->registers) {
		network->attached = 0;
	}
}

int64_t tmq_network_due(const struct tmq_port *port)
{
	/* Decided by what the client was told, because the time may have passed since. */
	if (port->registers) {
		/* Read the clock once: MAX evaluates its arguments twice, and the clock advances. */
		int64_t left = port->registered_at - k_uptime_get();

		return MAX(left, 0);
	}
	return is_looked_at(port) ? LOOK_MS : INT64_MAX;
}

int32_t tmq_port_use_interface(struct tmq_port *port, uint8_t interface)
{
#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	if (interface > TMQ_INTERFACE_OTHER) {
		return tmq_code(EINVAL);
	}
	port->on_other_interface = interface == TMQ_INTERFACE_DEFAULT
					   ? IS_ENABLED(CONFIG_THREAD_MQTT_INTERFACE_OTHER)
					   : interface == TMQ_INTERFACE_OTHER;
	memset(port->own_addresses, 0, sizeof(port->own_addresses));
	port->network.attached = 0;
	memset(port->address_changed, 0, sizeof(port->address_changed));
	port->registered_at = 0;
	(void)atomic_set(&port->network_changed, 1);
	tmq_network_refresh(port);
	return 0;
#else
	bool has = interface == TMQ_INTERFACE_DEFAULT ||
		   interface == (IS_ENABLED(CONFIG_NET_L2_OPENTHREAD) ? TMQ_INTERFACE_THREAD
								       : TMQ_INTERFACE_OTHER);

	ARG_UNUSED(port);
	return has ? 0 : TMQ_NOT_SUPPORTED;
#endif
}
