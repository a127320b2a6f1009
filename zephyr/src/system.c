/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The ports, their threads, the clock, entropy and the log.
 */
#include <stdlib.h>
#include <string.h>

#include <zephyr/logging/log.h>
#include <zephyr/logging/log_ctrl.h>

#include "internal.h"

LOG_MODULE_REGISTER(thread_mqtt, CONFIG_THREAD_MQTT_LOG_LEVEL);

struct tmq_port tmq_ports[CONFIG_THREAD_MQTT_MAX_CLIENTS];

static K_THREAD_STACK_ARRAY_DEFINE(stacks, CONFIG_THREAD_MQTT_MAX_CLIENTS,
				   CONFIG_THREAD_MQTT_STACK_SIZE);
static K_MUTEX_DEFINE(ports_lock);
static K_CONDVAR_DEFINE(client_left);

static bool init(struct tmq_port *port)
{
	memset(port, 0, sizeof(*port));
	port->wake_fd = tmq_eventfd();
	if (port->wake_fd < 0) {
		LOG_ERR("no event descriptor left: raise " TMQ_EVENTFD_OPTIONS);
		return false;
	}
	port->tcp_fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(port->udp); i++) {
		port->udp[i].fd = -1;
	}
	(void)k_mutex_init(&port->lock);
	tmq_resolve_cancel(port);
	port->taken = true;
	tmq_network_init(port);
	return true;
}

struct tmq_port *tmq_port_open(void)
{
	struct tmq_port *port = NULL;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(tmq_ports) && port == NULL; i++) {
		if (!tmq_ports[i].taken && init(&tmq_ports[i])) {
			port = &tmq_ports[i];
		}
	}
	(void)k_mutex_unlock(&ports_lock);
	return port;
}

void tmq_port_close(struct tmq_port *port)
{
	tmq_poll_end(port);
	tmq_resolve_cancel(port);
	tmq_port_tcp_close(port, 1);
	tmq_port_udp_close(port);
	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	tmq_network_end(port);
	(void)zsock_close(port->wake_fd);
	port->wake_fd = -1;
	(void)k_mutex_unlock(&ports_lock);
}

static void entry(void *first, void *second, void *third)
{
	struct tmq_port *port = first;

	ARG_UNUSED(second);
	ARG_UNUSED(third);
	port->run(port->argument);
}

int32_t tmq_port_thread_start(struct tmq_port *port, void (*run)(void *argument), void *argument)
{
	size_t index = port - tmq_ports;

	port->run = run;
	port->argument = argument;
	port->thread_id =
		k_thread_create(&port->thread, stacks[index], K_THREAD_STACK_SIZEOF(stacks[index]),
				entry, port, NULL, NULL, CONFIG_THREAD_MQTT_THREAD_PRIORITY, 0,
				K_NO_WAIT);
	(void)k_thread_name_set(port->thread_id, "thread_mqtt");
	return 0;
}

void tmq_port_thread_join(struct tmq_port *port)
{
	if (port->thread_id != NULL) {
		(void)k_thread_join(&port->thread, K_FOREVER);
		port->thread_id = NULL;
	}
}

/* ports_lock is held. */
static struct tmq_port *port_of(const void *client)
{
	for (size_t i = 0; client != NULL && i < ARRAY_SIZE(tmq_ports); i++) {
		if (tmq_ports[i].taken && tmq_ports[i].argument == client) {
			return &tmq_ports[i];
		}
	}
	return NULL;
}

void tmq_client_wake(const void *client)
{
	struct tmq_port *port;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	port = port_of(client);
	if (port != NULL) {
		tmq_port_wake(port);
	}
	(void)k_mutex_unlock(&ports_lock);
}

const void *tmq_client_at(size_t index)
{
	const void *client = NULL;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	if (tmq_ports[index].taken && !tmq_ports[index].closing) {
		client = tmq_ports[index].argument;
	}
	(void)k_mutex_unlock(&ports_lock);
	return client;
}

int32_t tmq_client_enter(const void *client)
{
	struct tmq_port *port;
	int32_t result = TMQ_NO_CLIENT;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	port = port_of(client);
	if (port != NULL) {
		result = port->closing ? TMQ_CLOSING : 0;
		port->users += port->closing ? 0 : 1;
	}
	(void)k_mutex_unlock(&ports_lock);
	return result;
}

void tmq_client_leave(const void *client)
{
	struct tmq_port *port;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	port = port_of(client);
	if (port != NULL) {
		port->users--;
		(void)k_condvar_broadcast(&client_left);
	}
	(void)k_mutex_unlock(&ports_lock);
}

int32_t tmq_client_close(const void *client)
{
	struct tmq_port *port;
	int32_t result = TMQ_NO_CLIENT;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	port = port_of(client);
	if (port != NULL && port->thread_id == k_current_get()) {
		result = TMQ_WOULD_BLOCK;
	} else if (port != NULL && port->closing) {
		result = TMQ_CLOSING;
	} else if (port != NULL) {
		port->closing = true;
		while (port->users > 0) {
			(void)k_condvar_wait(&client_left, &ports_lock, K_FOREVER);
		}
		result = 0;
	}
	(void)k_mutex_unlock(&ports_lock);
	return result;
}

void tmq_port_lock(struct tmq_port *port)
{
	(void)k_mutex_lock(&port->lock, K_FOREVER);
}

void tmq_port_unlock(struct tmq_port *port)
{
	(void)k_mutex_unlock(&port->lock);
}

int64_t tmq_port_uptime_ms(void)
{
	return k_uptime_get();
}

int64_t tmq_port_build_time(void)
{
	return THREAD_MQTT_BUILD_TIME;
}

int32_t tmq_port_random(uint8_t *buffer, size_t length)
{
	int result = sys_csrand_get(buffer, length);

	return result == 0 ? 0 : tmq_code(-result);
}

uint8_t tmq_port_log_level(void)
{
#if defined(CONFIG_LOG)
	return CONFIG_THREAD_MQTT_LOG_LEVEL;
#else
	return 0;
#endif
}

void tmq_port_log(uint8_t level, const char *text, size_t length)
{
	switch (level) {
	case TMQ_LOG_ERROR:
		LOG_ERR("%.*s", (int)length, text);
		break;
	case TMQ_LOG_WARNING:
		LOG_WRN("%.*s", (int)length, text);
		break;
	case TMQ_LOG_INFO:
		LOG_INF("%.*s", (int)length, text);
		break;
	default:
		LOG_DBG("%.*s", (int)length, text);
		break;
	}
}

void tmq_port_panic(const char *text, size_t length)
{
	LOG_ERR("%.*s", (int)length, text);
	LOG_PANIC();
	k_panic();
}
