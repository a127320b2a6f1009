/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An MQTT 5 broker inside the image, for one client. It receives messages of any length, sends one to a
 * subscriber, and ends connections in the middle of either.
 */
#ifndef BROKER_H_
#define BROKER_H_

#include <stdbool.h>
#include <stdint.h>

#include <zephyr/kernel.h>

/* Returns the payload byte at an offset, in both directions. */
static inline uint8_t byte_at(uint32_t at)
{
	return (uint8_t)(at * 7 % 251);
}

struct broker {
	/* What it is to do. Changed only while no client is connected. */

	/* Length of the payload sent to a subscriber with QoS 1, in bytes; 0 for no message. */
	uint32_t send;
	/* Ends the connection once after this many payload bytes were sent or received; 0: never. */
	uint32_t cut_sending;
	uint32_t cut_receiving;

	/* What it observed. */

	uint16_t port;
	/* Bytes of the last payload received, and number of wrong bytes in all payloads. */
	uint32_t received;
	uint32_t wrong;
	/* Given for each PUBACK received. */
	struct k_sem acknowledged;
};

extern struct broker broker;

/** Listens on the loopback. */
void broker_start(void);
/** Stops, and ends its connection. */
void broker_end(void);
/** Resets the instructions, the observations and the session. */
void broker_forget(void);

#endif /* BROKER_H_ */
