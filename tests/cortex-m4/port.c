/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * thread_mqtt_port.h on a board without an operating system: one client, cooperative threads, a network over
 * the serial line (relay.h). thread_mqtt_port.h specifies what each function must do.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <thread_mqtt.h>
#include <thread_mqtt_port.h>

#include "board.h"
#include "cooperative.h"
#include "relay.h"
#include "script.h"

struct tmq_port {
	bool taken;
	bool closing;
	bool locked;
	bool notified;
	bool woken;
	const void *client;

	/* Number of the connection: late frames of another one are dropped. */
	uint8_t connection;
	int32_t state;
	bool at_end;
	uint8_t received[2 * RELAY_MOST];
	size_t received_len;

	/* One datagram: no other is read while it is here. */
	uint8_t datagram[RELAY_MOST];
	size_t datagram_len;

	bool asked;
	int32_t answer;
	struct tmq_address answers[TMQ_ANSWERS];
};

static struct tmq_port the_port;

bool script_has_no_entropy;

/* ---------------------------------------------------------------- serial line */

static void send_frame(struct tmq_port *port, uint8_t type, const void *head, size_t head_len,
		       const void *body, size_t body_len)
{
	size_t length = head_len + body_len;
	uint8_t header[RELAY_HEADER] = {type, port->connection, (uint8_t)(length >> 8),
					(uint8_t)length};

	board_send(header, sizeof(header));
	board_send(head, head_len);
	board_send(body, body_len);
}

static void write_address(uint8_t bytes[18], const struct tmq_address *address)
{
	memcpy(bytes, address->bytes, 16);
	bytes[16] = (uint8_t)(address->port >> 8);
	bytes[17] = (uint8_t)address->port;
}

static void read_address(struct tmq_address *address, const uint8_t bytes[18])
{
	memcpy(address->bytes, bytes, 16);
	address->port = (uint16_t)(bytes[16] << 8 | bytes[17]);
}

/* Returns whether there was a frame. A frame is begun only if there is room for the longest. */
static bool take_frame(struct tmq_port *port)
{
	uint8_t header[RELAY_HEADER];
	uint8_t body[RELAY_MOST];
	size_t length;

	if (port->received_len > RELAY_MOST || port->datagram_len > 0 || !board_has_received()) {
		return false;
	}
	board_receive(header, sizeof(header));
	length = (size_t)header[2] << 8 | header[3];
	board_receive(body, length);
	if (header[0] == RELAY_DATAGRAM) {
		memcpy(port->datagram, body, length);
		port->datagram_len = length;
		return true;
	}
	if (header[1] != port->connection || port->state == TMQ_TCP_CLOSED) {
		return true;
	}
	switch (header[0]) {
	case RELAY_OPEN:
		port->state = TMQ_TCP_CONNECTED;
		break;
	case RELAY_REFUSED:
		port->state = TMQ_REFUSED;
		break;
	case RELAY_RESET:
		port->state = TMQ_RESET;
		break;
	case RELAY_END:
		port->at_end = true;
		break;
	case RELAY_DATA:
		memcpy(&port->received[port->received_len], body, length);
		port->received_len += length;
		break;
	default:
		tmq_port_panic("an unknown frame", 16);
	}
	return true;
}

/* ---------------------------------------------------------------- options, clock, entropy, log */

#define TEXT(field, option)                      .field = CONFIG_THREAD_MQTT_##option,
#define NUMBER(field, type, option, least, most) .field = CONFIG_THREAD_MQTT_##option,
/* All switches are off here. */
#define SWITCH(field, option)                    .field = 0,

const struct tmq_options *tmq_port_options(void)
{
	static const struct tmq_options options = {
#include <thread_mqtt_options.def>
	};

	return &options;
}

uint8_t tmq_port_hardware_id(uint8_t id[TMQ_HARDWARE_ID])
{
	memcpy(id, "\xf4\xce\x36\x01\x02\x03\x04\x05", 8);
	return 8;
}

uintptr_t tmq_port_this_thread(void)
{
	return client_is_running() ? 2 : 4;
}

int64_t tmq_port_uptime_ms(void)
{
	return (int64_t)(board_ticks() / (BOARD_TICKS_PER_SECOND / 1000));
}

int64_t tmq_port_unix_time(void)
{
	return 0;
}

int64_t tmq_port_build_time(void)
{
	return SCRIPT_BUILD_TIME;
}

/* An emulated board has no entropy. No product may do this. */
int32_t tmq_port_random(uint8_t *buffer, size_t length)
{
	if (script_has_no_entropy) {
		return TMQ_ERRNO_BASE - 5;
	}
	board_random(buffer, length);
	return 0;
}

uint8_t tmq_port_log_level(void)
{
	return TMQ_LOG_INFO;
}

void tmq_port_log(uint8_t level, const char *text, size_t length)
{
	(void)level;
	board_say(text, length);
}

void tmq_port_panic(const char *text, size_t length)
{
	board_say(text, length);
	_Exit(1);
}

int32_t tmq_port_credential(int32_t tag, uint8_t kind, uint8_t *buffer, size_t size)
{
	(void)tag;
	(void)kind;
	(void)buffer;
	(void)size;
	return TMQ_NOT_SUPPORTED;
}

/* ---------------------------------------------------------------- client and thread */

struct tmq_port *tmq_port_open(void)
{
	uint8_t connection = the_port.connection;

	if (the_port.taken) {
		return NULL;
	}
	memset(&the_port, 0, sizeof(the_port));
	/* Frames of the last client's connection may still arrive. */
	the_port.connection = connection;
	the_port.taken = true;
	return &the_port;
}

void tmq_port_close(struct tmq_port *port)
{
	tmq_port_tcp_close(port, 1);
	port->taken = false;
}

int32_t tmq_port_use_interface(struct tmq_port *port, uint8_t interface)
{
	(void)port;
	return interface == TMQ_INTERFACE_DEFAULT ? 0 : TMQ_NOT_SUPPORTED;
}

int32_t tmq_port_thread_start(struct tmq_port *port, void (*run)(void *argument), void *argument)
{
	(void)port;
	client_start(run, argument);
	return 0;
}

void tmq_port_thread_join(struct tmq_port *port)
{
	(void)port;
	while (client_is_alive()) {
		client_resume();
	}
}

/* There is only one client, so no session is shared. */
uint8_t tmq_client_register(struct tmq_port *port, const void *client, const char *session)
{
	(void)session;
	port->client = client;
	port->closing = false;
	return 1;
}

int32_t tmq_client_enter(const void *client)
{
	if (client == NULL || client != the_port.client) {
		return TMQ_NO_CLIENT;
	}
	return the_port.closing ? TMQ_CLOSING : 0;
}

/* No thread is interrupted during a call, so there are no users to count. */
void tmq_client_leave(const void *client)
{
	(void)client;
}

int32_t tmq_client_close(const void *client)
{
	int32_t result = tmq_client_enter(client);

	if (result == 0 && tmq_client_may_wait(client) == 0) {
		return TMQ_WOULD_BLOCK;
	}
	the_port.closing = the_port.closing || result == 0;
	return result;
}

void tmq_client_wake(const void *client)
{
	if (tmq_client_enter(client) == 0) {
		tmq_port_wake(&the_port);
	}
}

void tmq_clients_wake(void)
{
	tmq_port_wake(&the_port);
}

uint8_t tmq_client_may_wait(const void *client)
{
	(void)client;
	return !client_is_running();
}

const void *tmq_client_at(size_t index)
{
	return index == 0 ? the_port.client : NULL;
}

void tmq_port_lock(struct tmq_port *port)
{
	if (port->locked) {
		tmq_port_panic("the lock is taken twice", 23);
	}
	port->locked = true;
}

void tmq_port_unlock(struct tmq_port *port)
{
	port->locked = false;
}

/* The application waits while the client runs. */
void tmq_port_lock_wait(struct tmq_port *port, int64_t timeout_ms)
{
	int64_t until = tmq_port_uptime_ms() + timeout_ms;

	port->notified = false;
	port->locked = false;
	while (!port->notified && (timeout_ms < 0 || tmq_port_uptime_ms() < until)) {
		client_resume();
	}
	tmq_port_lock(port);
}

void tmq_port_lock_notify(struct tmq_port *port)
{
	port->notified = true;
}

void tmq_port_wake(struct tmq_port *port)
{
	port->woken = true;
}

void tmq_port_await_answer(struct tmq_port *port, uint8_t awaited)
{
	(void)port;
	(void)awaited;
}

static bool wait_is_over(struct tmq_port *port, bool want_receive, bool want_send)
{
	bool to_receive = port->received_len > 0 || port->at_end || port->state < 0;

	return port->woken || port->asked || port->datagram_len > 0 || want_send ||
	       (want_receive && to_receive);
}

void tmq_port_wait(struct tmq_port *port, int64_t timeout_ms, uint8_t want_receive,
		   uint8_t want_send)
{
	int64_t until = tmq_port_uptime_ms() + timeout_ms;
	int32_t state = port->state;

	do {
		client_pause();
		while (take_frame(port)) {
		}
	} while (!wait_is_over(port, want_receive != 0, want_send != 0) && port->state == state &&
		 (timeout_ms < 0 || tmq_port_uptime_ms() < until));
	port->woken = false;
}

/* ---------------------------------------------------------------- network */

const char *tmq_port_role(void)
{
	return NULL;
}

uint8_t tmq_port_addresses(struct tmq_address addresses[TMQ_ADDRESSES])
{
	(void)addresses;
	return 0;
}

void tmq_port_network(struct tmq_port *port, struct tmq_network *network)
{
	(void)port;
	memset(network, 0, sizeof(*network));
	network->attached = 1;
	network->prefix_count = 1;
	memcpy(network->prefixes[0].bytes, "\x20\x01\x0d\xb8\x00\x64", 6);
	network->prefixes[0].length = 96;
	network->prefixes[0].preference = 1;
}

int32_t tmq_port_tcp_connect(struct tmq_port *port, const struct tmq_address *to)
{
	uint8_t address[18];

	tmq_port_tcp_close(port, 1);
	port->connection++;
	port->state = TMQ_TCP_CONNECTING;
	write_address(address, to);
	send_frame(port, RELAY_CONNECT, address, sizeof(address), NULL, 0);
	return 0;
}

int32_t tmq_port_tcp_state(struct tmq_port *port)
{
	return port->received_len > 0 ? TMQ_TCP_CONNECTED : port->state;
}

int32_t tmq_port_tcp_send(struct tmq_port *port, const uint8_t *data, size_t length)
{
	if (port->state != TMQ_TCP_CONNECTED) {
		return port->state < 0 ? port->state : TMQ_NO_TCP;
	}
	send_frame(port, RELAY_DATA, data, length, NULL, 0);
	return (int32_t)length;
}

int32_t tmq_port_tcp_receive(struct tmq_port *port, uint8_t *buffer, size_t length)
{
	size_t taken = length < port->received_len ? length : port->received_len;

	if (taken == 0) {
		return port->state < 0 ? port->state : port->at_end ? 0 : TMQ_WOULD_BLOCK;
	}
	memcpy(buffer, port->received, taken);
	port->received_len -= taken;
	memmove(port->received, port->received + taken, port->received_len);
	return (int32_t)taken;
}

void tmq_port_tcp_close(struct tmq_port *port, uint8_t abort)
{
	if (port->state == TMQ_TCP_CONNECTED || port->state == TMQ_TCP_CONNECTING) {
		send_frame(port, abort != 0 ? RELAY_ABORT : RELAY_FINISH, NULL, 0, NULL, 0);
	}
	port->state = TMQ_TCP_CLOSED;
	port->at_end = false;
	port->received_len = 0;
}

int32_t tmq_port_udp_send(struct tmq_port *port, uint16_t from_port, const struct tmq_address *to,
			  const uint8_t *data, size_t length)
{
	uint8_t head[20] = {(uint8_t)(from_port >> 8), (uint8_t)from_port};

	write_address(&head[2], to);
	send_frame(port, RELAY_DATAGRAM, head, sizeof(head), data, length);
	return 0;
}

int32_t tmq_port_udp_receive(struct tmq_port *port, struct tmq_address *from, uint16_t *to_port,
			     uint8_t *buffer, size_t length)
{
	size_t taken;

	if (port->datagram_len < 20) {
		return TMQ_WOULD_BLOCK;
	}
	taken = port->datagram_len - 20 < length ? port->datagram_len - 20 : length;
	*to_port = (uint16_t)(port->datagram[0] << 8 | port->datagram[1]);
	read_address(from, &port->datagram[2]);
	memcpy(buffer, &port->datagram[20], taken);
	port->datagram_len = 0;
	return (int32_t)taken;
}

void tmq_port_udp_close(struct tmq_port *port)
{
	port->datagram_len = 0;
}

/* The names that the platform's resolver knows, with IPv4 as ::ffff:a.b.c.d. */
int32_t tmq_port_resolve(struct tmq_port *port, const char *name, size_t length, uint8_t family)
{
	static const struct {
		const char *name;
		uint8_t count;
		uint8_t ipv4[2][4];
	} hosts[] = {
		{"broker.example.com", 1, {{203, 0, 113, 10}}},
		{"two.example.com", 2, {{203, 0, 113, 66}, {203, 0, 113, 10}}},
		{"time.example.com", 1, {{203, 0, 113, 123}}},
	};

	memset(port->answers, 0, sizeof(port->answers));
	port->asked = true;
	port->answer = TMQ_NOT_FOUND;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		if (family == TMQ_FAMILY_INET6 || strlen(hosts[i].name) != length ||
		    memcmp(hosts[i].name, name, length) != 0) {
			continue;
		}
		port->answer = hosts[i].count;
		for (uint8_t n = 0; n < hosts[i].count; n++) {
			memset(&port->answers[n].bytes[10], 0xff, 2);
			memcpy(&port->answers[n].bytes[12], hosts[i].ipv4[n], 4);
		}
	}
	return 0;
}

int32_t tmq_port_resolved(struct tmq_port *port, struct tmq_address answers[TMQ_ANSWERS])
{
	if (!port->asked) {
		return TMQ_WOULD_BLOCK;
	}
	port->asked = false;
	memcpy(answers, port->answers, sizeof(port->answers));
	return port->answer;
}

/* ---------------------------------------------------------------- the C library's heap */

extern uint8_t board_heap_start[], board_heap_end[];

void *_sbrk(ptrdiff_t increment);
void *_sbrk(ptrdiff_t increment)
{
	static uint8_t *next = board_heap_start;
	ptrdiff_t limit = (ptrdiff_t)BOARD_PARAMETERS->heap_limit;
	uint8_t *begin = next;

	if (increment > board_heap_end - next ||
	    (limit != 0 && next + increment - board_heap_start > limit)) {
		return (void *)-1;
	}
	next += increment;
	return begin;
}

/* newlib's version calls posix_memalign(), which newlib does not have without an operating system. */
void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}
