/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file
 * The emulated board under what is measured: a serial line to the server, a heap
 * that counts, a stack that is painted, a timer that counts instructions.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/** What a run is told; QEMU loads it to BOARD_PARAMETERS. measure.py writes it. */
struct board_parameters {
	uint64_t unix_time;
	uint32_t tls_version;  /**< 0x0303 or 0x0304 */
	uint32_t group;        /**< IANA number of the one group offered */
	uint32_t mqtt_version; /**< 4 or 5 */
	uint32_t heap_limit;   /**< bytes that may be allocated at once; 0 for all there are */
	uint32_t ca_len;
	uint8_t ca[8192]; /**< PEM, with its terminating zero counted */
};
#define BOARD_PARAMETERS ((const struct board_parameters *)0x21000000)

/** The server's name in its certificate. */
#define BOARD_SERVER "broker.example.com"

/** What each image brings: the client. Negative on failure, having said why. */
int board_client(void);

/** Ends a phase: prints its name and what was counted since the last. */
void board_phase(const char *name);
/** A line for the person who looks at a run that failed. */
void board_say(const char *text, size_t len);

/** Blocks until `len` bytes were received or sent; its instructions are not counted. */
void board_receive(uint8_t *data, size_t len);
void board_send(const uint8_t *data, size_t len);

/** Whether board_receive() of one byte would not block. */
int board_has_received(void);

/** The time since the start. To be called at least once in two minutes, or the timer wraps unseen. */
#define BOARD_TICKS_PER_SECOND 25000000u
uint64_t board_ticks(void);

/** Deterministic, so that runs repeat. No product may do this. */
void board_random(uint8_t *data, size_t len);

/** The heap that counts, NULL beyond its limit; `alignment` is a power of two, the same when the block is
 *  given back. */
void *board_allocate(size_t size, size_t alignment);
void board_free(void *pointer, size_t alignment);
/** As calloc and free, for Mbed TLS. */
void *board_calloc(size_t count, size_t size);
void board_calloc_free(void *pointer);

#endif /* BOARD_H */
