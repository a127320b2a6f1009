/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Messages larger than the heap, in pieces, with a broker inside the image.
 */
#include <stdio.h>
#include <string.h>

#include "broker.h"
#include "common.h"

#define TOTAL (4 * CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE)
#define PIECE 4096
/* Where a connection is cut. */
#define HALF  100000
/* The most heap that a message takes: pieces, packets and events. */
#define ROOM  (4 * CONFIG_THREAD_MQTT_MAX_PACKET_SIZE)

static struct told told;
static char uri[32];

/* The transfer, as seen by the client's thread. */
static struct {
	/* Whether pieces are supplied when asked for. */
	bool supplies;
	uint32_t token;
	uint32_t supplied;
	uint32_t asked_again;
	uint32_t received;
	uint32_t cut_at;
	int32_t error;
	/* Number of wrong offsets, lengths and bytes. */
	uint32_t wrong;
	struct k_sem complete;
} moved;

static int supply(struct thread_mqtt *client, uint32_t token, uint32_t offset, uint32_t length)
{
	static uint8_t piece[PIECE];

	for (uint32_t i = 0; i < length; i++) {
		piece[i] = byte_at(offset + i);
	}
	return thread_mqtt_supply(client, token, offset, piece, length);
}

static void supply_wanted(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	if (event->offset == 0 && moved.supplied > 0) {
		moved.asked_again++;
		moved.supplied = 0;
	}
	moved.wrong += event->offset != moved.supplied || event->token != moved.token;
	moved.wrong += event->number != MIN(TOTAL - moved.supplied, PIECE);
	moved.wrong += supply(client, event->token, event->offset, event->number) != 0;
	moved.supplied += event->number;
}

static void take_piece(const struct thread_mqtt_event *event)
{
	const uint8_t *payload = event->message->payload;

	moved.wrong += event->offset != moved.received || event->number != TOTAL;
	for (size_t i = 0; i < event->message->payload_len; i++) {
		moved.wrong += payload[i] != byte_at(moved.received++);
	}
	if (moved.received == TOTAL) {
		k_sem_give(&moved.complete);
	}
}

static void move(struct thread_mqtt *client, const struct thread_mqtt_event *event, void *user_data)
{
	switch (event->type) {
	case THREAD_MQTT_EVENT_PIECE_WANTED:
		if (moved.supplies) {
			supply_wanted(client, event);
		}
		break;
	case THREAD_MQTT_EVENT_MESSAGE_BEGINS:
		moved.wrong += event->number != TOTAL || strcmp(event->message->topic, "large") != 0;
		moved.received = 0;
		break;
	case THREAD_MQTT_EVENT_PIECE:
		take_piece(event);
		break;
	case THREAD_MQTT_EVENT_MESSAGE_CUT:
		moved.cut_at = event->number;
		moved.error = event->error;
		break;
	case THREAD_MQTT_EVENT_PUBLISH_FAILED:
		moved.error = event->error;
		break;
	default:
		break;
	}
	tell(client, event, user_data);
}

static void *setup(void)
{
	broker_start();
	(void)snprintf(uri, sizeof(uri), "mqtt://127.0.0.1:%u", broker.port);
	return NULL;
}

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	broker_forget();
	told_init(&told);
	memset(&moved, 0, sizeof(moved));
	moved.supplies = true;
	(void)k_sem_init(&moved.complete, 0, 1);
}

static void teardown(void *fixture)
{
	ARG_UNUSED(fixture);
	broker_end();
}

ZTEST_SUITE(pieces, NULL, setup, before, NULL, teardown);

static struct thread_mqtt_config configuration(void)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();

	config.broker = uri;
	config.client_id = "pieces";
	config.callback = move;
	config.user_data = &told;
	return config;
}

static struct thread_mqtt *online(const struct thread_mqtt_config *config)
{
	struct thread_mqtt *client = NULL;

	zassert_ok(thread_mqtt_init(&client, config));
	zassert_ok(thread_mqtt_start(client));
	zassert_ok(k_sem_take(&told.of[THREAD_MQTT_EVENT_ONLINE], PATIENCE));
	return client;
}

static void publish(struct thread_mqtt *client)
{
	struct thread_mqtt_message message = {.topic = "large", .qos = 1};

	zassert_ok(thread_mqtt_publish_in_pieces(client, &message, TOTAL, PIECE, &moved.token));
}

/* Waits for the next event of this type. */
static void await(uint8_t type)
{
	zassert_ok(k_sem_take(&told.of[type], PATIENCE), "%s does not come; %u bytes out, %u in",
		   thread_mqtt_event_to_str(type), moved.supplied, moved.received);
}

static void await_complete(void)
{
	zassert_ok(k_sem_take(&moved.complete, PATIENCE), "%u bytes in", moved.received);
}

ZTEST(pieces, test_published)
{
	struct thread_mqtt_config config = configuration();
	struct thread_mqtt *client = online(&config);
	size_t before = heap_peak_restart();

	publish(client);
	await(THREAD_MQTT_EVENT_PUBLISHED);
	TC_PRINT("%d bytes published, %zu bytes of heap\n", TOTAL, heap_peak() - before);
	zassert_true(heap_peak() - before < ROOM);
	zassert_equal(moved.wrong, 0);
	zassert_equal(moved.supplied, TOTAL);
	zassert_equal(broker.received, TOTAL);
	zassert_equal(broker.wrong, 0);
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(pieces, test_received)
{
	struct thread_mqtt_config config = configuration();
	struct thread_mqtt *client;
	size_t before;

	broker.send = TOTAL;
	client = online(&config);
	before = heap_peak_restart();
	zassert_ok(thread_mqtt_subscribe(client, "large", 1, NULL));
	await_complete();
	TC_PRINT("%d bytes received, %zu bytes of heap\n", TOTAL, heap_peak() - before);
	zassert_true(heap_peak() - before < ROOM);
	zassert_equal(moved.wrong, 0);
	zassert_ok(k_sem_take(&broker.acknowledged, PATIENCE));
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(pieces, test_given_up)
{
	struct thread_mqtt_config config = configuration();
	struct thread_mqtt *client = online(&config);

	moved.supplies = false;
	/* Before anything was sent: the connection stays. */
	publish(client);
	await(THREAD_MQTT_EVENT_PIECE_WANTED);
	zassert_ok(thread_mqtt_give_up(client, moved.token));
	await(THREAD_MQTT_EVENT_PUBLISH_FAILED);
	zassert_equal(moved.error, THREAD_MQTT_ERROR_NOT_SUPPLIED);
	zassert_true(thread_mqtt_is_online(client));

	publish(client);
	await(THREAD_MQTT_EVENT_PIECE_WANTED);
	zassert_ok(supply(client, moved.token, 1, 1), "not asked for, and dropped");
	zassert_ok(supply(client, moved.token, 0, PIECE));
	await(THREAD_MQTT_EVENT_PIECE_WANTED);
	zassert_ok(thread_mqtt_give_up(client, moved.token));
	await(THREAD_MQTT_EVENT_FAILED);
	zassert_equal(told.error, THREAD_MQTT_ERROR_NOT_SUPPLIED);
	zassert_equal(moved.error, THREAD_MQTT_ERROR_NOT_SUPPLIED);
	zassert_ok(thread_mqtt_retry_now(client));
	await(THREAD_MQTT_EVENT_ONLINE);
	zassert_ok(thread_mqtt_give_up(client, moved.token), "it has ended");
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(pieces, test_not_supplied)
{
	struct thread_mqtt_config config = configuration();
	struct thread_mqtt *client;

	moved.supplies = false;
	config.response_timeout_ms = 500;
	client = online(&config);
	publish(client);
	await(THREAD_MQTT_EVENT_PUBLISH_FAILED);
	zassert_equal(moved.error, THREAD_MQTT_ERROR_NOT_SUPPLIED);
	zassert_true(thread_mqtt_is_online(client));
	zassert_ok(thread_mqtt_deinit(client));
}

static struct thread_mqtt *with_a_session(void)
{
	struct thread_mqtt_config config = configuration();

	config.clean_start = false;
	config.session_expiry_s = 600;
	return online(&config);
}

static void reconnect(struct thread_mqtt *client)
{
	await(THREAD_MQTT_EVENT_FAILED);
	zassert_equal(told.stage, THREAD_MQTT_STAGE_MQTT);
	zassert_ok(thread_mqtt_retry_now(client));
	await(THREAD_MQTT_EVENT_ONLINE);
}

ZTEST(pieces, test_cut_while_sending)
{
	struct thread_mqtt *client;

	broker.cut_receiving = HALF;
	client = with_a_session();
	publish(client);
	reconnect(client);
	await(THREAD_MQTT_EVENT_PUBLISHED);
	zassert_equal(moved.asked_again, 1);
	zassert_equal(moved.supplied, TOTAL);
	zassert_equal(moved.wrong, 0);
	zassert_equal(broker.received, TOTAL);
	zassert_equal(broker.wrong, 0);
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(pieces, test_cut_while_receiving)
{
	struct thread_mqtt *client;

	broker.send = TOTAL;
	broker.cut_sending = HALF;
	client = with_a_session();
	zassert_ok(thread_mqtt_subscribe(client, "large", 1, NULL));
	await(THREAD_MQTT_EVENT_MESSAGE_CUT);
	zassert_equal(moved.error, THREAD_MQTT_ERROR_CLOSED);
	zassert_equal(moved.cut_at, moved.received);
	zassert_between_inclusive(moved.cut_at, 1, TOTAL - 1);
	reconnect(client);
	/* From the beginning. */
	await_complete();
	zassert_equal(moved.wrong, 0);
	zassert_ok(k_sem_take(&broker.acknowledged, PATIENCE));
	zassert_ok(thread_mqtt_deinit(client));
}

ZTEST(pieces, test_wrong_arguments)
{
	struct told idle_told;
	struct thread_mqtt *client = new_client(&idle_told);
	struct thread_mqtt_message message = {.topic = "large", .qos = 1};
	struct thread_mqtt_message full = {.topic = "large", .payload = "x", .payload_len = 1};
	struct thread_mqtt_message durable = {
		.topic = "large", .qos = 1, .durable = THREAD_MQTT_DURABLE_YES};
	struct thread_mqtt_message wild = {.topic = "large/#"};
	const struct {
		const struct thread_mqtt_message *message;
		uint32_t total;
		uint32_t piece;
		int error;
	} refused[] = {
		{NULL, 1, 1, THREAD_MQTT_ERROR_ARGUMENT},
		{&full, 1, 1, THREAD_MQTT_ERROR_ARGUMENT},
		{&durable, 1, 1, THREAD_MQTT_ERROR_ARGUMENT},
		{&message, 0, 1, THREAD_MQTT_ERROR_ARGUMENT},
		{&message, 1, 0, THREAD_MQTT_ERROR_ARGUMENT},
		{&wild, 1, 1, THREAD_MQTT_ERROR_TOPIC},
		/* With the packet's header more than a word can count. */
		{&message, UINT32_MAX, 1, THREAD_MQTT_ERROR_TOO_LARGE},
		{&message, TOTAL, CONFIG_THREAD_MQTT_OUTBOX_BYTES, THREAD_MQTT_ERROR_TOO_LARGE},
	};
	uint32_t token = 7;
	int result;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		zassert_equal(thread_mqtt_publish_in_pieces(client, refused[i].message,
							    refused[i].total, refused[i].piece,
							    &token),
			      refused[i].error, "case %zu", i);
	}
	zassert_equal(thread_mqtt_publish_in_pieces(NULL, &message, 1, 1, &token),
		      THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(token, 7, "a refused command has no token");
	zassert_equal(thread_mqtt_supply(NULL, 1, 0, "x", 1), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_supply(client, 1, 0, NULL, 1), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_supply(client, 1, 0, "x", 0), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_supply(client, 1, 0, &told, SIZE_MAX), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_give_up(NULL, 1), THREAD_MQTT_ERROR_ARGUMENT);
	/* Fills the mailbox with pieces that were not asked for; the client's thread drops them. */
	for (int i = 0; i < 100; i++) {
		result = thread_mqtt_supply(client, 1, 0, "x", 1);
		zassert_true(result == 0 || result == THREAD_MQTT_ERROR_FULL);
	}
	zassert_ok(thread_mqtt_deinit(client));
}
