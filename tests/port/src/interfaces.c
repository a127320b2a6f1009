/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Two interfaces: Thread's and another one. The network stack's lock is held while it reports a change and
 * while it is queried.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>

#include <zephyr/net/net_event.h>
#include <zephyr/net/net_if.h>
#include <zephyr/net/net_mgmt.h>

#include "stub.h"

const struct net_l2 stub_l2_OPENTHREAD = {"OpenThread"}, stub_l2_ETHERNET = {"Ethernet"};

struct net_if stub_interfaces[2] = {
	{.l2 = &stub_l2_OPENTHREAD},
	{.l2 = &stub_l2_ETHERNET},
};

static pthread_mutex_t stack_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct net_mgmt_event_callback *callbacks;

static void lock(const char *what)
{
	stub_enter_foreign(what);
	pthread_mutex_lock(&stack_lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&stack_lock);
}

void net_mgmt_add_event_callback(struct net_mgmt_event_callback *callback)
{
	lock(__func__);
	callback->next = callbacks;
	callbacks = callback;
	unlock();
}

static void tell(struct net_if *iface, stub_event event)
{
	for (struct net_mgmt_event_callback *callback = callbacks; callback != NULL;
	     callback = callback->next) {
		bool same_layer = (callback->mask & ~(stub_event)0xffff) == (event & ~(stub_event)0xffff);

		if (same_layer && (callback->mask & event & 0xffff) != 0) {
			callback->handler(callback, event, iface);
		}
	}
}

struct net_if *net_if_get_default(void)
{
	return &stub_interfaces[STUB_OTHER_INTERFACE];
}

struct net_if *net_if_get_by_index(int index)
{
	return index >= 1 && index <= 2 ? &stub_interfaces[index - 1] : NULL;
}

const struct net_l2 *net_if_l2(struct net_if *iface)
{
	return iface->l2;
}

bool net_if_is_up(struct net_if *iface)
{
	bool up;

	lock(__func__);
	up = iface->up;
	unlock();
	return up;
}

struct in_addr *net_if_ipv4_get_global_addr(struct net_if *iface, enum net_addr_state state)
{
	struct in_addr *address;

	CHECK_EQUAL(state, NET_ADDR_PREFERRED);
	lock(__func__);
	address = iface->has_ipv4 ? &iface->ipv4 : NULL;
	unlock();
	return address;
}

struct in6_addr *net_if_ipv6_get_global_addr(enum net_addr_state state, struct net_if **iface)
{
	struct net_if_addr *first = &(*iface)->ipv6.unicast[0];
	struct in6_addr *address = NULL;

	CHECK(state == NET_ADDR_PREFERRED || state == NET_ADDR_DEPRECATED);
	lock(__func__);
	if (first->is_used && first->is_deprecated == (state == NET_ADDR_DEPRECATED)) {
		address = &first->address.in6_addr;
	}
	unlock();
	return address;
}

void stub_set_ipv4(struct net_if *iface, const char *address)
{
	lock(__func__);
	iface->has_ipv4 = address != NULL && inet_pton(AF_INET, address, &iface->ipv4) == 1;
	tell(iface, address != NULL ? NET_EVENT_IPV4_ADDR_ADD : NET_EVENT_IPV4_ADDR_DEL);
	unlock();
}

void stub_set_ipv6(struct net_if *iface, const char *address)
{
	struct net_if_addr *first = &iface->ipv6.unicast[0];

	lock(__func__);
	iface->config.ip.ipv6 = &iface->ipv6;
	first->is_used = address != NULL &&
			 inet_pton(AF_INET6, address, &first->address.in6_addr) == 1;
	tell(iface, address != NULL ? NET_EVENT_IPV6_ADDR_ADD : NET_EVENT_IPV6_ADDR_DEL);
	unlock();
}

void stub_deprecate_ipv6(struct net_if *iface, bool is_deprecated)
{
	lock(__func__);
	iface->ipv6.unicast[0].is_deprecated = is_deprecated;
	/* Zephyr reports nothing about this. */
	unlock();
}

void stub_set_up(struct net_if *iface, bool up)
{
	lock(__func__);
	iface->up = up;
	tell(iface, up ? NET_EVENT_IF_UP : NET_EVENT_IF_DOWN);
	unlock();
}
