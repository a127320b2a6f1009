/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A client that is made by a command, for the test of the shell:
 *   client URI       make one for this broker, in place of the last
 *   clock SECONDS    tell the time
 */
#include <stdlib.h>

#include <zephyr/shell/shell.h>

#include <thread_mqtt.h>

static const unsigned char ca[] = {
#include <ca.pem.inc>
};

static struct thread_mqtt *client;

static int cmd_client(const struct shell *sh, size_t argc, char **argv)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	int result;

	(void)thread_mqtt_deinit(client);
	config.broker = argv[1];
	config.client_id = "shell-test";
	config.ca = ca;
	config.ca_len = sizeof(ca);
	result = thread_mqtt_init(&client, &config);
	shell_print(sh, "%s", thread_mqtt_error_to_str(result));
	return result;
}

static int cmd_clock(const struct shell *sh, size_t argc, char **argv)
{
	int result = thread_mqtt_set_time(strtoll(argv[1], NULL, 10));

	shell_print(sh, "%s", thread_mqtt_error_to_str(result));
	return result;
}

SHELL_CMD_ARG_REGISTER(client, NULL, "URI", cmd_client, 2, 0);
SHELL_CMD_ARG_REGISTER(clock, NULL, "SECONDS", cmd_clock, 2, 0);
