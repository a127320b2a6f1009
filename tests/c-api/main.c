/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The C API on this computer. run.py builds this program several times, with and without sanitizers, and
 * runs it with a broker.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "port_conformance.h"
#include <thread_mqtt_port.h>

void told_init(struct told *told)
{
	memset(told, 0, sizeof(*told));
	CHECK_EQUAL(pthread_mutex_init(&told->lock, NULL), 0);
	CHECK_EQUAL(pthread_cond_init(&told->changed, NULL), 0);
}

void told_call(struct told *told,
	       void (*then)(struct thread_mqtt *client, const struct thread_mqtt_event *event))
{
	(void)pthread_mutex_lock(&told->lock);
	told->then = then;
	(void)pthread_mutex_unlock(&told->lock);
}

unsigned int told_count(struct told *told, uint8_t type)
{
	unsigned int count;

	(void)pthread_mutex_lock(&told->lock);
	count = told->count[type];
	(void)pthread_mutex_unlock(&told->lock);
	return count;
}

struct thread_mqtt_event told_last(struct told *told, uint8_t type)
{
	struct thread_mqtt_event event;

	(void)pthread_mutex_lock(&told->lock);
	event = told->last[type];
	(void)pthread_mutex_unlock(&told->lock);
	return event;
}

void tell(struct thread_mqtt *client, const struct thread_mqtt_event *event, void *user_data)
{
	struct told *told = user_data;
	void (*then)(struct thread_mqtt *client, const struct thread_mqtt_event *event);

	CHECK(event->type < COUNT(told->count));
	CHECK(strcmp(thread_mqtt_event_to_str(event->type), "unknown event") != 0);
	CHECK((event->type == THREAD_MQTT_EVENT_MESSAGE ||
	       event->type == THREAD_MQTT_EVENT_MESSAGE_BEGINS ||
	       event->type == THREAD_MQTT_EVENT_PIECE) == (event->message != NULL));
	CHECK((event->type == THREAD_MQTT_EVENT_PIECE) ==
	      (event->message != NULL && event->message->topic == NULL));
	CHECK((event->type == THREAD_MQTT_EVENT_SUBSCRIPTION_LOST ||
	       event->type == THREAD_MQTT_EVENT_SUBSCRIPTION_LOWERED) == (event->filter != NULL));
	CHECK((event->type == THREAD_MQTT_EVENT_MESSAGE_SKIPPED) == (event->topic != NULL));
	CHECK((event->type >= THREAD_MQTT_EVENT_REASON_STRING &&
	       event->type <= THREAD_MQTT_EVENT_BROKER) == (event->value != NULL));
	CHECK((event->type == THREAD_MQTT_EVENT_SUBSCRIBED ||
	       event->type == THREAD_MQTT_EVENT_UNSUBSCRIBED) == (event->reasons != NULL));
	(void)pthread_mutex_lock(&told->lock);
	then = told->then;
	(void)pthread_mutex_unlock(&told->lock);
	if (then != NULL) {
		then(client, event);
	}
	(void)pthread_mutex_lock(&told->lock);
	told->count[event->type]++;
	told->last[event->type] = *event;
	if (event->topic != NULL) {
		(void)snprintf(told->topic, sizeof(told->topic), "%s", event->topic);
	}
	if (event->value != NULL) {
		char *to = event->type == THREAD_MQTT_EVENT_BROKER             ? told->value
			   : event->type == THREAD_MQTT_EVENT_SERVER_REFERENCE ? told->reference
									       : told->reason;

		(void)snprintf(to, sizeof(told->value), "%s", event->value);
	}
	if (event->reasons != NULL) {
		CHECK(event->reason_count > 0 && event->reason_count <= COUNT(told->reasons));
		CHECK_EQUAL(event->reasons[0], event->reason);
		memcpy(told->reasons, event->reasons, event->reason_count);
	}
	if (event->message != NULL && event->message->topic != NULL) {
		(void)snprintf(told->topic, sizeof(told->topic), "%s", event->message->topic);
	}
	if (event->message != NULL) {
		told->payload_len = event->message->payload_len;
		memset(told->payload, 0, sizeof(told->payload));
		memcpy(told->payload, event->message->payload,
		       told->payload_len < sizeof(told->payload) ? told->payload_len
								 : sizeof(told->payload));
	}
	(void)pthread_cond_broadcast(&told->changed);
	(void)pthread_mutex_unlock(&told->lock);
}

void await(struct told *told, uint8_t type, unsigned int count)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE / 1000;
	(void)pthread_mutex_lock(&told->lock);
	while (told->count[type] < count) {
		if (pthread_cond_timedwait(&told->changed, &told->lock, &until) == ETIMEDOUT) {
			fprintf(stderr, "waited for %u times \"%s\", came %u times\n", count,
				thread_mqtt_event_to_str(type), told->count[type]);
			abort();
		}
	}
	(void)pthread_mutex_unlock(&told->lock);
}

const char *setting(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL) {
		fprintf(stderr, "%s is not set: start this program with run.py\n", name);
		exit(2);
	}
	return value;
}

char *read_all(const char *path, size_t *length)
{
	FILE *file = fopen(path, "r");
	char *text;

	CHECK(file != NULL);
	CHECK_EQUAL(fseek(file, 0, SEEK_END), 0);
	*length = (size_t)ftell(file);
	rewind(file);
	text = malloc(*length + 1);
	CHECK(text != NULL);
	CHECK_EQUAL(fread(text, 1, *length, file), *length);
	text[*length] = '\0';
	(void)fclose(file);
	return text;
}

/* Valid values from the environment override the defaults. */
static void option_cases(void)
{
	const struct tmq_options *options;

	CHECK_EQUAL(setenv("THREAD_MQTT_RECEIVE_MAXIMUM", "7", 1), 0);
	CHECK_EQUAL(setenv("THREAD_MQTT_RECEIVED_IDS", "2000", 1), 0);
	CHECK_EQUAL(setenv("THREAD_MQTT_CLIENT_ID", "by-environment", 1), 0);
	CHECK_EQUAL(setenv("THREAD_MQTT_NAT64_DISCOVERY", "0", 1), 0);
	CHECK_EQUAL(setenv("THREAD_MQTT_DNS_SERVERS", "", 1), 0);
	/* Out of range, not a number, and empty. */
	CHECK_EQUAL(setenv("THREAD_MQTT_MAX_CHAIN", "99", 1), 0);
	CHECK_EQUAL(setenv("THREAD_MQTT_OUTBOX_BYTES", "16k", 1), 0);
	CHECK_EQUAL(setenv("THREAD_MQTT_OUTBOX_MESSAGES", "", 1), 0);
	options = tmq_port_options();
	CHECK_EQUAL(options->receive_maximum, 7);
	CHECK_EQUAL(options->received_ids, 2000);
	CHECK(strcmp(options->client_id, "by-environment") == 0);
	CHECK_EQUAL(options->discover_prefix, 0);
	CHECK(strcmp(options->dns_servers, "") == 0);
	CHECK_EQUAL(options->max_chain, CONFIG_THREAD_MQTT_MAX_CHAIN);
	CHECK_EQUAL(options->outbox_bytes, CONFIG_THREAD_MQTT_OUTBOX_BYTES);
	CHECK_EQUAL(options->outbox_messages, CONFIG_THREAD_MQTT_OUTBOX_MESSAGES);
}

static void port_cases(void)
{
	CHECK_EQUAL(port_conformance(), 0);
}

int main(int count, char *arguments[])
{
	if (count == 4 && strcmp(arguments[1], "durable") == 0) {
		return durable_publisher(arguments + 2);
	}
	/* Ends a wait that would otherwise last forever. */
	(void)alarm(1200);
	RUN(option_cases);
	RUN(port_cases);
	RUN(arguments_cases);
	RUN(lifecycle_cases);
	RUN(thread_cases);
	RUN(memory_cases);
	RUN(broker_cases);
	RUN(message_cases);
	RUN(piece_cases);
	RUN(connection_cases);
	RUN(credential_cases);
	RUN(tolerance_cases);
	durable_cases(arguments[0]);
	printf("all cases passed\n");
	return 0;
}
