/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The functions on which the Rust core is built.
 */
#include <string.h>

#include <thread_mqtt_port.h>

#include "common.h"
#include "compat.h"

static struct tmq_port *port;

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	port = tmq_port_open();
	zassert_not_null(port);
}

static void after(void *fixture)
{
	ARG_UNUSED(fixture);
	tmq_port_close(port);
}

ZTEST_SUITE(port, NULL, NULL, before, after, NULL);

ZTEST(port, test_clock)
{
	int64_t begin = tmq_port_uptime_ms();

	k_msleep(20);
	zassert_between_inclusive(tmq_port_uptime_ms() - begin, 20, 1000);
	zassert_true(tmq_port_build_time() > 1767225600, "later than 2026-01-01");
}

ZTEST(port, test_random)
{
	uint8_t first[64] = {0};
	uint8_t second[64] = {0};
	static const uint8_t zeros[64];

	zassert_ok(tmq_port_random(first, sizeof(first)));
	zassert_ok(tmq_port_random(second, sizeof(second) - 1));
	zassert_not_equal(memcmp(first, zeros, sizeof(first)), 0);
	zassert_not_equal(memcmp(first, second, sizeof(first) - 1), 0);
	zassert_equal(second[sizeof(second) - 1], 0, "not beyond the end");
	zassert_ok(tmq_port_random(first, 0));
}

ZTEST(port, test_wait)
{
	int64_t begin = tmq_port_uptime_ms();

	tmq_port_wait(port, 50, 0, 0);
	zassert_between_inclusive(tmq_port_uptime_ms() - begin, 50, 1000);
}

static void wake_soon(void *first, void *second, void *third)
{
	ARG_UNUSED(second);
	ARG_UNUSED(third);
	k_msleep(20);
	tmq_port_wake(first);
}

static K_THREAD_STACK_DEFINE(stack, 4096);

ZTEST(port, test_wake)
{
	struct k_thread thread;
	int64_t begin;

	/* An earlier wake ends the wait as well, but only once. */
	tmq_port_wake(port);
	tmq_port_wake(port);
	begin = tmq_port_uptime_ms();
	tmq_port_wait(port, 60000, 0, 0);
	zassert_true(tmq_port_uptime_ms() - begin < 10000);
	begin = tmq_port_uptime_ms();
	tmq_port_wait(port, 50, 0, 0);
	zassert_true(tmq_port_uptime_ms() - begin >= 50);

	(void)k_thread_create(&thread, stack, K_THREAD_STACK_SIZEOF(stack), wake_soon, port,
			      NULL, NULL, K_PRIO_PREEMPT(5), 0, K_NO_WAIT);
	begin = tmq_port_uptime_ms();
	tmq_port_wait(port, -1, 0, 0);
	zassert_true(tmq_port_uptime_ms() - begin < 10000);
	zassert_ok(k_thread_join(&thread, PATIENCE));
}

ZTEST(port, test_network)
{
	struct tmq_network network;

	memset(&network, 0xff, sizeof(network));
	tmq_port_network(port, &network);
	zassert_equal(network.attached, 1);
	zassert_equal(network.native_ipv4, 1);
	zassert_equal(network.prefix_count, 0);
	zassert_equal(network.dns_server_count, 0);
}

ZTEST(port, test_tcp_refused)
{
	struct tmq_address nobody = {.bytes = {[10] = 0xff, 0xff, 127, 0, 0, 1}, .port = 1};
	uint8_t byte = 0;
	int32_t state;

	zassert_equal(tmq_port_tcp_state(port), TMQ_TCP_CLOSED);
	zassert_true(tmq_port_tcp_send(port, &byte, 1) < 0);
	zassert_true(tmq_port_tcp_receive(port, &byte, 1) < 0);
	for (int i = 0; i < 100; i++) {
		if (tmq_port_tcp_connect(port, &nobody) == 0) {
			zassert_equal(tmq_port_tcp_state(port), TMQ_TCP_CONNECTING);
			tmq_port_wait(port, 10000, 0, 0);
		}
		state = tmq_port_tcp_state(port);
		zassert_true(state < 0 || state == TMQ_TCP_CLOSED, "%d", state);
		tmq_port_tcp_close(port, i % 2);
		zassert_equal(tmq_port_tcp_state(port), TMQ_TCP_CLOSED);
	}
}

/* A server that echoes what it receives, as a DNS server would answer. */
static void answer(int server)
{
	tmq_sockaddr_in asker;
	tmq_socklen asker_length = sizeof(asker);
	uint8_t question[8];
	ssize_t length = zsock_recvfrom(server, question, sizeof(question), 0,
					(tmq_sockaddr *)&asker, &asker_length);

	zassert_equal(length, 5);
	zassert_equal(zsock_sendto(server, question, length, 0, (tmq_sockaddr *)&asker,
				   asker_length),
		      length);
}

/* Uses fixed ports, below those that a host assigns. */
ZTEST(port, test_udp)
{
	struct tmq_address to = {.bytes = {[10] = 0xff, 0xff, 127, 0, 0, 1}, .port = 28122};
	tmq_sockaddr_in address = {.sin_family = TMQ_AF_INET, .sin_port = tmq_htons(to.port)};
	int server = zsock_socket(TMQ_AF_INET, TMQ_SOCK_DGRAM, TMQ_IPPROTO_UDP);
	struct tmq_address from;
	uint16_t to_port;
	uint8_t got[8];
	int32_t length;

	memcpy(&address.sin_addr, &to.bytes[12], 4);
	zassert_true(server >= 0);
	zassert_ok(zsock_bind(server, (tmq_sockaddr *)&address, sizeof(address)));

	zassert_equal(tmq_port_udp_receive(port, &from, &to_port, got, sizeof(got)),
		      TMQ_WOULD_BLOCK);
	/* More local ports than there are sockets: the oldest one is closed. */
	for (uint16_t local = 28123; local < 28128; local++) {
		zassert_ok(tmq_port_udp_send(port, local, &to, "hello", 5));
		answer(server);
		tmq_port_wait(port, 10000, 0, 0);
		length = tmq_port_udp_receive(port, &from, &to_port, got, sizeof(got));
		zassert_equal(length, 5);
		zassert_mem_equal(got, "hello", 5);
		zassert_equal(to_port, local);
		zassert_equal(from.port, to.port);
		zassert_mem_equal(from.bytes, to.bytes, sizeof(from.bytes));
	}
	tmq_port_udp_close(port);
	tmq_port_udp_close(port);
	zassert_equal(tmq_port_udp_receive(port, &from, &to_port, got, sizeof(got)),
		      TMQ_WOULD_BLOCK);
	zassert_ok(zsock_close(server));
}

/* A name that the platform resolves without a server. */
#if defined(CONFIG_NET_NATIVE_OFFLOADED_SOCKETS)
#define KNOWN_NAME "localhost"
#else
#define KNOWN_NAME "127.0.0.1"
#endif

ZTEST(port, test_resolve)
{
	struct tmq_address answers[TMQ_ANSWERS];
	static const char name[300] = {[0 ... 298] = 'x'};

	zassert_equal(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
	zassert_true(tmq_port_resolve(port, name, 299, TMQ_FAMILY_INET) < 0, "too long");
	zassert_ok(tmq_port_resolve(port, KNOWN_NAME, strlen(KNOWN_NAME), TMQ_FAMILY_INET));
	zassert_true(tmq_port_resolved(port, answers) >= 1);
	zassert_equal(answers[0].bytes[12], 127);
	zassert_equal(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK, "told once");
}

ZTEST(port, test_ports_are_counted)
{
	struct tmq_port *more[CONFIG_THREAD_MQTT_MAX_CLIENTS];
	int descriptors = free_descriptors();
	size_t count = 0;

	while ((more[count] = tmq_port_open()) != NULL) {
		count++;
	}
	zassert_equal(count, CONFIG_THREAD_MQTT_MAX_CLIENTS - 1);
	while (count > 0) {
		tmq_port_close(more[--count]);
	}
	zassert_equal(free_descriptors(), descriptors);
}
