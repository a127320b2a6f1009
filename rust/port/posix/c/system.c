/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The ports, their threads and locks, the clock, entropy and the log.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/* All open ports. The lock is held for moments; a closing client is waited for on the condition. */
static struct tmq_port *ports;
static pthread_mutex_t ports_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t client_left = PTHREAD_COND_INITIALIZER;

static void say(uint8_t level, const char *text)
{
	if (level <= tmq_port_log_level()) {
		tmq_port_log(level, text, strlen(text));
	}
}

static bool init_lock(struct tmq_port *port)
{
	pthread_condattr_t attributes;
	bool made;

	if (pthread_condattr_init(&attributes) != 0) {
		return false;
	}
	made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
	       pthread_cond_init(&port->changed, &attributes) == 0;
	(void)pthread_condattr_destroy(&attributes);
	if (made && pthread_mutex_init(&port->lock, NULL) != 0) {
		(void)pthread_cond_destroy(&port->changed);
		made = false;
	}
	return made;
}

struct tmq_port *tmq_port_open(void)
{
	struct tmq_port *port = calloc(1, sizeof(*port));
	size_t count = 0;

	if (port == NULL) {
		return NULL;
	}
	port->tcp_fd = -1;
	port->session_fd = -1;
	for (size_t i = 0; i < TMQ_UDP_SOCKETS; i++) {
		port->udp[i].fd = -1;
	}
	port->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (port->wake_fd < 0 || !init_lock(port)) {
		say(TMQ_LOG_ERROR, "no file descriptor left for a client: raise `ulimit -n`");
		if (port->wake_fd >= 0) {
			(void)close(port->wake_fd);
		}
		free(port);
		return NULL;
	}
	(void)pthread_mutex_lock(&ports_lock);
	for (const struct tmq_port *other = ports; other != NULL; other = other->next) {
		count++;
	}
	if (count < CONFIG_THREAD_MQTT_MAX_CLIENTS) {
		port->next = ports;
		ports = port;
	}
	(void)pthread_mutex_unlock(&ports_lock);
	if (count >= CONFIG_THREAD_MQTT_MAX_CLIENTS) {
		tmq_port_close(port);
		return NULL;
	}
	return port;
}

static void unlock_session(struct tmq_port *port)
{
	if (port->session_fd >= 0) {
		(void)close(port->session_fd);
	}
	port->session_fd = -1;
}

void tmq_port_close(struct tmq_port *port)
{
	(void)pthread_mutex_lock(&ports_lock);
	for (struct tmq_port **link = &ports; *link != NULL; link = &(*link)->next) {
		if (*link == port) {
			*link = port->next;
			break;
		}
	}
	(void)pthread_mutex_unlock(&ports_lock);
	tmq_resolve_cancel(port);
	tmq_port_tcp_close(port, 1);
	tmq_port_udp_close(port);
	unlock_session(port);
	(void)close(port->wake_fd);
	(void)pthread_cond_destroy(&port->changed);
	(void)pthread_mutex_destroy(&port->lock);
	free(port);
}

int32_t tmq_port_use_interface(struct tmq_port *port, uint8_t interface)
{
	/* The routing table chooses. */
	(void)port;
	return interface == TMQ_INTERFACE_DEFAULT ? 0 : TMQ_NOT_SUPPORTED;
}

static void *entry(void *argument)
{
	struct tmq_port *port = argument;

	port->run(port->argument);
	return NULL;
}

int32_t tmq_port_thread_start(struct tmq_port *port, void (*run)(void *argument), void *argument)
{
	int error;

	(void)pthread_mutex_lock(&ports_lock);
	port->run = run;
	port->argument = argument;
	error = pthread_create(&port->thread, NULL, entry, port);
	port->has_thread = error == 0;
	(void)pthread_mutex_unlock(&ports_lock);
	return error == 0 ? 0 : tmq_code(error);
}

void tmq_port_thread_join(struct tmq_port *port)
{
	if (port->has_thread) {
		(void)pthread_join(port->thread, NULL);
		(void)pthread_mutex_lock(&ports_lock);
		port->has_thread = false;
		(void)pthread_mutex_unlock(&ports_lock);
	}
}

uint8_t tmq_client_register(struct tmq_port *port, const void *client, const char *session)
{
	bool is_free = true;

	(void)pthread_mutex_lock(&ports_lock);
	for (const struct tmq_port *other = ports; other != NULL && session[0] != '\0'; other = other->next) {
		is_free = is_free && strcmp(other->session, session) != 0;
	}
	if (is_free) {
		unlock_session(port);
		port->session_fd = session[0] != '\0' ? tmq_lock_session(session) : -1;
		is_free = port->session_fd != TMQ_SESSION_TAKEN;
	}
	if (is_free) {
		port->client = client;
		(void)snprintf(port->session, sizeof(port->session), "%s", session);
	}
	(void)pthread_mutex_unlock(&ports_lock);
	return is_free ? 1 : 0;
}

/* ports_lock is held. */
static struct tmq_port *port_of(const void *client)
{
	for (struct tmq_port *port = ports; client != NULL && port != NULL; port = port->next) {
		if (port->client == client) {
			return port;
		}
	}
	return NULL;
}

static bool is_own_thread(const struct tmq_port *port)
{
	return port->has_thread && pthread_equal(port->thread, pthread_self());
}

int32_t tmq_client_enter(const void *client)
{
	struct tmq_port *port;
	int32_t result = TMQ_NO_CLIENT;

	(void)pthread_mutex_lock(&ports_lock);
	port = port_of(client);
	if (port != NULL) {
		result = port->closing ? TMQ_CLOSING : 0;
		port->users += port->closing ? 0 : 1;
	}
	(void)pthread_mutex_unlock(&ports_lock);
	return result;
}

void tmq_client_leave(const void *client)
{
	struct tmq_port *port;

	(void)pthread_mutex_lock(&ports_lock);
	port = port_of(client);
	if (port != NULL) {
		port->users--;
		(void)pthread_cond_broadcast(&client_left);
	}
	(void)pthread_mutex_unlock(&ports_lock);
}

int32_t tmq_client_close(const void *client)
{
	struct tmq_port *port;
	int32_t result = TMQ_NO_CLIENT;

	(void)pthread_mutex_lock(&ports_lock);
	port = port_of(client);
	if (port != NULL && is_own_thread(port)) {
		result = TMQ_WOULD_BLOCK;
	} else if (port != NULL && port->closing) {
		result = TMQ_CLOSING;
	} else if (port != NULL) {
		port->closing = true;
		while (port->users > 0) {
			(void)pthread_cond_wait(&client_left, &ports_lock);
		}
		result = 0;
	}
	(void)pthread_mutex_unlock(&ports_lock);
	return result;
}

void tmq_client_wake(const void *client)
{
	struct tmq_port *port;

	(void)pthread_mutex_lock(&ports_lock);
	port = port_of(client);
	if (port != NULL) {
		tmq_port_wake(port);
	}
	(void)pthread_mutex_unlock(&ports_lock);
}

void tmq_clients_wake(void)
{
	(void)pthread_mutex_lock(&ports_lock);
	for (struct tmq_port *port = ports; port != NULL; port = port->next) {
		tmq_port_wake(port);
	}
	(void)pthread_mutex_unlock(&ports_lock);
}

uint8_t tmq_client_may_wait(const void *client)
{
	const struct tmq_port *port;
	bool may_wait;

	(void)pthread_mutex_lock(&ports_lock);
	port = port_of(client);
	may_wait = port == NULL || !is_own_thread(port);
	(void)pthread_mutex_unlock(&ports_lock);
	return may_wait ? 1 : 0;
}

const void *tmq_client_at(size_t index)
{
	const void *client = NULL;

	(void)pthread_mutex_lock(&ports_lock);
	for (const struct tmq_port *port = ports; port != NULL; port = port->next) {
		if (!port->closing && port->client != NULL && index-- == 0) {
			client = port->client;
			break;
		}
	}
	(void)pthread_mutex_unlock(&ports_lock);
	return client;
}

void tmq_port_lock(struct tmq_port *port)
{
	(void)pthread_mutex_lock(&port->lock);
}

void tmq_port_unlock(struct tmq_port *port)
{
	(void)pthread_mutex_unlock(&port->lock);
}

void tmq_port_lock_wait(struct tmq_port *port, int64_t timeout_ms)
{
	struct timespec until;

	if (timeout_ms < 0) {
		(void)pthread_cond_wait(&port->changed, &port->lock);
		return;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&port->changed, &port->lock, &until);
}

void tmq_port_lock_notify(struct tmq_port *port)
{
	(void)pthread_cond_broadcast(&port->changed);
}

void tmq_signal(int fd)
{
	/* The only failure is a counter at its limit, which ends the wait as well. */
	(void)eventfd_write(fd, 1);
}

void tmq_port_wake(struct tmq_port *port)
{
	tmq_signal(port->wake_fd);
}

uintptr_t tmq_port_this_thread(void)
{
	return (uintptr_t)pthread_self();
}

int64_t tmq_port_uptime_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t tmq_port_unix_time(void)
{
	return (int64_t)time(NULL);
}

int64_t tmq_port_build_time(void)
{
	return THREAD_MQTT_BUILD_TIME;
}

int32_t tmq_port_random(uint8_t *buffer, size_t length)
{
	while (length > 0) {
		ssize_t filled = getrandom(buffer, length, 0);

		if (filled > 0) {
			buffer += filled;
			length -= (size_t)filled;
		} else if (errno != EINTR) {
			return tmq_code(errno);
		}
	}
	return 0;
}

const char *tmq_environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static uint8_t log_level = TMQ_LOG_WARNING;

static void read_log_level(void)
{
	static const char *const names[] = {"off", "error", "warning", "info", "debug"};
	const char *wanted = tmq_environment("THREAD_MQTT_LOG");

	for (uint8_t level = 0; wanted != NULL && level < sizeof(names) / sizeof(names[0]); level++) {
		if (strcmp(wanted, names[level]) == 0) {
			log_level = level;
			return;
		}
	}
	if (wanted != NULL) {
		fprintf(stderr,
			"thread-mqtt: warning: THREAD_MQTT_LOG=%s is not off, error, warning, info "
			"or debug; warning is used\n",
			wanted);
	}
}

uint8_t tmq_port_log_level(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, read_log_level);
	return log_level;
}

void tmq_port_log(uint8_t level, const char *text, size_t length)
{
	static const char *const names[] = {"", "error", "warning", "info", "debug"};

	fprintf(stderr, "thread-mqtt: %s: %.*s\n", names[level <= TMQ_LOG_DEBUG ? level : TMQ_LOG_DEBUG],
		(int)length, text);
}

void tmq_port_panic(const char *text, size_t length)
{
	tmq_port_log(TMQ_LOG_ERROR, text, length);
	abort();
}
