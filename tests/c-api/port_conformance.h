/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef PORT_CONFORMANCE_H_
#define PORT_CONFORMANCE_H_

/**
 * Tests a port implementation. Two ports must be free, and there must be IPv4 on the loopback. Logs one
 * line per failure and returns their number.
 */
int port_conformance(void);

#endif /* PORT_CONFORMANCE_H_ */
