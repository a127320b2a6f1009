/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Two threads that hand the processor to each other: the application's, which main() is, and the
 * client's.
 */
#ifndef COOPERATIVE_H_
#define COOPERATIVE_H_

#include <stdbool.h>

/** Starts the client's thread; it runs for the first time in client_resume(). */
void client_start(void (*run)(void *argument), void *argument);
/** Whether it was started and has not returned. */
bool client_is_alive(void);
/** Whether this is it. */
bool client_is_running(void);
/** In the application: lets the client run until it waits or ends. */
void client_resume(void);
/** In the client: lets the application run. */
void client_pause(void);

#endif /* COOPERATIVE_H_ */
