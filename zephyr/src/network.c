/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The state of the network: OpenThread's, or simply "up" where there is none.
 */
#include <string.h>

#include "internal.h"

#if defined(CONFIG_NET_L2_OPENTHREAD)

#include <openthread/dns_client.h>
#include <openthread/ip6.h>
#include <openthread/netdata.h>
#include <openthread/thread.h>

/* OpenThread's thread, its lock held: only note it and wake. */
static void changed(otChangedFlags flags)
{
	if ((flags & (OT_CHANGED_THREAD_ROLE | OT_CHANGED_THREAD_NETDATA |
		      OT_CHANGED_IP6_ADDRESS_ADDED | OT_CHANGED_IP6_ADDRESS_REMOVED)) == 0) {
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tmq_ports); i++) {
		if (tmq_ports[i].taken) {
			atomic_set(&tmq_ports[i].network_changed, 1);
			tmq_port_wake(&tmq_ports[i]);
		}
	}
}

#if TMQ_ZEPHYR_AT_LEAST(4, 2)
static void state_changed(otChangedFlags flags, void *context)
{
	ARG_UNUSED(context);
	changed(flags);
}

static struct openthread_state_changed_callback listener = {.otCallback = state_changed};

static int follow_state(void)
{
	return openthread_state_changed_callback_register(&listener);
}
#else
static void state_changed(otChangedFlags flags, struct openthread_context *ot_context,
			  void *user_data)
{
	ARG_UNUSED(ot_context);
	ARG_UNUSED(user_data);
	changed(flags);
}

static struct openthread_state_changed_cb listener = {.state_changed_cb = state_changed};

static int follow_state(void)
{
	return openthread_state_changed_cb_register(openthread_get_default_context(), &listener);
}
#endif

void tmq_network_init(struct tmq_port *port)
{
	static bool listening;

	/* Only from tmq_port_open(), which takes one caller at a time. */
	if (!listening) {
		listening = follow_state() == 0;
	}
	atomic_set(&port->network_changed, 1);
}

void tmq_network_end(struct tmq_port *port)
{
	/* Callbacks run under this lock. */
	tmq_ot_lock();
	port->taken = false;
	tmq_ot_unlock();
}

/* A child tells its parent of a new address about 0.1 s after it has it. Until then answers from
 * beyond the mesh are lost: the border router searches for the address in vain.
 */
#define REGISTRATION_MS 250

/* NAT64 translates addresses that are neither link-local nor mesh-local. */
static bool is_routable(otInstance *instance, const otNetifAddress *address)
{
	const uint8_t *bytes = address->mAddress.mFields.m8;
	const otMeshLocalPrefix *mesh_local = otThreadGetMeshLocalPrefix(instance);

	return address->mValid && !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) &&
	       memcmp(bytes, mesh_local->m8, sizeof(mesh_local->m8)) != 0;
}

/* The address that answers come to, or NULL: a preferred one before a deprecated one, whose prefix
 * may be gone from the network, and the known one before others.
 */
static const uint8_t *own_address(otInstance *instance, const uint8_t known[16])
{
	const uint8_t *best = NULL;
	int best_rank = -1;

	for (const otNetifAddress *address = otIp6GetUnicastAddresses(instance); address != NULL;
	     address = address->mNext) {
		const uint8_t *bytes = address->mAddress.mFields.m8;
		int rank = (address->mPreferred ? 2 : 0) + (memcmp(bytes, known, 16) == 0 ? 1 : 0);

		if (is_routable(instance, address) && rank > best_rank) {
			best = bytes;
			best_rank = rank;
		}
	}
	return best;
}

static bool is_attached(otInstance *instance)
{
	switch (otThreadGetDeviceRole(instance)) {
	case OT_DEVICE_ROLE_CHILD:
	case OT_DEVICE_ROLE_ROUTER:
	case OT_DEVICE_ROLE_LEADER:
		return true;
	default:
		return false;
	}
}

static void read_network(struct tmq_port *port)
{
	struct tmq_network *network = &port->network;
	otInstance *instance = tmq_ot_instance();
	otNetworkDataIterator iterator = OT_NETWORK_DATA_ITERATOR_INIT;
	otExternalRouteConfig route;
	const uint8_t *own = own_address(instance, port->own_address);
	bool attached = own != NULL && is_attached(instance);

	if (attached && (!network->attached || memcmp(port->own_address, own, 16) != 0)) {
		port->address_changed |= memcmp(port->own_address, own, 16) != 0;
		memcpy(port->own_address, own, 16);
		port->registered_at = k_uptime_get() + REGISTRATION_MS;
	}

	memset(network, 0, sizeof(*network));
	network->attached = attached;

	while (network->prefix_count < TMQ_PREFIXES &&
	       otNetDataGetNextRoute(instance, &iterator, &route) == OT_ERROR_NONE) {
		struct tmq_prefix *prefix = &network->prefixes[network->prefix_count];

		if (!route.mNat64) {
			continue;
		}
		memcpy(prefix->bytes, route.mPrefix.mPrefix.mFields.m8, sizeof(prefix->bytes));
		prefix->length = route.mPrefix.mLength;
		prefix->preference = (int8_t)route.mPreference;
		network->prefix_count++;
	}

#if defined(CONFIG_OPENTHREAD_DNS_CLIENT)
	const otDnsQueryConfig *dns = otDnsClientGetDefaultConfig(instance);

	if (dns != NULL) {
		struct tmq_address *server = &network->dns_servers[0];

		memcpy(server->bytes, dns->mServerSockAddr.mAddress.mFields.m8,
		       sizeof(server->bytes));
		server->port = dns->mServerSockAddr.mPort;
		network->dns_server_count = 1;
	}
#endif
}

const char *tmq_port_role(void)
{
	otDeviceRole role;

	tmq_ot_lock();
	role = otThreadGetDeviceRole(tmq_ot_instance());
	tmq_ot_unlock();
	return otThreadDeviceRoleToString(role);
}

uint8_t tmq_port_addresses(struct tmq_address addresses[TMQ_ADDRESSES])
{
	uint8_t count = 0;

	tmq_ot_lock();
	for (const otNetifAddress *address = otIp6GetUnicastAddresses(tmq_ot_instance());
	     address != NULL && count < TMQ_ADDRESSES; address = address->mNext) {
		const uint8_t *bytes = address->mAddress.mFields.m8;

		if (address->mValid && !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)) {
			memcpy(addresses[count].bytes, bytes, sizeof(addresses[count].bytes));
			count++;
		}
	}
	tmq_ot_unlock();
	return count;
}

void tmq_port_network(struct tmq_port *port, struct tmq_network *network)
{
	if (atomic_set(&port->network_changed, 0) != 0) {
		tmq_ot_lock();
		read_network(port);
		tmq_ot_unlock();
	}
	*network = port->network;
	if (k_uptime_get() < port->registered_at) {
		network->attached = 0;
	}
}

int64_t tmq_network_due(const struct tmq_port *port)
{
	int64_t left = port->registered_at - k_uptime_get();

	return port->network.attached && left > 0 ? left : INT64_MAX;
}

#else /* no Thread network: a product on Ethernet, or native_sim on the host's sockets */

#include <zephyr/net/net_if.h>

void tmq_network_init(struct tmq_port *port)
{
	ARG_UNUSED(port);
}

void tmq_network_end(struct tmq_port *port)
{
	port->taken = false;
}

int64_t tmq_network_due(const struct tmq_port *port)
{
	ARG_UNUSED(port);
	return INT64_MAX;
}

const char *tmq_port_role(void)
{
	return NULL;
}

/* Sockets of a host or of a modem have addresses that nobody here knows. */
uint8_t tmq_port_addresses(struct tmq_address addresses[TMQ_ADDRESSES])
{
	uint8_t count = 0;

#if defined(CONFIG_NET_NATIVE_IPV6)
	struct net_if *iface = net_if_get_default();
	struct net_if_ipv6 *ipv6 = iface == NULL ? NULL : iface->config.ip.ipv6;

	for (size_t i = 0; ipv6 != NULL && i < NET_IF_MAX_IPV6_ADDR && count < TMQ_ADDRESSES; i++) {
		const struct net_if_addr *address = &ipv6->unicast[i];
		const uint8_t *bytes = (const uint8_t *)&address->address.in6_addr;

		if (address->is_used && !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)) {
			memcpy(addresses[count].bytes, bytes, sizeof(addresses[count].bytes));
			count++;
		}
	}
#else
	ARG_UNUSED(addresses);
#endif
	return count;
}

void tmq_port_network(struct tmq_port *port, struct tmq_network *network)
{
	ARG_UNUSED(port);
	memset(network, 0, sizeof(*network));
	network->attached = IS_ENABLED(CONFIG_NET_SOCKETS_OFFLOAD) ||
			    net_if_is_up(net_if_get_default());
	network->native_ipv4 = IS_ENABLED(CONFIG_NET_IPV4);
}

#endif
