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

/* 1 for an option that is defined as 1, 0 for one that is not defined. */
#define COMMA_1                   ,
#define IS_ON(option)             IS_ON_(option)
#define IS_ON_(value)             IS_ON__(COMMA_##value 1, 0)
#define IS_ON__(one_or_two, ...)  SECOND(one_or_two, __VA_ARGS__)
#define SECOND(first, second, ...) second

#define NAME(option)         "THREAD_MQTT_" #option
#define TEXT(field, option)  .field = text(NAME(option), CONFIG_THREAD_MQTT_##option),
#define SWITCH(field, option)                                                                      \
	.field = (uint8_t)number(NAME(option), IS_ON(CONFIG_THREAD_MQTT_##option), 0, 1),
#define NUMBER(field, type, option, least, most)                                                   \
	.field = (type)number(NAME(option), CONFIG_THREAD_MQTT_##option, least, most),

static struct tmq_options options;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_options(void)
{
	options = (struct tmq_options){
#include <thread_mqtt_options.def>
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
