/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Clients created by commands, for the test of the shell:
 *   client URI [NUMBER [damaged]]    create one for this broker, replacing the last of this number;
 *                                    with "damaged" its CA certificate does not decode
 *   drop NUMBER                      delete it
 *   clock SECONDS                    set the time
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zephyr/shell/shell.h>

#include <thread_mqtt.h>

static const unsigned char ca[] = {
#include <ca.pem.inc>
};

/* The same with a different first byte, which shows only when it is decoded. */
static unsigned char damaged[sizeof(ca)];

static struct thread_mqtt *clients[CONFIG_THREAD_MQTT_MAX_CLIENTS];

/* Returns where the client of this number is stored, counted from 1. */
static struct thread_mqtt **place(const char *number)
{
	return &clients[(strtoul(number, NULL, 10) - 1) % CONFIG_THREAD_MQTT_MAX_CLIENTS];
}

static void damage(void)
{
	static const char line[] = "-----BEGIN CERTIFICATE-----\n";
	unsigned char *begin;

	memcpy(damaged, ca, sizeof(ca));
	begin = (unsigned char *)strstr((char *)damaged, line);
	if (begin != NULL) {
		begin[sizeof(line) - 1] = 'A';
	}
}

static int cmd_client(const struct shell *sh, size_t argc, char **argv)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	const char *number = argc > 2 ? argv[2] : "1";
	struct thread_mqtt **client = place(number);
	char id[16];
	int result;

	(void)snprintf(id, sizeof(id), "shell-test-%s", number);
	(void)thread_mqtt_deinit(*client);
	config.broker = argv[1];
	config.client_id = id;
	config.ca = ca;
	config.ca_len = sizeof(ca);
	if (argc > 3) {
		damage();
		config.ca = damaged;
	}
	result = thread_mqtt_init(client, &config);
	shell_print(sh, "%s", thread_mqtt_error_to_str(result));
	return result;
}

static int cmd_drop(const struct shell *sh, size_t argc, char **argv)
{
	struct thread_mqtt **client = place(argv[1]);
	int result = thread_mqtt_deinit(*client);

	*client = NULL;
	shell_print(sh, "%s", thread_mqtt_error_to_str(result));
	return result;
}

static int cmd_clock(const struct shell *sh, size_t argc, char **argv)
{
	int result = thread_mqtt_set_time(strtoll(argv[1], NULL, 10));

	shell_print(sh, "%s", thread_mqtt_error_to_str(result));
	return result;
}

SHELL_CMD_ARG_REGISTER(client, NULL, "URI [NUMBER [damaged]]", cmd_client, 2, 2);
SHELL_CMD_ARG_REGISTER(drop, NULL, "NUMBER", cmd_drop, 2, 0);
SHELL_CMD_ARG_REGISTER(clock, NULL, "SECONDS", cmd_clock, 2, 0);
