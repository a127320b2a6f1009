/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What Kconfig says elsewhere. Included before every file.
 */
#define CONFIG_THREAD_MQTT_BROKER        "mqtt://broker.example.com"
#define CONFIG_THREAD_MQTT_SEC_TAG       (-1)
#define CONFIG_THREAD_MQTT_CLIENT_ID     ""
#define CONFIG_THREAD_MQTT_VERSION       5
#define CONFIG_THREAD_MQTT_KEEP_ALIVE    60
#define CONFIG_THREAD_MQTT_TIME_SERVERS  ""
#define CONFIG_THREAD_MQTT_TIME_DEADLINE 5
