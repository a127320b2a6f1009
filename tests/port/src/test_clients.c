/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Ports, their threads and the clients known to other threads; the log, entropy, options.
 */
#include <errno.h>

#include "stub.h"

static int turns;

static void count_turns(void *argument)
{
	struct tmq_port *port = argument;

	while (__atomic_load_n(&turns, __ATOMIC_SEQ_CST) < 3) {
		tmq_port_wait(port, -1, 0, 0);
		__atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
	}
}

TEST(a_wake_ends_a_wait)
{
	struct tmq_port *port = tmq_port_open();
	int client;

	CHECK(port != NULL);
	(void)tmq_client_register(port, &client, "");
	CHECK_EQUAL(tmq_port_thread_start(port, count_turns, port), 0);
	for (int i = 1; i <= 3; i++) {
		tmq_client_wake(&client);
		WAIT_FOR(__atomic_load_n(&turns, __ATOMIC_SEQ_CST) >= i);
	}
	tmq_port_thread_join(port);
	tmq_port_close(port);
	CHECK_EQUAL(stub_open_descriptors(), 0);
}

static struct tmq_port *lock_port;
static int lock_turn;
static int may_wait_for_itself;

static void take_turn(void *client)
{
	may_wait_for_itself = tmq_client_may_wait(client);
	tmq_port_lock(lock_port);
	lock_turn = 1;
	tmq_port_lock_notify(lock_port);
	tmq_port_unlock(lock_port);
	/* Woken together with all clients. */
	tmq_port_wait(lock_port, -1, 0, 0);
}

TEST(a_lock_is_given_back_while_it_is_waited_with)
{
	int client;

	lock_port = tmq_port_open();
	(void)tmq_client_register(lock_port, &client, "");
	tmq_port_lock(lock_port);
	tmq_port_lock_wait(lock_port, 10);
	CHECK_EQUAL(lock_turn, 0);
	CHECK_EQUAL(tmq_port_thread_start(lock_port, take_turn, &client), 0);
	while (lock_turn == 0) {
		tmq_port_lock_wait(lock_port, -1);
	}
	tmq_port_unlock(lock_port);
	CHECK_EQUAL(tmq_client_may_wait(&client), 1);
	CHECK_EQUAL(tmq_client_may_wait(NULL), 1);
	tmq_clients_wake();
	tmq_port_thread_join(lock_port);
	CHECK_EQUAL(may_wait_for_itself, 0);
	tmq_port_close(lock_port);
}

TEST(a_client_is_known_from_its_registration_to_its_end)
{
	struct tmq_port *port = tmq_port_open();
	int client, other;

	CHECK(tmq_client_at(0) == NULL);
	CHECK_EQUAL(tmq_client_enter(&client), TMQ_NO_CLIENT);
	(void)tmq_client_register(port, &client, "");
	CHECK(tmq_client_at(0) == &client);
	CHECK(tmq_client_at(CONFIG_THREAD_MQTT_MAX_CLIENTS) == NULL);
	CHECK(tmq_client_at(1000) == NULL);
	CHECK_EQUAL(tmq_client_enter(&client), 0);
	CHECK_EQUAL(tmq_client_enter(&other), TMQ_NO_CLIENT);
	CHECK_EQUAL(tmq_client_enter(NULL), TMQ_NO_CLIENT);
	tmq_client_leave(&client);
	CHECK_EQUAL(tmq_client_close(&client), 0);
	CHECK(tmq_client_at(0) == NULL);
	CHECK_EQUAL(tmq_client_enter(&client), TMQ_CLOSING);
	CHECK_EQUAL(tmq_client_close(&client), TMQ_CLOSING);
	tmq_port_close(port);
	CHECK_EQUAL(tmq_client_enter(&client), TMQ_NO_CLIENT);
	CHECK_EQUAL(tmq_client_close(&client), TMQ_NO_CLIENT);
	/* Waking a deleted client does nothing. */
	tmq_client_wake(&client);
}

#if defined(CONFIG_THREAD_MQTT_DURABLE)
TEST(a_stored_session_has_one_client)
{
	struct tmq_port *port = tmq_port_open();
	struct tmq_port *next = tmq_port_open();
	int client, other;

	CHECK_EQUAL(tmq_client_register(port, &client, "twelve-chars"), 1);
	CHECK_EQUAL(tmq_client_register(next, &other, "twelve-chars"), 0);
	CHECK_EQUAL(tmq_client_enter(&other), TMQ_NO_CLIENT);
	CHECK_EQUAL(tmq_client_register(next, &other, "twelve-char"), 1);
	CHECK_EQUAL(tmq_client_register(next, NULL, ""), 1);
	/* While its thread may still write, a client that is closing keeps the session. */
	CHECK_EQUAL(tmq_client_close(&client), 0);
	CHECK_EQUAL(tmq_client_register(next, &other, "twelve-chars"), 0);
	CHECK_EQUAL(tmq_client_register(port, NULL, ""), 1);
	CHECK_EQUAL(tmq_client_register(next, &other, "twelve-chars"), 1);
	tmq_port_close(port);
	tmq_port_close(next);
}
#endif

static int job_runs, job_may_end;

static void job(void *argument)
{
	ARG_UNUSED(argument);
	__atomic_store_n(&job_runs, 1, __ATOMIC_SEQ_CST);
	WAIT_FOR(__atomic_load_n(&job_may_end, __ATOMIC_SEQ_CST));
}

TEST(a_job_on_a_clients_stack_is_no_client)
{
	struct tmq_port *port = tmq_port_open();
	int argument;

	CHECK_EQUAL(tmq_port_thread_start(port, job, &argument), 0);
	WAIT_FOR(__atomic_load_n(&job_runs, __ATOMIC_SEQ_CST));
	CHECK(tmq_client_at(0) == NULL);
	CHECK_EQUAL(tmq_client_enter(&argument), TMQ_NO_CLIENT);
	CHECK_EQUAL(tmq_client_close(&argument), TMQ_NO_CLIENT);
	__atomic_store_n(&job_may_end, 1, __ATOMIC_SEQ_CST);
	tmq_port_thread_join(port);
	tmq_port_close(port);
}

static int own_result;

static void close_itself(void *argument)
{
	own_result = tmq_client_close(argument);
}

TEST(a_client_is_not_closed_in_its_own_thread)
{
	struct tmq_port *port = tmq_port_open();
	int client;

	(void)tmq_client_register(port, &client, "");
	CHECK_EQUAL(tmq_port_thread_start(port, close_itself, &client), 0);
	tmq_port_thread_join(port);
	CHECK_EQUAL(own_result, TMQ_WOULD_BLOCK);
	CHECK_EQUAL(tmq_client_close(&client), 0);
	tmq_port_close(port);
}

static int left;

static void *leave_later(void *client)
{
	stub_pause();
	__atomic_store_n(&left, 1, __ATOMIC_SEQ_CST);
	tmq_client_leave(client);
	return NULL;
}

TEST(a_close_waits_for_those_inside)
{
	struct tmq_port *port = tmq_port_open();
	pthread_t thread;
	int client;

	(void)tmq_client_register(port, &client, "");
	CHECK_EQUAL(tmq_client_enter(&client), 0);
	stub_start_thread(&thread, leave_later, &client);
	CHECK_EQUAL(tmq_client_close(&client), 0);
	CHECK_EQUAL(__atomic_load_n(&left, __ATOMIC_SEQ_CST), 1);
	(void)pthread_join(thread, NULL);
	tmq_port_close(port);
}

TEST(there_are_as_many_ports_as_clients)
{
	struct tmq_port *ports[CONFIG_THREAD_MQTT_MAX_CLIENTS];

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		ports[i] = tmq_port_open();
		CHECK(ports[i] != NULL);
	}
	CHECK(tmq_port_open() == NULL);
	tmq_port_close(ports[0]);
	ports[0] = tmq_port_open();
	CHECK(ports[0] != NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		tmq_port_close(ports[i]);
	}
}

TEST(no_event_descriptor_is_left)
{
	struct tmq_port *port;

	stub_fail_call("eventfd", ENOMEM);
	CHECK(tmq_port_open() == NULL);
	CHECK(strstr(stub_log_text(), "E no event descriptor left: raise " TMQ_EVENTFD_OPTIONS) !=
	      NULL);
	/* The port can be used again. */
	port = tmq_port_open();
	CHECK(port != NULL);
	tmq_port_close(port);
	CHECK_EQUAL(stub_open_descriptors(), 0);
}

static void *enter_and_leave(void *client)
{
	for (int i = 0; i < 300; i++) {
		if (tmq_client_enter(client) == 0) {
			tmq_client_wake(client);
			tmq_client_leave(client);
		}
		(void)tmq_client_at(0);
	}
	return NULL;
}

static void wait_often(void *argument)
{
	for (int i = 0; i < 100; i++) {
		tmq_port_wait(argument, 0, 0, 0);
	}
}

TEST(clients_come_and_go_while_others_call)
{
	pthread_t threads[2];
	int client;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		stub_start_thread(&threads[i], enter_and_leave, &client);
	}
	for (int i = 0; i < 20; i++) {
		struct tmq_port *port = tmq_port_open();

		(void)tmq_client_register(port, &client, "");
		CHECK_EQUAL(tmq_port_thread_start(port, wait_often, port), 0);
		CHECK_EQUAL(tmq_client_close(&client), 0);
		tmq_port_thread_join(port);
		tmq_port_close(port);
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		(void)pthread_join(threads[i], NULL);
	}
	CHECK_EQUAL(stub_open_descriptors(), 0);
}

static char *unterminated(size_t length)
{
	char *text = malloc(length);

	CHECK(text != NULL);
	for (size_t i = 0; i < length; i++) {
		text[i] = 'a' + i % 26;
	}
	return text;
}

TEST(a_line_of_the_log_needs_no_terminator)
{
	static const size_t lengths[] = {1, 5, 159, 160, 161, 400};

	for (uint8_t level = TMQ_LOG_ERROR; level <= TMQ_LOG_DEBUG; level++) {
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			char *text = unterminated(lengths[i]);
			size_t before = strlen(stub_log_text());
			const char *line = stub_log_text() + before;
			size_t shown = 0;

			tmq_port_log(level, text, lengths[i]);
			while (*line != '\0') {
				const char *end = strchr(line, '\n');

				CHECK_EQUAL(line[0], "EWID"[level - 1]);
				CHECK(memcmp(line + 2, text + shown, end - line - 2) == 0);
				shown += end - line - 2;
				line = end + 1;
			}
			CHECK_EQUAL(shown, lengths[i]);
			free(text);
		}
	}
	tmq_port_log(TMQ_LOG_INFO, "", 0);
}

/* run.py checks the line and the exit code. */
TEST(panic)
{
	char *text = unterminated(500);

	tmq_port_panic(text, 500);
}

TEST(entropy_fails_with_a_code)
{
	uint8_t bytes[4];

	CHECK_EQUAL(tmq_port_random(bytes, sizeof(bytes)), 0);
	CHECK_EQUAL(bytes[3], 4);
	stub_fail_random(-EIO);
	CHECK_EQUAL(tmq_port_random(bytes, sizeof(bytes)), TMQ_ERRNO_BASE - EIO);
}

TEST(the_options_are_kconfigs)
{
	const struct tmq_options *options = tmq_port_options();

	CHECK(strcmp(options->dns_servers, "9.9.9.9 8.8.8.8") == 0);
	CHECK_EQUAL(options->outbox_bytes, 16384);
	CHECK_EQUAL(options->discover_prefix, 1);
	CHECK_EQUAL(options->well_known_prefix, 0);
}

TEST(the_hardware_has_a_name)
{
	uint8_t id[TMQ_HARDWARE_ID];

	CHECK_EQUAL(tmq_port_hardware_id(id), 8);
	CHECK_EQUAL(id[7], IS_ENABLED(CONFIG_NET_L2_OPENTHREAD) ? 5 : 8);
}

TEST(the_clock_goes_on)
{
	stub_stop_clock(1234);
	CHECK_EQUAL(tmq_port_uptime_ms(), 1234);
	CHECK_EQUAL(tmq_port_build_time(), 1700000000);
}
