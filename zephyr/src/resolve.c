/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Look-ups with the platform's own resolver: OpenThread's DNS client or getaddrinfo().
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

#if !defined(CONFIG_NET_L2_OPENTHREAD) || defined(CONFIG_THREAD_MQTT_OTHER_INTERFACE)
#define ASKS_ZEPHYR
#endif

/* The one look-up of each port, under a lock that is never held while calling out, because OpenThread's
 * thread answers.
 */
static struct {
	/* 0 if no answer is expected. */
	uint32_t number;
	int32_t status;
	/* Number of queries still open, out of a total. */
	uint8_t open;
	uint8_t questions;
	uint8_t count;
	struct tmq_address answers[TMQ_ANSWERS];
} lookups[CONFIG_THREAD_MQTT_MAX_CLIENTS];
static struct k_spinlock lookups_lock;

#if defined(ASKS_ZEPHYR) || defined(CONFIG_OPENTHREAD_DNS_CLIENT)

/* Starts a look-up with this many queries. Returns a number that no look-up of any client had before. */
static uint32_t begin(const struct tmq_port *port, uint8_t questions)
{
	static uint32_t last;
	size_t index = port - tmq_ports;
	k_spinlock_key_t key = k_spin_lock(&lookups_lock);
	uint32_t number = ++last;

	if (number == 0) {
		number = ++last;
	}
	lookups[index].number = number;
	lookups[index].open = questions;
	lookups[index].questions = questions;
	lookups[index].count = 0;
	lookups[index].status = 0;
	k_spin_unlock(&lookups_lock, key);
	return number;
}

/* Takes the answer to a query of a look-up. Returns the port that waits for it, or NULL if no port does
 * any more or another query is still open. Each query has its share of the room. The failure of one
 * counts only if the other found nothing.
 */
static struct tmq_port *end(uint32_t number, const struct tmq_address answers[TMQ_ANSWERS],
			    uint8_t count, int32_t status)
{
	struct tmq_port *port = NULL;
	k_spinlock_key_t key = k_spin_lock(&lookups_lock);

	for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
		if (lookups[i].number != number) {
			continue;
		}
		count = MIN(count, TMQ_ANSWERS / lookups[i].questions);
		memcpy(&lookups[i].answers[lookups[i].count], answers, count * sizeof(answers[0]));
		lookups[i].count += count;
		if (status != 0) {
			lookups[i].status = status;
		}
		lookups[i].open--;
		if (lookups[i].open == 0) {
			lookups[i].number = 0;
			port = &tmq_ports[i];
		}
		break;
	}
	k_spin_unlock(&lookups_lock, key);
	return port;
}

#endif

void tmq_resolve_cancel(struct tmq_port *port)
{
	size_t index = port - tmq_ports;
	k_spinlock_key_t key = k_spin_lock(&lookups_lock);

	lookups[index].number = 0;
	lookups[index].count = 0;
	lookups[index].status = TMQ_WOULD_BLOCK;
	k_spin_unlock(&lookups_lock, key);
}

int32_t tmq_port_resolved(struct tmq_port *port, struct tmq_address answers[TMQ_ANSWERS])
{
	size_t index = port - tmq_ports;
	k_spinlock_key_t key = k_spin_lock(&lookups_lock);
	int32_t result = TMQ_WOULD_BLOCK;

	if (lookups[index].number == 0) {
		result = lookups[index].status;
		if (lookups[index].count > 0) {
			result = lookups[index].count;
			memcpy(answers, lookups[index].answers, sizeof(lookups[index].answers));
		}
		lookups[index].count = 0;
		lookups[index].status = TMQ_WOULD_BLOCK;
	}
	k_spin_unlock(&lookups_lock, key);
	return result;
}

#if defined(CONFIG_OPENTHREAD_DNS_CLIENT)

#include <openthread/dns_client.h>

static int32_t dns_failure(otError error)
{
	switch (error) {
	case OT_ERROR_NONE: /* the name exists, but has no address of the family */
		return 0;
	case OT_ERROR_NOT_FOUND:
		return TMQ_NOT_FOUND;
	case OT_ERROR_RESPONSE_TIMEOUT:
		return TMQ_TIMED_OUT;
	case OT_ERROR_FAILED: /* SERVFAIL, or a response code without its own error */
		return TMQ_SERVER_FAILED;
	case OT_ERROR_SECURITY: /* REFUSED */
		return TMQ_REFUSED;
	case OT_ERROR_INVALID_STATE: /* no NAT64 prefix */
		return TMQ_UNREACHABLE;
	case OT_ERROR_NO_BUFS:
		return tmq_code(ENOMEM);
	case OT_ERROR_INVALID_ARGS:
		return tmq_code(EINVAL);
	default:
		return tmq_code(EIO);
	}
}

/* Runs in OpenThread's thread with its lock held. OpenThread itself maps A records to synthesised IPv6 addresses. */
static void answered(otError error, const otDnsAddressResponse *response, void *context)
{
	struct tmq_address answers[TMQ_ANSWERS] = {0};
	struct tmq_port *port;
	otIp6Address address;
	uint32_t ttl;
	uint8_t count = 0;

	while (error == OT_ERROR_NONE && count < TMQ_ANSWERS &&
	       otDnsAddressResponseGetAddress(response, count, &address, &ttl) == OT_ERROR_NONE) {
		memcpy(answers[count].bytes, address.mFields.m8, sizeof(answers[count].bytes));
		count++;
	}
	port = end((uint32_t)(uintptr_t)context, answers, count, dns_failure(error));
	if (port != NULL) {
		tmq_wake(port);
	}
}

/* By default OpenThread waits seven seconds for an answer. That is longer than the five that each of four
 * sources gets within 20 s, so a lost frame would cost the whole query. Two attempts of this length fit.
 */
#define DNS_TIMEOUT_MS 2400

/* Returns whether the query was sent; if not, it has been answered. */
static bool is_asked(uint32_t number, otError error)
{
	static const struct tmq_address none[TMQ_ANSWERS];

	if (error != OT_ERROR_NONE) {
		(void)end(number, none, 0, dns_failure(error));
	}
	return error == OT_ERROR_NONE;
}

static int32_t ask_openthread(struct tmq_port *port, const char *name, uint8_t family)
{
	/* Zero means the default. The default server is a public one. */
	otDnsQueryConfig config = {.mResponseTimeout = DNS_TIMEOUT_MS, .mMaxTxAttempts = 2};
	const struct tmq_address *server = &port->network.dns_servers[0];
	/* OpenThread queries A only if there is no AAAA record. Behind NAT64 both are useful, and it is
	 * not known here which of them reaches the broker.
	 */
	bool both = family == TMQ_FAMILY_UNSPECIFIED && port->network.prefix_count > 0;
	otError error = OT_ERROR_NONE;
	bool asked = false;
	uint32_t number;
	void *context;

	if (port->network.dns_server_count == 0) {
		return TMQ_NO_SERVER;
	}
	memcpy(config.mServerSockAddr.mAddress.mFields.m8, server->bytes, sizeof(server->bytes));
	config.mServerSockAddr.mPort = server->port;
	port->sent_at = k_uptime_get();
	number = begin(port, both ? 2 : 1);
	context = (void *)(uintptr_t)number;

	tmq_ot_lock();
	if (both || family == TMQ_FAMILY_INET) {
		error = otDnsClientResolveIp4Address(tmq_ot_instance(), name, answered, context,
						     &config);
		asked = is_asked(number, error);
	}
	if (family != TMQ_FAMILY_INET) {
		if (both) {
			/* The other query gets less time. */
			config.mMaxTxAttempts = 1;
		}
		if (both || family == TMQ_FAMILY_INET6) {
			config.mNat64Mode = OT_DNS_NAT64_DISALLOW;
		}
		error = otDnsClientResolveAddress(tmq_ot_instance(), name, answered, context,
						  &config);
		asked = is_asked(number, error) || asked;
	}
	tmq_ot_unlock();
	if (!asked) {
		tmq_resolve_cancel(port);
		return dns_failure(error);
	}
	return 0;
}

#elif defined(CONFIG_NET_L2_OPENTHREAD)

/* Without a DNS client the next source in the chain is asked. */
static int32_t ask_openthread(struct tmq_port *port, const char *name, uint8_t family)
{
	ARG_UNUSED(port);
	ARG_UNUSED(name);
	ARG_UNUSED(family);
	return TMQ_NO_SERVER;
}

#endif

#if defined(ASKS_ZEPHYR)

#include <zephyr/net/dns_resolve.h>

static int32_t resolver_failure(int error)
{
	switch (error) {
	case DNS_EAI_NONAME:
	case DNS_EAI_NODATA: /* Zephyr's own resolver returns it for NXDOMAIN */
		return TMQ_NOT_FOUND;
	case DNS_EAI_AGAIN:
	case DNS_EAI_CANCELED: /* timed out */
		return TMQ_TIMED_OUT;
	case DNS_EAI_MEMORY:
		return tmq_code(ENOMEM);
	case DNS_EAI_SYSTEM:
		return tmq_code(errno);
	default:
		return tmq_code(EIO);
	}
}

static int32_t ask_zephyr(struct tmq_port *port, const char *name, uint8_t family)
{
	struct zsock_addrinfo hints = {
		.ai_family = family == TMQ_FAMILY_INET    ? TMQ_AF_INET
			     : family == TMQ_FAMILY_INET6 ? TMQ_AF_INET6
							  : TMQ_AF_UNSPEC,
		.ai_socktype = TMQ_SOCK_STREAM,
	};
	struct zsock_addrinfo *found = NULL;
	struct tmq_address answers[TMQ_ANSWERS] = {0};
	uint32_t lookup = begin(port, 1);
	uint8_t count = 0;
	int error = zsock_getaddrinfo(name, NULL, &hints, &found);

	if (error != 0) {
		int32_t status = resolver_failure(error);

		tmq_resolve_cancel(port);
		return status;
	}
	for (const struct zsock_addrinfo *info = found; info != NULL && count < TMQ_ANSWERS;
	     info = info->ai_next) {
		uint8_t *bytes = answers[count].bytes;

		if (info->ai_addr->sa_family == TMQ_AF_INET) {
			bytes[10] = 0xff;
			bytes[11] = 0xff;
			memcpy(&bytes[12], &((tmq_sockaddr_in *)info->ai_addr)->sin_addr, 4);
			count++;
		} else if (info->ai_addr->sa_family == TMQ_AF_INET6) {
			memcpy(bytes, &((tmq_sockaddr_in6 *)info->ai_addr)->sin6_addr, 16);
			count++;
		}
	}
	zsock_freeaddrinfo(found);
	(void)end(lookup, answers, count, 0);
	return 0;
}

#endif

int32_t tmq_port_resolve(struct tmq_port *port, const char *name, size_t length, uint8_t family)
{
	char text[256];

	/* The final dot says that the name is absolute. Every name is, because there are no search domains
	 * here. Zephyr's resolver would treat the dot as another label.
	 */
	if (length > 0 && name[length - 1] == '.') {
		length--;
	}
	if (length >= sizeof(text)) {
		return tmq_code(EINVAL);
	}
	memcpy(text, name, length);
	text[length] = '\0';
	tmq_resolve_cancel(port);
#if defined(CONFIG_NET_L2_OPENTHREAD)
	if (!tmq_is_on_other_interface(port)) {
		return ask_openthread(port, text, family);
	}
#endif
#if defined(ASKS_ZEPHYR)
	return ask_zephyr(port, text, family);
#else
	return TMQ_NOT_SUPPORTED;
#endif
}
