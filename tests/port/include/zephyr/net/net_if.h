/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Interfaces: see interfaces.c.
 */
#ifndef STUB_NET_IF_H_
#define STUB_NET_IF_H_

#include <netinet/in.h>
#include <stdbool.h>
#include <zephyr/net/net_l2.h>

#define NET_IF_MAX_IPV6_ADDR 3
enum net_addr_state {
	NET_ADDR_ANY_STATE = -1,
	NET_ADDR_TENTATIVE,
	NET_ADDR_PREFERRED,
	NET_ADDR_DEPRECATED,
};
struct stub_address {
	struct in6_addr in6_addr;
};
struct net_if_addr {
	struct stub_address address;
	bool is_used;
	bool is_deprecated;
};
struct net_if_ipv6 {
	struct net_if_addr unicast[NET_IF_MAX_IPV6_ADDR];
};
struct net_if {
	const struct net_l2 *l2;
	bool up;
	bool has_ipv4;
	struct in_addr ipv4;
	struct net_if_ipv6 ipv6;
	struct {
		struct {
			struct net_if_ipv6 *ipv6;
		} ip;
	} config;
};
struct net_if *net_if_get_default(void);
struct net_if *net_if_get_by_index(int index);
const struct net_l2 *net_if_l2(struct net_if *iface);
bool net_if_is_up(struct net_if *iface);
struct in_addr *net_if_ipv4_get_global_addr(struct net_if *iface, enum net_addr_state state);
struct in6_addr *net_if_ipv6_get_global_addr(enum net_addr_state state, struct net_if **iface);

#endif /* STUB_NET_IF_H_ */
