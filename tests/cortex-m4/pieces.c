/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Messages larger than the memory, in pieces. c_api.py gives the board no more heap than the Zephyr build
 * requires.
 */
#include <string.h>

#include <thread_mqtt.h>

#include "board.h"
#include "check.h"
#include "client.h"
#include "pieces.h"

#define TOPIC "board/pieces"
/* Length of a payload: twice the heap that c_api.py gives the board. */
#define TOTAL 131072u
/* Fills the outbox, together with the topic. */
#define PIECE (CONFIG_THREAD_MQTT_OUTBOX_BYTES - sizeof(TOPIC) + 1)

/* The transfer. Wrong offsets and bytes are counted: with a check for each, the number of checks would be
 * that of the pieces, which depends on the network.
 */
static struct {
	uint32_t total;
	uint32_t supplied;
	uint32_t asked_again;
	uint32_t received;
	uint32_t begun;
	uint32_t wrong;
} moved;

static uint8_t byte_at(uint32_t at)
{
	return (uint8_t)(at * 7 % 251);
}

static int supply(struct thread_mqtt *client, uint32_t token, uint32_t offset, uint32_t length)
{
	static uint8_t piece[PIECE];

	for (uint32_t i = 0; i < length; i++) {
		piece[i] = byte_at(offset + i);
	}
	return thread_mqtt_supply(client, token, offset, piece, length);
}

/* Runs in the callback: supplies what is asked for, and checks what arrives. */
static bool move(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	const uint8_t *payload;

	switch (event->type) {
	case THREAD_MQTT_EVENT_PIECE_WANTED:
		if (event->offset == 0 && moved.supplied > 0) {
			moved.asked_again++;
			moved.supplied = 0;
		}
		moved.wrong += event->offset != moved.supplied || event->number > PIECE;
		moved.wrong += supply(client, event->token, event->offset, event->number) != 0;
		moved.supplied += event->number;
		return true;
	case THREAD_MQTT_EVENT_MESSAGE_BEGINS:
		moved.received = 0;
		moved.begun++;
		return false;
	case THREAD_MQTT_EVENT_PIECE:
		payload = event->message->payload;
		moved.wrong += event->offset != moved.received || event->number != moved.total ||
			       event->message->topic != NULL;
		for (size_t i = 0; i < event->message->payload_len; i++) {
			moved.wrong += payload[i] != byte_at(moved.received++);
		}
		return true;
	default:
		return false;
	}
}

static void begin_to_move(uint32_t total)
{
	memset(&moved, 0, sizeof(moved));
	moved.total = total;
	events_hook = move;
}

static void end_to_move(void)
{
	events_hook = NULL;
	CHECK_EQUAL(moved.wrong, 0);
}

/* The board's clock may be slower than the broker's. Without a keep-alive this does not matter. */
static struct thread_mqtt *started(struct thread_mqtt_config *config, bool tls)
{
	struct thread_mqtt *client;

	config->keep_alive_s = 0;
	client = client_of(config);

	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	if (tls) {
		expect_online_over_tls(client);
	} else {
		expect_online(client, "port 18", false);
	}
	return client;
}

static uint32_t publish(struct thread_mqtt *client, const struct thread_mqtt_message *message,
			uint32_t total)
{
	uint32_t token = 0;

	CHECK_EQUAL(thread_mqtt_publish_in_pieces(client, message, total, PIECE, &token),
		    THREAD_MQTT_OK);
	return token;
}

/* Sends and receives a message. */
static void there_and_back(struct thread_mqtt_config *config, uint8_t qos, bool tls)
{
	struct thread_mqtt_message message = {.topic = TOPIC, .qos = qos};
	struct thread_mqtt *client = started(config, tls);
	uint32_t token;

	subscribed(client, TOPIC, 2);
	begin_to_move(TOTAL);
	token = publish(client, &message, TOTAL);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISHED, .token = token);
	EXPECT(client, .type = THREAD_MQTT_EVENT_MESSAGE_BEGINS, .message = &message,
	       .number = TOTAL);
	AWAIT(moved.received == TOTAL);
	end_to_move();
	CHECK_EQUAL(moved.supplied, TOTAL);
	stop(client);
	end(client);
}

void test_pieces(void)
{
	struct thread_mqtt_config config = defaults(BROKER);

	there_and_back(&config, 2, false);
	config.mqtt_version = 4;
	there_and_back(&config, 1, false);
}

void test_pieces_over_tls(void)
{
	struct thread_mqtt_config config = with_tls();

	config.time_servers = "";
	there_and_back(&config, 0, true);
}

/* A message above the limit for pieces, which MQTT 3.1.1 cannot tell the broker. */
void test_skipped(void)
{
	const uint32_t total = CONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES;
	struct thread_mqtt_message message = {.topic = TOPIC};
	struct thread_mqtt_config config = defaults(BROKER);
	struct thread_mqtt *client;
	uint32_t token;

	config.mqtt_version = 4;
	client = started(&config, false);
	subscribed(client, TOPIC, 0);
	begin_to_move(total);
	token = publish(client, &message, total);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISHED, .token = token);
	EXPECT(client, .type = THREAD_MQTT_EVENT_MESSAGE_SKIPPED, .topic = TOPIC,
	       .number = 4 + 2 + strlen(TOPIC) + total, .error = THREAD_MQTT_ERROR_TOO_LARGE,
	       .text = "MAX_PACKET_SIZE");
	end_to_move();
	stop(client);
	end(client);
}

static void is_not_supplied(struct thread_mqtt *client, uint32_t token)
{
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISH_FAILED, .token = token, .reason = 0x80,
	       .error = THREAD_MQTT_ERROR_NOT_SUPPLIED, .text = "supply");
}

static void asks_for(struct thread_mqtt *client, uint32_t token, uint32_t offset)
{
	EXPECT(client, .type = THREAD_MQTT_EVENT_PIECE_WANTED, .token = token, .offset = offset,
	       .number = PIECE);
}

/* If nothing was sent the connection stays; in the middle, or if a piece does not come, it ends. */
void test_given_up(void)
{
	struct thread_mqtt_message message = {.topic = TOPIC, .qos = 1};
	struct thread_mqtt_config config = defaults(BROKER);
	struct thread_mqtt *client;
	uint32_t token;

	config.response_timeout_ms = 10000;
	client = started(&config, false);
	token = publish(client, &message, 3 * PIECE);
	asks_for(client, token, 0);
	CHECK_EQUAL(thread_mqtt_give_up(client, token), THREAD_MQTT_OK);
	is_not_supplied(client, token);

	token = publish(client, &message, 3 * PIECE);
	asks_for(client, token, 0);
	is_not_supplied(client, token);
	CHECK(thread_mqtt_is_online(client));

	token = publish(client, &message, 3 * PIECE);
	asks_for(client, token, 0);
	/* A piece that was not asked for is dropped. */
	CHECK_EQUAL(supply(client, token + 1, 0, PIECE), THREAD_MQTT_OK);
	CHECK_EQUAL(supply(client, token, 1, 1), THREAD_MQTT_OK);
	CHECK_EQUAL(supply(client, token, 0, PIECE), THREAD_MQTT_OK);
	asks_for(client, token, PIECE);
	CHECK_EQUAL(thread_mqtt_give_up(client, token), THREAD_MQTT_OK);
	is_not_supplied(client, token);
	EXPECT(client, .type = THREAD_MQTT_EVENT_FAILED, .stage = THREAD_MQTT_STAGE_MQTT,
	       .error = THREAD_MQTT_ERROR_NOT_SUPPLIED, .text = "supply",
	       .retry_most_ms = 60000);
	CHECK_EQUAL(thread_mqtt_retry_now(client), THREAD_MQTT_OK);
	expect_online(client, "port 1883", false);
	/* Nothing of it is left. */
	CHECK_EQUAL(thread_mqtt_give_up(client, token), THREAD_MQTT_OK);
	stop(client);
	end(client);
}

/* The connection ends in the middle of a message. The rest is reported, and the client reconnects. */
static void reconnect(struct thread_mqtt *client)
{
	EXPECT(client, .type = THREAD_MQTT_EVENT_FAILED, .stage = THREAD_MQTT_STAGE_MQTT,
	       .error = THREAD_MQTT_ERROR_CLOSED, .text = "closed", .cure = CURE,
	       .retry_most_ms = 60000);
	CHECK_EQUAL(thread_mqtt_retry_now(client), THREAD_MQTT_OK);
	expect_online(client, "port 1887", true);
}

static struct thread_mqtt_config over_cut_connections(void)
{
	struct thread_mqtt_config config = defaults(CUT);

	config.client_id = "board-cut";
	config.clean_start = false;
	config.session_expiry_s = 600;
	return config;
}

/* After a cut, the whole message is asked for again. The broker keeps it for the next test. */
void test_cut_while_sending(void)
{
	struct thread_mqtt_message message = {.topic = TOPIC, .qos = 1, .retain = true};
	struct thread_mqtt_config config = over_cut_connections();
	struct thread_mqtt *client = started(&config, false);
	uint32_t token;

	begin_to_move(TOTAL);
	token = publish(client, &message, TOTAL);
	reconnect(client);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISHED, .token = token);
	CHECK_EQUAL(moved.asked_again, 1);
	CHECK_EQUAL(moved.supplied, TOTAL);
	end_to_move();
	stop(client);
	end(client);
}

/* A broker that keeps the session sends the message again. */
void test_cut_while_receiving(void)
{
	struct thread_mqtt_message message = {.topic = TOPIC, .qos = 1, .retain = true};
	struct thread_mqtt_config config = over_cut_connections();
	struct thread_mqtt *client;
	uint32_t token = 0;

	config.clean_start = true;
	client = started(&config, false);
	begin_to_move(TOTAL);
	CHECK_EQUAL(thread_mqtt_subscribe(client, TOPIC, 1, NULL), THREAD_MQTT_OK);
	AWAIT(moved.received > 0);
	EXPECT(client, .type = THREAD_MQTT_EVENT_MESSAGE_BEGINS, .message = &message,
	       .number = TOTAL);
	reconnect(client);
	AWAIT(moved.begun == 2 && moved.received == TOTAL);
	end_to_move();
	events_forget();
	message.payload = NULL;
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, TOPIC, NULL), THREAD_MQTT_OK);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_PUBLISHED, .token = token);
	events_forget();
	end(client);
}

void test_wrong_pieces(void)
{
	static const char piece[] = "x";
	struct thread_mqtt_message message = {.topic = TOPIC, .qos = 1};
	struct thread_mqtt_message full = {.topic = TOPIC, .payload = "x", .payload_len = 1};
	struct thread_mqtt_message durable = {
		.topic = TOPIC, .qos = 1, .durable = THREAD_MQTT_DURABLE_YES};
	struct thread_mqtt_message wild = {.topic = "board/#"};
	struct thread_mqtt *client = client_for(CLOSED_PORT);
	uint32_t token = 77;
	int result;

#define REFUSED(what, of, size, error)                                                             \
	CHECK_EQUAL(thread_mqtt_publish_in_pieces(client, what, of, size, &token),                 \
		    THREAD_MQTT_ERROR_##error)
	REFUSED(NULL, 1, 1, ARGUMENT);
	REFUSED(&full, 1, 1, ARGUMENT);
	REFUSED(&durable, 1, 1, ARGUMENT);
	REFUSED(&message, 0, 1, ARGUMENT);
	REFUSED(&message, 1, 0, ARGUMENT);
	REFUSED(&wild, 1, 1, TOPIC);
	REFUSED(&message, UINT32_MAX, 1, TOO_LARGE);
	REFUSED(&message, TOTAL, PIECE + 1, TOO_LARGE);
	CHECK_EQUAL(thread_mqtt_publish_in_pieces(NULL, &message, 1, 1, &token),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(token, 77);
	CHECK_EQUAL(thread_mqtt_supply(NULL, 1, 0, piece, 1), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_supply(client, 1, 0, NULL, 1), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_supply(client, 1, 0, piece, 0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_give_up(NULL, 1), THREAD_MQTT_ERROR_ARGUMENT);
	/* The heap has no room for a copy. */
	CHECK_EQUAL(thread_mqtt_supply(client, 1, 0, (const void *)BOARD_PARAMETERS, 0x100000),
		    THREAD_MQTT_ERROR_MEMORY);
	/* The client's thread drops pieces that were not asked for. */
	do {
		result = thread_mqtt_supply(client, 1, 0, piece, 1);
	} while (result == THREAD_MQTT_OK);
	CHECK_EQUAL(result, THREAD_MQTT_ERROR_FULL);
	token = publish(client, &message, TOTAL);
	CHECK(token != 77);
	REFUSED(&message, TOTAL, PIECE, FULL);
	end(client);
}
