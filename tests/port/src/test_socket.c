/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * TCP, UDP and the wait, on the host's loopback, and every call that can fail.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "stub.h"

/* Opens a port on whose interfaces 127.0.0.1 and ::1 are this device's addresses. */
static struct tmq_port *open_on_loopback(void)
{
	struct net_if *iface = &stub_interfaces[STUB_OTHER_INTERFACE];
	struct tmq_port *port;

	stub_set_up(iface, true);
	stub_set_ipv4(iface, "127.0.0.1");
	stub_set_ipv6(iface, "::1");
	port = tmq_port_open();
	CHECK(port != NULL);
	CHECK_EQUAL(tmq_port_use_interface(port, IS_ENABLED(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
							 ? TMQ_INTERFACE_OTHER
							 : TMQ_INTERFACE_DEFAULT),
		    0);
	return port;
}

/* Opens a socket for the other side, and gets its address. */
static int peer(int type, const char *text, struct tmq_address *address)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in = {.sin_family = AF_INET};
	bool is_ipv4 = inet_pton(AF_INET, text, &in.sin_addr) == 1;
	struct sockaddr *any = is_ipv4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
	socklen_t length = is_ipv4 ? sizeof(in) : sizeof(in6);
	int fd = socket(any->sa_family, type, 0);

	CHECK(is_ipv4 || inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
	if (fd < 0 || bind(fd, any, length) != 0) {
		/* On a host without IPv6 the IPv4 half of the test remains. */
		CHECK(!is_ipv4);
		printf("SKIPPED: no IPv6 on this host\n");
		exit(0);
	}
	CHECK(type == SOCK_DGRAM || listen(fd, 1) == 0);
	CHECK(getsockname(fd, any, &length) == 0);
	*address = stub_address(text, ntohs(is_ipv4 ? in.sin_port : in6.sin6_port));
	return fd;
}

static void connect_to(struct tmq_port *port, const struct tmq_address *to)
{
	CHECK_EQUAL(tmq_port_tcp_connect(port, to), 0);
	while (tmq_port_tcp_state(port) == TMQ_TCP_CONNECTING) {
		tmq_port_wait(port, -1, 1, 0);
	}
}

static void talk(const char *text)
{
	struct tmq_port *port = open_on_loopback();
	struct tmq_address to;
	uint8_t buffer[8];
	int listening = peer(SOCK_STREAM, text, &to);
	int other;

	connect_to(port, &to);
	CHECK_EQUAL(tmq_port_tcp_state(port), TMQ_TCP_CONNECTED);
	other = accept(listening, NULL, NULL);
	CHECK(other >= 0);
	CHECK_EQUAL(tmq_port_tcp_receive(port, buffer, 8), TMQ_WOULD_BLOCK);
	CHECK_EQUAL(tmq_port_tcp_send(port, (const uint8_t *)"hello", 5), 5);
	CHECK(recv(other, buffer, 8, 0) == 5 && memcmp(buffer, "hello", 5) == 0);
	CHECK(send(other, "answer", 6, 0) == 6);
	tmq_port_wait(port, -1, 1, 0);
	CHECK_EQUAL(tmq_port_tcp_receive(port, buffer, 8), 6);
	close(other);
	tmq_port_wait(port, -1, 1, 0);
	CHECK_EQUAL(tmq_port_tcp_receive(port, buffer, 8), 0);
	tmq_port_tcp_close(port, 0);
	CHECK_EQUAL(tmq_port_tcp_state(port), TMQ_TCP_CLOSED);
	tmq_port_close(port);
	CHECK_EQUAL(stub_open_descriptors(), 0);
}

TEST(tcp_over_ipv4)
{
	talk("127.0.0.1");
}

TEST(tcp_over_ipv6)
{
	talk("::1");
}

TEST(a_refused_connection)
{
	struct tmq_port *port = open_on_loopback();
	struct tmq_address to;

	/* Bound, but no longer listening. */
	close(peer(SOCK_STREAM, "127.0.0.1", &to));
	connect_to(port, &to);
	CHECK_EQUAL(tmq_port_tcp_state(port), TMQ_REFUSED);
	tmq_port_close(port);
	CHECK_EQUAL(stub_open_descriptors(), 0);
}

TEST(a_reset_connection)
{
	struct tmq_port *port = open_on_loopback();
	struct linger reset = {.l_onoff = 1};
	struct tmq_address to;
	uint8_t buffer[8];
	int listening = peer(SOCK_STREAM, "127.0.0.1", &to);
	int other;

	connect_to(port, &to);
	other = accept(listening, NULL, NULL);
	CHECK(setsockopt(other, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0);
	close(other);
	tmq_port_wait(port, -1, 1, 0);
	CHECK_EQUAL(tmq_port_tcp_receive(port, buffer, 8), TMQ_RESET);
	CHECK_EQUAL(tmq_port_tcp_send(port, buffer, 8), TMQ_RESET);
	tmq_port_close(port);
}

/* Every call of a connect that can fail, with the errors that Zephyr's TCP returns. */
TEST(a_connect_that_fails)
{
	static const struct {
		const char *call;
		int error;
		int32_t code;
	} cases[] = {
		{"zsock_socket", EPROTOTYPE, TMQ_NO_TCP},
		{"zsock_socket", EPROTONOSUPPORT, TMQ_NO_TCP},
		{"zsock_socket", ENFILE, TMQ_ERRNO_BASE - ENFILE},
		{"zsock_socket", EMFILE, TMQ_ERRNO_BASE - EMFILE},
		{"zsock_socket", ENOMEM, TMQ_ERRNO_BASE - ENOMEM},
		{"zsock_fcntl", EBADF, TMQ_ERRNO_BASE - EBADF},
		{"zsock_connect", ENETUNREACH, TMQ_UNREACHABLE},
		{"zsock_connect", EHOSTUNREACH, TMQ_UNREACHABLE},
		{"zsock_connect", EADDRNOTAVAIL, TMQ_UNREACHABLE},
		{"zsock_connect", ENETDOWN, TMQ_UNREACHABLE},
		{"zsock_connect", EACCES, TMQ_UNREACHABLE},
		{"zsock_connect", EPERM, TMQ_UNREACHABLE},
		{"zsock_connect", ECONNREFUSED, TMQ_REFUSED},
		{"zsock_connect", ETIMEDOUT, TMQ_TIMED_OUT},
		{"zsock_connect", EPROTOTYPE, TMQ_NO_TCP},
	};
	struct tmq_port *port = open_on_loopback();
	int before = stub_open_descriptors();
	struct tmq_address to = stub_address("127.0.0.1", 1);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		stub_fail_call(cases[i].call, cases[i].error);
		CHECK_EQUAL(tmq_port_tcp_connect(port, &to), cases[i].code);
		CHECK_EQUAL(tmq_port_tcp_state(port), TMQ_TCP_CLOSED);
		CHECK_EQUAL(stub_open_descriptors(), before);
	}
	/* A failure that the wait detects. */
	for (int error = 0; error < 2; error++) {
		CHECK_EQUAL(tmq_port_tcp_connect(port, &to), 0);
		stub_fail_call("zsock_getsockopt", error == 0 ? ETIMEDOUT : EIO);
		tmq_port_wait(port, -1, 0, 0);
		CHECK_EQUAL(tmq_port_tcp_state(port),
			    error == 0 ? TMQ_TIMED_OUT : TMQ_ERRNO_BASE - EIO);
	}
	tmq_port_close(port);
}

TEST(sending_and_receiving_that_fail)
{
	static const struct {
		int error;
		int32_t sent, received;
	} cases[] = {
		{EAGAIN, 0, TMQ_WOULD_BLOCK},
		{ENOBUFS, 0, TMQ_ERRNO_BASE - ENOBUFS},
		{ENOMEM, 0, TMQ_ERRNO_BASE - ENOMEM},
		{ECONNRESET, TMQ_RESET, TMQ_RESET},
		{ECONNABORTED, TMQ_RESET, TMQ_RESET},
		{EPIPE, TMQ_RESET, TMQ_RESET},
		{ENOTCONN, 0, TMQ_RESET},
		{ETIMEDOUT, TMQ_TIMED_OUT, TMQ_TIMED_OUT},
		{ENETDOWN, TMQ_UNREACHABLE, TMQ_UNREACHABLE},
		{EIO, TMQ_ERRNO_BASE - EIO, TMQ_ERRNO_BASE - EIO},
	};
	struct tmq_port *port = open_on_loopback();
	struct tmq_address to;
	uint8_t buffer[8] = {0};

	(void)peer(SOCK_STREAM, "127.0.0.1", &to);
	connect_to(port, &to);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		stub_fail_call("zsock_send", cases[i].error);
		CHECK_EQUAL(tmq_port_tcp_send(port, buffer, 8), cases[i].sent);
		stub_fail_call("zsock_recv", cases[i].error);
		CHECK_EQUAL(tmq_port_tcp_receive(port, buffer, 8), cases[i].received);
	}
	tmq_port_tcp_close(port, 1);
	CHECK_EQUAL(tmq_port_tcp_send(port, buffer, 8), TMQ_ERRNO_BASE - EBADF);
	CHECK_EQUAL(tmq_port_tcp_receive(port, buffer, 8), TMQ_ERRNO_BASE - EBADF);
	tmq_port_close(port);
}

/* Zephyr's TCP refuses data as soon as the peer's FIN arrives, but reports the end only some time later. */
TEST(a_peer_that_closes_first)
{
	struct tmq_port *port = open_on_loopback();
	struct tmq_address to;
	uint8_t buffer[8] = {0};
	int listening = peer(SOCK_STREAM, "127.0.0.1", &to);
	int other;

	connect_to(port, &to);
	other = accept(listening, NULL, NULL);
	CHECK(send(other, "last", 4, 0) == 4);
	stub_fail_call("zsock_send", ENOTCONN);
	CHECK_EQUAL(tmq_port_tcp_send(port, buffer, 8), 0);
	/* The socket counts as writable all the time. */
	tmq_port_wait(port, -1, 1, 1);
	CHECK(!stub_wants_to_send());
	CHECK(stub_last_timeout() == 100);
	CHECK_EQUAL(tmq_port_tcp_receive(port, buffer, 8), 4);
	close(other);
	tmq_port_wait(port, -1, 1, 1);
	CHECK_EQUAL(tmq_port_tcp_receive(port, buffer, 8), 0);
	/* The next connection can send again. */
	connect_to(port, &to);
	tmq_port_wait(port, -1, 0, 1);
	CHECK(stub_wants_to_send());
	tmq_port_close(port);
}

TEST(a_poll_that_fails_does_not_spin)
{
	struct tmq_port *port = open_on_loopback();

	stub_fail_call("zsock_poll", ENOMEM);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(stub_sleeps(), 1);
	/* After that it continues. */
	tmq_port_wait(port, 0, 0, 0);
	CHECK_EQUAL(stub_sleeps(), 1);
	tmq_port_close(port);
}

TEST(the_wait_is_as_long_as_asked)
{
	/* No event reports the interface's changes. */
	bool looks = !IS_ENABLED(CONFIG_NET_MGMT_EVENT) && !IS_ENABLED(CONFIG_NET_L2_OPENTHREAD);
	struct tmq_port *port = open_on_loopback();

	stub_stop_clock(1000);
	tmq_port_wait(port, 0, 1, 1);
	CHECK_EQUAL(stub_last_timeout(), 0);
	tmq_port_wait(port, 1, 1, 1);
	CHECK_EQUAL(stub_last_timeout(), 1);
	tmq_port_wait(port, 5000000000, 1, 1);
	CHECK_EQUAL(stub_last_timeout(), looks ? 1000 : INT32_MAX);
	tmq_port_wait(port, INT64_MAX, 1, 1);
	CHECK_EQUAL(stub_last_timeout(), looks ? 1000 : -1);
	tmq_port_wait(port, -1, 1, 1);
	CHECK_EQUAL(stub_last_timeout(), looks ? 1000 : -1);
	tmq_port_close(port);
}

static void question(const char *text)
{
	struct tmq_port *port = open_on_loopback();
	struct sockaddr_storage asker;
	socklen_t asker_length = sizeof(asker);
	struct tmq_address to, from;
	uint16_t to_port = 0;
	uint8_t buffer[16];
	int server = peer(SOCK_DGRAM, text, &to);

	CHECK_EQUAL(tmq_port_udp_receive(port, &from, &to_port, buffer, 16), TMQ_WOULD_BLOCK);
	CHECK_EQUAL(tmq_port_udp_send(port, 0xc123, &to, (const uint8_t *)"who?", 4), 0);
	CHECK(recvfrom(server, buffer, 16, 0, (struct sockaddr *)&asker, &asker_length) == 4);
	CHECK(sendto(server, "me", 2, 0, (struct sockaddr *)&asker, asker_length) == 2);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(tmq_port_udp_receive(port, &from, &to_port, buffer, 16), 2);
	CHECK(memcmp(from.bytes, to.bytes, 16) == 0);
	CHECK_EQUAL(from.port, to.port);
	CHECK_EQUAL(to_port, 0xc123);
	tmq_port_udp_close(port);
	CHECK_EQUAL(stub_open_descriptors(), 1);
	tmq_port_close(port);
}

TEST(udp_over_ipv4)
{
	question("127.0.0.1");
}

TEST(udp_over_ipv6)
{
	question("::1");
}

TEST(a_datagram_that_fails)
{
	static const char *const calls[] = {"zsock_socket", "zsock_fcntl", "zsock_bind",
					    "zsock_sendto"};
	struct tmq_port *port = open_on_loopback();
	struct tmq_address to;
	uint8_t buffer[4] = {0};

	(void)peer(SOCK_DGRAM, "127.0.0.1", &to);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		stub_fail_call(calls[i], ENFILE);
		CHECK_EQUAL(tmq_port_udp_send(port, 0xc124, &to, buffer, 4), TMQ_ERRNO_BASE - ENFILE);
		/* Only the socket of the last call is useful, and it is reused. */
		CHECK_EQUAL(stub_open_descriptors(), i < 3 ? 1 : 2);
	}
	CHECK_EQUAL(tmq_port_udp_send(port, 0xc124, &to, buffer, 4), 0);
	CHECK_EQUAL(stub_open_descriptors(), 2);
	tmq_port_close(port);
	CHECK_EQUAL(stub_open_descriptors(), 0);
}

TEST(a_client_has_two_sockets_for_questions)
{
	struct tmq_port *port = open_on_loopback();
	struct tmq_address to;
	uint8_t buffer[4] = {0};

	(void)peer(SOCK_DGRAM, "127.0.0.1", &to);
	for (uint16_t from = 0xc200; from < 0xc206; from++) {
		CHECK_EQUAL(tmq_port_udp_send(port, from, &to, buffer, 4), 0);
		CHECK_EQUAL(stub_open_descriptors(), from == 0xc200 ? 2 : 3);
	}
	/* All descriptors in one poll. */
	tmq_port_wait(port, 0, 1, 1);
	tmq_port_close(port);
	CHECK_EQUAL(stub_open_descriptors(), 0);
}
