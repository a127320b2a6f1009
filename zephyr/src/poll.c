/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Makes a sleepy device poll its parent more often while an answer is expected.
 */
#include <openthread/link.h>
#include <openthread/thread.h>

#include "internal.h"

/* A broker that has not answered for this long does not keep the radio awake. */
#define PATIENCE_MS 30000

/* Both are protected by OpenThread's lock. */
static uint8_t fast_clients;
static uint32_t usual_period;

static void begin(otInstance *instance)
{
	uint32_t period = otLinkGetPollPeriod(instance);

	if (otThreadGetLinkMode(instance).mRxOnWhenIdle || period <= CONFIG_THREAD_MQTT_FAST_POLL) {
		usual_period = 0;
		return;
	}
	if (otLinkSetPollPeriod(instance, CONFIG_THREAD_MQTT_FAST_POLL) == OT_ERROR_NONE) {
		usual_period = period;
	}
}

static void end(otInstance *instance)
{
	/* Unless the application has set another period meanwhile. */
	if (usual_period != 0 && otLinkGetPollPeriod(instance) == CONFIG_THREAD_MQTT_FAST_POLL) {
		(void)otLinkSetPollPeriod(instance, usual_period);
	}
}

static void poll_fast(struct tmq_port *port, bool fast)
{
	if (port->polls_fast == fast) {
		return;
	}
	port->polls_fast = fast;

	tmq_ot_lock();
	if (fast && fast_clients++ == 0) {
		begin(tmq_ot_instance());
	}
	if (!fast && --fast_clients == 0) {
		end(tmq_ot_instance());
	}
	tmq_ot_unlock();
}

int64_t tmq_poll_due(struct tmq_port *port)
{
	int64_t now = k_uptime_get();
	int64_t until = 0;

	if (port->answer_awaited) {
		until = MAX(port->sent_at, port->received_at) + PATIENCE_MS;
	} else if (port->sent_at > port->received_at) {
		until = port->sent_at + CONFIG_THREAD_MQTT_FAST_POLL_HOLD;
	}
	poll_fast(port, now < until);
	return now < until ? until - now : INT64_MAX;
}

void tmq_poll_end(struct tmq_port *port)
{
	poll_fast(port, false);
}
