/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The upper bits of an event are its layer; a callback receives the events of one layer only.
 */
#ifndef STUB_NET_EVENT_H_
#define STUB_NET_EVENT_H_
#define NET_EVENT_IF_DOWN          0x10001
#define NET_EVENT_IF_UP            0x10002
#define NET_EVENT_IPV4_ADDR_ADD    0x20001
#define NET_EVENT_IPV4_ADDR_DEL    0x20002
#define NET_EVENT_IPV6_ADDR_ADD    0x40001
#define NET_EVENT_IPV6_ADDR_DEL    0x40002
#define NET_EVENT_IPV6_DAD_SUCCEED 0x40004
#endif
