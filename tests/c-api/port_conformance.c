/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Tests on a port what the Rust core relies on. It needs only the port itself, so it can be compiled into
 * an image of any platform: see docs/porting.md.
 */
#include "port_conformance.h"

#include <string.h>

#include <thread_mqtt_port.h>

static int failures;

static void fail(const char *what)
{
	failures++;
	tmq_port_log(TMQ_LOG_ERROR, what, strlen(what));
}

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fail("port conformance: not so: " #condition);                             \
		}                                                                                  \
	} while (0)

/* Longer than any event takes. */
#define LONG_MS 60000

static void clocks(struct tmq_port *port)
{
	int64_t begin = tmq_port_uptime_ms();

	tmq_port_wait(port, 50, 0, 0);
	EXPECT(tmq_port_uptime_ms() - begin >= 50);
	EXPECT(tmq_port_uptime_ms() - begin < LONG_MS);
	EXPECT(tmq_port_build_time() > 1767225600); /* 2026-01-01 */
	EXPECT(tmq_port_unix_time() == 0 || tmq_port_unix_time() >= tmq_port_build_time());
}

static void entropy(void)
{
	static const uint8_t zeros[64];
	uint8_t first[64] = {0};
	uint8_t second[64] = {0};

	EXPECT(tmq_port_random(first, sizeof(first)) == 0);
	EXPECT(tmq_port_random(second, sizeof(second) - 1) == 0);
	EXPECT(memcmp(first, zeros, sizeof(first)) != 0);
	EXPECT(memcmp(first, second, sizeof(first) - 1) != 0);
	EXPECT(second[sizeof(second) - 1] == 0); /* nothing written beyond the end */
	EXPECT(tmq_port_random(first, 0) == 0);
}

/* Counts the characters found. */
static void add(void *context, const char *key, const uint8_t *data, size_t length)
{
	unsigned int *sum = context;

	EXPECT(strncmp(key, "conform.", 8) == 0);
	for (size_t i = 0; i < length; i++) {
		*sum += data[i];
	}
}

static void each_of_storage(void)
{
	unsigned int sum = 0;

	EXPECT(tmq_port_store_each("conform.", add, &sum) == 0 && sum == 0);
	EXPECT(tmq_port_store_write("conform.a", (const uint8_t *)"\1\2", 2) == 0);
	EXPECT(tmq_port_store_write("conform.b", (const uint8_t *)"\4", 1) == 0);
	EXPECT(tmq_port_store_write("conformed", (const uint8_t *)"\100", 1) == 0);
	EXPECT(tmq_port_store_each("conform.", add, &sum) == 0 && sum == 7);
	EXPECT(tmq_port_store_delete("conform.a") == 0);
	sum = 0;
	EXPECT(tmq_port_store_each("conform.", add, &sum) == 0 && sum == 4);
	EXPECT(tmq_port_store_delete("conform.b") == 0);
	EXPECT(tmq_port_store_delete("conformed") == 0);
}

static void storage(void)
{
	uint8_t got[8] = {0};
	int32_t code = tmq_port_store_write("conformance", (const uint8_t *)"first", 5);

	if (code == TMQ_NOT_SUPPORTED) {
		return;
	}
	EXPECT(code == 0);
	EXPECT(tmq_port_store_write("conformance", (const uint8_t *)"2nd", 3) == 0);
	EXPECT(tmq_port_store_read("conformance", got, sizeof(got)) == 3);
	EXPECT(memcmp(got, "2nd", 3) == 0);
	EXPECT(tmq_port_store_read("conformance", got, 2) < 0);
	EXPECT(tmq_port_store_delete("conformance") == 0);
	EXPECT(tmq_port_store_delete("conformance") == 0);
	EXPECT(tmq_port_store_read("conformance", got, sizeof(got)) == TMQ_NOT_FOUND);
	each_of_storage();
}

/* The thread of a second port, and what it shares with the first. */
struct pair {
	struct tmq_port *port;
	struct tmq_port *other;
	/* Protected by the lock of port. */
	int turn;
	uint8_t may_wait_for_itself;
	int32_t close_of_itself;
};

static void second_thread(void *argument)
{
	struct pair *pair = argument;

	pair->may_wait_for_itself = tmq_client_may_wait(pair);
	pair->close_of_itself = tmq_client_close(pair);
	tmq_port_lock(pair->port);
	pair->turn = 1;
	tmq_port_lock_notify(pair->port);
	while (pair->turn != 2) {
		tmq_port_lock_wait(pair->port, LONG_MS);
	}
	tmq_port_unlock(pair->port);
	tmq_port_wake(pair->port);
	/* The other thread wakes it, before or after it waits. */
	tmq_port_wait(pair->other, -1, 0, 0);
}

static void threads_and_locks(struct tmq_port *port, struct tmq_port *other)
{
	struct pair pair = {.port = port, .other = other};
	int64_t begin;

	/* An earlier wake ends the wait as well, but only once. */
	tmq_port_wake(port);
	tmq_port_wake(port);
	begin = tmq_port_uptime_ms();
	tmq_port_wait(port, LONG_MS, 0, 0);
	EXPECT(tmq_port_uptime_ms() - begin < LONG_MS);
	begin = tmq_port_uptime_ms();
	tmq_port_wait(port, 50, 0, 0);
	EXPECT(tmq_port_uptime_ms() - begin >= 50);

	/* A wait without a notification times out, and the lock is held again. */
	tmq_port_lock(port);
	tmq_port_lock_wait(port, 20);
	tmq_port_unlock(port);

	EXPECT(tmq_client_register(other, &pair, "session") == 1);
	tmq_port_lock(port);
	EXPECT(tmq_port_thread_start(other, second_thread, &pair) == 0);
	while (pair.turn != 1) {
		tmq_port_lock_wait(port, LONG_MS);
	}
	pair.turn = 2;
	tmq_port_lock_notify(port);
	tmq_port_unlock(port);
	tmq_port_wait(port, -1, 0, 0);
	tmq_client_wake(&pair);
	tmq_port_thread_join(other);
	EXPECT(pair.may_wait_for_itself == 0);
	EXPECT(pair.close_of_itself == TMQ_WOULD_BLOCK);

	EXPECT(tmq_client_may_wait(&pair) == 1);
	EXPECT(tmq_client_enter(&pair) == 0);
	tmq_client_leave(&pair);
	EXPECT(tmq_client_close(&pair) == 0);
	EXPECT(tmq_client_enter(&pair) == TMQ_CLOSING);
	EXPECT(tmq_client_close(&pair) == TMQ_CLOSING);
	/* A session belongs to its client until the registration is removed. */
	EXPECT(tmq_client_register(port, &begin, "session") == 0);
	EXPECT(tmq_client_enter(&begin) == TMQ_NO_CLIENT);
	EXPECT(tmq_client_register(other, NULL, "") == 1);
	EXPECT(tmq_client_enter(&pair) == TMQ_NO_CLIENT);
	EXPECT(tmq_client_register(port, &begin, "session") == 1);
	EXPECT(tmq_client_register(port, NULL, "") == 1);
	EXPECT(tmq_client_enter(NULL) == TMQ_NO_CLIENT);
	tmq_clients_wake();
}

static void tcp(struct tmq_port *port)
{
	/* No program listens on this port. */
	struct tmq_address refused = {.bytes = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, .port = 1};
	uint8_t byte = 0;

	EXPECT(tmq_port_tcp_state(port) == TMQ_TCP_CLOSED);
	for (int i = 0; i < 10; i++) {
		int32_t state = tmq_port_tcp_connect(port, &refused);
		int64_t begin = tmq_port_uptime_ms();

		while (state == 0 && tmq_port_tcp_state(port) == TMQ_TCP_CONNECTING &&
		       tmq_port_uptime_ms() - begin < LONG_MS) {
			tmq_port_wait(port, 1000, 0, 0);
		}
		state = state == 0 ? tmq_port_tcp_state(port) : state;
		EXPECT(state < 0);
		tmq_port_tcp_close(port, (uint8_t)(i % 2));
		EXPECT(tmq_port_tcp_state(port) == TMQ_TCP_CLOSED);
	}
	EXPECT(tmq_port_tcp_send(port, &byte, 1) <= 0);
	EXPECT(tmq_port_tcp_receive(port, &byte, 1) < 0);
}

static void udp(struct tmq_port *port)
{
	struct tmq_address self = {.bytes = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}};
	struct tmq_address from;
	uint16_t to_port = 0;
	uint8_t got[8];
	uint8_t random[2];

	EXPECT(tmq_port_random(random, sizeof(random)) == 0);
	EXPECT(tmq_port_udp_receive(port, &from, &to_port, got, sizeof(got)) == TMQ_WOULD_BLOCK);
	/* More local ports than there are sockets: the oldest one is closed. */
	for (uint16_t i = 0; i < 5; i++) {
		int32_t length = TMQ_WOULD_BLOCK;
		int64_t begin = tmq_port_uptime_ms();

		self.port = (uint16_t)(49152 + (random[0] << 5) + random[1] % 16 + i);
		if (tmq_port_udp_send(port, self.port, &self, (const uint8_t *)"hello", 5) != 0) {
			continue; /* another program uses the port */
		}
		while (length == TMQ_WOULD_BLOCK && tmq_port_uptime_ms() - begin < LONG_MS) {
			tmq_port_wait(port, 1000, 0, 0);
			length = tmq_port_udp_receive(port, &from, &to_port, got, sizeof(got));
		}
		EXPECT(length == 5 && memcmp(got, "hello", 5) == 0);
		EXPECT(to_port == self.port && from.port == self.port);
		EXPECT(memcmp(from.bytes, self.bytes, sizeof(from.bytes)) == 0);
	}
	tmq_port_udp_close(port);
	tmq_port_udp_close(port);
	EXPECT(tmq_port_udp_receive(port, &from, &to_port, got, sizeof(got)) == TMQ_WOULD_BLOCK);
}

static void names(struct tmq_port *port)
{
	struct tmq_address answers[TMQ_ANSWERS];
	char long_name[300];

	memset(long_name, 'x', sizeof(long_name));
	EXPECT(tmq_port_resolved(port, answers) == TMQ_WOULD_BLOCK);
	EXPECT(tmq_port_resolve(port, long_name, sizeof(long_name), TMQ_FAMILY_INET) < 0);
	/* Whatever the answer is, it is given only once. */
	if (tmq_port_resolve(port, "localhost", 9, TMQ_FAMILY_UNSPECIFIED) == 0) {
		int32_t result = TMQ_WOULD_BLOCK;
		int64_t begin = tmq_port_uptime_ms();

		while ((result = tmq_port_resolved(port, answers)) == TMQ_WOULD_BLOCK &&
		       tmq_port_uptime_ms() - begin < LONG_MS) {
			tmq_port_wait(port, 1000, 0, 0);
		}
		EXPECT(result != TMQ_WOULD_BLOCK && result <= TMQ_ANSWERS);
		EXPECT(tmq_port_resolved(port, answers) == TMQ_WOULD_BLOCK);
	}
	/* Dropped when another look-up starts, and when the port is closed. */
	(void)tmq_port_resolve(port, "localhost", 9, TMQ_FAMILY_INET);
	(void)tmq_port_resolve(port, "localhost", 9, TMQ_FAMILY_INET6);
}

static void network(struct tmq_port *port)
{
	const struct tmq_options *options = tmq_port_options();
	struct tmq_network found;

	memset(&found, 0xff, sizeof(found));
	tmq_port_network(port, &found);
	EXPECT(found.attached <= 1 && found.native_ipv4 <= 1);
	EXPECT(found.prefix_count <= TMQ_PREFIXES);
	EXPECT(found.dns_server_count <= TMQ_DNS_SERVERS);
	EXPECT(options == tmq_port_options() && options->outbox_messages > 0);
	EXPECT(options->dns_servers != NULL && options->nat64_prefix != NULL);
	EXPECT(options->broker != NULL && options->client_id != NULL);
	EXPECT(options->time_servers != NULL);
	EXPECT(options->mqtt_version == 4 || options->mqtt_version == 5);
}

int port_conformance(void)
{
	struct tmq_port *port = tmq_port_open();
	struct tmq_port *other = tmq_port_open();

	failures = 0;
	if (port == NULL || other == NULL) {
		fail("port conformance: two ports are needed");
	} else {
		clocks(port);
		entropy();
		storage();
		threads_and_locks(port, other);
		tcp(port);
		udp(port);
		names(port);
		network(port);
	}
	if (other != NULL) {
		tmq_port_close(other);
	}
	if (port != NULL) {
		tmq_port_close(port);
	}
	return failures;
}
