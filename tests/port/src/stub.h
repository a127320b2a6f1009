/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the tests tell the stubs, and how a test fails.
 */
#ifndef STUB_H_
#define STUB_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zephyr/net/net_if.h>

#include "internal.h"

/* A test is a separate process. */
#define TEST(name)                                                                                 \
	static void name(void);                                                                    \
	__attribute__((constructor)) static void add_##name(void)                                  \
	{                                                                                          \
		stub_add_test(#name, name);                                                        \
	}                                                                                          \
	static void name(void)
void stub_add_test(const char *name, void (*run)(void));

/* Ends the process. */
void stub_fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			stub_fail(__FILE__, __LINE__, "%s", #condition);                           \
		}                                                                                  \
	} while (0)
#define CHECK_EQUAL(left, right)                                                                   \
	do {                                                                                       \
		long long left_ = (left), right_ = (right);                                        \
		if (left_ != right_) {                                                             \
			stub_fail(__FILE__, __LINE__, "%s is %lld, not %s (%lld)", #left, left_,   \
				  #right, right_);                                                 \
		}                                                                                  \
	} while (0)
/* Waits for another thread. A test that waits forever is ended from outside. */
#define WAIT_FOR(condition)                                                                        \
	while (!(condition)) {                                                                     \
		stub_pause();                                                                      \
	}
void stub_pause(void);

/* kernel.c: stops the clock at a time, and polls do not wait; -1 lets it run. */
void stub_stop_clock(int64_t milliseconds);
/* Returns how long the last poll would have waited. */
int stub_last_timeout(void);
void stub_note_timeout(int timeout);
bool stub_clock_stands(void);
/* Called around OpenThread's lock and the network stack's: no lock of ours may be held. */
void stub_enter_foreign(const char *what);
void stub_fail_random(int error);
/* Returns how often k_msleep() was called. */
int stub_sleeps(void);
/* Returns the log lines, each after its level. */
const char *stub_log_text(void);
void stub_start_thread(pthread_t *thread, void *(*run)(void *), void *argument);

/* sockets.c: makes the next call of this name fail, "zsock_bind" or "eventfd". */
void stub_fail_call(const char *name, int error);
bool stub_fails(const char *name);
int stub_count_descriptor(int fd);
/* Returns the number of open descriptors. */
int stub_open_descriptors(void);
/* Returns whether the last poll waited for room to send. */
bool stub_wants_to_send(void);
/* The last name that getaddrinfo() was asked for, and the number of calls. */
const char *stub_asked_name(void);
int stub_times_asked(void);
/* Makes the next getaddrinfo() fail with this code and errno. */
void stub_resolver_fails(int error, int number);

/* interfaces.c */
extern struct net_if stub_interfaces[2];
enum { STUB_THREAD_INTERFACE, STUB_OTHER_INTERFACE };
/* Sets an interface's IPv4 address, or removes it if NULL, and reports the change. */
void stub_set_ipv4(struct net_if *iface, const char *address);
void stub_set_ipv6(struct net_if *iface, const char *address);
void stub_deprecate_ipv6(struct net_if *iface, bool is_deprecated);
void stub_set_up(struct net_if *iface, bool up);

#if defined(CONFIG_NET_L2_OPENTHREAD)
#include <openthread/dns_client.h>
#include <openthread/ip6.h>
#include <openthread/link.h>
#include <openthread/netdata.h>
#include <openthread/thread.h>

/* openthread.c: runs a function in OpenThread's thread with its lock held, and waits for it. */
void stub_in_openthread(void (*run)(void *argument), void *argument);
/* Only starts it. */
void stub_begin_in_openthread(pthread_t *thread, void (*run)(void *argument), void *argument);
/* Changes the network, and reports the change. */
void stub_set_role(otDeviceRole role);
void stub_add_address(const char *text, bool preferred);
void stub_remove_addresses(void);
void stub_add_route(const char *prefix, uint8_t length, bool nat64, int preference);
void stub_add_service(const otServiceConfig *service);
void stub_clear_network_data(void);
/* Reports a change of these flags. */
void stub_tell(otChangedFlags flags);
/* The queries sent to OpenThread's DNS client, from 0 on. */
struct stub_question {
	char name[256];
	/* The server it was sent to, whose own log would contain it. */
	char server[64];
	uint16_t port;
	bool ipv4;
	/* Whether A is queried if there is no AAAA record. */
	bool nat64;
	uint8_t attempts;
	otDnsAddressCallback callback;
	void *context;
};
int stub_questions(void);
const struct stub_question *stub_question(int index);
/* Answers a query in OpenThread's thread, with an address or an error. */
void stub_answer(int index, otError error, const char *address);
void stub_fail_questions(otError error);
uint32_t stub_poll_period(void);
#endif

/* storage.c */
void stub_set_credential(int tag, int type, const void *data, size_t length);
void stub_fail_settings(int error);
size_t stub_kept(const char *name);

/* Addresses in the port's format. */
struct tmq_address stub_address(const char *text, uint16_t port);
const char *stub_text(const uint8_t address[16]);

#endif /* STUB_H_ */
