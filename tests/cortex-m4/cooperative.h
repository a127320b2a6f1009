/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Two threads that yield to each other: the application's, in which main() runs, and the client's.
 */
#ifndef COOPERATIVE_H_
#define COOPERATIVE_H_

#include <stdbool.h>

/** Starts the client's thread, which first runs in client_resume(). */
void client_start(void (*run)(void *argument), void *argument);
/** Returns whether the thread was started and has not returned. */
bool client_is_alive(void);
/** Returns whether the caller is that thread. */
bool client_is_running(void);
/** In the application: runs the client until it waits or ends. */
void client_resume(void);
/** In the client: runs the application. */
void client_pause(void);

#endif /* COOPERATIVE_H_ */
