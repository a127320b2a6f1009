/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Checks, and the events that the callback received.
 */
#ifndef CHECK_H_
#define CHECK_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thread_mqtt.h>

#define CHECK(condition)      check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQUAL(a, b)     check_equal((a), (b), __FILE__, __LINE__, #a)
#define CHECK_STRING(a, b)    check_string((a), (b), __FILE__, __LINE__, #a)
/** `a` is a string that contains `b`. */
#define CHECK_CONTAINS(a, b)  check_contains((a), (b), __FILE__, __LINE__, #a)

void check(bool passed, const char *file, int line, const char *what);
void check_equal(int64_t a, int64_t b, const char *file, int line, const char *what);
void check_string(const char *a, const char *b, const char *file, int line, const char *what);
void check_contains(const char *a, const char *b, const char *file, int line, const char *what);

/** Prints "N passed, N failed" and ends the run. */
__attribute__((noreturn)) void check_end(void);

/** The callback; user_data must be &events_tag. Keeps a copy of the event. */
void events_callback(struct thread_mqtt *client, const struct thread_mqtt_event *event,
		     void *user_data);
extern char events_tag;
/** If not NULL, the callback calls it first. It returns true if it handled the event, which is then not kept. */
extern bool (*events_hook)(struct thread_mqtt *client, const struct thread_mqtt_event *event);

#define NO_CURE    0
#define CURE       1
#define MAYBE_CURE 2

/** Every field of an expected event. Fields that are not set here must not be set there. */
struct expected {
	uint8_t type;
	uint8_t stage;
	uint8_t reason;
	bool session_present;
	int32_t error;
	uint32_t token;
	/** A part of the text; NULL if there must be no text. */
	const char *text;
	/** NO_CURE, CURE or MAYBE_CURE. */
	uint8_t cure;
	/** Limits of the pause, which is random; 0 and 0 for no pause. */
	int32_t retry_least_ms, retry_most_ms;
	const struct thread_mqtt_message *message;
	const char *filter;
	const char *topic;
	const char *value;
	/** The reason codes of an answer; NULL: a single one, which is the reason. */
	const uint8_t *reasons;
	size_t reason_count;
	uint32_t number;
	uint32_t offset;
};

/** Runs the client until the condition is true. */
#define AWAIT(condition)                                                                           \
	do {                                                                                       \
		int64_t until_ = await_until();                                                    \
                                                                                                   \
		while (!(condition) && await_goes_on(until_)) {                                    \
		}                                                                                  \
		CHECK(condition);                                                                  \
	} while (0)
int64_t await_until(void);
bool await_goes_on(int64_t until);

/** Runs the client until it reports an event of this type (and stage, if set), and checks all of its
 *  fields. Valid until the next call.
 */
#define EXPECT(client, ...)                                                                        \
	events_expect((client), &(struct expected){__VA_ARGS__}, __FILE__, __LINE__)
const struct thread_mqtt_event *events_expect(const struct thread_mqtt *client,
					      const struct expected *expected, const char *file,
					      int line);
/** Checks that every event was expected. */
#define CHECK_NO_MORE_EVENTS() CHECK_EQUAL(events_left(), 0)
size_t events_left(void);
/** Drops events that may or may not have arrived. */
void events_forget(void);

#endif /* CHECK_H_ */
