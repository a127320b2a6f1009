/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Sockets of one client: one TCP connection, a few UDP sockets for DNS, and one wait for all of them.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* Zephyr's own sockaddr_storage has room only for the configured families. */
union any_address {
	tmq_sockaddr any;
	tmq_sockaddr_in in;
	tmq_sockaddr_in6 in6;
};

bool tmq_is_mapped(const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

/* Maps IPv4-mapped addresses to IPv4 sockets. Returns the length; the family is in to->any. */
static tmq_socklen to_sockaddr(const struct tmq_address *address, union any_address *to)
{
	memset(to, 0, sizeof(*to));
	if (tmq_is_mapped(address->bytes)) {
		to->in.sin_family = TMQ_AF_INET;
		to->in.sin_port = tmq_htons(address->port);
		memcpy(&to->in.sin_addr, &address->bytes[12], 4);
		return sizeof(to->in);
	}

	to->in6.sin6_family = TMQ_AF_INET6;
	to->in6.sin6_port = tmq_htons(address->port);
	memcpy(&to->in6.sin6_addr, address->bytes, 16);
	return sizeof(to->in6);
}

static void from_sockaddr(const union any_address *from, struct tmq_address *address)
{
	memset(address, 0, sizeof(*address));
	if (from->any.sa_family == TMQ_AF_INET) {
		address->bytes[10] = 0xff;
		address->bytes[11] = 0xff;
		memcpy(&address->bytes[12], &from->in.sin_addr, 4);
		address->port = tmq_ntohs(from->in.sin_port);
	} else {
		memcpy(address->bytes, &from->in6.sin6_addr, 16);
		address->port = tmq_ntohs(from->in6.sin6_port);
	}
}

static int32_t failure(int error)
{
	switch (error) {
	case EAGAIN:
		return TMQ_WOULD_BLOCK;
	case ECONNREFUSED:
		return TMQ_REFUSED;
	case EACCES: /* native_sim, from a router that prohibits the destination */
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
	case ENOTCONN: /* Zephyr's TCP, after the connection has ended */
		return TMQ_RESET;
	case EPROTOTYPE:
	case EPROTONOSUPPORT:
		return TMQ_NO_TCP;
	default:
		return tmq_code(error);
	}
}

static int set_non_blocking(int fd)
{
	int flags = zsock_fcntl(fd, TMQ_F_GETFL, 0);

	return flags < 0 ? flags : zsock_fcntl(fd, TMQ_F_SETFL, flags | TMQ_O_NONBLOCK);
}

/* Gets the address of this device to bind a socket to, 0 for any. In an image with two interfaces it
 * determines which one the packets leave through.
 */
static int32_t local_address(const struct tmq_port *port, bool is_ipv4, struct tmq_address *local)
{
	memset(local, 0, sizeof(*local));
	if (is_ipv4) {
		local->bytes[10] = 0xff;
		local->bytes[11] = 0xff;
	}
#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	if (port->on_other_interface) {
		return tmq_interface_address(is_ipv4, local) ? 0 : TMQ_UNREACHABLE;
	}
	/* Thread has no IPv4. */
	if (is_ipv4 || port->network.attached == 0) {
		return TMQ_UNREACHABLE;
	}
	*local = port->own_addresses[TMQ_IPV6];
#else
	ARG_UNUSED(port);
#endif
	return 0;
}

static int32_t bind_to(const struct tmq_port *port, int fd, bool is_ipv4, uint16_t local_port)
{
	union any_address bound;
	struct tmq_address local;
	int32_t code = local_address(port, is_ipv4, &local);

	if (code != 0) {
		return code;
	}
	local.port = local_port;
	code = zsock_bind(fd, &bound.any, to_sockaddr(&local, &bound));
	return code == 0 ? 0 : failure(errno);
}

int32_t tmq_port_tcp_connect(struct tmq_port *port, const struct tmq_address *to)
{
	union any_address remote;
	tmq_socklen length = to_sockaddr(to, &remote);
	int32_t code;

	tmq_port_tcp_close(port, 1);
	port->tcp_fd = zsock_socket(remote.any.sa_family, TMQ_SOCK_STREAM, TMQ_IPPROTO_TCP);
	if (port->tcp_fd < 0) {
		return failure(errno);
	}
	/* With a single interface the network stack chooses the address. */
	code = IS_ENABLED(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
		       ? bind_to(port, port->tcp_fd, tmq_is_mapped(to->bytes), 0)
		       : 0;
	if (code != 0) {
		tmq_port_tcp_close(port, 1);
		return code;
	}
	if (set_non_blocking(port->tcp_fd) < 0 ||
	    (zsock_connect(port->tcp_fd, &remote.any, length) < 0 &&
	     errno != EINPROGRESS)) {
		code = failure(errno);
		tmq_port_tcp_close(port, 1);
		return code;
	}
	port->tcp_state = TMQ_TCP_CONNECTING;
	port->send_refused = false;
	port->tcp_family = tmq_is_mapped(to->bytes) ? TMQ_IPV4 : TMQ_IPV6;
	memset(port->address_changed, 0, sizeof(port->address_changed));
	port->sent_at = k_uptime_get();
	return 0;
}

int32_t tmq_port_tcp_state(struct tmq_port *port)
{
	return port->tcp_state;
}

/* The wait detected the end of a connect. */
static int32_t connected(int fd, short revents)
{
	int error = 0;
	tmq_socklen length = sizeof(error);

	if (zsock_getsockopt(fd, TMQ_SOL_SOCKET, TMQ_SO_ERROR, &error, &length) < 0) {
		error = errno;
	}
	if (error != 0) {
		return failure(error);
	}
	return (revents & ZSOCK_POLLOUT) != 0 ? TMQ_TCP_CONNECTED : TMQ_REFUSED;
}

int32_t tmq_port_tcp_send(struct tmq_port *port, const uint8_t *data, size_t length)
{
	ssize_t sent = zsock_send(port->tcp_fd, data, MIN(length, INT32_MAX), 0);

	if (sent >= 0) {
		port->sent_at = k_uptime_get();
		return (int32_t)sent;
	}
	switch (errno) {
	case ENOTCONN:
		/* Zephyr's TCP has no half-closed connections: it refuses data as soon as the peer's FIN has
		 * arrived, and reports the end of the stream only after the peer has acknowledged its own FIN.
		 * It may also refuse data at the moment the connection is established.
		 */
		port->send_refused = true;
		return 0;
	case EAGAIN:
	case ENOBUFS: /* Zephyr's TCP, if no packet is free now */
	case ENOMEM:
		return 0;
	default:
		return failure(errno);
	}
}

int32_t tmq_port_tcp_receive(struct tmq_port *port, uint8_t *buffer, size_t length)
{
	ssize_t received;

	/* Answers go to an address that the device no longer has, so do not wait for them. */
	if (port->address_changed[port->tcp_family]) {
		return TMQ_UNREACHABLE;
	}
	received = zsock_recv(port->tcp_fd, buffer, MIN(length, INT32_MAX), 0);
	if (received < 0) {
		return failure(errno);
	}
	port->received_at = k_uptime_get();
	return (int32_t)received;
}

void tmq_port_tcp_close(struct tmq_port *port, uint8_t abort)
{
	/* Zephyr's close sends FIN, or RST if there is unread data. RST cannot be forced, and the client
	 * does not depend on it.
	 */
	ARG_UNUSED(abort);
	if (port->tcp_fd >= 0) {
		(void)zsock_close(port->tcp_fd);
	}
	port->tcp_fd = -1;
	port->tcp_state = TMQ_TCP_CLOSED;
}

static struct tmq_udp *udp_socket(struct tmq_port *port, uint16_t local_port, bool is_ipv4,
				  int32_t *code)
{
	struct tmq_udp *oldest = &port->udp[0];

	for (size_t i = 0; i < ARRAY_SIZE(port->udp); i++) {
		struct tmq_udp *udp = &port->udp[i];

		if (udp->fd >= 0 && udp->port == local_port && udp->is_ipv4 == is_ipv4) {
			return udp;
		}
		if (udp->fd < 0) {
			oldest = udp;
		}
	}
	/* All are in use: a query that is sent again replaces the first. */
	if (oldest->fd >= 0) {
		(void)zsock_close(oldest->fd);
		port->udp[0] = port->udp[ARRAY_SIZE(port->udp) - 1];
		oldest = &port->udp[ARRAY_SIZE(port->udp) - 1];
	}

	oldest->port = local_port;
	oldest->is_ipv4 = is_ipv4;
	oldest->fd = zsock_socket(is_ipv4 ? TMQ_AF_INET : TMQ_AF_INET6, TMQ_SOCK_DGRAM,
				  TMQ_IPPROTO_UDP);
	if (oldest->fd < 0) {
		*code = failure(errno);
		return NULL;
	}
	*code = set_non_blocking(oldest->fd) < 0 ? failure(errno)
						 : bind_to(port, oldest->fd, is_ipv4, local_port);
	if (*code != 0) {
		(void)zsock_close(oldest->fd);
		oldest->fd = -1;
		return NULL;
	}
	return oldest;
}

int32_t tmq_port_udp_send(struct tmq_port *port, uint16_t from_port, const struct tmq_address *to,
			  const uint8_t *data, size_t length)
{
	union any_address remote;
	tmq_socklen remote_length = to_sockaddr(to, &remote);
	int32_t code = 0;
	struct tmq_udp *udp = udp_socket(port, from_port, tmq_is_mapped(to->bytes), &code);

	if (udp == NULL) {
		return code;
	}
	port->sent_at = k_uptime_get();
	return zsock_sendto(udp->fd, data, length, 0, &remote.any, remote_length) < 0
		       ? failure(errno)
		       : 0;
}

int32_t tmq_port_udp_receive(struct tmq_port *port, struct tmq_address *from, uint16_t *to_port,
			     uint8_t *buffer, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(port->udp); i++) {
		union any_address remote;
		tmq_socklen remote_length = sizeof(remote);
		ssize_t received;

		if (port->udp[i].fd < 0) {
			continue;
		}
		received = zsock_recvfrom(port->udp[i].fd, buffer, length, 0,
					  &remote.any, &remote_length);
		if (received >= 0) {
			from_sockaddr(&remote, from);
			*to_port = port->udp[i].port;
			return (int32_t)received;
		}
	}
	return TMQ_WOULD_BLOCK;
}

void tmq_port_udp_close(struct tmq_port *port)
{
	for (size_t i = 0; i < ARRAY_SIZE(port->udp); i++) {
		if (port->udp[i].fd >= 0) {
			(void)zsock_close(port->udp[i].fd);
		}
		port->udp[i].fd = -1;
	}
}

void tmq_port_await_answer(struct tmq_port *port, uint8_t awaited)
{
	port->answer_awaited = awaited != 0;
}

/* How long to wait if a poll fails. */
#define FAILED_POLL_MS 100
/* When to retry after Zephyr's TCP refused data: its socket counts as writable all the time. */
#define REFUSED_SEND_MS 100

void tmq_port_wait(struct tmq_port *port, int64_t timeout_ms, uint8_t want_receive,
		   uint8_t want_send)
{
	struct zsock_pollfd polls[2 + TMQ_UDP_SOCKETS];
	struct zsock_pollfd *tcp = NULL;
	int count = 0;
	int64_t due = MIN(MIN(tmq_network_due(port), tmq_poll_due(port)),
			  timeout_ms < 0 ? INT64_MAX : timeout_ms);
	int timeout;

	if (want_send && port->send_refused) {
		due = MIN(due, REFUSED_SEND_MS);
	}
	timeout = due == INT64_MAX ? -1 : (int)MIN(due, INT32_MAX);

	polls[count++] = (struct zsock_pollfd){.fd = port->wake_fd, .events = ZSOCK_POLLIN};
	for (size_t i = 0; i < ARRAY_SIZE(port->udp); i++) {
		if (port->udp[i].fd >= 0) {
			polls[count++] = (struct zsock_pollfd){.fd = port->udp[i].fd,
							       .events = ZSOCK_POLLIN};
		}
	}
	/* Last, because it gives way if there is no room. UDP is open in addition only while a name is
	 * being resolved; TCP is then needed only for DNS over TCP, for which the build requires the room.
	 */
	if (port->tcp_fd >= 0 && count < TMQ_POLL_MAX) {
		short events = 0;

		if (want_receive) {
			events |= ZSOCK_POLLIN;
		}
		if ((want_send && !port->send_refused) || port->tcp_state == TMQ_TCP_CONNECTING) {
			events |= ZSOCK_POLLOUT;
		}
		/* If nothing is wanted, an error would still end every wait immediately. */
		if (events != 0) {
			tcp = &polls[count++];
			*tcp = (struct zsock_pollfd){.fd = port->tcp_fd, .events = events};
		}
	}

	if (zsock_poll(polls, count, timeout) < 0) {
		/* Waiting is not possible. The client keeps running, but must not spin. */
		(void)k_msleep(MIN(timeout < 0 ? FAILED_POLL_MS : timeout, FAILED_POLL_MS));
	}
	port->send_refused = false;
	if (port->tcp_state == TMQ_TCP_CONNECTING && tcp != NULL && tcp->revents != 0) {
		port->tcp_state = connected(port->tcp_fd, tcp->revents);
	}
	if ((polls[0].revents & ZSOCK_POLLIN) != 0) {
		tmq_eventfd_clear(port->wake_fd);
	}
	tmq_network_refresh(port);
}

void tmq_port_wake(struct tmq_port *port)
{
	tmq_eventfd_signal(port->wake_fd);
}
