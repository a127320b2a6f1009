/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A network behind the serial line: one TCP connection and datagrams, made by relay.py on the host.
 * Both directions speak frames of a type, the number of the connection, two bytes of length (big
 * endian) and as many bytes more. An address is 16 bytes and a port of two.
 */
#ifndef RELAY_H_
#define RELAY_H_

/* From the board. */
#define RELAY_CONNECT  'C' /* address */
#define RELAY_FINISH   'F'
#define RELAY_ABORT    'A'
/* From the host. */
#define RELAY_OPEN     'O'
#define RELAY_REFUSED  'N'
#define RELAY_RESET    'R'
#define RELAY_END      'E'
/* Both. */
#define RELAY_DATA     'D'
#define RELAY_DATAGRAM 'U' /* own port, address of the other, what it carries */

#define RELAY_HEADER 4
/* Longest frame of the host, without its header. */
#define RELAY_MOST   1024

#endif /* RELAY_H_ */
