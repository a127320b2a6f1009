/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The storage of thread_mqtt_port.h, in RAM: it survives a client, but not the program.
 */
#ifndef STORE_H_
#define STORE_H_

/** Deletes everything. */
void store_wipe(void);

#endif /* STORE_H_ */
