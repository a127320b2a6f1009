/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef PORT_CONFORMANCE_H_
#define PORT_CONFORMANCE_H_

/**
 * Tries a port, of which two must be free, with IPv4 on the loopback. Each failure is one line of
 * the log; their number is returned.
 */
int port_conformance(void);

#endif /* PORT_CONFORMANCE_H_ */
