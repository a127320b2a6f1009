/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

/**
 * @file
 * @brief The options of Kconfig where there is no Kconfig: their defaults, each of which may be
 * defined before.
 *
 * <thread_mqtt.h> includes it outside of Zephyr, for THREAD_MQTT_CONFIG_DEFAULT(). Kconfig says what
 * each is for and in which range. A switch that is on is defined as 1, one that is off is not defined;
 * NAT64_DISCOVERY, which is on, is switched off by THREAD_MQTT_NO_NAT64_DISCOVERY.
 */
#ifndef THREAD_MQTT_CONFIG_H_
#define THREAD_MQTT_CONFIG_H_

/** @cond INTERNAL */
#ifndef CONFIG_THREAD_MQTT_BROKER
#define CONFIG_THREAD_MQTT_BROKER ""
#endif
#ifndef CONFIG_THREAD_MQTT_SEC_TAG
#define CONFIG_THREAD_MQTT_SEC_TAG -1
#endif
#ifndef CONFIG_THREAD_MQTT_PORT
#define CONFIG_THREAD_MQTT_PORT 0
#endif
#ifndef CONFIG_THREAD_MQTT_CLIENT_ID
#define CONFIG_THREAD_MQTT_CLIENT_ID ""
#endif
#ifndef CONFIG_THREAD_MQTT_VERSION
#define CONFIG_THREAD_MQTT_VERSION 5
#endif
#ifndef CONFIG_THREAD_MQTT_KEEP_ALIVE
#define CONFIG_THREAD_MQTT_KEEP_ALIVE 60
#endif
#ifndef CONFIG_THREAD_MQTT_DNS_SERVERS
#define CONFIG_THREAD_MQTT_DNS_SERVERS "9.9.9.9 8.8.8.8"
#endif
#if !defined(CONFIG_THREAD_MQTT_NAT64_DISCOVERY) && !defined(THREAD_MQTT_NO_NAT64_DISCOVERY)
#define CONFIG_THREAD_MQTT_NAT64_DISCOVERY 1
#endif
#ifndef CONFIG_THREAD_MQTT_NAT64_PREFIX
#define CONFIG_THREAD_MQTT_NAT64_PREFIX ""
#endif
#ifndef CONFIG_THREAD_MQTT_OUTBOX_MESSAGES
#define CONFIG_THREAD_MQTT_OUTBOX_MESSAGES 16
#endif
#ifndef CONFIG_THREAD_MQTT_OUTBOX_BYTES
#define CONFIG_THREAD_MQTT_OUTBOX_BYTES 16384
#endif
#ifndef CONFIG_THREAD_MQTT_MAX_PACKET_SIZE
#define CONFIG_THREAD_MQTT_MAX_PACKET_SIZE 16384
#endif
#ifndef CONFIG_THREAD_MQTT_RECEIVE_MAXIMUM
#define CONFIG_THREAD_MQTT_RECEIVE_MAXIMUM 16
#endif
#ifndef CONFIG_THREAD_MQTT_TLS_INBOUND
#define CONFIG_THREAD_MQTT_TLS_INBOUND 18437
#endif
#ifndef CONFIG_THREAD_MQTT_TLS_OUTBOUND
#define CONFIG_THREAD_MQTT_TLS_OUTBOUND 4096
#endif
#ifndef CONFIG_THREAD_MQTT_TLS_FRAGMENT
#define CONFIG_THREAD_MQTT_TLS_FRAGMENT 16384
#endif
#ifndef CONFIG_THREAD_MQTT_MAX_CHAIN
#define CONFIG_THREAD_MQTT_MAX_CHAIN 4
#endif
#ifndef CONFIG_THREAD_MQTT_MAX_CLIENTS
#define CONFIG_THREAD_MQTT_MAX_CLIENTS 8
#endif
#ifndef CONFIG_THREAD_MQTT_TIME_SERVERS
#define CONFIG_THREAD_MQTT_TIME_SERVERS "time.cloudflare.com time.google.com"
#endif
#ifndef CONFIG_THREAD_MQTT_TIME_DEADLINE
#define CONFIG_THREAD_MQTT_TIME_DEADLINE 15
#endif
/** @endcond */

#endif /* THREAD_MQTT_CONFIG_H_ */
