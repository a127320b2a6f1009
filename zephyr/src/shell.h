/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Interface between the shell commands (shell.c) and the Rust core: questions that a client's own thread
 * answers, because it has the stack for it and owns the port.
 */
#ifndef THREAD_MQTT_SHELL_H_
#define THREAD_MQTT_SHELL_H_

#include <stddef.h>
#include <stdint.h>

#include <thread_mqtt.h>

/** Questions. */
#define TMQ_ASK_STATUS   1
#define TMQ_ASK_PREFIXES 2
#define TMQ_ASK_RESOLVE  3
#define TMQ_ASK_DOCTOR   4
/** One line: the broker, the client's identifier and its state. */
#define TMQ_ASK_BRIEF    5

/** The asker. Its functions are called in the client's thread. */
struct tmq_listener {
	/** A line without a line end, not NUL-terminated. Control characters have been replaced. */
	void (*line)(void *context, const char *text, size_t length);
	/** Returns whether the asker has stopped listening; the answer then ends soon. */
	uint8_t (*is_gone)(void *context);
	/** The answer is complete: 0, or a negative #thread_mqtt_error. Called once, and last. */
	void (*done)(void *context, int32_t result);
	void *context;
};

/**
 * Asks a client. `name` is the name for TMQ_ASK_RESOLVE, otherwise NULL.
 *
 * @return 0 if done() will be called. A negative #thread_mqtt_error if not; THREAD_MQTT_ERROR_STATE if
 * another question is being answered.
 */
int32_t tmq_client_ask(struct thread_mqtt *client, uint8_t question, const char *name,
		       const struct tmq_listener *listener);

/** Receives the client's events before its application does. Called in the client's thread. */
void tmq_shell_event(struct thread_mqtt *client, const struct thread_mqtt_event *event);

#endif /* THREAD_MQTT_SHELL_H_ */
