/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The brokers that c_api.py starts, and clients of them.
 */
#ifndef CLIENT_H_
#define CLIENT_H_

#include <stdbool.h>

#include <thread_mqtt.h>

#define BROKER      "mqtt://broker.example.com"        /* Mosquitto */
#define CLOSED_PORT "mqtt://broker.example.com:1884"   /* nothing listens */
#define PASSWORDS   "mqtt://broker.example.com:1885"   /* Mosquitto, not without a password */
#define FORGETFUL   "mqtt://broker.example.com:1886"   /* loses the session, refuses to renew */
#define CUT         "mqtt://broker.example.com:1887"   /* Mosquitto, over connections that are cut */
#define TLS         "mqtts://broker.example.com"       /* Mosquitto */
/* The first of two addresses refuses. */
#define TWO         "mqtt://two.example.com"

/** The default configuration with this broker, and the callback that keeps events. */
struct thread_mqtt_config defaults(const char *broker);
/** The same for the broker with TLS. */
struct thread_mqtt_config with_tls(void);
/** A client of a configuration that has to be good. */
struct thread_mqtt *client_of(const struct thread_mqtt_config *config);
/** A client with the default configuration. */
struct thread_mqtt *client_for(const char *broker);
/** What every attempt tells before TCP. */
void expect_way(struct thread_mqtt *client);
/** All that an attempt without TLS tells. */
void expect_online(struct thread_mqtt *client, const char *port, bool session_present);
/** All that an attempt with TLS tells. */
void expect_online_over_tls(struct thread_mqtt *client);
/** Subscribes; the token. */
uint32_t subscribed(struct thread_mqtt *client, const char *filter, uint8_t qos);
/** No client is made of this configuration; the error says why. */
void refused(const struct thread_mqtt_config *config, int error);
/** Stops a client that is online. */
void stop(struct thread_mqtt *client);
/** Ends a client; nothing it told is left. */
void end(struct thread_mqtt *client);

#endif /* CLIENT_H_ */
