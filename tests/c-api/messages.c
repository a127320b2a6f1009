/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Message attributes: properties, priority, expiry and the policies of a full outbox. Also several
 * filters in one call, and the broker's limits.
 */
#include <pthread.h>
#include <unistd.h>

#include "check.h"

static const struct thread_mqtt_user_property pairs[] = {
	{.name = "unit", .value = "K"},
	{.name = "unit", .value = "\xc2\xb0"
				  "C"},
	{.name = "", .value = ""},
};

static const struct thread_mqtt_properties all = {
	.content_type = "text/plain",
	.response_topic = "answers/here",
	.correlation_data = "with\0a NUL",
	.correlation_data_len = 10,
	.user = pairs,
	.user_count = COUNT(pairs),
	.message_expiry_s = 3600,
	.payload_is_utf8 = true,
};

/* Runs in the callback, where the event is valid. */
static void has_all_properties(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	const struct thread_mqtt_properties *got;

	(void)client;
	if (event->type != THREAD_MQTT_EVENT_MESSAGE) {
		return;
	}
	got = event->message->properties;
	CHECK(got != NULL);
	CHECK(strcmp(got->content_type, all.content_type) == 0);
	CHECK(strcmp(got->response_topic, all.response_topic) == 0);
	CHECK_EQUAL(got->correlation_data_len, all.correlation_data_len);
	CHECK(memcmp(got->correlation_data, all.correlation_data, all.correlation_data_len) == 0);
	CHECK_EQUAL(got->user_count, COUNT(pairs));
	for (size_t i = 0; i < COUNT(pairs); i++) {
		CHECK(strcmp(got->user[i].name, pairs[i].name) == 0);
		CHECK(strcmp(got->user[i].value, pairs[i].value) == 0);
	}
	CHECK(got->message_expiry_s > 3000 && got->message_expiry_s <= 3600);
	CHECK(got->payload_is_utf8);
}

static void has_no_properties(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	(void)client;
	CHECK(event->message == NULL || event->message->properties == NULL);
}

static void properties(void)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER");
	struct thread_mqtt *client = started(&config);
	struct thread_mqtt_message message = {.topic = "with/properties", .properties = &all};
	struct thread_mqtt_message without = {.topic = "with/properties"};

	CHECK_EQUAL(thread_mqtt_subscribe(client, "with/properties", 2, NULL), 0);
	told_call(&told, has_all_properties);
	for (message.qos = 0; message.qos <= 2; message.qos++) {
		CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
		await(&told, THREAD_MQTT_EVENT_MESSAGE, message.qos + 1u);
	}
	told_call(&told, has_no_properties);
	CHECK_EQUAL(thread_mqtt_publish(client, &without, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_MESSAGE, 4);
	end(client);
}

static int publish_with(struct thread_mqtt *client, struct thread_mqtt_properties properties)
{
	struct thread_mqtt_message message = {.topic = "t", .properties = &properties};

	return thread_mqtt_publish(client, &message, NULL);
}

static void wrong_properties(void)
{
	static char long_text[65537];
	struct thread_mqtt_user_property pair = {.name = "n"};
	struct thread_mqtt_properties empty = {0};
	struct thread_mqtt_message message = {.topic = "t", .properties = &empty};
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;

	memset(long_text, 'x', sizeof(long_text) - 1);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(publish_with(client, empty), 0);
	CHECK_EQUAL(publish_with(client, (struct thread_mqtt_properties){.content_type = "\xff"}),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish_with(client, (struct thread_mqtt_properties){.user = &pair,
									.user_count = 1}),
		    THREAD_MQTT_ERROR_ARGUMENT);
	pair.value = "\xff";
	CHECK_EQUAL(publish_with(client, (struct thread_mqtt_properties){.user = &pair,
									.user_count = 1}),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish_with(client, (struct thread_mqtt_properties){.user_count = 1}),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish_with(client, (struct thread_mqtt_properties){.user = &pair,
									.user_count = SIZE_MAX}),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish_with(client, (struct thread_mqtt_properties){.correlation_data_len = 1}),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(publish_with(client, (struct thread_mqtt_properties){.response_topic = "a/#"}),
		    THREAD_MQTT_ERROR_TOPIC);
	CHECK_EQUAL(publish_with(client, (struct thread_mqtt_properties){.content_type = long_text}),
		    THREAD_MQTT_ERROR_SETTING);
	message.priority = 3;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	end(client);
	/* MQTT 3.1.1 has no properties. */
	config.mqtt_version = 4;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(publish_with(client, empty), THREAD_MQTT_ERROR_SETTING);
	end(client);
	config.will = &message;
	message.priority = 0;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
}

static void online_once(const struct thread_mqtt_config *config, struct told *told)
{
	struct thread_mqtt *client = started(config);

	await(told, THREAD_MQTT_EVENT_ONLINE, 1);
	end(client);
}

/* Runs in the callback: a length of 0 means an empty text. */
static void is_empty(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	const struct thread_mqtt_message *message = event->message;

	(void)client;
	if (message == NULL) {
		return;
	}
	CHECK_EQUAL(message->payload_len, 0);
	CHECK_EQUAL(*(const char *)message->payload, '\0');
	CHECK_EQUAL(message->properties->correlation_data_len, 0);
	CHECK_EQUAL(*(const char *)message->properties->correlation_data, '\0');
}

static void nothing_can_be_read(void)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER");
	struct thread_mqtt *client = started(&config);
	struct thread_mqtt_properties properties = {.correlation_data = ""};
	struct thread_mqtt_message message = {.topic = "empty", .properties = &properties};

	told_call(&told, is_empty);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "empty", 0, NULL), 0);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_MESSAGE, 1);
	end(client);
}

/* When the connection is cut, the broker publishes the will with its properties a second later, but not
 * if the client is back before that.
 */
static void will(void)
{
	struct told told;
	struct told watcher_told;
	struct thread_mqtt_config watcher_config = config_for(&watcher_told, "TEST_BROKER");
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER");
	struct thread_mqtt *watcher;
	struct thread_mqtt_message last = {
		.topic = "wills/1",
		.payload = "gone",
		.payload_len = 4,
		.qos = 1,
		.properties = &all,
	};

	told_call(&watcher_told, has_all_properties);
	watcher = started(&watcher_config);
	CHECK_EQUAL(thread_mqtt_subscribe(watcher, "wills/+", 1, NULL), 0);
	await(&watcher_told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);

	config.will = &last;
	config.client_id = "with-a-will";
	config.session_expiry_s = 600;
	config.will_delay_s = 600;
	online_once(&config, &told);
	/* Back in time: the broker discards the earlier will. */
	told_init(&told);
	config.will_delay_s = 1;
	online_once(&config, &told);
	await(&watcher_told, THREAD_MQTT_EVENT_MESSAGE, 1);
	CHECK(strcmp(watcher_told.topic, "wills/1") == 0);
	end(watcher);
}

static void several_filters(void)
{
	struct thread_mqtt_subscription wanted[12];
	const char *names[12];
	char texts[12][16];
	uint8_t codes[12];
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER");
	struct thread_mqtt *client = NULL;
	uint32_t token = 0;

	for (size_t i = 0; i < COUNT(wanted); i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "several/%zu", i);
		names[i] = texts[i];
		wanted[i] = (struct thread_mqtt_subscription){.filter = texts[i],
							      .qos = (uint8_t)(i % 3)};
		codes[i] = (uint8_t)(i % 3);
	}
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_subscribe_many(client, NULL, 0, &token),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_subscribe_many(client, wanted, 0, &token),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_subscribe_many(client, wanted, SIZE_MAX, &token),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_unsubscribe_many(client, NULL, 1, &token),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_unsubscribe_many(client, names, 0, &token),
		    THREAD_MQTT_ERROR_ARGUMENT);
	wanted[7].qos = 3;
	CHECK_EQUAL(thread_mqtt_subscribe_many(client, wanted, COUNT(wanted), &token),
		    THREAD_MQTT_ERROR_ARGUMENT);
	wanted[7].qos = 1;
	wanted[7].filter = "a/#/b";
	CHECK_EQUAL(thread_mqtt_subscribe_many(client, wanted, COUNT(wanted), &token),
		    THREAD_MQTT_ERROR_TOPIC);
	wanted[7].filter = NULL;
	CHECK_EQUAL(thread_mqtt_subscribe_many(client, wanted, COUNT(wanted), &token),
		    THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(token, 0);
	wanted[7].filter = names[7];

	CHECK_EQUAL(thread_mqtt_subscribe_many(client, wanted, COUNT(wanted), &token), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_SUBSCRIBED).token, token);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_SUBSCRIBED).reason_count, COUNT(wanted));
	CHECK(memcmp(told.reasons, codes, sizeof(codes)) == 0);
	CHECK_EQUAL(thread_mqtt_unsubscribe_many(client, names, COUNT(names), &token), 0);
	await(&told, THREAD_MQTT_EVENT_UNSUBSCRIBED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_UNSUBSCRIBED).token, token);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_UNSUBSCRIBED).reason_count, COUNT(names));
	memset(codes, 0, sizeof(codes));
	CHECK(memcmp(told.reasons, codes, sizeof(codes)) == 0);
	end(client);
}

/* A broker with limits, and its client identifier. */
static void limits(void)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER_LIMITED");
	struct thread_mqtt *client = NULL;
	struct thread_mqtt_limits found;
	struct thread_mqtt_message message = {.topic = "t", .qos = 2};
	char id[64] = "untouched";
	int length;

	config.client_id = NULL;
	config.session_expiry_s = 77;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	memset(&found, 0xff, sizeof(found));
	CHECK_EQUAL(thread_mqtt_get_limits(client, &found), THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(thread_mqtt_get_client_id(client, id, sizeof(id)), THREAD_MQTT_ERROR_STATE);
	CHECK(strcmp(id, "untouched") == 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	CHECK_EQUAL(thread_mqtt_get_limits(client, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_get_limits(client, &found), 0);
	CHECK_EQUAL(found.max_packet_size, 5000);
	CHECK_EQUAL(found.session_expiry_s, 77);
	CHECK_EQUAL(found.keep_alive_s, 30);
	CHECK_EQUAL(found.receive_maximum, 7);
	CHECK_EQUAL(found.topic_alias_maximum, 5);
	CHECK_EQUAL(found.learnt_keep_alive_s, 0);
	CHECK_EQUAL(found.mqtt_version, 5);
	CHECK_EQUAL(found.maximum_qos, 1);
	CHECK(!found.retain_available);
	CHECK(found.wildcards_available);
	CHECK(found.shared_available);

	length = thread_mqtt_get_client_id(client, id, sizeof(id));
	CHECK(length > 0 && strlen(id) == (size_t)length);
	CHECK_EQUAL(thread_mqtt_get_client_id(client, NULL, 0), length);
	CHECK_EQUAL(thread_mqtt_get_client_id(client, NULL, 1), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_get_client_id(client, id, 5), length);
	CHECK_EQUAL(strlen(id), 4);

	/* A message that the broker does not accept. */
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, PATIENCE),
		    THREAD_MQTT_ERROR_REJECTED);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).reason, 0x9b);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).error,
		    THREAD_MQTT_ERROR_REJECTED);
	message.qos = 1;
	message.payload_len = 6000;
	message.payload = calloc(1, message.payload_len);
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, PATIENCE),
		    THREAD_MQTT_ERROR_TOO_LARGE);
	free((void *)(uintptr_t)message.payload);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 2);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).reason, 0x95);
	CHECK_EQUAL(thread_mqtt_stop(client), 0);
	await(&told, THREAD_MQTT_EVENT_STOPPED, 1);
	CHECK_EQUAL(thread_mqtt_get_limits(client, &found), THREAD_MQTT_ERROR_STATE);
	end(client);
}

/* ---------------------------------------------------------------- the outbox */

static int publish(struct thread_mqtt *client, const char *topic, uint8_t qos, uint8_t priority,
		   uint32_t *token)
{
	struct thread_mqtt_message message = {.topic = topic, .qos = qos, .priority = priority};

	return thread_mqtt_publish(client, &message, token);
}

/* By default a burst of readings leaves room for alarms. */
static void reserve(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	int readings = 0;
	int alarms = 0;

	while (publish(client, "reading", 0, 0, NULL) == 0) {
		readings++;
		CHECK(readings < 1000);
	}
	CHECK_EQUAL(readings, CONFIG_THREAD_MQTT_OUTBOX_MESSAGES * 3 / 4);
	while (publish(client, "alarm", 1, 0, NULL) == 0) {
		alarms++;
		CHECK(alarms < 1000);
	}
	CHECK_EQUAL(readings + alarms, CONFIG_THREAD_MQTT_OUTBOX_MESSAGES);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED), 0);
	end(client);
}

static void displaced(uint8_t overflow, uint8_t qos)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;
	uint32_t first = 0;

	config.overflow = overflow;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(publish(client, "old", qos, 0, &first), 0);
	for (int i = 1; i < CONFIG_THREAD_MQTT_OUTBOX_MESSAGES; i++) {
		CHECK_EQUAL(publish(client, "t", 1, 0, NULL), 0);
	}
	/* A message with a higher priority is not dropped. */
	CHECK_EQUAL(publish(client, "new", 1, THREAD_MQTT_PRIORITY_LOW, NULL),
		    THREAD_MQTT_ERROR_FULL);
	CHECK_EQUAL(publish(client, "new", 1, 0, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).token, first);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).error,
		    THREAD_MQTT_ERROR_DISPLACED);
	CHECK_EQUAL(publish(client, "new", 1, 0, NULL),
		    overflow == THREAD_MQTT_OVERFLOW_DROP_OLDEST ? 0 : THREAD_MQTT_ERROR_FULL);
	end(client);
}

static void latest_per_topic(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt_event event;
	struct thread_mqtt *client = NULL;
	uint32_t tokens[CONFIG_THREAD_MQTT_OUTBOX_MESSAGES];
	uint32_t last = 0;

	config.overflow = THREAD_MQTT_OVERFLOW_LATEST_PER_TOPIC;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	for (size_t i = 0; i < COUNT(tokens); i++) {
		char topic[] = {'a', (char)('a' + i), '\0'};

		CHECK_EQUAL(publish(client, topic, 1, 0, &tokens[i]), 0);
	}
	CHECK_EQUAL(publish(client, "ac", 1, 0, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 1);
	event = told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED);
	CHECK_EQUAL(event.token, tokens[2]);
	CHECK_EQUAL(event.error, THREAD_MQTT_ERROR_SUPERSEDED);
	CHECK_EQUAL(publish(client, "new", 1, 0, &last), 0);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 2);
	event = told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED);
	CHECK_EQUAL(event.token, last);
	CHECK_EQUAL(event.error, THREAD_MQTT_ERROR_FULL);
	end(client);
}

/* The same for individual messages. */
static void latest(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	struct thread_mqtt_message message = {.topic = "t", .qos = 1, .latest = true};
	uint32_t first = 0;

	CHECK_EQUAL(thread_mqtt_publish(client, &message, &first), 0);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).token, first);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).error,
		    THREAD_MQTT_ERROR_SUPERSEDED);
	end(client);
}

static void expired(void)
{
	struct told told;
	struct thread_mqtt *client = idle_client(&told);
	struct thread_mqtt_properties properties = {.message_expiry_s = 1};
	struct thread_mqtt_message message = {.topic = "t", .qos = 1, .expiry_s = 1};

	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, PATIENCE),
		    THREAD_MQTT_ERROR_EXPIRED);
	message.expiry_s = 0;
	message.properties = &properties;
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL,
					     THREAD_MQTT_WAIT_ACKNOWLEDGED, PATIENCE),
		    THREAD_MQTT_ERROR_EXPIRED);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 2);
	end(client);
}

static uint32_t published[8];
static size_t published_count;

static void note_published(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	(void)client;
	if (event->type == THREAD_MQTT_EVENT_PUBLISHED && published_count < COUNT(published)) {
		published[published_count++] = event->token;
	}
}

/* Messages queued before the connection are sent in order of priority. */
static void priorities(void)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER");
	struct thread_mqtt *client = NULL;
	uint32_t low = 0;
	uint32_t normal = 0;
	uint32_t high = 0;

	told_call(&told, note_published);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(publish(client, "p", 1, THREAD_MQTT_PRIORITY_LOW, &low), 0);
	CHECK_EQUAL(publish(client, "p", 1, THREAD_MQTT_PRIORITY_NORMAL, &normal), 0);
	CHECK_EQUAL(publish(client, "p", 1, THREAD_MQTT_PRIORITY_HIGH, &high), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_PUBLISHED, 3);
	end(client);
	CHECK_EQUAL(published[0], high);
	CHECK_EQUAL(published[1], normal);
	CHECK_EQUAL(published[2], low);
}

static uint32_t own_token;

static void has_own_token(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	(void)client;
	if (event->type == THREAD_MQTT_EVENT_PUBLISHED ||
	    event->type == THREAD_MQTT_EVENT_SUBSCRIBED ||
	    event->type == THREAD_MQTT_EVENT_UNSUBSCRIBED) {
		CHECK_EQUAL(event->token, __atomic_load_n(&own_token, __ATOMIC_SEQ_CST));
	}
}

/* Even while the call is still waiting. */
static void tokens_are_there_before_their_events(void)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER");
	struct thread_mqtt *client = started(&config);
	struct thread_mqtt_message message = {.topic = "tokens"};

	told_call(&told, has_own_token);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	CHECK_EQUAL(thread_mqtt_subscribe(client, "tokens", 0, &own_token), 0);
	await(&told, THREAD_MQTT_EVENT_SUBSCRIBED, 1);
	CHECK_EQUAL(thread_mqtt_unsubscribe(client, "tokens", &own_token), 0);
	await(&told, THREAD_MQTT_EVENT_UNSUBSCRIBED, 1);
	for (message.qos = 0; message.qos <= 2; message.qos++) {
		CHECK_EQUAL(thread_mqtt_publish(client, &message, &own_token), 0);
		await(&told, THREAD_MQTT_EVENT_PUBLISHED, 2u * message.qos + 1);
		CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, &own_token,
						     THREAD_MQTT_WAIT_ACKNOWLEDGED, PATIENCE), 0);
		await(&told, THREAD_MQTT_EVENT_PUBLISHED, 2u * message.qos + 2);
	}
	end(client);
}

void message_cases(void)
{
	properties();
	nothing_can_be_read();
	wrong_properties();
	will();
	several_filters();
	limits();
	reserve();
	displaced(THREAD_MQTT_OVERFLOW_DROP_OLDEST_QOS0, 0);
	displaced(THREAD_MQTT_OVERFLOW_DROP_OLDEST, 1);
	latest_per_topic();
	latest();
	expired();
	priorities();
	tokens_are_there_before_their_events();
}
