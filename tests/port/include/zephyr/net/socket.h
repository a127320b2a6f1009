/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Zephyr's sockets are the host's; each call can be made to fail: see sockets.c.
 */
#ifndef STUB_SOCKET_H_
#define STUB_SOCKET_H_

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#define zsock_pollfd   pollfd
#define zsock_addrinfo addrinfo
#define ZSOCK_POLLIN   POLLIN
#define ZSOCK_POLLOUT  POLLOUT

int zsock_socket(int family, int type, int protocol);
int zsock_close(int fd);
int zsock_fcntl(int fd, int command, int flags);
int zsock_bind(int fd, const struct sockaddr *address, socklen_t length);
int zsock_connect(int fd, const struct sockaddr *address, socklen_t length);
int zsock_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
ssize_t zsock_send(int fd, const void *data, size_t length, int flags);
ssize_t zsock_recv(int fd, void *data, size_t length, int flags);
ssize_t zsock_sendto(int fd, const void *data, size_t length, int flags,
		     const struct sockaddr *address, socklen_t address_length);
ssize_t zsock_recvfrom(int fd, void *data, size_t length, int flags, struct sockaddr *address,
		       socklen_t *address_length);
int zsock_poll(struct pollfd *polls, int count, int timeout);
int zsock_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		      struct addrinfo **found);
void zsock_freeaddrinfo(struct addrinfo *found);

/* Zephyr's header includes those of its network stack, whose names are taken. */
struct dns_server {
	int unused;
};

/* The namespace of Zephyr 4.4. */
#define net_sockaddr         sockaddr
#define net_sockaddr_in      sockaddr_in
#define net_sockaddr_in6     sockaddr_in6
#define net_sockaddr_storage sockaddr_storage
#define net_socklen_t        socklen_t
#define NET_AF_INET          AF_INET
#define NET_AF_INET6         AF_INET6
#define NET_AF_UNSPEC        AF_UNSPEC
#define NET_SOCK_STREAM      SOCK_STREAM
#define NET_SOCK_DGRAM       SOCK_DGRAM
#define NET_IPPROTO_TCP      IPPROTO_TCP
#define NET_IPPROTO_UDP      IPPROTO_UDP
#define ZSOCK_SOL_SOCKET     SOL_SOCKET
#define ZSOCK_SO_ERROR       SO_ERROR
#define net_htons            htons
#define net_ntohs            ntohs

#endif /* STUB_SOCKET_H_ */
