/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Messages larger than the memory, in pieces.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "check.h"

#define MEGABYTE 1048576u
#define PIECE    4096u
/* The most that both directions take for pieces, packets and events: far below a megabyte. */
#define ROOM     (4 * CONFIG_THREAD_MQTT_MAX_PACKET_SIZE)
/* An idle client and its handshake, a record of 16 kB, and 4 kB each for outbox, packet, event and piece. */
#define ROOM_OVER_TLS 65536

static uint32_t total;
static uint32_t received;
static uint32_t supplied;
static const uint8_t too_long[PIECE + 1];

static uint8_t byte_at(uint32_t at)
{
	return (uint8_t)(at * 7 % 251);
}

static int supply(struct thread_mqtt *client, uint32_t token, uint32_t offset, uint32_t length)
{
	uint8_t piece[PIECE];

	CHECK(length >= 1 && length <= sizeof(piece));
	for (uint32_t i = 0; i < length; i++) {
		piece[i] = byte_at(offset + i);
	}
	return thread_mqtt_supply(client, token, offset, piece, length);
}

/* Runs in the callback: supplies what is asked for, and checks what arrives. */
static void moves(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	const struct thread_mqtt_message *message = event->message;

	switch (event->type) {
	case THREAD_MQTT_EVENT_PIECE_WANTED:
		CHECK_EQUAL(event->offset, supplied);
		CHECK_EQUAL(event->number, total - supplied < PIECE ? total - supplied : PIECE);
		/* A piece that is too long is refused, and the right one is still wanted. */
		CHECK_EQUAL(thread_mqtt_supply(client, event->token, event->offset, too_long, event->number + 1),
			    THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(supply(client, event->token, event->offset, event->number), 0);
		supplied += event->number;
		break;
	case THREAD_MQTT_EVENT_MESSAGE_BEGINS:
		CHECK_EQUAL(event->number, total);
		CHECK_EQUAL(message->payload_len, 0);
		CHECK(strcmp(message->topic, "pieces") == 0);
		received = 0;
		break;
	case THREAD_MQTT_EVENT_PIECE:
		CHECK_EQUAL(event->offset, received);
		CHECK_EQUAL(event->number, total);
		CHECK(message->payload_len >= 1);
		CHECK(message->payload_len <= CONFIG_THREAD_MQTT_MAX_PACKET_SIZE);
		for (size_t i = 0; i < message->payload_len; i++) {
			CHECK_EQUAL(((const uint8_t *)message->payload)[i], byte_at(received));
			received++;
		}
		break;
	default:
		break;
	}
}

static struct thread_mqtt *subscribed_by(const struct thread_mqtt_config *config, struct told *told)
{
	struct thread_mqtt *client = started(config);

	CHECK_EQUAL(thread_mqtt_subscribe(client, "pieces", 2, NULL), 0);
	await(told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);
	return client;
}

static struct thread_mqtt *subscribed(struct told *told, uint8_t version)
{
	struct thread_mqtt_config config = config_for(told, "TEST_BROKER");

	config.mqtt_version = version;
	return subscribed_by(&config, told);
}

/* Sends a megabyte out and back. */
static void move_megabyte(struct thread_mqtt *client, struct told *told, uint8_t qos)
{
	struct thread_mqtt_message message = {.topic = "pieces", .qos = qos};

	total = MEGABYTE;
	supplied = 0;
	told_call(told, moves);
	CHECK_EQUAL(thread_mqtt_publish_in_pieces(client, &message, total, PIECE, NULL), 0);
	await(told, THREAD_MQTT_EVENT_PUBLISHED, 1);
	(void)pthread_mutex_lock(&told->lock);
	while (told->count[THREAD_MQTT_EVENT_PIECE] == 0 ||
	       told->last[THREAD_MQTT_EVENT_PIECE].offset + told->payload_len < total) {
		CHECK_EQUAL(pthread_cond_wait(&told->changed, &told->lock), 0);
	}
	(void)pthread_mutex_unlock(&told->lock);
	CHECK_EQUAL(supplied, total);
	CHECK_EQUAL(told_count(told, THREAD_MQTT_EVENT_MESSAGE_BEGINS), 1);
	CHECK_EQUAL(told_count(told, THREAD_MQTT_EVENT_MESSAGE_CUT), 0);
	CHECK_EQUAL(told_count(told, THREAD_MQTT_EVENT_FAILED), 0);
}

/* On a heap with no room for a twentieth of the message. */
static void there_and_back(uint8_t version, uint8_t qos)
{
	struct told told;
	struct thread_mqtt *client = subscribed(&told, version);

	heap_limit(heap_used() + ROOM);
	move_megabyte(client, &told, qos);
	heap_limit(SIZE_MAX);
	end(client);
}

/* Over TLS, from the client's first allocation to its last: packets and outbox have 4 kB each, the
 * broker's records 16 kB.
 */
static void over_tls(void)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client;
	size_t before;
	size_t most;

	CHECK_EQUAL(setenv("THREAD_MQTT_MAX_PACKET_SIZE", "4096", 1), 0);
	CHECK_EQUAL(setenv("THREAD_MQTT_OUTBOX_BYTES", "4102", 1), 0);
	before = heap_peak_restart();
	client = subscribed_by(&config, &told);
	move_megabyte(client, &told, 1);
	most = heap_peak() - before;
	printf("    a megabyte there and back over TLS: %zu bytes of heap at most\n", most);
	CHECK(most <= ROOM_OVER_TLS);
	end(client);
	CHECK_EQUAL(unsetenv("THREAD_MQTT_MAX_PACKET_SIZE"), 0);
	CHECK_EQUAL(unsetenv("THREAD_MQTT_OUTBOX_BYTES"), 0);
}

/* Above the limit for pieces a message is skipped. Its pieces are supplied by a thread other than the
 * client's. MQTT 3.1.1 cannot tell the broker the limit.
 */
static void skipped(void)
{
	struct thread_mqtt_message message = {.topic = "pieces", .qos = 1};
	const uint32_t size = CONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES;
	struct told told;
	struct thread_mqtt *client = subscribed(&told, 4);
	uint32_t token = 0;
	uint32_t count = 0;

	CHECK_EQUAL(thread_mqtt_publish_in_pieces(client, &message, size, PIECE, &token), 0);
	for (uint32_t offset = 0; offset < size; offset += PIECE) {
		uint32_t length = size - offset < PIECE ? size - offset : PIECE;

		await(&told, THREAD_MQTT_EVENT_PIECE_WANTED, ++count);
		CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PIECE_WANTED).offset, offset);
		CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PIECE_WANTED).token, token);
		/* A piece that was not asked for is dropped. */
		CHECK_EQUAL(supply(client, token, offset + 1, 1), 0);
		CHECK_EQUAL(supply(client, token, offset, length), 0);
	}
	await(&told, THREAD_MQTT_EVENT_MESSAGE_SKIPPED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_MESSAGE_SKIPPED).error,
		    THREAD_MQTT_ERROR_TOO_LARGE);
	CHECK(told_last(&told, THREAD_MQTT_EVENT_MESSAGE_SKIPPED).number > size);
	await(&told, THREAD_MQTT_EVENT_PUBLISHED, 1);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_MESSAGE_BEGINS), 0);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_FAILED), 0);
	end(client);
}

/* If nothing was sent, giving up keeps the connection; in the middle of the message, it ends it. */
static void given_up(void)
{
	struct thread_mqtt_message message = {.topic = "pieces", .qos = 1};
	struct told told;
	struct thread_mqtt *client = subscribed(&told, 5);
	struct thread_mqtt_event failed;
	uint32_t first = 0;
	uint32_t second = 0;

	CHECK_EQUAL(thread_mqtt_publish_in_pieces(client, &message, 10 * PIECE, PIECE, &first), 0);
	await(&told, THREAD_MQTT_EVENT_PIECE_WANTED, 1);
	CHECK_EQUAL(thread_mqtt_give_up(client, first), 0);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 1);
	failed = told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED);
	CHECK_EQUAL(failed.token, first);
	CHECK_EQUAL(failed.error, THREAD_MQTT_ERROR_NOT_SUPPLIED);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_FAILED), 0);

	CHECK_EQUAL(thread_mqtt_publish_in_pieces(client, &message, 10 * PIECE, PIECE, &second), 0);
	await(&told, THREAD_MQTT_EVENT_PIECE_WANTED, 2);
	CHECK_EQUAL(supply(client, second, 0, PIECE), 0);
	await(&told, THREAD_MQTT_EVENT_PIECE_WANTED, 3);
	CHECK_EQUAL(thread_mqtt_give_up(client, second), 0);
	await(&told, THREAD_MQTT_EVENT_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).error,
		    THREAD_MQTT_ERROR_NOT_SUPPLIED);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED), 2);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).token, second);
	/* The client reconnects, and nothing of the message is left. */
	CHECK_EQUAL(thread_mqtt_retry_now(client), 0);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 2);
	CHECK_EQUAL(thread_mqtt_give_up(client, second), 0);
	end(client);
}

static void refusals(void)
{
	struct thread_mqtt_message message = {.topic = "pieces", .qos = 1};
	struct thread_mqtt_message full = {.topic = "pieces", .payload = "x", .payload_len = 1};
	struct thread_mqtt_message durable = {
		.topic = "pieces", .qos = 1, .durable = THREAD_MQTT_DURABLE_YES};
	struct thread_mqtt_message wild = {.topic = "pieces/#"};
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	char piece = 'x';

#define REFUSED(what, of, size, error)                                                             \
	CHECK_EQUAL(thread_mqtt_publish_in_pieces(client, what, of, size, NULL),                   \
		    THREAD_MQTT_ERROR_##error)
	REFUSED(NULL, 1, 1, ARGUMENT);
	REFUSED(&full, 1, 1, ARGUMENT);
	REFUSED(&durable, 1, 1, ARGUMENT);
	REFUSED(&message, 0, 1, ARGUMENT);
	REFUSED(&message, 1, 0, ARGUMENT);
	REFUSED(&wild, 1, 1, TOPIC);
	REFUSED(&message, UINT32_MAX, 1, TOO_LARGE);
	REFUSED(&message, MEGABYTE, MEGABYTE, TOO_LARGE);
	CHECK_EQUAL(thread_mqtt_publish_in_pieces(NULL, &message, 1, 1, NULL),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_supply(NULL, 1, 0, &piece, 1), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_supply(client, 1, 0, NULL, 1), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_supply(client, 1, 0, &piece, 0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_give_up(NULL, 1), THREAD_MQTT_ERROR_ARGUMENT);
	heap_limit_here(heap_used_here());
	CHECK_EQUAL(thread_mqtt_supply(client, 1, 0, &piece, 1), THREAD_MQTT_ERROR_MEMORY);
	REFUSED(&message, 1, 1, MEMORY);
	heap_limit_here(LLONG_MAX);
	/* The client's thread drops pieces that were not asked for. */
	for (int i = 0; i < 100; i++) {
		int result = thread_mqtt_supply(client, 1, 0, &piece, 1);

		CHECK(result == 0 || result == THREAD_MQTT_ERROR_FULL);
	}
	end(client);
}

void piece_cases(void)
{
	refusals();
	for (uint8_t qos = 0; qos <= 2; qos++) {
		there_and_back(qos == 1 ? 4 : 5, qos);
	}
	over_tls();
	skipped();
	given_up();
}
