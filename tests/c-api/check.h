/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the cases share.
 */
#ifndef CHECK_H_
#define CHECK_H_

#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thread_mqtt.h>

/* Ends the program with a sentence. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define CHECK_EQUAL(found, expected)                                                               \
	do {                                                                                       \
		long long found_ = (found);                                                        \
		long long expected_ = (expected);                                                  \
                                                                                                   \
		if (found_ != expected_) {                                                         \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__,       \
				#found, found_, expected_);                                        \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Long enough for anything that comes at all, milliseconds. */
#define PATIENCE 120000

/* How often an event of each type came, and the last of each. The client's thread writes it for as
 * long as there is a client: what it is asked while the thread may write goes by the functions.
 */
struct told {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int count[THREAD_MQTT_EVENT_PIECE_WANTED + 1];
	struct thread_mqtt_event last[THREAD_MQTT_EVENT_PIECE_WANTED + 1];
	/* Of the last message, skipped or not; the topic's end is cut off. */
	char topic[64];
	/* The last texts: of THREAD_MQTT_EVENT_BROKER, and what a broker said. */
	char value[64];
	char reference[64];
	char reason[64];
	/* The last answers. */
	uint8_t reasons[16];
	char payload[64];
	size_t payload_len;
	void (*then)(struct thread_mqtt *client, const struct thread_mqtt_event *event);
};

void told_init(struct told *told);

/* From now on this is called with each event, in the client's thread. */
void told_call(struct told *told,
	       void (*then)(struct thread_mqtt *client, const struct thread_mqtt_event *event));

/* How often an event of this type came, and the last one. */
unsigned int told_count(struct told *told, uint8_t type);
struct thread_mqtt_event told_last(struct told *told, uint8_t type);

/* The callback; user_data is a struct told. */
void tell(struct thread_mqtt *client, const struct thread_mqtt_event *event, void *user_data);

/* Waits until events of this type came this often. */
void await(struct told *told, uint8_t type, unsigned int count);

/* A configuration for the broker that is not there, with the callback. */
struct thread_mqtt_config idle_config(struct told *told);
/* For the broker that this setting names, without TLS or with it. */
struct thread_mqtt_config config_for(struct told *told, const char *broker);
struct thread_mqtt_config tls_config(struct told *told, const char *broker);

/* A client of idle_config(). */
struct thread_mqtt *idle_client(struct told *told);
/* A client of this configuration, started. */
struct thread_mqtt *started(const struct thread_mqtt_config *config);
/* Ends a client. */
void end(struct thread_mqtt *client);

/* The heap, of which this program's allocations are counted. */
size_t heap_used(void);
/* The most since heap_peak_restart(), which returns what is in use. */
size_t heap_peak(void);
size_t heap_peak_restart(void);
void pause_ms(long milliseconds);
/* What this thread has taken, without what it has given back. */
long long heap_used_here(void);
/* Allocations that would take more than this fail; SIZE_MAX for none. */
void heap_limit(size_t bytes);
/* The same in this thread, for what it has taken; LLONG_MAX for none. */
void heap_limit_here(long long bytes);
/* In this thread, allocations of more than this fail; SIZE_MAX for none. */
void heap_limit_each(size_t bytes);

/* Whether the log had this lately, in whatever lines. */
bool was_logged(const char *text);

/* From now on the platform starts no thread of a client (EAGAIN). */
void refuse_threads(bool refuse);

/* From now on a client's thread, of which there is one at a time, calls this first; NULL for nothing. */
void at_thread_begin(void (*call)(void));

/* Stops every client's thread when it asks for randomness, which TLS does amid a handshake, until
 * released.
 */
void hold_random(void);
/* Waits until a thread is stopped. */
void await_held(void);
void release_random(void);

/* What the environment says; ends the program without it. */
const char *setting(const char *name);

/* A file's contents; the caller frees them. */
char *read_all(const char *path, size_t *length);

void arguments_cases(void);
void lifecycle_cases(void);
void thread_cases(void);
void memory_cases(void);
void broker_cases(void);
void connection_cases(void);
void credential_cases(void);
void message_cases(void);
void tolerance_cases(void);
void piece_cases(void);
void durable_cases(const char *self);
/* The process that durable_cases() starts and kills; its exit status. */
int durable_publisher(char *const arguments[]);

/* Runs a case and says so. */
#define RUN(function)                                                                              \
	do {                                                                                       \
		printf("  %s\n", #function);                                                       \
		fflush(stdout);                                                                    \
		function();                                                                        \
	} while (0)

#endif /* CHECK_H_ */
