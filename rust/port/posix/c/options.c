/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The options: thread_mqtt_config.h's, unless the environment has others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void warn(const char *name, const char *value, long long least, long long most,
		 long long used)
{
	char line[256];
	int length = snprintf(line, sizeof(line),
			      "%s=%s is not a number from %lld to %lld; %lld is used", name, value,
			      least, most, used);

	if (length > 0) {
		tmq_port_log(TMQ_LOG_WARNING, line,
			     (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
	}
}

static long long number(const char *name, long long otherwise, long long least, long long most)
{
	const char *value = tmq_environment(name);
	char *end;
	long long found;

	if (value == NULL) {
		return otherwise;
	}
	errno = 0;
	found = strtoll(value, &end, 10);
	if (errno != 0 || *end != '\0' || found < least || found > most) {
		warn(name, value, least, most, otherwise);
		return otherwise;
	}
	return found;
}

/* A copy: setenv() may move the original. Kept as long as the process. An empty one counts. */
static const char *text(const char *name, const char *otherwise)
{
	const char *value = getenv(name);
	char *copy = value == NULL ? NULL : strdup(value);

	return copy == NULL ? otherwise : copy;
}

#ifdef CONFIG_THREAD_MQTT_NAT64_DISCOVERY
#define DISCOVERY 1
#else
#define DISCOVERY 0
#endif
#ifdef CONFIG_THREAD_MQTT_NAT64_WELL_KNOWN
#define WELL_KNOWN 1
#else
#define WELL_KNOWN 0
#endif
#ifdef CONFIG_THREAD_MQTT_TIME_STRICT
#define TIME_STRICT 1
#else
#define TIME_STRICT 0
#endif

#define NAME(option)               "THREAD_MQTT_" #option
#define TEXT(option)               text(NAME(option), CONFIG_THREAD_MQTT_##option)
#define NUMBER(option, least, most) number(NAME(option), CONFIG_THREAD_MQTT_##option, least, most)

static struct tmq_options options;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The ranges are Kconfig's. */
static void read_options(void)
{
	options = (struct tmq_options){
		.dns_servers = TEXT(DNS_SERVERS),
		.nat64_prefix = TEXT(NAT64_PREFIX),
		.broker = TEXT(BROKER),
		.client_id = TEXT(CLIENT_ID),
		.time_servers = TEXT(TIME_SERVERS),
		.discover_prefix = (uint8_t)number(NAME(NAT64_DISCOVERY), DISCOVERY, 0, 1),
		.well_known_prefix = (uint8_t)number(NAME(NAT64_WELL_KNOWN), WELL_KNOWN, 0, 1),
		.time_strict = (uint8_t)number(NAME(TIME_STRICT), TIME_STRICT, 0, 1),
		.mqtt_version = (uint8_t)NUMBER(VERSION, 4, 5),
		.port = (uint16_t)NUMBER(PORT, 0, 65535),
		.receive_maximum = (uint16_t)NUMBER(RECEIVE_MAXIMUM, 1, 65535),
		.max_chain = (uint16_t)NUMBER(MAX_CHAIN, 1, 7),
		.keep_alive_s = (uint16_t)NUMBER(KEEP_ALIVE, 0, 65535),
		.time_deadline_s = (uint16_t)NUMBER(TIME_DEADLINE, 1, 300),
		.sec_tag = (int32_t)NUMBER(SEC_TAG, -1, INT32_MAX),
		.outbox_messages = (uint32_t)NUMBER(OUTBOX_MESSAGES, 1, 1024),
		.outbox_bytes = (uint32_t)NUMBER(OUTBOX_BYTES, 256, 1048576),
		.max_packet_size = (uint32_t)NUMBER(MAX_PACKET_SIZE, 64, 1048576),
		.tls_inbound = (uint32_t)NUMBER(TLS_INBOUND, 2048, 18437),
		.tls_outbound = (uint32_t)NUMBER(TLS_OUTBOUND, 512, 65536),
		.tls_fragment = (uint32_t)NUMBER(TLS_FRAGMENT, 64, 16384),
	};
}

const struct tmq_options *tmq_port_options(void)
{
	(void)pthread_once(&once, read_options);
	return &options;
}

uint8_t tmq_port_hardware_id(uint8_t id[TMQ_HARDWARE_ID])
{
	/* A computer has no name that may be shown to a broker: /etc/machine-id is confidential. */
	(void)id;
	return 0;
}
