/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Clients of the brokers started by c_api.py.
 */
#include "board.h"
#include "check.h"
#include "client.h"
#include "cooperative.h"

struct thread_mqtt_config defaults(const char *broker)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();

	config.broker = broker;
	config.callback = events_callback;
	config.user_data = &events_tag;
	return config;
}

struct thread_mqtt_config with_tls(void)
{
	struct thread_mqtt_config config = defaults(TLS);

	config.ca = BOARD_PARAMETERS->ca;
	config.ca_len = BOARD_PARAMETERS->ca_len;
	return config;
}

struct thread_mqtt *client_of(const struct thread_mqtt_config *config)
{
	struct thread_mqtt *client = NULL;

	CHECK_EQUAL(thread_mqtt_init(&client, config), THREAD_MQTT_OK);
	CHECK(client != NULL);
	return client;
}

struct thread_mqtt *client_for(const char *broker)
{
	struct thread_mqtt_config config = defaults(broker);

	return client_of(&config);
}

void expect_way(struct thread_mqtt *client)
{
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_ATTACH, .text = "up");
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_PREFIX,
	       .text = "2001:db8:64::/96");
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_RESOLVE,
	       .text = "203.0.113.10");
}

void expect_online(struct thread_mqtt *client, const char *port, bool session_present)
{
	expect_way(client);
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_TCP, .text = port);
	EXPECT(client, .type = THREAD_MQTT_EVENT_ONLINE, .stage = THREAD_MQTT_STAGE_MQTT,
	       .session_present = session_present, .text = "online");
	CHECK(thread_mqtt_is_online(client));
}

void expect_online_over_tls(struct thread_mqtt *client)
{
	expect_way(client);
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_TCP, .text = "8883");
	EXPECT(client, .type = THREAD_MQTT_EVENT_STAGE, .stage = THREAD_MQTT_STAGE_TLS, .text = "TLS 1.");
	EXPECT(client, .type = THREAD_MQTT_EVENT_ONLINE, .stage = THREAD_MQTT_STAGE_MQTT,
	       .text = "online");
}

uint32_t subscribed(struct thread_mqtt *client, const char *filter, uint8_t qos)
{
	uint32_t token = 0;

	CHECK_EQUAL(thread_mqtt_subscribe(client, filter, qos, &token), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_SUBSCRIBED, .token = token, .reason = qos);
	return token;
}

void stop(struct thread_mqtt *client)
{
	CHECK_EQUAL(thread_mqtt_stop(client), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_STOPPED);
	CHECK(!thread_mqtt_is_online(client));
	CHECK_NO_MORE_EVENTS();
}

void end(struct thread_mqtt *client)
{
	CHECK_EQUAL(thread_mqtt_deinit(client), THREAD_MQTT_OK);
	CHECK(!client_is_alive());
	CHECK_NO_MORE_EVENTS();
}

/* Checks that thread_mqtt_init() refuses a configuration. */
void refused(const struct thread_mqtt_config *config, int error)
{
	struct thread_mqtt *client = (struct thread_mqtt *)&client;

	CHECK_EQUAL(thread_mqtt_init(&client, config), error);
	CHECK(client == (struct thread_mqtt *)&client);
}
