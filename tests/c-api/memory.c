/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An exhausted heap.
 */
#include <stdatomic.h>

#include "check.h"
#include <thread_mqtt_port.h>

/* 2,000 bytes. */
#define TEN(text)  text text text text text text text text text text
#define LONG_TOPIC TEN(TEN("a-name-in-the-topic/"))
#define LONG_FILTER "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t"

static char payload[4096];

/* Limits only this thread; the client's thread keeps running. */
static void commands(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	struct thread_mqtt_message message = {
		.topic = "t",
		.payload = payload,
		.payload_len = sizeof(payload),
		.qos = 1,
	};
	uint32_t token = 0;
	long long before = heap_used_here();

	heap_limit_here(before + 2048);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_MEMORY);
	heap_limit_here(before);
	message.payload_len = 1;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), THREAD_MQTT_ERROR_MEMORY);
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &token,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, -1),
		    THREAD_MQTT_ERROR_MEMORY);
	CHECK_EQUAL(thread_mqtt_subscribe(client, LONG_FILTER, 0, &token), THREAD_MQTT_ERROR_MEMORY);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, LONG_FILTER, &token), THREAD_MQTT_ERROR_MEMORY);
	CHECK_EQUAL(token, 0);

	heap_limit_here(LLONG_MAX);
	CHECK_EQUAL(heap_used_here(), before);
	message.payload_len = sizeof(payload);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, &token), 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

static void init(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;
	size_t before = heap_used();

	heap_limit_here(heap_used_here() + 4096);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_MEMORY);
	CHECK(client == NULL);
	heap_limit_here(LLONG_MAX);
	CHECK_EQUAL(heap_used(), before);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* Wherever the heap runs out, the error is returned before anything is created. */
static void init_with_copies(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt_message will = {
		.topic = "w",
		.payload = payload,
		.payload_len = sizeof(payload),
	};
	struct thread_mqtt *client = NULL;
	int result = THREAD_MQTT_ERROR_MEMORY;
	unsigned int refused = 0;

	config.broker = "mqtts://a.example*3|mqtts://b.example mqtts://far.example";
	config.ca = read_all(setting("TEST_CA"), &config.ca_len);
	config.certificate = read_all(setting("TEST_CERTIFICATE"), &config.certificate_len);
	config.private_key = read_all(setting("TEST_KEY"), &config.private_key_len);
	config.username = "user";
	config.will = &will;
	for (long long bytes = 0; result == THREAD_MQTT_ERROR_MEMORY; bytes += 97) {
		heap_limit_here(heap_used_here() + bytes);
		result = thread_mqtt_init(&client, &config);
		heap_limit_here(LLONG_MAX);
		refused++;
	}
	CHECK_EQUAL(result, 0);
	CHECK(refused > 100);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
	free((void *)config.ca);
	free((void *)config.certificate);
	free((void *)config.private_key);
}

static void uri_check(void)
{
	int result = THREAD_MQTT_ERROR_MEMORY;
	char sentence[80];

	for (long long bytes = 0; result == THREAD_MQTT_ERROR_MEMORY; bytes += 8) {
		heap_limit_here(heap_used_here() + bytes);
		result = thread_mqtt_uri_check("mqtt://a*2|mqtt://b|mqtt://c mqtt://d mqtt://e:x",
					       sentence, sizeof(sentence));
		heap_limit_here(LLONG_MAX);
	}
	CHECK_EQUAL(result, THREAD_MQTT_ERROR_URI);
}

/* Runs in the client's thread, which reads the credentials. */
static void limit_pieces(void)
{
	heap_limit_each(20000);
}

/* A CA bundle that there is no room to read. */
static void a_kept_bundle(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;

	config.broker = "mqtts://127.0.0.1:1";
	config.sec_tag = 46;
	at_thread_begin(limit_pieces);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_FAILED, 1);
	at_thread_begin(NULL);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).error, THREAD_MQTT_ERROR_MEMORY);
	CHECK(was_logged("46 CA"));
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* Runs in the client's thread; from then on its large allocations fail. */
static void limit_when_online(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	(void)client;
	if (event->type == THREAD_MQTT_EVENT_SUBSCRIBED) {
		heap_limit_each(8192);
	} else if (event->type == THREAD_MQTT_EVENT_MESSAGE) {
		heap_limit_each(SIZE_MAX);
	}
}

static void a_message_that_is_too_large(void)
{
	static char large[12000];
	struct told receiver_told;
	struct told sender_told;
	struct thread_mqtt_config config = idle_config(&receiver_told);
	struct thread_mqtt_message message = {
		.topic = "memory",
		.payload = large,
		.payload_len = sizeof(large),
	};
	struct thread_mqtt *receiver = NULL;
	struct thread_mqtt *sender = NULL;

	told_call(&receiver_told, limit_when_online);
	config.broker = setting("TEST_BROKER");
	CHECK_EQUAL(thread_mqtt_init(&receiver, &config), 0);
	CHECK_EQUAL(thread_mqtt_subscribe(receiver, "memory", 0, NULL), 0);
	CHECK_EQUAL(thread_mqtt_start(receiver), 0);
	await(&receiver_told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);

	told_init(&sender_told);
	config.user_data = &sender_told;
	CHECK_EQUAL(thread_mqtt_init(&sender, &config), 0);
	CHECK_EQUAL(thread_mqtt_start(sender), 0);
	CHECK_EQUAL(thread_mqtt_publish_wait(sender, &message, NULL, THREAD_MQTT_WAIT_ACKNOWLEDGED,
					     PATIENCE),
		    0);
	/* It is skipped while it arrives; the connection stays, and a smaller message after it arrives. */
	message.payload_len = 7;
	CHECK_EQUAL(thread_mqtt_publish_wait(sender, &message, NULL, THREAD_MQTT_WAIT_ACKNOWLEDGED,
					     PATIENCE),
		    0);
	await(&receiver_told, THREAD_MQTT_EVENT_MESSAGE, 1);
	CHECK_EQUAL(told_count(&receiver_told, THREAD_MQTT_EVENT_MESSAGE), 1);
	CHECK_EQUAL(told_count(&receiver_told, THREAD_MQTT_EVENT_FAILED), 0);
	CHECK_EQUAL(thread_mqtt_deinit(sender), 0);
	CHECK_EQUAL(thread_mqtt_deinit(receiver), 0);
}

/* How much more heap the client's thread may take for the next message. */
static atomic_llong room;

static void limit_for_next(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	(void)client;
	if (event->type == THREAD_MQTT_EVENT_MESSAGE && event->message->properties != NULL) {
		const struct thread_mqtt_properties *properties = event->message->properties;

		CHECK_EQUAL(strlen(event->message->topic), sizeof(LONG_TOPIC) - 1);
		CHECK(strcmp(properties->content_type, "text/plain") == 0);
		CHECK_EQUAL(properties->user_count, 32);
		for (size_t i = 0; i < properties->user_count; i++) {
			CHECK(strcmp(properties->user[i].name, "name") == 0);
			CHECK_EQUAL(strlen(properties->user[i].value), 80);
		}
	} else if (event->type == THREAD_MQTT_EVENT_MESSAGE_SKIPPED) {
		CHECK_EQUAL(event->error, THREAD_MQTT_ERROR_MEMORY);
		CHECK(strncmp(event->topic, LONG_TOPIC, strlen(event->topic)) == 0);
	} else if (event->type != THREAD_MQTT_EVENT_SUBSCRIBED) {
		return;
	}
	heap_limit_here(heap_used_here() + atomic_load(&room));
}

/* A topic and properties that fit into the heap once, but not twice. */
static void a_message_with_long_texts(void)
{
	struct told receiver_told;
	struct told sender_told;
	struct thread_mqtt_config config = idle_config(&receiver_told);
	struct thread_mqtt_user_property user[32];
	struct thread_mqtt_properties properties = {
		.content_type = "text/plain",
		.user = user,
		.user_count = COUNT(user),
	};
	struct thread_mqtt_message message = {
		.topic = LONG_TOPIC,
		.payload = "x",
		.payload_len = 1,
		.properties = &properties,
	};
	char value[81];
	struct thread_mqtt *receiver = NULL;
	struct thread_mqtt *sender = NULL;
	unsigned int count = 0;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < COUNT(user); i++) {
		user[i].name = "name";
		user[i].value = value;
	}
	atomic_store(&room, 8000);
	told_call(&receiver_told, limit_for_next);
	config.broker = setting("TEST_BROKER");
	config.mqtt_version = 5;
	CHECK_EQUAL(thread_mqtt_init(&receiver, &config), 0);
	CHECK_EQUAL(thread_mqtt_subscribe(receiver, LONG_TOPIC, 0, NULL), 0);
	CHECK_EQUAL(thread_mqtt_start(receiver), 0);
	await(&receiver_told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);

	told_init(&sender_told);
	config.user_data = &sender_told;
	sender = started(&config);
	for (long long bytes = 8000; bytes < 24000; bytes += 127) {
		atomic_store(&room, bytes);
		CHECK_EQUAL(thread_mqtt_publish_wait(sender, &message, NULL,
						     THREAD_MQTT_WAIT_ACKNOWLEDGED, PATIENCE),
			    0);
		count++;
		while (told_count(&receiver_told, THREAD_MQTT_EVENT_MESSAGE) +
			       told_count(&receiver_told, THREAD_MQTT_EVENT_MESSAGE_SKIPPED) <
		       count) {
			pause_ms(1);
		}
	}
	CHECK(told_count(&receiver_told, THREAD_MQTT_EVENT_MESSAGE) > 10);
	CHECK(told_count(&receiver_told, THREAD_MQTT_EVENT_MESSAGE_SKIPPED) > 10);
	CHECK_EQUAL(told_count(&receiver_told, THREAD_MQTT_EVENT_FAILED), 0);
	end(sender);
	end(receiver);
}

#define DAMAGED 8

/* Runs in the client's thread. Between the first event and the last it may take only a few bytes. */
static void limit_events(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	static unsigned int count;

	(void)client;
	if (event->type == THREAD_MQTT_EVENT_RECORD_DAMAGED) {
		count++;
		heap_limit_each(count == DAMAGED ? SIZE_MAX : 64);
	}
}

/* Existing events are delivered however little heap is left. */
static void events_without_heap(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;
	char key[16];

	for (unsigned int i = 1; i <= DAMAGED; i++) {
		(void)snprintf(key, sizeof(key), "events.%04x", 0x8000 + i);
		CHECK_EQUAL(tmq_port_store_write(key, (const uint8_t *)"damaged", 7), 0);
	}
	told_call(&told, limit_events);
	config.session_name = "events";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	await(&told, THREAD_MQTT_EVENT_RECORD_DAMAGED, DAMAGED);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_RECORD_DAMAGED), DAMAGED);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

void memory_cases(void)
{
	commands();
	init();
	init_with_copies();
	uri_check();
	a_kept_bundle();
	a_message_that_is_too_large();
	a_message_with_long_texts();
	events_without_heap();
}
