/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What Kconfig says elsewhere; thread_mqtt_config.h has the rest. Included before every file.
 */
#define CONFIG_THREAD_MQTT_BROKER        "mqtt://broker.example.com"
#define CONFIG_THREAD_MQTT_TIME_SERVERS  ""
#define CONFIG_THREAD_MQTT_TIME_DEADLINE 5
