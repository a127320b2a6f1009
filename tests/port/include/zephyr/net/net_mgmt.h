/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Events of the network stack: see interfaces.c.
 */
#ifndef STUB_NET_MGMT_H_
#define STUB_NET_MGMT_H_

#include <stdint.h>
#include <zephyr/net/net_if.h>

#if KERNEL_VERSION_NUMBER >= 0x040200
typedef uint64_t stub_event;
#else
typedef uint32_t stub_event;
#endif
struct net_mgmt_event_callback {
	void (*handler)(struct net_mgmt_event_callback *callback, stub_event event,
			struct net_if *iface);
	stub_event mask;
	struct net_mgmt_event_callback *next;
};
static inline void net_mgmt_init_event_callback(
	struct net_mgmt_event_callback *callback,
	void (*handler)(struct net_mgmt_event_callback *callback, stub_event event,
			struct net_if *iface),
	stub_event mask)
{
	callback->handler = handler;
	callback->mask = mask;
}
void net_mgmt_add_event_callback(struct net_mgmt_event_callback *callback);

#endif /* STUB_NET_MGMT_H_ */
