/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Values that Kconfig provides elsewhere; thread_mqtt_config.h has the rest. Included before every file.
 */
#define CONFIG_THREAD_MQTT_BROKER        "mqtt://broker.example.com"
#define CONFIG_THREAD_MQTT_TIME_SERVERS  ""
#define CONFIG_THREAD_MQTT_TIME_DEADLINE 5
#define CONFIG_THREAD_MQTT_DNS_SERVERS   ""
#define CONFIG_THREAD_MQTT_OUTBOX_MESSAGES 8
#define CONFIG_THREAD_MQTT_OUTBOX_BYTES  4096
#define CONFIG_THREAD_MQTT_MAX_PACKET_SIZE 4096
/* large.c is compiled without it. */
#ifndef CONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES
#define CONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES (131072 + 256)
#endif
#define CONFIG_THREAD_MQTT_RECEIVE_MAXIMUM 4
#define CONFIG_THREAD_MQTT_TLS_OUTBOUND  1024
