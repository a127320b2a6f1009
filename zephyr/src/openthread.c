/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The Thread network: whether this device is attached, its address, and the NAT64 prefixes and border
 * routers' DNS servers in the network data.
 */
#include <string.h>

#include "internal.h"

#include <openthread/ip6.h>
#include <openthread/netdata.h>
#include <openthread/thread.h>

/* Runs in OpenThread's thread with its lock held: only notes the change and wakes. */
static void changed(otChangedFlags flags)
{
	if ((flags & (OT_CHANGED_THREAD_ROLE | OT_CHANGED_THREAD_NETDATA |
		      OT_CHANGED_IP6_ADDRESS_ADDED | OT_CHANGED_IP6_ADDRESS_REMOVED)) != 0) {
		tmq_network_has_changed();
	}
}

#if TMQ_ZEPHYR_AT_LEAST(4, 2)
static void state_changed(otChangedFlags flags, void *context)
{
	ARG_UNUSED(context);
	changed(flags);
}

static struct openthread_state_changed_callback listener = {.otCallback = state_changed};

static int register_listener(void)
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

static int register_listener(void)
{
	return openthread_state_changed_cb_register(openthread_get_default_context(), &listener);
}
#endif

void tmq_thread_follow(void)
{
	/* Protected by OpenThread's lock, which is recursive. */
	static bool listening;

	tmq_ot_lock();
	if (!listening) {
		listening = register_listener() == 0;
	}
	tmq_ot_unlock();
}

/* ------------------------------------------------------------------------------------- addresses */

static bool is_link_local(const uint8_t bytes[16])
{
	return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/* NAT64 translates addresses that are neither link-local nor mesh-local. */
static bool is_routable(otInstance *instance, const otNetifAddress *address)
{
	const uint8_t *bytes = address->mAddress.mFields.m8;
	const otMeshLocalPrefix *mesh_local = otThreadGetMeshLocalPrefix(instance);

	return address->mValid && !is_link_local(bytes) &&
	       memcmp(bytes, mesh_local->m8, sizeof(mesh_local->m8)) != 0;
}

/* Returns the address that answers are sent to, or NULL. Prefers a preferred address over a deprecated
 * one, whose prefix may be gone from the network, and the known address over others.
 */
static const uint8_t *find_own_address(otInstance *instance, const uint8_t known[16])
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

uint8_t tmq_port_addresses(struct tmq_address addresses[TMQ_ADDRESSES])
{
	uint8_t count = 0;

	tmq_ot_lock();
	for (const otNetifAddress *address = otIp6GetUnicastAddresses(tmq_ot_instance());
	     address != NULL && count < TMQ_ADDRESSES; address = address->mNext) {
		if (address->mValid && !is_link_local(address->mAddress.mFields.m8)) {
			memcpy(addresses[count].bytes, address->mAddress.mFields.m8,
			       sizeof(addresses[count].bytes));
			count++;
		}
	}
	tmq_ot_unlock();
#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	count += tmq_interface_addresses(&addresses[count], TMQ_ADDRESSES - count);
#endif
	return count;
}

/* ------------------------------------------------------------------------------------------ role */

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

const char *tmq_port_role(void)
{
	otDeviceRole role;

	tmq_ot_lock();
	role = otThreadGetDeviceRole(tmq_ot_instance());
	tmq_ot_unlock();
	return otThreadDeviceRoleToString(role);
}

/* ---------------------------------------------------------------------------------- network data */

static void read_prefixes(otInstance *instance, struct tmq_network *network)
{
	otNetworkDataIterator iterator = OT_NETWORK_DATA_ITERATOR_INIT;
	otExternalRouteConfig route;

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
}

/* A border router that serves DNS announces it in the network data with one of the DNS/SRP services of
 * Thread's enterprise number (Thread 1.3 section 14.3). It answers DNS at the service's address and the
 * standard port; the port in the entry is that of SRP.
 */
#define THREAD_ENTERPRISE 44970
/* One anycast address, derived from the service ID, for all border routers that serve the same data. A
 * sequence number follows in the service data; the newest data has the highest.
 */
#define DNS_SRP_ANYCAST 0x5c
/* The address and port of one border router, in the service data or in the server data. In the server
 * data the address may be missing; it is then the border router's locator.
 */
#define DNS_SRP_UNICAST 0x5d
#define DNS_PORT 53

/* Both are in the mesh-local prefix, after 0000:00ff:fe00 (Thread 1.3 section 5.2.2). */
#define SERVICE_LOCATORS 0xfc10

/* A DNS server in the network data, with the values that determine the order of asking. The order is
 * that of OpenThread's SRP client.
 */
struct announced_server {
	uint8_t address[16];
	/* A border router that asks to be preferred; all of them together; any other. */
	enum {
		OTHER,
		ANYCAST,
		PREFERRED,
	} kind;
	/* The version of a unicast service or the sequence number of an anycast one. */
	uint8_t number;
};

static bool comes_before(const struct announced_server *server, const struct announced_server *other)
{
	if (server->kind != other->kind) {
		return server->kind > other->kind;
	}
	if (server->number != other->number) {
		return server->kind == ANYCAST
			       ? (int8_t)(server->number - other->number) > 0 /* RFC 1982 */
			       : server->number > other->number;
	}
	return memcmp(server->address, other->address, sizeof(server->address)) < 0;
}

static void set_locator(otInstance *instance, uint16_t locator, uint8_t address[16])
{
	const uint8_t middle[6] = {0, 0, 0, 0xff, 0xfe, 0};

	memcpy(address, otThreadGetMeshLocalPrefix(instance)->m8, 8);
	memcpy(&address[8], middle, sizeof(middle));
	address[14] = locator >> 8;
	address[15] = locator & 0xff;
}

/* Rejects the unspecified address, for which OpenThread's DNS client uses its default, a public server,
 * and loopback and multicast addresses.
 */
static bool is_server_address(const uint8_t bytes[16])
{
	static const uint8_t zeros[15];

	return bytes[0] != 0xff && (memcmp(bytes, zeros, sizeof(zeros)) != 0 || bytes[15] > 1);
}

/* Address, port and, in newer entries, a version. */
static bool read_unicast(const uint8_t *data, size_t length, struct announced_server *server)
{
	if (length < 18 || !is_server_address(data)) {
		return false;
	}
	memcpy(server->address, data, sizeof(server->address));
	server->number = length > 18 ? data[18] : 0;
	return true;
}

static bool read_service(otInstance *instance, const otServiceConfig *service,
			 struct announced_server *server)
{
	const uint8_t *data = service->mServiceData;
	size_t length = service->mServiceDataLength;
	const otServerConfig *config = &service->mServerConfig;

	if (service->mEnterpriseNumber != THREAD_ENTERPRISE || length == 0) {
		return false;
	}
	if (data[0] == DNS_SRP_ANYCAST && length >= 2) {
		server->kind = ANYCAST;
		server->number = data[1];
		set_locator(instance, SERVICE_LOCATORS + service->mServiceId, server->address);
		return true;
	}
	if (data[0] != DNS_SRP_UNICAST) {
		return false;
	}
	if (read_unicast(&data[1], length - 1, server)) {
		server->kind = PREFERRED;
		return true;
	}
	server->kind = OTHER;
	if (read_unicast(config->mServerData, config->mServerDataLength, server)) {
		return true;
	}
	if (config->mServerDataLength == 2) {
		server->number = 0;
		set_locator(instance, config->mRloc16, server->address);
		return true;
	}
	return false;
}

/* Keeps the first TMQ_DNS_SERVERS servers in order. */
static void insert(struct announced_server servers[TMQ_DNS_SERVERS], uint8_t *count,
		   const struct announced_server *server)
{
	size_t place = *count;

	for (size_t i = 0; i < *count; i++) {
		if (memcmp(servers[i].address, server->address, sizeof(server->address)) == 0) {
			return;
		}
	}
	while (place > 0 && comes_before(server, &servers[place - 1])) {
		place--;
	}
	if (place == TMQ_DNS_SERVERS) {
		return;
	}
	*count = MIN(*count + 1, TMQ_DNS_SERVERS);
	memmove(&servers[place + 1], &servers[place], (*count - place - 1) * sizeof(*servers));
	servers[place] = *server;
}

/* Called with OpenThread's lock held. */
static void read_dns_servers(otInstance *instance, struct tmq_network *network)
{
	otNetworkDataIterator iterator = OT_NETWORK_DATA_ITERATOR_INIT;
	otServiceConfig service;
	struct announced_server servers[TMQ_DNS_SERVERS];

	while (otNetDataGetNextService(instance, &iterator, &service) == OT_ERROR_NONE) {
		struct announced_server server;

		if (read_service(instance, &service, &server)) {
			insert(servers, &network->dns_server_count, &server);
		}
	}
	for (size_t i = 0; i < network->dns_server_count; i++) {
		memcpy(network->dns_servers[i].bytes, servers[i].address, 16);
		network->dns_servers[i].port = DNS_PORT;
	}
}

void tmq_thread_read(struct tmq_port *port, struct tmq_network *network)
{
	otInstance *instance;
	const uint8_t *own;

	tmq_ot_lock();
	instance = tmq_ot_instance();
	own = find_own_address(instance, port->own_addresses[TMQ_IPV6].bytes);
	if (own != NULL && is_attached(instance)) {
		network->attached = 1;
		memcpy(port->own_addresses[TMQ_IPV6].bytes, own, 16);
	}
	read_prefixes(instance, network);
	read_dns_servers(instance, network);
	tmq_ot_unlock();
}
