/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thread_mqtt_port.h>

#include "board.h"
#include "cooperative.h"

/* In board time: a pause is a few seconds. */
#define PATIENCE_MS 120000

#define MOST_EVENTS 32

struct kept {
	/* Counted from 1; 0 if there is none. */
	uint32_t number;
	const struct thread_mqtt *client;
	struct thread_mqtt_event event;
	struct thread_mqtt_message message;
	char text[512], cure[256], filter[64], topic[64], value[64];
	uint8_t payload[64];
	uint8_t reasons[16];
	struct thread_mqtt_properties properties;
	struct thread_mqtt_user_property user[4];
	char content_type[32], response_topic[32], names[4][16], values[4][16];
	uint8_t correlation_data[16];
};

static unsigned int passed, failed;
static uint32_t told;
static struct kept kept[MOST_EVENTS];
char events_tag;
bool (*events_hook)(struct thread_mqtt *client, const struct thread_mqtt_event *event);

static void say(const char *text)
{
	board_say(text, strlen(text));
}

void check(bool is_passed, const char *file, int line, const char *what)
{
	char text[256];

	if (is_passed) {
		passed++;
		return;
	}
	failed++;
	snprintf(text, sizeof(text), "FAILED %s:%d: %s", file, line, what);
	say(text);
}

void check_equal(int64_t a, int64_t b, const char *file, int line, const char *what)
{
	char text[160];

	snprintf(text, sizeof(text), "%s is %ld, not %ld", what, (long)a, (long)b);
	check(a == b, file, line, text);
}

void check_string(const char *a, const char *b, const char *file, int line, const char *what)
{
	char text[200];
	bool equal = a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;

	snprintf(text, sizeof(text), "%s is \"%s\", not \"%s\"", what, a == NULL ? "(NULL)" : a,
		 b == NULL ? "(NULL)" : b);
	check(equal, file, line, text);
}

void check_contains(const char *a, const char *b, const char *file, int line, const char *what)
{
	char text[200];

	snprintf(text, sizeof(text), "%s is \"%s\", without \"%s\"", what, a == NULL ? "(NULL)" : a,
		 b);
	check(a != NULL && strstr(a, b) != NULL, file, line, text);
}

void check_end(void)
{
	char text[64];

	snprintf(text, sizeof(text), "%u passed, %u failed", passed, failed);
	say(text);
	_Exit(failed == 0 ? 0 : 1);
}

static const char *copy(char *to, size_t size, const char *from)
{
	if (from == NULL) {
		return NULL;
	}
	snprintf(to, size, "%s", from);
	return to;
}

static void copy_properties(struct kept *to, const struct thread_mqtt_properties *from)
{
	to->properties = *from;
	to->message.properties = &to->properties;
	to->properties.content_type =
		copy(to->content_type, sizeof(to->content_type), from->content_type);
	to->properties.response_topic =
		copy(to->response_topic, sizeof(to->response_topic), from->response_topic);
	CHECK(from->correlation_data_len <= sizeof(to->correlation_data));
	if (from->correlation_data != NULL) {
		memcpy(to->correlation_data, from->correlation_data, from->correlation_data_len);
		to->properties.correlation_data = to->correlation_data;
	}
	CHECK(from->user_count <= sizeof(to->user) / sizeof(to->user[0]));
	for (size_t i = 0; i < from->user_count; i++) {
		to->user[i].name = copy(to->names[i], sizeof(to->names[i]), from->user[i].name);
		to->user[i].value = copy(to->values[i], sizeof(to->values[i]), from->user[i].value);
		to->properties.user = to->user;
	}
}

void events_callback(struct thread_mqtt *client, const struct thread_mqtt_event *event,
		     void *user_data)
{
	struct kept *to = kept;

	CHECK(user_data == &events_tag);
	CHECK(client_is_running());
	if (events_hook != NULL && events_hook(client, event)) {
		return;
	}
	while (to->number != 0) {
		to++;
		if (to == kept + MOST_EVENTS) {
			tmq_port_panic("too many events", 15);
		}
	}
	memset(to, 0, sizeof(*to));
	to->number = ++told;
	to->client = client;
	to->event = *event;
	to->event.text = copy(to->text, sizeof(to->text), event->text);
	to->event.cure = copy(to->cure, sizeof(to->cure), event->cure);
	to->event.filter = copy(to->filter, sizeof(to->filter), event->filter);
	to->event.topic = copy(to->topic, sizeof(to->topic), event->topic);
	to->event.value = copy(to->value, sizeof(to->value), event->value);
	if (event->reasons != NULL) {
		CHECK(event->reason_count <= sizeof(to->reasons));
		memcpy(to->reasons, event->reasons, event->reason_count);
		to->event.reasons = to->reasons;
	}
	if (event->message != NULL) {
		to->message = *event->message;
		to->event.message = &to->message;
		to->message.topic = copy(to->topic, sizeof(to->topic), event->message->topic);
		if (event->message->properties != NULL) {
			copy_properties(to, event->message->properties);
		}
		CHECK(event->message->payload_len <= sizeof(to->payload));
		memcpy(to->payload, event->message->payload, event->message->payload_len);
		to->message.payload = to->payload;
	}
}

/* Returns the oldest event of the type, and of the stage if the event has one. */
static struct kept *find(const struct expected *expected)
{
	struct kept *found = NULL;

	for (struct kept *one = kept; one < kept + MOST_EVENTS; one++) {
		if (one->number != 0 && one->event.type == expected->type &&
		    (expected->type != THREAD_MQTT_EVENT_STAGE ||
		     one->event.stage == expected->stage) &&
		    (found == NULL || one->number < found->number)) {
			found = one;
		}
	}
	return found;
}

static void list(void)
{
	char text[400];

	for (struct kept *one = kept; one < kept + MOST_EVENTS; one++) {
		if (one->number != 0) {
			snprintf(text, sizeof(text), "  there is: %s, %s, error %ld, token %lu, %s",
				 thread_mqtt_event_to_str(one->event.type),
				 thread_mqtt_stage_to_str(one->event.stage), (long)one->event.error,
				 (unsigned long)one->event.token,
				 one->event.text == NULL ? "no text" : one->event.text);
			say(text);
		}
	}
}

static void check_properties(const struct thread_mqtt_properties *properties,
			     const struct thread_mqtt_properties *expected, const char *file,
			     int line)
{
	check((properties == NULL) == (expected == NULL), file, line,
	      "whether there are properties");
	if (properties == NULL || expected == NULL) {
		return;
	}
	check_string(properties->content_type, expected->content_type, file, line, "content_type");
	check_string(properties->response_topic, expected->response_topic, file, line,
		     "response_topic");
	check_equal((int64_t)properties->correlation_data_len,
		    (int64_t)expected->correlation_data_len, file, line, "correlation_data_len");
	check(properties->correlation_data_len == expected->correlation_data_len &&
		      memcmp(properties->correlation_data, expected->correlation_data,
			     expected->correlation_data_len) == 0,
	      file, line, "correlation_data");
	check_equal((int64_t)properties->user_count, (int64_t)expected->user_count, file, line,
		    "user_count");
	for (size_t i = 0; i < expected->user_count && i < properties->user_count; i++) {
		check_string(properties->user[i].name, expected->user[i].name, file, line, "name");
		check_string(properties->user[i].value, expected->user[i].value, file, line,
			     "value");
	}
	/* The broker subtracts the time it kept the message. */
	check(properties->message_expiry_s <= expected->message_expiry_s &&
		      properties->message_expiry_s + 60 >= expected->message_expiry_s,
	      file, line, "message_expiry_s");
	check_equal(properties->payload_is_utf8, expected->payload_is_utf8, file, line,
		    "payload_is_utf8");
	check_equal(properties->has_message_expiry, expected->has_message_expiry, file, line,
		    "has_message_expiry");
	check_equal(properties->has_payload_format, expected->has_payload_format, file, line,
		    "has_payload_format");
}

static void check_message(const struct thread_mqtt_message *message,
			  const struct thread_mqtt_message *expected, const char *file, int line)
{
	check((message == NULL) == (expected == NULL), file, line, "whether there is a message");
	if (message == NULL || expected == NULL) {
		return;
	}
	check_string(message->topic, expected->topic, file, line, "message->topic");
	check_equal((int64_t)message->payload_len, (int64_t)expected->payload_len, file, line,
		    "message->payload_len");
	check(message->payload_len == expected->payload_len &&
		      memcmp(message->payload, expected->payload, expected->payload_len) == 0,
	      file, line, "message->payload");
	check_equal(message->qos, expected->qos, file, line, "message->qos");
	check_equal(message->retain, expected->retain, file, line, "message->retain");
	/* Fields for published messages only. */
	check(message->priority == 0 && !message->latest && message->expiry_s == 0, file, line,
	      "message->priority, latest, expiry_s");
	check_properties(message->properties, expected->properties, file, line);
}

static void check_answers(const struct thread_mqtt_event *event, const struct expected *expected,
			  const char *file, int line)
{
	bool is_answer = expected->type == THREAD_MQTT_EVENT_SUBSCRIBED ||
			 expected->type == THREAD_MQTT_EVENT_UNSUBSCRIBED;
	const uint8_t *reasons = expected->reasons == NULL ? &expected->reason : expected->reasons;
	size_t count = expected->reasons == NULL ? 1 : expected->reason_count;

	check((event->reasons != NULL) == is_answer, file, line, "whether there are answers");
	check_equal((int64_t)event->reason_count, is_answer ? (int64_t)count : 0, file, line,
		    "reason_count");
	if (is_answer && event->reasons != NULL && event->reason_count == count) {
		check(memcmp(event->reasons, reasons, count) == 0, file, line, "reasons");
	}
}

int64_t await_until(void)
{
	return tmq_port_uptime_ms() + PATIENCE_MS;
}

bool await_goes_on(int64_t until)
{
	client_resume();
	return tmq_port_uptime_ms() <= until && client_is_alive();
}

const struct thread_mqtt_event *events_expect(const struct thread_mqtt *client,
					      const struct expected *expected, const char *file,
					      int line)
{
	static struct kept found;
	const struct thread_mqtt_event *event = &found.event;
	int64_t until = await_until();
	struct kept *one;

	for (one = find(expected); one == NULL; one = find(expected)) {
		if (!await_goes_on(until)) {
			check(false, file, line, "the event does not come");
			list();
			check_end();
		}
	}
	found = *one;
	one->number = 0;

	check(found.client == client, file, line, "the client");
	check_equal(event->stage, expected->stage, file, line, "stage");
	check_equal(event->reason, expected->reason, file, line, "reason");
	check_equal(event->session_present, expected->session_present, file, line,
		    "session_present");
	check_equal(event->error, expected->error, file, line, "error");
	check_equal(event->token, expected->token, file, line, "token");
	if (expected->text == NULL) {
		check_string(event->text, NULL, file, line, "text");
	} else {
		check_contains(event->text, expected->text, file, line, "text");
	}
	if (expected->cure != MAYBE_CURE) {
		check((event->cure != NULL) == (expected->cure == CURE), file, line,
		      "whether there is a cure");
	}
	if (expected->retry_most_ms == 0) {
		check_equal(event->retry_ms, -1, file, line, "retry_ms");
	} else {
		check(event->retry_ms >= expected->retry_least_ms &&
			      event->retry_ms <= expected->retry_most_ms,
		      file, line, "retry_ms is within its range");
	}
	check_message(event->message, expected->message, file, line);
	check_string(event->filter, expected->filter, file, line, "filter");
	check_string(event->topic, expected->topic, file, line, "topic");
	check_string(event->value, expected->value, file, line, "value");
	check_equal(event->number, expected->number, file, line, "number");
	check_equal(event->offset, expected->offset, file, line, "offset");
	check_answers(event, expected, file, line);
	return event;
}

size_t events_left(void)
{
	size_t count = 0;

	for (size_t i = 0; i < MOST_EVENTS; i++) {
		count += kept[i].number != 0;
	}
	if (count > 0) {
		list();
	}
	events_forget();
	return count;
}

void events_forget(void)
{
	memset(kept, 0, sizeof(kept));
}
