/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Clients of the brokers started by run.py.
 */
#include "check.h"

struct thread_mqtt_config idle_config(struct told *told)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();

	told_init(told);
	/* No program listens on this port. */
	config.broker = "mqtt://127.0.0.1:1";
	config.callback = tell;
	config.user_data = told;
	return config;
}

struct thread_mqtt_config config_for(struct told *told, const char *broker)
{
	struct thread_mqtt_config config = idle_config(told);

	config.broker = setting(broker);
	return config;
}

struct thread_mqtt_config tls_config(struct told *told, const char *broker)
{
	static char *ca;
	static size_t ca_length;
	struct thread_mqtt_config config = config_for(told, broker);

	if (ca == NULL) {
		ca = read_all(setting("TEST_CA"), &ca_length);
	}
	config.ca = ca;
	config.ca_len = ca_length;
	return config;
}

struct thread_mqtt *idle_client(struct told *told)
{
	struct thread_mqtt_config config = idle_config(told);
	struct thread_mqtt *client = NULL;

	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	return client;
}

struct thread_mqtt *started(const struct thread_mqtt_config *config)
{
	struct thread_mqtt *client = NULL;

	CHECK_EQUAL(thread_mqtt_init(&client, config), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	return client;
}

void end(struct thread_mqtt *client)
{
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}
