/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Gives Zephyr 3.5 to 4.5 one set of names.
 */
#ifndef THREAD_MQTT_COMPAT_H_
#define THREAD_MQTT_COMPAT_H_

#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>

/* Both moved after Zephyr 3.5. */
#if __has_include(<zephyr/version.h>)
#include <zephyr/version.h>
#else
#include <version.h>
#endif
#if __has_include(<zephyr/random/random.h>)
#include <zephyr/random/random.h>
#else
#include <zephyr/random/rand32.h>
#endif

#define TMQ_ZEPHYR_AT_LEAST(major, minor) (KERNEL_VERSION_NUMBER >= ((major) << 16 | (minor) << 8))

/* Zephyr 4.4 moved the socket names into a namespace. */
#if TMQ_ZEPHYR_AT_LEAST(4, 4)
typedef struct net_sockaddr tmq_sockaddr;
typedef struct net_sockaddr_in tmq_sockaddr_in;
typedef struct net_sockaddr_in6 tmq_sockaddr_in6;
typedef net_socklen_t tmq_socklen;
#define TMQ_AF_INET NET_AF_INET
#define TMQ_AF_INET6 NET_AF_INET6
#define TMQ_AF_UNSPEC NET_AF_UNSPEC
#define TMQ_SOCK_STREAM NET_SOCK_STREAM
#define TMQ_SOCK_DGRAM NET_SOCK_DGRAM
#define TMQ_IPPROTO_TCP NET_IPPROTO_TCP
#define TMQ_IPPROTO_UDP NET_IPPROTO_UDP
#define TMQ_SOL_SOCKET ZSOCK_SOL_SOCKET
#define TMQ_SO_ERROR ZSOCK_SO_ERROR
#define tmq_htons net_htons
#define tmq_ntohs net_ntohs
#else
typedef struct sockaddr tmq_sockaddr;
typedef struct sockaddr_in tmq_sockaddr_in;
typedef struct sockaddr_in6 tmq_sockaddr_in6;
typedef socklen_t tmq_socklen;
#define TMQ_AF_INET AF_INET
#define TMQ_AF_INET6 AF_INET6
#define TMQ_AF_UNSPEC AF_UNSPEC
#define TMQ_SOCK_STREAM SOCK_STREAM
#define TMQ_SOCK_DGRAM SOCK_DGRAM
#define TMQ_IPPROTO_TCP IPPROTO_TCP
#define TMQ_IPPROTO_UDP IPPROTO_UDP
#define TMQ_SOL_SOCKET SOL_SOCKET
#define TMQ_SO_ERROR SO_ERROR
#define tmq_htons htons
#define tmq_ntohs ntohs
#endif

/* Network interface events are 64 bits wide since Zephyr 4.2. */
#if TMQ_ZEPHYR_AT_LEAST(4, 2)
typedef uint64_t tmq_net_event;
#else
typedef uint32_t tmq_net_event;
#endif

/* The event descriptor moved from POSIX to ZVFS in Zephyr 3.7, its flags at that time or later. */
#if __has_include(<zephyr/zvfs/eventfd.h>)
#include <zephyr/zvfs/eventfd.h>
#include <zephyr/sys/fdtable.h>
#define TMQ_EVENTFD_OPTIONS "CONFIG_ZVFS_EVENTFD_MAX and CONFIG_ZVFS_OPEN_MAX"
#define tmq_eventfd() zvfs_eventfd(0, ZVFS_EFD_NONBLOCK)
#define tmq_eventfd_signal(fd) (void)zvfs_eventfd_write((fd), 1)
static inline void tmq_eventfd_clear(int fd)
{
	zvfs_eventfd_t value;

	(void)zvfs_eventfd_read(fd, &value);
}
#else
#include <zephyr/posix/sys/eventfd.h>
#define TMQ_EVENTFD_OPTIONS "CONFIG_EVENTFD_MAX and CONFIG_POSIX_MAX_FDS"
#define tmq_eventfd() eventfd(0, EFD_NONBLOCK)
#define tmq_eventfd_signal(fd) (void)eventfd_write((fd), 1)
static inline void tmq_eventfd_clear(int fd)
{
	eventfd_t value;

	(void)eventfd_read(fd, &value);
}
#endif

#if defined(ZVFS_O_NONBLOCK)
#define TMQ_F_GETFL ZVFS_F_GETFL
#define TMQ_F_SETFL ZVFS_F_SETFL
#define TMQ_O_NONBLOCK ZVFS_O_NONBLOCK
#else
#if !defined(O_NONBLOCK) && defined(CONFIG_ARCH_POSIX)
#include <fcntl.h>
#elif !defined(O_NONBLOCK)
#include <zephyr/posix/fcntl.h>
#endif
#define TMQ_F_GETFL F_GETFL
#define TMQ_F_SETFL F_SETFL
#define TMQ_O_NONBLOCK O_NONBLOCK
#endif

/* The most descriptors that a poll can wait for; Zephyr 4.5 removed the socket API's own limit. */
#if defined(CONFIG_ZVFS_POLL) || TMQ_ZEPHYR_AT_LEAST(4, 5)
#define TMQ_POLL_MAX CONFIG_ZVFS_POLL_MAX
#else
#define TMQ_POLL_MAX CONFIG_NET_SOCKETS_POLL_MAX
#endif

#if defined(CONFIG_NET_L2_OPENTHREAD)
#include <openthread/instance.h>
/* OpenThread's lock and callbacks moved out of the L2 driver in Zephyr 4.2; 4.5 removes the old names. */
#if TMQ_ZEPHYR_AT_LEAST(4, 2)
#include <openthread.h>
#define tmq_ot_lock() openthread_mutex_lock()
#define tmq_ot_unlock() openthread_mutex_unlock()
#else
#include <zephyr/net/openthread.h>
#define tmq_ot_lock() openthread_api_mutex_lock(openthread_get_default_context())
#define tmq_ot_unlock() openthread_api_mutex_unlock(openthread_get_default_context())
#endif
#define tmq_ot_instance() openthread_get_default_instance()
#endif

#endif /* THREAD_MQTT_COMPAT_H_ */
