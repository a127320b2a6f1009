/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Helpers shared by the test cases.
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

/* Ends the program with a message if the condition is false. */
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

/* Long enough for every event, in milliseconds. */
#define PATIENCE 120000

/* How often an event of each type arrived, and the last of each. The client's thread writes it as long as
 * the client exists. Use the functions to read it while the thread may write.
 */
struct told {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int count[THREAD_MQTT_EVENT_PIECE_WANTED + 1];
	struct thread_mqtt_event last[THREAD_MQTT_EVENT_PIECE_WANTED + 1];
	/* Topic of the last message, skipped or not; truncated. */
	char topic[64];
	/* The last texts: of THREAD_MQTT_EVENT_BROKER, and from the broker. */
	char value[64];
	char reference[64];
	char reason[64];
	/* The last reason codes. */
	uint8_t reasons[16];
	char payload[64];
	size_t payload_len;
	void (*then)(struct thread_mqtt *client, const struct thread_mqtt_event *event);
};

void told_init(struct told *told);

/* Sets a function that is called with each event, in the client's thread. */
void told_call(struct told *told,
	       void (*then)(struct thread_mqtt *client, const struct thread_mqtt_event *event));

/* Returns how often an event of this type arrived, and the last one. */
unsigned int told_count(struct told *told, uint8_t type);
struct thread_mqtt_event told_last(struct told *told, uint8_t type);

/* The callback; user_data is a struct told. */
void tell(struct thread_mqtt *client, const struct thread_mqtt_event *event, void *user_data);

/* Waits until this many events of this type have arrived. */
void await(struct told *told, uint8_t type, unsigned int count);

/* A configuration for a broker that does not exist, with the callback. */
struct thread_mqtt_config idle_config(struct told *told);
/* A configuration for the broker in this setting, with or without TLS. */
struct thread_mqtt_config config_for(struct told *told, const char *broker);
struct thread_mqtt_config tls_config(struct told *told, const char *broker);

/* Creates a client with idle_config(). */
struct thread_mqtt *idle_client(struct told *told);
/* Creates and starts a client with this configuration. */
struct thread_mqtt *started(const struct thread_mqtt_config *config);
/* Deletes a client. */
void end(struct thread_mqtt *client);

/* Returns the heap in use; this program's allocations are counted. */
size_t heap_used(void);
/* The peak since heap_peak_restart(), which returns what is in use. */
size_t heap_peak(void);
size_t heap_peak_restart(void);
void pause_ms(long milliseconds);
/* Returns what this thread has allocated minus what it has freed. */
long long heap_used_here(void);
/* Makes allocations fail that would exceed this total; SIZE_MAX for no limit. */
void heap_limit(size_t bytes);
/* The same for heap_used_here() of this thread; LLONG_MAX for no limit. */
void heap_limit_here(long long bytes);
/* Makes single allocations above this size fail in this thread; SIZE_MAX for no limit. */
void heap_limit_each(size_t bytes);

/* Returns whether this text was logged recently, in however many lines. */
bool was_logged(const char *text);

/* Makes the platform refuse to start a client's thread (EAGAIN). */
void refuse_threads(bool refuse);

/* Sets what a client's thread calls first; there is one such thread at a time. NULL for nothing. */
void at_thread_begin(void (*call)(void));

/* Stops every client's thread when it asks for random numbers, as TLS does during a handshake, until
 * released.
 */
void hold_random(void);
/* Waits until a thread is stopped. */
void await_held(void);
void release_random(void);

/* Returns a value from the environment; ends the program if it is missing. */
const char *setting(const char *name);

/* Reads a file; the caller frees the contents. */
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
/* The process that durable_cases() starts and kills. Returns its exit status. */
int durable_publisher(char *const arguments[]);

/* Runs a case and prints its name. */
#define RUN(function)                                                                              \
	do {                                                                                       \
		printf("  %s\n", #function);                                                       \
		fflush(stdout);                                                                    \
		function();                                                                        \
	} while (0)

#endif /* CHECK_H_ */
