/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The storage of thread_mqtt_port.h, in RAM: it outlives a client, and not the program.
 */
#ifndef STORE_H_
#define STORE_H_

/** Forgets everything. */
void store_wipe(void);

#endif /* STORE_H_ */
