/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The Thread network: locks, changes, the network data's DNS servers, OpenThread's DNS client.
 */
#include <errno.h>

#include "stub.h"

#if defined(CONFIG_NET_L2_OPENTHREAD)

static struct tmq_network network_of(struct tmq_port *port)
{
	struct tmq_network network;

	tmq_port_wait(port, 0, 0, 0);
	tmq_port_network(port, &network);
	return network;
}

/* Opens a port on an attached device whose parent knows its address. */
static struct tmq_port *open_attached(void)
{
	struct tmq_port *port = tmq_port_open();

	CHECK(port != NULL);
	CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_THREAD), 0);
	stub_stop_clock(1000);
	stub_add_address("2001:db8:1::5", true);
	stub_set_role(OT_DEVICE_ROLE_CHILD);
	(void)network_of(port);
	stub_stop_clock(2000);
	CHECK_EQUAL(network_of(port).attached, 1);
	return port;
}

/* ------------------------------------------------------------------------------------------ locks */

/* Publishes as an application's CoAP, UDP or state change callback does: the client's lock is taken while
 * OpenThread's is held.
 */
struct publisher {
	const void *client;
	struct tmq_port *port;
};

static void publish(void *argument)
{
	struct publisher *publisher = argument;

	if (tmq_client_enter(publisher->client) == 0) {
		tmq_port_lock(publisher->port);
		tmq_port_unlock(publisher->port);
		tmq_port_wake(publisher->port);
		tmq_client_leave(publisher->client);
	}
}

static int quits;

static void turns(void *argument)
{
	struct tmq_port *port = argument;
	struct tmq_address answers[TMQ_ANSWERS];
	struct tmq_network network;

	while (!__atomic_load_n(&quits, __ATOMIC_SEQ_CST)) {
		/* What the client asks the port while it holds its lock. */
		tmq_port_lock(port);
		tmq_port_network(port, &network);
		(void)tmq_port_resolved(port, answers);
		tmq_port_await_answer(port, 1);
		tmq_port_unlock(port);
		tmq_port_wait(port, -1, 0, 0);
	}
}

TEST(openthreads_callbacks_publish_while_the_client_turns)
{
	struct tmq_port *port = open_attached();
	struct publisher publisher = {&quits, port};

	stub_stop_clock(-1);
	(void)tmq_client_register(port, &quits, "");
	CHECK_EQUAL(tmq_port_thread_start(port, turns, port), 0);
	for (int i = 0; i < 100; i++) {
		stub_in_openthread(publish, &publisher);
		stub_tell(OT_CHANGED_THREAD_NETDATA);
	}
	CHECK_EQUAL(tmq_client_close(&quits), 0);
	__atomic_store_n(&quits, 1, __ATOMIC_SEQ_CST);
	tmq_port_wake(port);
	tmq_port_thread_join(port);
	tmq_port_close(port);
}

static void *open_and_close(void *argument)
{
	ARG_UNUSED(argument);
	for (int i = 0; i < 100; i++) {
		struct tmq_port *port = tmq_port_open();

		CHECK(port != NULL);
		(void)tmq_client_register(port, &quits, "");
		CHECK_EQUAL(tmq_client_close(&quits), 0);
		tmq_port_close(port);
	}
	__atomic_store_n(&quits, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

TEST(openthreads_callbacks_publish_while_clients_come_and_go)
{
	struct publisher publisher = {&quits, &tmq_ports[0]};
	pthread_t thread;

	/* Its lock is not used here: entering the client takes the ports' lock. */
	publisher.client = "no client";
	stub_start_thread(&thread, open_and_close, NULL);
	while (!__atomic_load_n(&quits, __ATOMIC_SEQ_CST)) {
		stub_in_openthread(publish, &publisher);
		stub_tell(OT_CHANGED_THREAD_ROLE);
	}
	(void)pthread_join(thread, NULL);
}

static void close_in_callback(void *argument)
{
	*(int *)argument = tmq_client_close(argument);
}

TEST(a_client_is_not_closed_in_openthreads_thread)
{
	struct tmq_port *port = open_attached();
	int client = 0;

	(void)tmq_client_register(port, &client, "");
	stub_in_openthread(close_in_callback, &client);
	CHECK_EQUAL(client, TMQ_WOULD_BLOCK);
	CHECK_EQUAL(tmq_client_close(&client), 0);
	tmq_port_close(port);
}

/* ------------------------------------------------------------------------------------ the network */

TEST(a_registration_that_is_due_this_millisecond)
{
	struct tmq_port *port = tmq_port_open();
	struct tmq_network network;

	CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_THREAD), 0);
	stub_stop_clock(1000);
	stub_add_address("2001:db8:1::5", true);
	stub_set_role(OT_DEVICE_ROLE_CHILD);
	CHECK_EQUAL(network_of(port).attached, 0);
	for (int64_t now = 1240; now < 1250; now++) {
		stub_stop_clock(now);
		tmq_port_network(port, &network);
		CHECK_EQUAL(network.attached, 0);
		tmq_port_wait(port, -1, 0, 0);
		CHECK_EQUAL(stub_last_timeout(), 1250 - now);
	}
	/* The clock advances between reading the network and the wait. */
	stub_stop_clock(1250);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(stub_last_timeout(), 0);
	stub_stop_clock(9999);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(stub_last_timeout(), 0);
	tmq_port_network(port, &network);
	CHECK_EQUAL(network.attached, 1);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(stub_last_timeout(), -1);
	tmq_port_close(port);
}

TEST(a_change_in_a_turn_ends_the_next_wait)
{
	struct tmq_port *port = open_attached();

	/* As long as nothing changes, the wait is forever: a lost wake-up hangs. */
	stub_stop_clock(-1);
	stub_set_role(OT_DEVICE_ROLE_DETACHED);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(network_of(port).attached, 0);
	CHECK(strcmp(tmq_port_role(), "detached") == 0);
	tmq_port_close(port);
}

TEST(what_does_not_concern_us_wakes_nothing)
{
	struct tmq_port *port = open_attached();

	stub_tell(OT_CHANGED_THREAD_LL_ADDR | OT_CHANGED_ACTIVE_DATASET);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(port->network_changed, 0);
	tmq_port_close(port);
}

TEST(attached_is_who_has_an_address_that_is_translated)
{
	struct tmq_port *port = tmq_port_open();
	struct tmq_address addresses[TMQ_ADDRESSES];

	CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_THREAD), 0);
	stub_stop_clock(1000);
	stub_set_role(OT_DEVICE_ROLE_ROUTER);
	stub_add_address("fe80::1", true);
	stub_add_address("fd00:db8::ff:fe00:1", true); /* mesh-local */
	(void)network_of(port);
	stub_stop_clock(2000);
	CHECK_EQUAL(network_of(port).attached, 0);
	stub_add_address("fd77::1", true);
	(void)network_of(port);
	stub_stop_clock(3000);
	CHECK_EQUAL(network_of(port).attached, 1);
	CHECK_EQUAL(tmq_port_addresses(addresses), 2);
	stub_set_role(OT_DEVICE_ROLE_DETACHED);
	CHECK_EQUAL(network_of(port).attached, 0);
	tmq_port_close(port);
}

TEST(another_address_ends_the_connection_over_thread)
{
	struct tmq_port *port = open_attached();
	uint8_t byte;

	port->address_changed[TMQ_IPV6] = false; /* as in a connect */
	stub_add_address("2001:db8:2::5", true);
	(void)network_of(port);
	/* The known address still exists. */
	CHECK(tmq_port_tcp_receive(port, &byte, 1) != TMQ_UNREACHABLE);
	stub_remove_addresses();
	stub_add_address("2001:db8:2::5", true);
	CHECK_EQUAL(network_of(port).attached, 0);
	CHECK_EQUAL(tmq_port_tcp_receive(port, &byte, 1), TMQ_UNREACHABLE);
	tmq_port_close(port);
}

TEST(prefixes_of_the_network_data)
{
	struct tmq_port *port = open_attached();
	struct tmq_network network;

	stub_add_route("2001:db8:9::", 64, false, 1);
	stub_add_route("fd00:1::", 96, true, -1);
	stub_add_route("fd00:2::", 96, true, 0);
	stub_add_route("fd00:3::", 64, true, 1);
	stub_add_route("fd00:4::", 96, true, 0);
	stub_add_route("fd00:5::", 96, true, 0);
	network = network_of(port);
	CHECK_EQUAL(network.prefix_count, TMQ_PREFIXES);
	CHECK_EQUAL(network.prefixes[0].preference, -1);
	CHECK_EQUAL(network.prefixes[2].preference, 1);
	CHECK_EQUAL(network.prefixes[2].length, 64);
	CHECK(strcmp(stub_text(network.prefixes[1].bytes), "fd00:2::") == 0);
	tmq_port_close(port);
}

/* ------------------------------------------------------------------------------------ DNS servers */

#define THREAD 44970

static otServiceConfig service(uint32_t enterprise, uint8_t id, const void *data, size_t length)
{
	otServiceConfig service = {
		.mServiceId = id,
		.mEnterpriseNumber = enterprise,
		.mServiceDataLength = (uint8_t)length,
	};

	memcpy(service.mServiceData, data, length);
	service.mServerConfig.mRloc16 = 0x2c00;
	return service;
}

static void announce_anycast(uint8_t id, uint8_t sequence)
{
	uint8_t data[2] = {0x5c, sequence};
	otServiceConfig anycast = service(THREAD, id, data, sizeof(data));

	stub_add_service(&anycast);
}

/* Writes the address, the port 0xd000 and, unless it is negative, a version. */
static size_t put_address(uint8_t *data, const char *text, int version)
{
	struct tmq_address address = stub_address(text, 0);

	memcpy(data, address.bytes, 16);
	data[16] = 0xd0;
	data[17] = 0;
	data[18] = (uint8_t)version;
	return version < 0 ? 18 : 19;
}

static void announce_preferred(const char *text, int version)
{
	uint8_t data[20] = {0x5d};
	size_t length = 1 + put_address(&data[1], text, version);
	otServiceConfig unicast = service(THREAD, 0, data, length);

	stub_add_service(&unicast);
}

static void announce_unicast(const char *text, int version)
{
	otServiceConfig unicast = service(THREAD, 0, "\x5d", 1);

	unicast.mServerConfig.mServerDataLength =
		(uint8_t)put_address(unicast.mServerConfig.mServerData, text, version);
	stub_add_service(&unicast);
}

static void check_servers(struct tmq_port *port, size_t count, const char *const expected[])
{
	struct tmq_network network = network_of(port);

	CHECK_EQUAL(network.dns_server_count, count);
	for (size_t i = 0; i < count; i++) {
		const char *found = stub_text(network.dns_servers[i].bytes);

		if (strcmp(found, expected[i]) != 0) {
			stub_fail(__FILE__, __LINE__, "server %zu is %s, not %s", i, found,
				  expected[i]);
		}
		/* The port in an entry is that of SRP. */
		CHECK_EQUAL(network.dns_servers[i].port, 53);
	}
}
#define CHECK_SERVERS(port, ...)                                                                   \
	check_servers(port, ARRAY_SIZE(((const char *[]){__VA_ARGS__})),                           \
		      (const char *[]){__VA_ARGS__})

TEST(a_network_that_announces_no_dns_server_has_none)
{
	struct tmq_port *port = open_attached();
	otServiceConfig others[] = {
		service(THREAD, 0, "", 0),
		service(THREAD, 0, "\x01", 1),          /* a backbone router */
		service(THREAD, 0, "\x5c", 1),          /* without a sequence number */
		service(THREAD, 0, "\x5d", 1),          /* with empty server data */
		service(THREAD, 0, "\x5d\x20\x01", 3),  /* truncated */
		service(1, 0, "\x5c\x01", 2),           /* another enterprise's */
	};

	check_servers(port, 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		stub_add_service(&others[i]);
	}
	check_servers(port, 0, NULL);
	tmq_port_close(port);
}

TEST(an_entry_whose_address_cannot_be_a_servers_is_passed_over)
{
	static const char *const none[] = {"::", "::1", "ff05::1:3", "ff02::fb"};
	struct tmq_port *port = open_attached();

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		announce_preferred(none[i], 0);
		announce_unicast(none[i], 0);
	}
	check_servers(port, 0, NULL);
	announce_unicast("fd77::2", 0);
	CHECK_SERVERS(port, "fd77::2");
	tmq_port_close(port);
}

TEST(every_kind_of_entry)
{
	struct tmq_port *port = open_attached();
	otServiceConfig at_locator = service(THREAD, 0, "\x5d", 1);

	announce_anycast(3, 7);
	CHECK_SERVERS(port, "fd00:db8::ff:fe00:fc13");
	stub_clear_network_data();
	announce_preferred("fd77::1", -1);
	CHECK_SERVERS(port, "fd77::1");
	stub_clear_network_data();
	announce_unicast("fd77::2", 1);
	CHECK_SERVERS(port, "fd77::2");
	stub_clear_network_data();
	at_locator.mServerConfig.mServerDataLength = 2;
	stub_add_service(&at_locator);
	CHECK_SERVERS(port, "fd00:db8::ff:fe00:2c00");
	stub_clear_network_data();
	check_servers(port, 0, NULL);
	tmq_port_close(port);
}

TEST(servers_in_the_order_of_openthreads_srp_client)
{
	struct tmq_port *port = open_attached();

	announce_unicast("fd77::9", 0);
	announce_unicast("fd77::8", 0);
	announce_unicast("fd77::a", 2);
	CHECK_SERVERS(port, "fd77::a", "fd77::8", "fd77::9");
	announce_anycast(1, 250);
	announce_anycast(2, 3); /* newer, in serial number arithmetic */
	CHECK_SERVERS(port, "fd00:db8::ff:fe00:fc12", "fd00:db8::ff:fe00:fc11", "fd77::a");
	announce_preferred("fd77::5", 0);
	announce_preferred("fd77::4", 0);
	CHECK_SERVERS(port, "fd77::4", "fd77::5", "fd00:db8::ff:fe00:fc12");
	tmq_port_close(port);
}

TEST(an_anycast_service_of_several_border_routers_is_one_server)
{
	struct tmq_port *port = open_attached();

	announce_anycast(1, 9);
	announce_anycast(1, 9);
	announce_preferred("fd77::1", 0);
	announce_preferred("fd77::1", 0);
	CHECK_SERVERS(port, "fd77::1", "fd00:db8::ff:fe00:fc11");
	tmq_port_close(port);
}

/* ------------------------------------------------------------------------- OpenThread's DNS client */

#if defined(CONFIG_OPENTHREAD_DNS_CLIENT)

TEST(the_announced_server_is_asked_and_no_other)
{
	struct tmq_port *port = open_attached();

	CHECK_EQUAL(tmq_port_resolve(port, "broker.example", 14, TMQ_FAMILY_UNSPECIFIED),
		    TMQ_NO_SERVER);
	CHECK_EQUAL(stub_questions(), 0);
	announce_preferred("fd77::1", 0);
	(void)network_of(port);
	CHECK_EQUAL(tmq_port_resolve(port, "broker.example", 14, TMQ_FAMILY_UNSPECIFIED), 0);
	CHECK_EQUAL(tmq_port_resolve(port, "broker.example", 14, TMQ_FAMILY_INET), 0);
	CHECK_EQUAL(tmq_port_resolve(port, "broker.example", 14, TMQ_FAMILY_INET6), 0);
	CHECK_EQUAL(stub_questions(), 3);
	for (int i = 0; i < 3; i++) {
		CHECK(strcmp(stub_question(i)->server, "fd77::1") == 0);
		CHECK_EQUAL(stub_question(i)->port, 53);
		CHECK(strcmp(stub_question(i)->name, "broker.example") == 0);
		CHECK_EQUAL(stub_question(i)->ipv4, i == 1);
	}
	/* The border router stops serving DNS. */
	stub_clear_network_data();
	(void)network_of(port);
	CHECK_EQUAL(tmq_port_resolve(port, "broker.example", 14, TMQ_FAMILY_UNSPECIFIED),
		    TMQ_NO_SERVER);
	CHECK_EQUAL(stub_questions(), 3);
	tmq_port_close(port);
}

static struct tmq_port *open_with_server(void)
{
	struct tmq_port *port = open_attached();

	announce_anycast(1, 1);
	(void)network_of(port);
	return port;
}

TEST(an_answer_ends_the_wait)
{
	struct tmq_port *port = open_with_server();
	struct tmq_address answers[TMQ_ANSWERS];
	struct tmq_address expected = stub_address("fd00:64::c000:207", 0);

	stub_stop_clock(-1);
	CHECK_EQUAL(tmq_port_resolve(port, "broker.example", 14, TMQ_FAMILY_UNSPECIFIED), 0);
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
	stub_answer(0, OT_ERROR_NONE, "fd00:64::c000:207");
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(tmq_port_resolved(port, answers), 1);
	CHECK(memcmp(&answers[0], &expected, sizeof(expected)) == 0);
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
	CHECK_EQUAL(tmq_port_resolve(port, "broker.example", 14, TMQ_FAMILY_UNSPECIFIED), 0);
	stub_answer(1, OT_ERROR_NONE, "many");
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_ANSWERS);
	tmq_port_close(port);
}

TEST(an_answer_is_an_error)
{
	static const int cases[][2] = {
		{OT_ERROR_NONE, 0},
		{OT_ERROR_NOT_FOUND, TMQ_NOT_FOUND},
		{OT_ERROR_RESPONSE_TIMEOUT, TMQ_TIMED_OUT},
		{OT_ERROR_FAILED, TMQ_SERVER_FAILED},
		{OT_ERROR_SECURITY, TMQ_REFUSED},
		{OT_ERROR_INVALID_STATE, TMQ_UNREACHABLE},
		{OT_ERROR_NO_BUFS, TMQ_ERRNO_BASE - ENOMEM},
		{OT_ERROR_INVALID_ARGS, TMQ_ERRNO_BASE - EINVAL},
		{OT_ERROR_PARSE, TMQ_ERRNO_BASE - EIO},
	};
	struct tmq_port *port = open_with_server();
	struct tmq_address answers[TMQ_ANSWERS];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_INET), 0);
		stub_answer(i, cases[i][0], NULL);
		CHECK_EQUAL(tmq_port_resolved(port, answers), cases[i][1]);
	}
	stub_fail_questions(OT_ERROR_NO_BUFS);
	CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_INET),
		    TMQ_ERRNO_BASE - ENOMEM);
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
	tmq_port_close(port);
}

/* OpenThread's own query for both families omits A if there is an AAAA record. Behind a border router with
 * NAT64 and without IPv6 the broker would be unreachable.
 */
TEST(behind_nat64_both_halves_of_a_name_are_asked_for)
{
	struct tmq_port *port = open_with_server();
	struct tmq_address answers[TMQ_ANSWERS];
	struct tmq_address native = stub_address("2001:db8::1", 0);
	struct tmq_address synthesised = stub_address("fd00:64::c000:207", 0);

	/* Without NAT64 an A record only shows that the name exists. */
	CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_UNSPECIFIED), 0);
	CHECK_EQUAL(stub_questions(), 1);
	CHECK(!stub_question(0)->ipv4 && stub_question(0)->nat64);
	CHECK_EQUAL(stub_question(0)->attempts, 2);

	stub_add_route("fd00:64::", 96, true, 0);
	(void)network_of(port);
	for (int first = 0; first < 2; first++) {
		int a = 1 + 2 * first;

		CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_UNSPECIFIED), 0);
		CHECK_EQUAL(stub_questions(), a + 2);
		CHECK(stub_question(a)->ipv4 && !stub_question(a + 1)->ipv4);
		CHECK(!stub_question(a + 1)->nat64);
		/* In either order. */
		stub_answer(a + first, OT_ERROR_NONE, first ? "2001:db8::1" : "fd00:64::c000:207");
		CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
		stub_answer(a + !first, OT_ERROR_NONE, first ? "fd00:64::c000:207" : "2001:db8::1");
		CHECK_EQUAL(tmq_port_resolved(port, answers), 2);
		CHECK(memcmp(&answers[first], &synthesised, sizeof(native)) == 0);
		CHECK(memcmp(&answers[!first], &native, sizeof(native)) == 0);
	}
	/* Neither uses the other's room. */
	CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_UNSPECIFIED), 0);
	stub_answer(5, OT_ERROR_NONE, "many");
	stub_answer(6, OT_ERROR_NONE, "2001:db8::1");
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_ANSWERS / 2 + 1);
	CHECK(memcmp(&answers[TMQ_ANSWERS / 2], &native, sizeof(native)) == 0);
	/* One half suffices without the other; if there is none, a failure counts. */
	CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_UNSPECIFIED), 0);
	stub_answer(8, OT_ERROR_RESPONSE_TIMEOUT, NULL);
	stub_answer(7, OT_ERROR_NONE, "fd00:64::c000:207");
	CHECK_EQUAL(tmq_port_resolved(port, answers), 1);
	CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_UNSPECIFIED), 0);
	stub_answer(9, OT_ERROR_RESPONSE_TIMEOUT, NULL);
	stub_answer(10, OT_ERROR_NONE, NULL);
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_TIMED_OUT);
	/* A single family, if that was asked for. */
	CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_INET6), 0);
	CHECK(!stub_question(11)->ipv4 && !stub_question(11)->nat64);
	CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_INET), 0);
	CHECK(stub_question(12)->ipv4);
	CHECK_EQUAL(stub_questions(), 13);
	stub_fail_questions(OT_ERROR_NO_BUFS);
	CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_UNSPECIFIED),
		    TMQ_ERRNO_BASE - ENOMEM);
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
	tmq_port_close(port);
}

TEST(an_answer_for_an_earlier_name_is_dropped)
{
	struct tmq_port *port = open_with_server();
	struct tmq_address answers[TMQ_ANSWERS];

	CHECK_EQUAL(tmq_port_resolve(port, "old.example", 11, TMQ_FAMILY_UNSPECIFIED), 0);
	CHECK_EQUAL(tmq_port_resolve(port, "new.example", 11, TMQ_FAMILY_UNSPECIFIED), 0);
	stub_answer(0, OT_ERROR_NONE, "2001:db8::bad");
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
	stub_answer(1, OT_ERROR_NONE, "2001:db8::1");
	CHECK_EQUAL(tmq_port_resolved(port, answers), 1);
	CHECK_EQUAL(answers[0].bytes[15], 1);
	/* A second answer to one query. */
	stub_answer(1, OT_ERROR_NONE, "2001:db8::bad");
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
	tmq_port_close(port);
}

TEST(an_answer_for_an_earlier_client_is_dropped)
{
	struct tmq_port *port = open_with_server();
	struct tmq_address answers[TMQ_ANSWERS];

	for (int life = 0; life < 5; life++) {
		CHECK_EQUAL(tmq_port_resolve(port, "old.example", 11, TMQ_FAMILY_UNSPECIFIED), 0);
		tmq_port_close(port);
		/* While there is no client. */
		stub_answer(2 * life, OT_ERROR_NONE, "2001:db8::bad");
		port = tmq_port_open();
		CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_THREAD), 0);
		CHECK_EQUAL(tmq_port_resolve(port, "new.example", 11, TMQ_FAMILY_UNSPECIFIED), 0);
		for (int old = 0; old <= life; old++) {
			stub_answer(2 * old, OT_ERROR_NONE, "2001:db8::bad");
			CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
		}
		stub_answer(2 * life + 1, OT_ERROR_NONE, "2001:db8::1");
		CHECK_EQUAL(tmq_port_resolved(port, answers), 1);
		CHECK_EQUAL(answers[0].bytes[15], 1);
	}
	tmq_port_close(port);
}

static void *ask_and_close(void *argument)
{
	ARG_UNUSED(argument);
	for (int i = 0; i < 15; i++) {
		struct tmq_port *port = tmq_port_open();

		CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_THREAD), 0);
		CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_INET), 0);
		__atomic_store_n(&quits, i + 1, __ATOMIC_SEQ_CST);
		tmq_port_close(port);
	}
	return NULL;
}

TEST(answers_come_while_clients_go)
{
	struct tmq_port *port = open_with_server();
	pthread_t thread;

	tmq_port_close(port);
	stub_stop_clock(-1);
	stub_start_thread(&thread, ask_and_close, NULL);
	for (int i = 0; i < 15; i++) {
		WAIT_FOR(__atomic_load_n(&quits, __ATOMIC_SEQ_CST) > i);
		stub_answer(i, OT_ERROR_NONE, "2001:db8::1");
	}
	(void)pthread_join(thread, NULL);
	CHECK_EQUAL(stub_open_descriptors(), 0);
}

#else

TEST(an_image_without_a_dns_client_leaves_the_name_to_the_next_link)
{
	struct tmq_port *port = open_attached();

	announce_anycast(1, 1);
	CHECK_EQUAL(network_of(port).dns_server_count, 1);
	CHECK_EQUAL(tmq_port_resolve(port, "a.example", 9, TMQ_FAMILY_INET), TMQ_NO_SERVER);
	tmq_port_close(port);
}

#endif

/* ------------------------------------------------------------------------------------ sleepy radio */

#if CONFIG_THREAD_MQTT_FAST_POLL > 0

TEST(the_radio_listens_often_while_an_answer_is_awaited)
{
	struct tmq_port *port = open_attached();

	CHECK_EQUAL(stub_poll_period(), 3000);
	tmq_port_await_answer(port, 1);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(stub_poll_period(), CONFIG_THREAD_MQTT_FAST_POLL);
	CHECK_EQUAL(stub_last_timeout(), 30000 - 2000);
	/* The answer does not arrive: the radio goes back to sleep. */
	stub_stop_clock(30000);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(stub_poll_period(), 3000);
	tmq_port_await_answer(port, 0);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(stub_last_timeout(), -1);
	tmq_port_close(port);
}

TEST(a_client_that_ends_lets_the_radio_sleep)
{
	struct tmq_port *port = open_attached();

	tmq_port_await_answer(port, 1);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(stub_poll_period(), CONFIG_THREAD_MQTT_FAST_POLL);
	tmq_port_close(port);
	CHECK_EQUAL(stub_poll_period(), 3000);
}

#endif
#endif
