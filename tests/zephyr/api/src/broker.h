/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A broker of MQTT 5 inside of the image, for one client: it takes messages of any length, sends one to a
 * subscriber, and ends connections in the middle of either.
 */
#ifndef BROKER_H_
#define BROKER_H_

#include <stdbool.h>
#include <stdint.h>

#include <zephyr/kernel.h>

/* The byte of a payload at an offset, in both directions. */
static inline uint8_t byte_at(uint32_t at)
{
	return (uint8_t)(at * 7 % 251);
}

struct broker {
	/* What it is to do; only while no client is connected. */

	/* Bytes of the payload that a subscriber is sent, with QoS 1; 0 for no message. */
	uint32_t send;
	/* The connection ends once when so many bytes of a payload were sent, or received; 0: it does not. */
	uint32_t cut_sending;
	uint32_t cut_receiving;

	/* What it saw. */

	uint16_t port;
	/* Bytes of the last payload received, and those of all that were not right. */
	uint32_t received;
	uint32_t wrong;
	/* Given for each PUBACK that comes. */
	struct k_sem acknowledged;
};

extern struct broker broker;

/** Listens on the loopback. */
void broker_start(void);
/** Ends with the connection that it has. */
void broker_end(void);
/** Nothing to do, nothing seen, no session. */
void broker_forget(void);

#endif /* BROKER_H_ */
