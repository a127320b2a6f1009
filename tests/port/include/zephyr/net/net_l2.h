/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The layers below IP.
 */
#ifndef STUB_NET_L2_H_
#define STUB_NET_L2_H_
struct net_l2 {
	const char *name;
};
#define NET_L2_GET_NAME(name) stub_l2_##name
extern const struct net_l2 stub_l2_OPENTHREAD, stub_l2_ETHERNET;
#endif
