/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An interface other than Thread's: Ethernet, Wi-Fi, a modem, or a host's sockets.
 */
#include <string.h>

#include <zephyr/init.h>
#include <zephyr/net/net_if.h>
#include <zephyr/net/net_l2.h>
#include <zephyr/net/net_mgmt.h>

#include "internal.h"

#if defined(CONFIG_NET_MGMT_EVENT)

#include <zephyr/net/net_event.h>

/* A callback receives the events of one layer only. */
static struct net_mgmt_event_callback interfaces, ipv4, ipv6;

/* Runs in the network stack's thread. */
static void changed(struct net_mgmt_event_callback *callback, tmq_net_event event,
		    struct net_if *iface)
{
	ARG_UNUSED(callback);
	ARG_UNUSED(event);
	ARG_UNUSED(iface);
	tmq_network_has_changed();
}

static int follow(void)
{
	net_mgmt_init_event_callback(&interfaces, changed, NET_EVENT_IF_UP | NET_EVENT_IF_DOWN);
	net_mgmt_add_event_callback(&interfaces);
	net_mgmt_init_event_callback(&ipv4, changed,
				     NET_EVENT_IPV4_ADDR_ADD | NET_EVENT_IPV4_ADDR_DEL);
	net_mgmt_add_event_callback(&ipv4);
	net_mgmt_init_event_callback(&ipv6, changed,
				     NET_EVENT_IPV6_ADDR_ADD | NET_EVENT_IPV6_ADDR_DEL |
					     NET_EVENT_IPV6_DAD_SUCCEED);
	net_mgmt_add_event_callback(&ipv6);
	return 0;
}

/* Runs before the application, and so before the first port is opened. */
SYS_INIT(follow, APPLICATION, 0);

#endif

/* Zephyr does not know the interface's addresses: they belong to the host or to the modem. */
#define IS_OFFLOADED (IS_ENABLED(CONFIG_NET_SOCKETS_OFFLOAD) || IS_ENABLED(CONFIG_NET_OFFLOAD))

static const void *ipv4_address(struct net_if *iface)
{
#if defined(CONFIG_NET_NATIVE_IPV4)
	return net_if_ipv4_get_global_addr(iface, NET_ADDR_PREFERRED);
#else
	ARG_UNUSED(iface);
	return NULL;
#endif
}

static const void *ipv6_address(struct net_if *iface)
{
#if defined(CONFIG_NET_NATIVE_IPV6)
	const void *preferred = net_if_ipv6_get_global_addr(NET_ADDR_PREFERRED, &iface);

	/* A deprecated address still serves the connections that use it (RFC 4862 section 5.5.4). */
	return preferred != NULL ? preferred
				 : net_if_ipv6_get_global_addr(NET_ADDR_DEPRECATED, &iface);
#else
	ARG_UNUSED(iface);
	return NULL;
#endif
}

/* Returns whether hosts beyond the link can be reached. */
static bool is_usable(struct net_if *iface)
{
	return net_if_is_up(iface) && (IS_OFFLOADED || ipv4_address(iface) != NULL ||
				       ipv6_address(iface) != NULL);
}

#if defined(CONFIG_NET_L2_OPENTHREAD)
/* Returns the first usable interface other than Thread's, else the first one, or NULL. */
static struct net_if *find_interface(void)
{
	struct net_if *first = NULL;
	struct net_if *iface;

	for (int i = 1; (iface = net_if_get_by_index(i)) != NULL; i++) {
		if (net_if_l2(iface) == &NET_L2_GET_NAME(OPENTHREAD)) {
			continue;
		}
		if (is_usable(iface)) {
			return iface;
		}
		first = first == NULL ? iface : first;
	}
	return first;
}
#else
static struct net_if *find_interface(void)
{
	return net_if_get_default();
}

const char *tmq_port_role(void)
{
	return NULL;
}

uint8_t tmq_port_addresses(struct tmq_address addresses[TMQ_ADDRESSES])
{
	return tmq_interface_addresses(addresses, TMQ_ADDRESSES);
}
#endif

uint8_t tmq_interface_addresses(struct tmq_address *addresses, uint8_t most)
{
	uint8_t count = 0;

#if defined(CONFIG_NET_NATIVE_IPV6)
	struct net_if *iface = find_interface();
	struct net_if_ipv6 *all = iface == NULL ? NULL : iface->config.ip.ipv6;

	for (size_t i = 0; all != NULL && i < NET_IF_MAX_IPV6_ADDR && count < most; i++) {
		const struct net_if_addr *address = &all->unicast[i];
		const uint8_t *bytes = (const uint8_t *)&address->address.in6_addr;

		if (address->is_used && !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)) {
			memcpy(addresses[count].bytes, bytes, sizeof(addresses[count].bytes));
			count++;
		}
	}
#else
	ARG_UNUSED(addresses);
	ARG_UNUSED(most);
#endif
	return count;
}

bool tmq_interface_address(bool is_ipv4, struct tmq_address *address)
{
	struct net_if *iface = find_interface();
	const void *bytes = iface == NULL ? NULL
			    : is_ipv4     ? ipv4_address(iface)
					  : ipv6_address(iface);

	memset(address, 0, sizeof(*address));
	if (is_ipv4) {
		address->bytes[10] = 0xff;
		address->bytes[11] = 0xff;
	}
	if (bytes != NULL) {
		memcpy(&address->bytes[is_ipv4 ? 12 : 0], bytes, is_ipv4 ? 4 : 16);
	}
	/* If the addresses belong to a modem, it chooses. */
	return bytes != NULL || IS_OFFLOADED;
}

void tmq_interface_read(struct tmq_port *port, struct tmq_network *network)
{
	struct net_if *iface = find_interface();
	bool has_ipv4;

	/* A host's sockets do not need a Zephyr interface to be up. */
	if (IS_ENABLED(CONFIG_NET_SOCKETS_OFFLOAD) && !IS_ENABLED(CONFIG_NET_L2_OPENTHREAD)) {
		network->attached = 1;
		network->native_ipv4 = IS_ENABLED(CONFIG_NET_IPV4);
		return;
	}
	if (iface == NULL || !is_usable(iface)) {
		return;
	}
	has_ipv4 = tmq_interface_address(true, &port->own_addresses[TMQ_IPV4]);
	(void)tmq_interface_address(false, &port->own_addresses[TMQ_IPV6]);
	network->attached = 1;
	network->native_ipv4 = has_ipv4 && IS_ENABLED(CONFIG_NET_IPV4);
}
