/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include <zephyr/net/socket.h>
#include <zephyr/random/random.h>

#include "broker.h"
#include "common.h"

#define CONNECT   1
#define PUBLISH   3
#define PUBACK    4
#define SUBSCRIBE 8
#define PINGREQ   12

#define TOPIC "large"
/* Packet identifier of the message that is sent. */
#define PACKET_ID 1

struct broker broker;
/* The client's session: whether it exists, and whether the message is still unacknowledged. */
static bool known;
static bool pending;

static int listener;
static volatile bool ending;
static struct k_thread thread;
static K_THREAD_STACK_DEFINE(stack, 4096);

/* A blocking call on an accepted socket of native_sim would stop the whole image, and an event may not wake
 * the thread, so the socket is polled repeatedly.
 */
static bool await(int peer, short events)
{
	struct zsock_pollfd wanted = {.fd = peer, .events = events};
	int ready;

	do {
		ready = zsock_poll(&wanted, 1, 10);
	} while (ready == 0);
	return ready == 1;
}

static bool send_all(int peer, const void *bytes, size_t length)
{
	const uint8_t *next = bytes;

	while (length > 0) {
		ssize_t sent = await(peer, ZSOCK_POLLOUT)
				       ? zsock_send(peer, next, length, ZSOCK_MSG_DONTWAIT)
				       : -1;

		if (sent < 0 && errno == EAGAIN) {
			continue;
		}
		if (sent <= 0) {
			return false;
		}
		next += sent;
		length -= sent;
	}
	return true;
}

static bool take(int peer, void *bytes, size_t length)
{
	uint8_t *next = bytes;

	while (length > 0) {
		ssize_t taken = await(peer, ZSOCK_POLLIN)
					? zsock_recv(peer, next, length, ZSOCK_MSG_DONTWAIT)
					: -1;

		if (taken < 0 && errno == EAGAIN) {
			continue;
		}
		if (taken <= 0) {
			return false;
		}
		next += taken;
		length -= taken;
	}
	return true;
}

static bool skip(int peer, uint32_t length)
{
	uint8_t bytes[64];

	while (length > 0) {
		uint32_t part = MIN(length, sizeof(bytes));

		if (!take(peer, bytes, part)) {
			return false;
		}
		length -= part;
	}
	return true;
}

/* Reads a fixed header (MQTT 5 section 2.1.1). */
static bool take_header(int peer, uint8_t *head, uint32_t *length)
{
	uint8_t part;

	*length = 0;
	if (!take(peer, head, 1)) {
		return false;
	}
	for (int shift = 0; shift < 28; shift += 7) {
		if (!take(peer, &part, 1)) {
			return false;
		}
		*length |= (uint32_t)(part & 0x7f) << shift;
		if (part < 0x80) {
			return true;
		}
	}
	return false;
}

static bool send_header(int peer, uint8_t head, uint32_t length)
{
	uint8_t bytes[5] = {head};
	size_t count = 1;

	do {
		bytes[count++] = (length & 0x7f) | (length > 0x7f ? 0x80 : 0);
		length >>= 7;
	} while (length > 0);
	return send_all(peer, bytes, count);
}

static bool send_large(int peer, bool again)
{
	static const uint8_t topic[] = {0, sizeof(TOPIC) - 1};
	static const uint8_t tail[] = {0, PACKET_ID, 0};
	uint32_t length = sizeof(topic) + strlen(TOPIC) + sizeof(tail) + broker.send;
	/* DUP, and QoS 1 (section 3.3.1). */
	uint8_t head = PUBLISH << 4 | (again ? 8 : 0) | 1 << 1;
	uint8_t bytes[512];

	pending = true;
	if (!send_header(peer, head, length) || !send_all(peer, topic, sizeof(topic)) ||
	    !send_all(peer, TOPIC, strlen(TOPIC)) || !send_all(peer, tail, sizeof(tail))) {
		return false;
	}
	for (uint32_t at = 0; at < broker.send;) {
		uint32_t part = MIN(broker.send - at, sizeof(bytes));

		for (uint32_t i = 0; i < part; i++) {
			bytes[i] = byte_at(at + i);
		}
		if (!send_all(peer, bytes, part)) {
			return false;
		}
		at += part;
		if (broker.cut_sending != 0 && at >= broker.cut_sending) {
			broker.cut_sending = 0;
			return false;
		}
	}
	return true;
}

static bool connected(int peer, uint32_t length)
{
	uint8_t body[8];
	uint8_t answer[] = {0x20, 3, 0, 0, 0};

	if (!take(peer, body, sizeof(body)) || !skip(peer, length - sizeof(body))) {
		return false;
	}
	if ((body[7] & 2) != 0) { /* Clean Start (section 3.1.2.4) */
		known = false;
		pending = false;
	}
	answer[2] = known;
	known = true;
	return send_all(peer, answer, sizeof(answer)) && (!pending || send_large(peer, true));
}

static bool published(int peer, uint8_t head, uint32_t length)
{
	uint8_t bytes[512];
	uint8_t answer[] = {PUBACK << 4, 2, 0, 0};
	uint8_t qos = head >> 1 & 3;
	uint16_t topic;

	if (!take(peer, bytes, 2)) {
		return false;
	}
	topic = bytes[0] << 8 | bytes[1];
	if (!skip(peer, topic) || (qos > 0 && !take(peer, &answer[2], 2)) || !take(peer, bytes, 1) ||
	    !skip(peer, bytes[0])) {
		return false;
	}
	length -= 2 + topic + (qos > 0 ? 2 : 0) + 1 + bytes[0];
	for (broker.received = 0; broker.received < length;) {
		uint32_t part = MIN(length - broker.received, sizeof(bytes));

		if (!take(peer, bytes, part)) {
			return false;
		}
		for (uint32_t i = 0; i < part; i++) {
			broker.wrong += bytes[i] != byte_at(broker.received++);
		}
		if (broker.cut_receiving != 0 && broker.received >= broker.cut_receiving) {
			broker.cut_receiving = 0;
			return false;
		}
	}
	return qos == 0 || send_all(peer, answer, sizeof(answer));
}

/* Returns false at the end of the connection. */
static bool serve(int peer)
{
	uint8_t head;
	uint8_t subscribed[] = {0x90, 4, 0, 0, 0, 1};
	uint32_t length;

	if (!take_header(peer, &head, &length)) {
		return false;
	}
	switch (head >> 4) {
	case CONNECT:
		return connected(peer, length);
	case PUBLISH:
		return published(peer, head, length);
	case PUBACK:
		pending = false;
		k_sem_give(&broker.acknowledged);
		return skip(peer, length);
	case SUBSCRIBE:
		return take(peer, &subscribed[2], 2) && skip(peer, length - 2) &&
		       send_all(peer, subscribed, sizeof(subscribed)) &&
		       (broker.send == 0 || send_large(peer, false));
	case PINGREQ:
		return send_all(peer, "\xd0\0", 2);
	default:
		return skip(peer, length);
	}
}

static void run(void *first, void *second, void *third)
{
	ARG_UNUSED(first);
	ARG_UNUSED(second);
	ARG_UNUSED(third);

	while (!ending) {
		struct zsock_pollfd wanted = {.fd = listener, .events = ZSOCK_POLLIN};
		int peer;

		if (zsock_poll(&wanted, 1, 100) <= 0) {
			continue;
		}
		peer = zsock_accept(listener, NULL, NULL);
		if (peer < 0) {
			continue;
		}
		while (serve(peer)) {
		}
		(void)zsock_close(peer);
	}
	(void)zsock_close(listener);
}

void broker_start(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	zassert_equal(zsock_inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
	listener = zsock_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	zassert_true(listener >= 0);
	/* The host's sockets do not report which port they chose. */
	do {
		broker.port = 49152 + sys_rand32_get() % 16000;
		to.sin_port = htons(broker.port);
	} while (zsock_bind(listener, (struct sockaddr *)&to, sizeof(to)) != 0);
	zassert_ok(zsock_listen(listener, 1));
	broker_forget();
	ending = false;
	(void)k_thread_create(&thread, stack, K_THREAD_STACK_SIZEOF(stack), run, NULL, NULL, NULL,
			      K_PRIO_PREEMPT(7), 0, K_NO_WAIT);
}

void broker_end(void)
{
	ending = true;
	zassert_ok(k_thread_join(&thread, PATIENCE));
}

void broker_forget(void)
{
	uint16_t port = broker.port;

	memset(&broker, 0, sizeof(broker));
	broker.port = port;
	(void)k_sem_init(&broker.acknowledged, 0, K_SEM_MAX_LIMIT);
	known = false;
	pending = false;
}
