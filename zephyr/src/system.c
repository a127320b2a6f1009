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

/* Port state visible to all threads, protected by ports_lock. No other lock is taken while it is held. */
static struct {
	bool taken;
	/* The port can be woken. */
	bool open;
	/* The registered client, if any. */
	const void *client;
#if defined(CONFIG_THREAD_MQTT_DURABLE)
	char session[TMQ_SESSION_SIZE];
#endif
	/* The client is about to be freed; number of calls still inside it. */
	bool closing;
	uint16_t users;
} slots[CONFIG_THREAD_MQTT_MAX_CLIENTS];

static bool init(struct tmq_port *port)
{
	memset(port, 0, sizeof(*port));
	port->tcp_fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(port->udp); i++) {
		port->udp[i].fd = -1;
	}
#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	port->on_other_interface = IS_ENABLED(CONFIG_THREAD_MQTT_INTERFACE_OTHER);
#endif
	(void)k_mutex_init(&port->lock);
	(void)k_condvar_init(&port->changed);
	tmq_resolve_cancel(port);
	port->wake_fd = tmq_eventfd();
	if (port->wake_fd < 0) {
		LOG_ERR("no event descriptor left: raise " TMQ_EVENTFD_OPTIONS);
		return false;
	}
	return true;
}

/* Releases a port that no thread uses any more. */
static void release(size_t index)
{
	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	memset(&slots[index], 0, sizeof(slots[index]));
	(void)k_mutex_unlock(&ports_lock);
}

struct tmq_port *tmq_port_open(void)
{
	size_t index = 0;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	while (index < ARRAY_SIZE(slots) && slots[index].taken) {
		index++;
	}
	if (index < ARRAY_SIZE(slots)) {
		slots[index].taken = true;
	}
	(void)k_mutex_unlock(&ports_lock);
	if (index == ARRAY_SIZE(slots)) {
		return NULL;
	}

	struct tmq_port *port = &tmq_ports[index];

	if (!init(port)) {
		release(index);
		return NULL;
	}
	tmq_network_follow();
	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	slots[index].open = true;
	(void)k_mutex_unlock(&ports_lock);
	/* Changes are noted from now on, so the network is read only after that. */
	(void)atomic_set(&port->network_changed, 1);
	tmq_network_refresh(port);
	return port;
}

void tmq_port_close(struct tmq_port *port)
{
	size_t index = port - tmq_ports;

	/* Running callbacks either find the port closed or have ended once the lock is taken. */
	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	slots[index].open = false;
	slots[index].client = NULL;
	(void)k_mutex_unlock(&ports_lock);
	tmq_poll_end(port);
	tmq_resolve_cancel(port);
	tmq_port_tcp_close(port, 1);
	tmq_port_udp_close(port);
	(void)zsock_close(port->wake_fd);
	port->wake_fd = -1;
	release(index);
}

void tmq_wake(struct tmq_port *port)
{
	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	if (slots[port - tmq_ports].open) {
		tmq_port_wake(port);
	}
	(void)k_mutex_unlock(&ports_lock);
}

void tmq_network_has_changed(void)
{
	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		if (slots[i].open) {
			(void)atomic_set(&tmq_ports[i].network_changed, 1);
			tmq_port_wake(&tmq_ports[i]);
		}
	}
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

/* Assigns the session to a slot unless another slot has it. Called with ports_lock held. */
static bool take_session(size_t index, const char *session)
{
#if defined(CONFIG_THREAD_MQTT_DURABLE)
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		if (session[0] != '\0' && strcmp(slots[i].session, session) == 0) {
			return false;
		}
	}
	strncpy(slots[index].session, session, TMQ_SESSION_SIZE - 1);
#else
	ARG_UNUSED(index);
	ARG_UNUSED(session);
#endif
	return true;
}

uint8_t tmq_client_register(struct tmq_port *port, const void *client, const char *session)
{
	size_t index = port - tmq_ports;
	bool is_free;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	is_free = take_session(index, session);
	if (is_free) {
		slots[index].client = client;
	}
	(void)k_mutex_unlock(&ports_lock);
	return is_free ? 1 : 0;
}

/* Returns the slot of a client, or ARRAY_SIZE(slots). Called with ports_lock held. */
static size_t slot_of(const void *client)
{
	size_t index = 0;

	while (index < ARRAY_SIZE(slots) && (client == NULL || slots[index].client != client)) {
		index++;
	}
	return index;
}

void tmq_client_wake(const void *client)
{
	size_t index;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	index = slot_of(client);
	if (index < ARRAY_SIZE(slots)) {
		tmq_port_wake(&tmq_ports[index]);
	}
	(void)k_mutex_unlock(&ports_lock);
}

void tmq_clients_wake(void)
{
	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		if (slots[i].open) {
			tmq_port_wake(&tmq_ports[i]);
		}
	}
	(void)k_mutex_unlock(&ports_lock);
}

const void *tmq_client_at(size_t index)
{
	const void *client = NULL;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	if (index < ARRAY_SIZE(slots) && !slots[index].closing) {
		client = slots[index].client;
	}
	(void)k_mutex_unlock(&ports_lock);
	return client;
}

int32_t tmq_client_enter(const void *client)
{
	int32_t result = TMQ_NO_CLIENT;
	size_t index;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	index = slot_of(client);
	if (index < ARRAY_SIZE(slots)) {
		result = slots[index].closing ? TMQ_CLOSING : 0;
		slots[index].users += slots[index].closing ? 0 : 1;
	}
	(void)k_mutex_unlock(&ports_lock);
	return result;
}

void tmq_client_leave(const void *client)
{
	size_t index;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	index = slot_of(client);
	if (index < ARRAY_SIZE(slots)) {
		slots[index].users--;
		(void)k_condvar_broadcast(&client_left);
	}
	(void)k_mutex_unlock(&ports_lock);
}

/* Returns whether the caller may wait for a client's thread to end. That thread itself must not, nor
 * OpenThread's, which holds a lock that the client's thread may need in order to end.
 */
static bool may_wait_for(struct tmq_port *port)
{
#if defined(CONFIG_NET_L2_OPENTHREAD)
	if (k_current_get() == openthread_thread_id_get()) {
		return false;
	}
#endif
	return k_current_get() != &port->thread;
}

uint8_t tmq_client_may_wait(const void *client)
{
	size_t index;
	bool may_wait;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	index = slot_of(client);
	may_wait = index == ARRAY_SIZE(slots) || may_wait_for(&tmq_ports[index]);
	(void)k_mutex_unlock(&ports_lock);
	return may_wait ? 1 : 0;
}

int32_t tmq_client_close(const void *client)
{
	int32_t result = TMQ_NO_CLIENT;
	size_t index;

	(void)k_mutex_lock(&ports_lock, K_FOREVER);
	index = slot_of(client);
	if (index < ARRAY_SIZE(slots)) {
		if (slots[index].closing) {
			result = TMQ_CLOSING;
		} else if (!may_wait_for(&tmq_ports[index])) {
			result = TMQ_WOULD_BLOCK;
		} else {
			slots[index].closing = true;
			while (slots[index].users > 0) {
				(void)k_condvar_wait(&client_left, &ports_lock, K_FOREVER);
			}
			result = 0;
		}
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

void tmq_port_lock_wait(struct tmq_port *port, int64_t timeout_ms)
{
	(void)k_condvar_wait(&port->changed, &port->lock,
			     timeout_ms < 0 ? K_FOREVER : K_MSEC(MIN(timeout_ms, INT32_MAX)));
}

void tmq_port_lock_notify(struct tmq_port *port)
{
	(void)k_condvar_broadcast(&port->changed);
}

uintptr_t tmq_port_this_thread(void)
{
	return (uintptr_t)k_current_get();
}

int64_t tmq_port_uptime_ms(void)
{
	return k_uptime_get();
}

int64_t tmq_port_unix_time(void)
{
	/* The product sets the time with thread_mqtt_set_time() if it knows it. */
	return 0;
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

/* Zephyr's log formats later in another thread and reads a text up to its NUL, whatever precision the
 * format specifies. A longer text is logged in several lines.
 */
#define LOG_LINE 160

static size_t take_line(char line[LOG_LINE + 1], const char *text, size_t length)
{
	size_t taken = MIN(length, LOG_LINE);

	memcpy(line, text, taken);
	line[taken] = '\0';
	return taken;
}

void tmq_port_log(uint8_t level, const char *text, size_t length)
{
	char line[LOG_LINE + 1];

	do {
		size_t taken = take_line(line, text, length);

		switch (level) {
		case TMQ_LOG_ERROR:
			LOG_ERR("%s", line);
			break;
		case TMQ_LOG_WARNING:
			LOG_WRN("%s", line);
			break;
		case TMQ_LOG_INFO:
			LOG_INF("%s", line);
			break;
		default:
			LOG_DBG("%s", line);
			break;
		}
		text += taken;
		length -= taken;
	} while (length > 0);
}

void tmq_port_panic(const char *text, size_t length)
{
	char line[LOG_LINE + 1];

	(void)take_line(line, text, length);
	LOG_ERR("%s", line);
	LOG_PANIC();
	k_panic();
}

#if defined(CONFIG_ARCH_POSIX) && !defined(CONFIG_64BIT)
/* Rust's 32-bit target has an operating system, and rustup's library for it was compiled to unwind: it
 * references this function, which would read the unwind tables. Nothing unwinds here: a panic ends in
 * tmq_port_panic().
 */
void rust_eh_personality(void);

void rust_eh_personality(void)
{
	k_panic();
}
#endif
