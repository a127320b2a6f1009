/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An interface other than Thread's: alone in the image, or besides Thread.
 */
#include <errno.h>

#include <zephyr/net/dns_resolve.h>

#include "stub.h"

#if !defined(CONFIG_NET_L2_OPENTHREAD) || defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)

#define IFACE (&stub_interfaces[STUB_OTHER_INTERFACE])

static struct tmq_port *open_on_interface(void)
{
	struct tmq_port *port = tmq_port_open();

	CHECK(port != NULL);
#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
	CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_OTHER), 0);
#endif
	return port;
}

static struct tmq_network network_of(struct tmq_port *port)
{
	struct tmq_network network;

	tmq_port_wait(port, 0, 0, 0);
	tmq_port_network(port, &network);
	return network;
}

static int is_up;

static void wait_for_the_network(void *argument)
{
	struct tmq_port *port = argument;
	struct tmq_network network;

	tmq_port_network(port, &network);
	while (network.attached == 0) {
		tmq_port_wait(port, -1, 0, 0);
		tmq_port_network(port, &network);
	}
	__atomic_store_n(&is_up, 1, __ATOMIC_SEQ_CST);
}

TEST(an_interface_that_comes_up_ends_the_wait)
{
	struct tmq_port *port = open_on_interface();

	CHECK_EQUAL(tmq_port_thread_start(port, wait_for_the_network, port), 0);
	stub_set_up(IFACE, true);
	stub_set_ipv4(IFACE, "192.0.2.2");
	WAIT_FOR(__atomic_load_n(&is_up, __ATOMIC_SEQ_CST));
	tmq_port_thread_join(port);
	tmq_port_close(port);
}

TEST(an_interface_is_of_use_with_an_address)
{
	struct tmq_port *port = open_on_interface();

	CHECK_EQUAL(network_of(port).attached, 0);
	stub_set_up(IFACE, true);
	CHECK_EQUAL(network_of(port).attached, 0);
	stub_set_ipv6(IFACE, "2001:db8::2");
	CHECK_EQUAL(network_of(port).attached, 1);
	CHECK_EQUAL(network_of(port).native_ipv4, 0);
	stub_set_ipv4(IFACE, "192.0.2.2");
	CHECK_EQUAL(network_of(port).native_ipv4, 1);
	stub_set_ipv6(IFACE, NULL);
	CHECK_EQUAL(network_of(port).attached, 1);
	stub_set_up(IFACE, false);
	CHECK_EQUAL(network_of(port).attached, 0);
	tmq_port_close(port);
}

TEST(no_event_tells_of_the_interface_so_it_is_looked_at)
{
	struct tmq_port *port = open_on_interface();

	stub_stop_clock(1000);
	tmq_port_wait(port, -1, 0, 0);
	CHECK_EQUAL(stub_last_timeout(), IS_ENABLED(CONFIG_NET_MGMT_EVENT) ? -1 : 1000);
	stub_set_up(IFACE, true);
	stub_set_ipv4(IFACE, "192.0.2.2");
	CHECK_EQUAL(network_of(port).attached, 1);
	tmq_port_close(port);
}

TEST(zephyrs_resolver_is_asked)
{
	struct tmq_port *port = open_on_interface();
	struct tmq_address answers[TMQ_ANSWERS];
	struct tmq_address expected[2] = {stub_address("192.0.2.7", 0),
					  stub_address("2001:db8::7", 0)};

	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
	CHECK_EQUAL(tmq_port_resolve(port, "both.example and more", 12, TMQ_FAMILY_UNSPECIFIED), 0);
	CHECK(strcmp(stub_asked_name(), "both.example") == 0);
	CHECK_EQUAL(tmq_port_resolved(port, answers), 2);
	CHECK(memcmp(answers, expected, sizeof(expected)) == 0);
	CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);

	/* Every name is absolute to Zephyr, whose resolver would query an additional label. */
	CHECK_EQUAL(tmq_port_resolve(port, "both.example.", 13, TMQ_FAMILY_UNSPECIFIED), 0);
	CHECK(strcmp(stub_asked_name(), "both.example") == 0);
	tmq_port_close(port);
}

TEST(a_failure_of_zephyrs_resolver_keeps_its_meaning)
{
	static const int cases[][2] = {
		{DNS_EAI_NONAME, TMQ_NOT_FOUND},
		{DNS_EAI_NODATA, TMQ_NOT_FOUND},
		{DNS_EAI_AGAIN, TMQ_TIMED_OUT},
		{DNS_EAI_CANCELED, TMQ_TIMED_OUT},
		{DNS_EAI_MEMORY, TMQ_ERRNO_BASE - ENOMEM},
		{DNS_EAI_SYSTEM, TMQ_ERRNO_BASE - ENETDOWN},
		{DNS_EAI_FAIL, TMQ_ERRNO_BASE - EIO},
	};
	struct tmq_port *port = open_on_interface();
	struct tmq_address answers[TMQ_ANSWERS];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		stub_resolver_fails(cases[i][0], ENETDOWN);
		CHECK_EQUAL(tmq_port_resolve(port, "missing.example", 15, TMQ_FAMILY_INET), cases[i][1]);
		CHECK_EQUAL(tmq_port_resolved(port, answers), TMQ_WOULD_BLOCK);
	}
	tmq_port_close(port);
}

TEST(a_name_of_any_length)
{
	struct tmq_port *port = open_on_interface();
	char name[300];

	memset(name, 'a', sizeof(name));
	CHECK(tmq_port_resolve(port, name, 256, TMQ_FAMILY_UNSPECIFIED) < TMQ_ERRNO_BASE);
	CHECK_EQUAL(stub_times_asked(), 0);
	CHECK_EQUAL(tmq_port_resolve(port, name, 255, TMQ_FAMILY_UNSPECIFIED), TMQ_NOT_FOUND);
	CHECK_EQUAL(stub_times_asked(), 1);
	tmq_port_close(port);
}

TEST(another_address_ends_the_connection)
{
	struct tmq_port *port = open_on_interface();
	struct tmq_address to = stub_address("127.0.0.1", 1);
	uint8_t byte;

	stub_set_up(IFACE, true);
	stub_set_ipv4(IFACE, "127.0.0.1");
	(void)network_of(port);
	CHECK_EQUAL(tmq_port_tcp_connect(port, &to), 0);
	stub_set_ipv6(IFACE, "2001:db8::2");
	(void)network_of(port);
	CHECK(tmq_port_tcp_receive(port, &byte, 1) != TMQ_UNREACHABLE);
	stub_set_ipv4(IFACE, "127.0.0.2");
	(void)network_of(port);
	CHECK_EQUAL(tmq_port_tcp_receive(port, &byte, 1), TMQ_UNREACHABLE);
	tmq_port_close(port);
}

/* DHCP may finish after the router's advertisement, or be renewed. */
TEST(an_ipv4_address_is_of_no_concern_to_a_connection_over_ipv6)
{
	struct tmq_port *port = open_on_interface();
	struct tmq_address to = stub_address("::1", 1);
	uint8_t byte;

	stub_set_up(IFACE, true);
	stub_set_ipv6(IFACE, "::1");
	(void)network_of(port);
	CHECK_EQUAL(tmq_port_tcp_connect(port, &to), 0);
	stub_set_ipv4(IFACE, "192.0.2.2");
	(void)network_of(port);
	stub_set_ipv4(IFACE, "192.0.2.3");
	(void)network_of(port);
	CHECK(tmq_port_tcp_receive(port, &byte, 1) != TMQ_UNREACHABLE);
	/* The router advertises its prefix late, or no longer; connections continue. */
	for (int is_deprecated = 1; is_deprecated >= 0; is_deprecated--) {
		stub_deprecate_ipv6(IFACE, is_deprecated);
		stub_set_ipv4(IFACE, NULL);
		CHECK_EQUAL(network_of(port).attached, 1);
		CHECK(tmq_port_tcp_receive(port, &byte, 1) != TMQ_UNREACHABLE);
	}
	stub_set_ipv6(IFACE, "2001:db8::2");
	(void)network_of(port);
	CHECK_EQUAL(tmq_port_tcp_receive(port, &byte, 1), TMQ_UNREACHABLE);
	tmq_port_close(port);
}

#endif

#if defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)

TEST(each_client_has_the_interface_that_it_chose)
{
	struct tmq_port *thread = tmq_port_open();
	struct tmq_port *other = tmq_port_open();

	CHECK_EQUAL(tmq_port_use_interface(thread, TMQ_INTERFACE_THREAD), 0);
	CHECK_EQUAL(tmq_port_use_interface(other, TMQ_INTERFACE_OTHER), 0);
	CHECK(tmq_port_use_interface(other, 3) < TMQ_ERRNO_BASE);
	stub_set_up(IFACE, true);
	stub_set_ipv4(IFACE, "127.0.0.1");
	CHECK_EQUAL(network_of(other).native_ipv4, 1);
	CHECK_EQUAL(network_of(thread).attached, 0);

	stub_stop_clock(1000);
	stub_add_address("2001:db8:1::5", true);
	stub_set_role(OT_DEVICE_ROLE_CHILD);
	stub_add_route("fd00:64::", 96, true, 0);
	(void)network_of(thread);
	stub_stop_clock(2000);
	CHECK_EQUAL(network_of(thread).attached, 1);
	CHECK_EQUAL(network_of(thread).native_ipv4, 0);
	CHECK_EQUAL(network_of(thread).prefix_count, 1);
	CHECK_EQUAL(network_of(other).prefix_count, 0);

	/* The sockets are bound to the interface's address; Thread's address is not this host's. */
	struct tmq_address ipv4 = stub_address("127.0.0.1", 1), ipv6 = stub_address("::1", 1);

	CHECK_EQUAL(tmq_port_tcp_connect(other, &ipv4), 0);
	CHECK_EQUAL(tmq_port_tcp_connect(other, &ipv6), TMQ_UNREACHABLE);
	CHECK_EQUAL(tmq_port_tcp_connect(thread, &ipv6), TMQ_UNREACHABLE);
	CHECK_EQUAL(tmq_port_tcp_connect(thread, &ipv4), TMQ_UNREACHABLE);
	CHECK_EQUAL(tmq_port_udp_send(other, 0xc300, &ipv4, (const uint8_t *)"x", 1), 0);
	CHECK_EQUAL(tmq_port_udp_send(thread, 0xc301, &ipv6, (const uint8_t *)"x", 1),
		    TMQ_UNREACHABLE);
	tmq_port_close(thread);
	tmq_port_close(other);
	CHECK_EQUAL(stub_open_descriptors(), 0);
}

TEST(the_default_interface_is_kconfigs)
{
	struct tmq_port *port = tmq_port_open();

	stub_set_up(IFACE, true);
	stub_set_ipv4(IFACE, "192.0.2.2");
	CHECK_EQUAL(network_of(port).native_ipv4, IS_ENABLED(CONFIG_THREAD_MQTT_INTERFACE_OTHER));
	CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_DEFAULT), 0);
	CHECK_EQUAL(network_of(port).native_ipv4, IS_ENABLED(CONFIG_THREAD_MQTT_INTERFACE_OTHER));
	tmq_port_close(port);
}

#else

TEST(an_image_with_one_interface_has_no_choice)
{
	struct tmq_port *port = tmq_port_open();
	bool has_thread = IS_ENABLED(CONFIG_NET_L2_OPENTHREAD);

	CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_DEFAULT), 0);
	CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_THREAD),
		    has_thread ? 0 : TMQ_NOT_SUPPORTED);
	CHECK_EQUAL(tmq_port_use_interface(port, TMQ_INTERFACE_OTHER),
		    has_thread ? TMQ_NOT_SUPPORTED : 0);
	CHECK_EQUAL(tmq_port_use_interface(port, 3), TMQ_NOT_SUPPORTED);
	tmq_port_close(port);
}

#endif
