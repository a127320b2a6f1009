/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A network over the serial line: one TCP connection and datagrams, provided by relay.py on the host.
 * Both directions send frames: a type, the number of the connection, two length bytes (big endian) and
 * the data. An address is 16 bytes followed by a two-byte port.
 */
#ifndef RELAY_H_
#define RELAY_H_

/* From the board to the host. */
#define RELAY_CONNECT  'C' /* address */
#define RELAY_FINISH   'F'
#define RELAY_ABORT    'A'
/* From the host to the board. */
#define RELAY_OPEN     'O'
#define RELAY_REFUSED  'N'
#define RELAY_RESET    'R'
#define RELAY_END      'E'
/* In both directions. */
#define RELAY_DATA     'D'
#define RELAY_DATAGRAM 'U' /* own port, the other address, data */

#define RELAY_HEADER 4
/* Longest frame from the host, without its header. */
#define RELAY_MOST   1024

#endif /* RELAY_H_ */
