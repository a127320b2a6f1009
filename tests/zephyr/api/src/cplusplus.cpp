/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The header in C++17, without compiler extensions.
 */
#pragma GCC diagnostic error "-Wpedantic"
#include <thread_mqtt.h>
#pragma GCC diagnostic ignored "-Wpedantic"

#include <zephyr/ztest.h>

ZTEST_SUITE(cplusplus, NULL, NULL, NULL, NULL, NULL);

ZTEST(cplusplus, test_defaults)
{
	auto config = THREAD_MQTT_CONFIG_DEFAULT();
	thread_mqtt *client = nullptr;
	thread_mqtt_message message{};

	zassert_str_equal(config.broker, CONFIG_THREAD_MQTT_BROKER);
	zassert_equal(config.mqtt_version, CONFIG_THREAD_MQTT_VERSION);
	zassert_equal(config.keep_alive_s, CONFIG_THREAD_MQTT_KEEP_ALIVE);
	zassert_true(config.clean_start);
	zassert_is_null(config.ca);

	config.callback = [](thread_mqtt *, const thread_mqtt_event *, void *) {};
	zassert_ok(thread_mqtt_init(&client, &config));
	message.topic = "t";
	zassert_ok(thread_mqtt_publish(client, &message, nullptr));
	zassert_ok(thread_mqtt_deinit(client));
}
