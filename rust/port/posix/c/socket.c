/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Sockets of one client: one TCP connection, a few UDP sockets for DNS, one wait over them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool tmq_is_mapped(const uint8_t bytes[16])
{
	return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

void tmq_map(const void *ipv4, uint8_t bytes[16])
{
	memcpy(bytes, mapped, sizeof(mapped));
	memcpy(&bytes[12], ipv4, 4);
}

/* IPv4-mapped addresses go to IPv4 sockets. Returns the length. */
static socklen_t to_sockaddr(const struct tmq_address *address, struct sockaddr_storage *storage)
{
	memset(storage, 0, sizeof(*storage));
	if (tmq_is_mapped(address->bytes)) {
		struct sockaddr_in *in = (struct sockaddr_in *)storage;

		in->sin_family = AF_INET;
		in->sin_port = htons(address->port);
		memcpy(&in->sin_addr, &address->bytes[12], 4);
		return sizeof(*in);
	}

	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(address->port);
	memcpy(&in6->sin6_addr, address->bytes, 16);
	return sizeof(*in6);
}

static int32_t failure(int error)
{
	switch (error) {
	case EAGAIN:
	case EINTR:
		return TMQ_WOULD_BLOCK;
	case ECONNREFUSED:
		return TMQ_REFUSED;
	case EACCES: /* prohibited by a router, EPERM by a firewall */
	case EPERM:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL:
	case ENETDOWN:
		return TMQ_UNREACHABLE;
	case ETIMEDOUT:
		return TMQ_TIMED_OUT;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		return TMQ_RESET;
	default:
		return tmq_code(error);
	}
}

int32_t tmq_port_tcp_connect(struct tmq_port *port, const struct tmq_address *to)
{
	struct sockaddr_storage remote;
	socklen_t length = to_sockaddr(to, &remote);
	int one = 1;

	tmq_port_tcp_close(port, 1);
	port->tcp_fd = socket(remote.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (port->tcp_fd < 0) {
		return failure(errno);
	}
	/* Packets are as long as the client makes them: nothing is gained by waiting for more. */
	(void)setsockopt(port->tcp_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(port->tcp_fd, (struct sockaddr *)&remote, length) < 0 && errno != EINPROGRESS) {
		int32_t code = failure(errno);

		tmq_port_tcp_close(port, 1);
		return code;
	}
	port->tcp_state = TMQ_TCP_CONNECTING;
	return 0;
}

int32_t tmq_port_tcp_state(struct tmq_port *port)
{
	return port->tcp_state;
}

/* The wait saw the end of a connect. */
static int32_t connected(int fd, short revents)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) {
		error = errno;
	}
	if (error != 0) {
		return failure(error);
	}
	return (revents & POLLOUT) != 0 ? TMQ_TCP_CONNECTED : TMQ_REFUSED;
}

static size_t limited(size_t length)
{
	return length < INT32_MAX ? length : INT32_MAX;
}

int32_t tmq_port_tcp_send(struct tmq_port *port, const uint8_t *data, size_t length)
{
	ssize_t sent = send(port->tcp_fd, data, limited(length), MSG_NOSIGNAL);

	if (sent >= 0) {
		return (int32_t)sent;
	}
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : failure(errno);
}

int32_t tmq_port_tcp_receive(struct tmq_port *port, uint8_t *buffer, size_t length)
{
	ssize_t received = recv(port->tcp_fd, buffer, limited(length), 0);

	return received >= 0 ? (int32_t)received : failure(errno);
}

void tmq_port_tcp_close(struct tmq_port *port, uint8_t abort)
{
	if (port->tcp_fd >= 0) {
		struct linger none = {.l_onoff = 1, .l_linger = 0};
		uint8_t rest[1024];

		if (abort != 0) {
			(void)setsockopt(port->tcp_fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		} else {
			(void)shutdown(port->tcp_fd, SHUT_WR);
			/* Bytes left unread would turn the FIN into a RST. */
			while (recv(port->tcp_fd, rest, sizeof(rest), 0) > 0) {
			}
		}
		(void)close(port->tcp_fd);
	}
	port->tcp_fd = -1;
	port->tcp_state = TMQ_TCP_CLOSED;
}

/* A socket from a local port to a server. It is connected: only so the system tells what the network says of a
 * datagram (ICMP).
 */
static struct tmq_udp *udp_socket(struct tmq_port *port, uint16_t local_port,
				  const struct tmq_address *to, int32_t *code)
{
	struct tmq_address any = {.port = local_port};
	struct tmq_udp *free_one = NULL;
	struct sockaddr_storage local;
	struct sockaddr_storage remote;
	socklen_t length;

	for (size_t i = 0; i < TMQ_UDP_SOCKETS; i++) {
		struct tmq_udp *udp = &port->udp[i];

		if (udp->fd >= 0 && udp->port == local_port &&
		    memcmp(&udp->peer, to, sizeof(*to)) == 0) {
			return udp;
		}
		if (udp->fd < 0) {
			free_one = udp;
		}
	}
	/* All in use: a question that is asked anew takes the place of the first. */
	if (free_one == NULL) {
		(void)close(port->udp[0].fd);
		memmove(&port->udp[0], &port->udp[1], sizeof(port->udp) - sizeof(port->udp[0]));
		free_one = &port->udp[TMQ_UDP_SOCKETS - 1];
	}

	if (tmq_is_mapped(to->bytes)) {
		memcpy(any.bytes, mapped, sizeof(mapped));
	}
	length = to_sockaddr(&any, &local);
	free_one->port = local_port;
	free_one->peer = *to;
	free_one->fd = socket(local.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (free_one->fd < 0) {
		*code = failure(errno);
		return NULL;
	}
	if (bind(free_one->fd, (struct sockaddr *)&local, length) < 0 ||
	    connect(free_one->fd, (struct sockaddr *)&remote, to_sockaddr(to, &remote)) < 0) {
		*code = failure(errno);
		(void)close(free_one->fd);
		free_one->fd = -1;
		return NULL;
	}
	return free_one;
}

int32_t tmq_port_udp_send(struct tmq_port *port, uint16_t from_port, const struct tmq_address *to,
			  const uint8_t *data, size_t length)
{
	int32_t code = 0;
	struct tmq_udp *udp = udp_socket(port, from_port, to, &code);

	if (udp == NULL) {
		return code;
	}
	return send(udp->fd, data, length, MSG_NOSIGNAL) < 0 ? failure(errno) : 0;
}

int32_t tmq_port_udp_receive(struct tmq_port *port, struct tmq_address *from, uint16_t *to_port,
			     uint8_t *buffer, size_t length)
{
	for (size_t i = 0; i < TMQ_UDP_SOCKETS; i++) {
		struct tmq_udp *udp = &port->udp[i];
		int32_t result = TMQ_WOULD_BLOCK;

		if (udp->fd >= 0) {
			ssize_t received = recv(udp->fd, buffer, length, 0);

			result = received >= 0 ? (int32_t)received : failure(errno);
		}
		if (result >= 0 || result == TMQ_REFUSED || result == TMQ_UNREACHABLE) {
			*from = udp->peer;
			*to_port = udp->port;
			return result;
		}
	}
	return TMQ_WOULD_BLOCK;
}

void tmq_port_udp_close(struct tmq_port *port)
{
	for (size_t i = 0; i < TMQ_UDP_SOCKETS; i++) {
		if (port->udp[i].fd >= 0) {
			(void)close(port->udp[i].fd);
		}
		port->udp[i].fd = -1;
	}
}

void tmq_port_await_answer(struct tmq_port *port, uint8_t awaited)
{
	/* There is no radio to keep awake. */
	(void)port;
	(void)awaited;
}

void tmq_port_wait(struct tmq_port *port, int64_t timeout_ms, uint8_t want_receive,
		   uint8_t want_send)
{
	struct pollfd polls[2 + TMQ_UDP_SOCKETS];
	struct pollfd *tcp = NULL;
	nfds_t count = 0;
	int timeout = timeout_ms < 0 ? -1 : (int)(timeout_ms < INT_MAX ? timeout_ms : INT_MAX);

	polls[count++] = (struct pollfd){.fd = port->wake_fd, .events = POLLIN};
	for (size_t i = 0; i < TMQ_UDP_SOCKETS; i++) {
		if (port->udp[i].fd >= 0) {
			polls[count++] = (struct pollfd){.fd = port->udp[i].fd, .events = POLLIN};
		}
	}
	if (port->tcp_fd >= 0) {
		short events = 0;

		if (want_receive) {
			events |= POLLIN;
		}
		if (want_send || port->tcp_state == TMQ_TCP_CONNECTING) {
			events |= POLLOUT;
		}
		/* With nothing wanted an error would still end every wait at once. */
		if (events != 0) {
			tcp = &polls[count++];
			*tcp = (struct pollfd){.fd = port->tcp_fd, .events = events};
		}
	}

	if (poll(polls, count, timeout) <= 0) {
		return;
	}
	if (port->tcp_state == TMQ_TCP_CONNECTING && tcp != NULL && tcp->revents != 0) {
		port->tcp_state = connected(port->tcp_fd, tcp->revents);
	}
	if ((polls[0].revents & POLLIN) != 0) {
		eventfd_t ignored;

		(void)eventfd_read(port->wake_fd, &ignored);
	}
}
