/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef COMMON_H_
#define COMMON_H_

#include <zephyr/kernel.h>
#include <zephyr/ztest.h>

#include <thread_mqtt.h>

/* Long enough for every event. */
#define PATIENCE K_SECONDS(60)

/* What a client reported, by event type. */
struct told {
	struct k_sem of[THREAD_MQTT_EVENT_PIECE_WANTED + 1];
	/* The last failure. */
	int32_t error;
	uint8_t stage;
	bool has_cure;
	/* The last .number. */
	uint32_t number;
};

void told_init(struct told *told);

/** The callback: user_data is a struct told. */
void tell(struct thread_mqtt *client, const struct thread_mqtt_event *event, void *user_data);

/** Creates a client for a broker that does not exist, which reports to `told`. */
struct thread_mqtt *new_client(struct told *told);

/** Returns the bytes in use in all heaps. */
size_t heap_used(void);

/** Returns the peak since heap_peak_restart(), which returns what is in use. */
size_t heap_peak(void);
size_t heap_peak_restart(void);

/** Returns the number of free file descriptors. */
int free_descriptors(void);

#endif /* COMMON_H_ */
