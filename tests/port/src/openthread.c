/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * OpenThread: its recursive lock, its thread, the network and its DNS client, whose default server is that
 * of the real library.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>

#include "stub.h"

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static __thread int depth;
static struct k_thread openthread;
static __thread bool is_openthread;

k_tid_t openthread_thread_id_get(void)
{
	/* In OpenThread's thread, the calling thread itself. */
	return is_openthread ? k_current_get() : &openthread;
}

otInstance *openthread_get_default_instance(void)
{
	return (otInstance *)&lock;
}

static void take(void)
{
	stub_enter_foreign("OpenThread's lock");
	pthread_mutex_lock(&lock);
	depth++;
}

static void give(void)
{
	CHECK(depth > 0);
	depth--;
	pthread_mutex_unlock(&lock);
}

/* Called by every function of OpenThread. */
static void check_lock(const char *function)
{
	if (depth == 0) {
		stub_fail(__FILE__, __LINE__, "%s() is called without OpenThread's lock", function);
	}
}
#define CHECK_LOCK() check_lock(__func__)

static otStateChangedCallback told;
static void *told_context;
static int listeners;

#if TMQ_ZEPHYR_AT_LEAST(4, 2)
void openthread_mutex_lock(void)
{
	take();
}

void openthread_mutex_unlock(void)
{
	give();
}

int openthread_state_changed_callback_register(struct openthread_state_changed_callback *callback)
{
	take();
	told = callback->otCallback;
	told_context = callback->user_data;
	listeners++;
	CHECK_EQUAL(listeners, 1);
	give();
	return 0;
}
#else
void openthread_api_mutex_lock(struct openthread_context *context)
{
	CHECK(context == openthread_get_default_context());
	take();
}

void openthread_api_mutex_unlock(struct openthread_context *context)
{
	CHECK(context == openthread_get_default_context());
	give();
}

struct openthread_context *openthread_get_default_context(void)
{
	return (struct openthread_context *)&openthread;
}

static struct openthread_state_changed_cb *old_listener;

static void tell_old(otChangedFlags flags, void *context)
{
	ARG_UNUSED(context);
	old_listener->state_changed_cb(flags, openthread_get_default_context(),
				       old_listener->user_data);
}

int openthread_state_changed_cb_register(struct openthread_context *context,
					 struct openthread_state_changed_cb *callback)
{
	CHECK(context == openthread_get_default_context());
	take();
	old_listener = callback;
	told = tell_old;
	listeners++;
	CHECK_EQUAL(listeners, 1);
	give();
	return 0;
}
#endif

/* ------------------------------------------------------------------------------ OpenThread's thread */

struct errand {
	void (*run)(void *argument);
	void *argument;
};

static void *run_errand(void *argument)
{
	struct errand errand = *(struct errand *)argument;

	free(argument);
	is_openthread = true;
	take();
	errand.run(errand.argument);
	give();
	return NULL;
}

void stub_begin_in_openthread(pthread_t *thread, void (*run)(void *argument), void *argument)
{
	struct errand *errand = malloc(sizeof(*errand));

	CHECK(errand != NULL);
	*errand = (struct errand){.run = run, .argument = argument};
	stub_start_thread(thread, run_errand, errand);
}

void stub_in_openthread(void (*run)(void *argument), void *argument)
{
	pthread_t thread;

	stub_begin_in_openthread(&thread, run, argument);
	(void)pthread_join(thread, NULL);
}

/* -------------------------------------------------------------------------------------- the network */

static otDeviceRole role;
static otNetifAddress addresses[4];
static size_t address_count;
static otExternalRouteConfig routes[8];
static size_t route_count;
static otServiceConfig services[16];
static size_t service_count;
static uint32_t poll_period = 3000;

static void tell_flags(void *flags)
{
	if (told != NULL) {
		told(*(otChangedFlags *)flags, told_context);
	}
}

void stub_tell(otChangedFlags flags)
{
	stub_in_openthread(tell_flags, &flags);
}

void stub_set_role(otDeviceRole new_role)
{
	take();
	role = new_role;
	give();
	stub_tell(OT_CHANGED_THREAD_ROLE);
}

void stub_add_address(const char *text, bool preferred)
{
	otNetifAddress *address = &addresses[address_count];

	take();
	CHECK(inet_pton(AF_INET6, text, address->mAddress.mFields.m8) == 1);
	address->mValid = true;
	address->mPreferred = preferred;
	address->mNext = NULL;
	if (address_count > 0) {
		addresses[address_count - 1].mNext = address;
	}
	address_count++;
	give();
	stub_tell(OT_CHANGED_IP6_ADDRESS_ADDED);
}

void stub_remove_addresses(void)
{
	take();
	address_count = 0;
	give();
	stub_tell(OT_CHANGED_IP6_ADDRESS_REMOVED);
}

void stub_add_route(const char *prefix, uint8_t length, bool nat64, int preference)
{
	otExternalRouteConfig *route = &routes[route_count];

	take();
	CHECK(inet_pton(AF_INET6, prefix, route->mPrefix.mPrefix.mFields.m8) == 1);
	route->mPrefix.mLength = length;
	route->mNat64 = nat64;
	route->mPreference = preference;
	route_count++;
	give();
	stub_tell(OT_CHANGED_THREAD_NETDATA);
}

void stub_add_service(const otServiceConfig *service)
{
	take();
	services[service_count++] = *service;
	give();
	stub_tell(OT_CHANGED_THREAD_NETDATA);
}

void stub_clear_network_data(void)
{
	take();
	route_count = 0;
	service_count = 0;
	give();
	stub_tell(OT_CHANGED_THREAD_NETDATA);
}

otDeviceRole otThreadGetDeviceRole(otInstance *instance)
{
	ARG_UNUSED(instance);
	CHECK_LOCK();
	return role;
}

const char *otThreadDeviceRoleToString(otDeviceRole named)
{
	static const char *const names[] = {"disabled", "detached", "child", "router", "leader"};

	return names[named];
}

const otMeshLocalPrefix *otThreadGetMeshLocalPrefix(otInstance *instance)
{
	static const otMeshLocalPrefix prefix = {{0xfd, 0, 0x0d, 0xb8, 0, 0, 0, 0}};

	ARG_UNUSED(instance);
	CHECK_LOCK();
	return &prefix;
}

const otNetifAddress *otIp6GetUnicastAddresses(otInstance *instance)
{
	ARG_UNUSED(instance);
	CHECK_LOCK();
	return address_count == 0 ? NULL : &addresses[0];
}

otError otNetDataGetNextRoute(otInstance *instance, otNetworkDataIterator *iterator,
			      otExternalRouteConfig *config)
{
	ARG_UNUSED(instance);
	CHECK_LOCK();
	if (*iterator >= route_count) {
		return OT_ERROR_NOT_FOUND;
	}
	*config = routes[(*iterator)++];
	return OT_ERROR_NONE;
}

otError otNetDataGetNextService(otInstance *instance, otNetworkDataIterator *iterator,
				otServiceConfig *config)
{
	ARG_UNUSED(instance);
	CHECK_LOCK();
	if (*iterator >= service_count) {
		return OT_ERROR_NOT_FOUND;
	}
	*config = services[(*iterator)++];
	return OT_ERROR_NONE;
}

void otLinkGetFactoryAssignedIeeeEui64(otInstance *instance, otExtAddress *eui64)
{
	ARG_UNUSED(instance);
	CHECK_LOCK();
	memcpy(eui64->m8, "\xf4\xce\x36\1\2\3\4\5", 8);
}

otLinkModeConfig otThreadGetLinkMode(otInstance *instance)
{
	otLinkModeConfig mode = {0};

	ARG_UNUSED(instance);
	CHECK_LOCK();
	return mode;
}

uint32_t otLinkGetPollPeriod(otInstance *instance)
{
	ARG_UNUSED(instance);
	CHECK_LOCK();
	return poll_period;
}

otError otLinkSetPollPeriod(otInstance *instance, uint32_t period)
{
	ARG_UNUSED(instance);
	CHECK_LOCK();
	poll_period = period;
	return OT_ERROR_NONE;
}

uint32_t stub_poll_period(void)
{
	uint32_t period;

	take();
	period = poll_period;
	give();
	return period;
}

/* --------------------------------------------------------------------------------- the DNS client */

static struct stub_question questions[16];
static int question_count;
static otError question_error;

static otError ask(const char *name, otDnsAddressCallback callback, void *context,
		   const otDnsQueryConfig *config, bool ipv4)
{
	/* OpenThread's default for a query that names no server. */
	const char *server = "2001:4860:4860::8888";
	struct stub_question *question = &questions[question_count];
	static const otIp6Address unspecified;

	if (question_error != OT_ERROR_NONE) {
		return question_error;
	}
	snprintf(question->name, sizeof(question->name), "%s", name);
	question->port = 53;
	if (config != NULL && memcmp(&config->mServerSockAddr.mAddress, &unspecified,
				     sizeof(unspecified)) != 0) {
		server = stub_text(config->mServerSockAddr.mAddress.mFields.m8);
		question->port = config->mServerSockAddr.mPort;
	}
	snprintf(question->server, sizeof(question->server), "%s", server);
	question->ipv4 = ipv4;
	question->nat64 = config == NULL || config->mNat64Mode != OT_DNS_NAT64_DISALLOW;
	question->attempts = config == NULL ? 0 : config->mMaxTxAttempts;
	question->callback = callback;
	question->context = context;
	question_count++;
	return OT_ERROR_NONE;
}

otError otDnsClientResolveAddress(otInstance *instance, const char *name,
				  otDnsAddressCallback callback, void *context,
				  const otDnsQueryConfig *config)
{
	ARG_UNUSED(instance);
	CHECK_LOCK();
	return ask(name, callback, context, config, false);
}

otError otDnsClientResolveIp4Address(otInstance *instance, const char *name,
				     otDnsAddressCallback callback, void *context,
				     const otDnsQueryConfig *config)
{
	ARG_UNUSED(instance);
	CHECK_LOCK();
	return ask(name, callback, context, config, true);
}

int stub_questions(void)
{
	int count;

	take();
	count = question_count;
	give();
	return count;
}

const struct stub_question *stub_question(int index)
{
	CHECK(index < stub_questions());
	return &questions[index];
}

void stub_fail_questions(otError error)
{
	question_error = error;
}

struct answer {
	const struct stub_question *question;
	otError error;
	const char *address;
};

otError otDnsAddressResponseGetAddress(const otDnsAddressResponse *response, uint16_t index,
				       otIp6Address *address, uint32_t *ttl)
{
	const char *text = ((const struct answer *)response)->address;

	/* "many": more than fit. */
	if (text == NULL || (index > 0 && strcmp(text, "many") != 0) || index > 100) {
		return OT_ERROR_NOT_FOUND;
	}
	memset(address, 0, sizeof(*address));
	if (strcmp(text, "many") == 0) {
		address->mFields.m8[0] = 0x20;
		address->mFields.m8[15] = (uint8_t)index;
	} else {
		CHECK(inet_pton(AF_INET6, text, address->mFields.m8) == 1);
	}
	*ttl = 60;
	return OT_ERROR_NONE;
}

static void give_answer(void *argument)
{
	struct answer *answer = argument;

	answer->question->callback(answer->error, (otDnsAddressResponse *)answer,
				   answer->question->context);
}

void stub_answer(int index, otError error, const char *address)
{
	struct answer answer = {stub_question(index), error, address};

	stub_in_openthread(give_answer, &answer);
}
