/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The brokers started by c_api.py, and their clients.
 */
#ifndef CLIENT_H_
#define CLIENT_H_

#include <stdbool.h>

#include <thread_mqtt.h>

#define BROKER      "mqtt://broker.example.com"        /* Mosquitto */
#define CLOSED_PORT "mqtt://broker.example.com:1884"   /* no listener */
#define PASSWORDS   "mqtt://broker.example.com:1885"   /* Mosquitto, requires a password */
#define FORGETFUL   "mqtt://broker.example.com:1886"   /* loses the session, refuses to renew */
#define CUT         "mqtt://broker.example.com:1887"   /* Mosquitto, over connections that are cut */
#define TLS         "mqtts://broker.example.com"       /* Mosquitto */
/* The first of two addresses refuses the connection. */
#define TWO         "mqtt://two.example.com"

/** Returns the default configuration for this broker, with the callback that keeps events. */
struct thread_mqtt_config defaults(const char *broker);
/** Returns the same for the broker with TLS. */
struct thread_mqtt_config with_tls(void);
/** Creates a client with a configuration that must be valid. */
struct thread_mqtt *client_of(const struct thread_mqtt_config *config);
/** Creates a client with the default configuration. */
struct thread_mqtt *client_for(const char *broker);
/** Expects the events of every attempt before TCP. */
void expect_way(struct thread_mqtt *client);
/** Expects all events of an attempt without TLS. */
void expect_online(struct thread_mqtt *client, const char *port, bool session_present);
/** Expects all events of an attempt with TLS. */
void expect_online_over_tls(struct thread_mqtt *client);
/** Subscribes. Returns the token. */
uint32_t subscribed(struct thread_mqtt *client, const char *filter, uint8_t qos);
/** Checks that no client is created with this configuration, and that this error is returned. */
void refused(const struct thread_mqtt_config *config, int error);
/** Stops a client that is online. */
void stop(struct thread_mqtt *client);
/** Deletes a client, all of whose events must have been checked. */
void end(struct thread_mqtt *client);

#endif /* CLIENT_H_ */
