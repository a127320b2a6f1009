/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Look-ups by the platform's own resolver.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

void tmq_resolve_cancel(struct tmq_port *port)
{
	k_spinlock_key_t key = k_spin_lock(&port->answer_lock);

	/* An answer to an earlier look-up is told by its number. */
	port->lookup++;
	port->lookups_pending = 0;
	port->answer_count = 0;
	port->answer_status = TMQ_WOULD_BLOCK;
	k_spin_unlock(&port->answer_lock, key);
}

int32_t tmq_port_resolved(struct tmq_port *port, struct tmq_address answers[TMQ_ANSWERS])
{
	k_spinlock_key_t key = k_spin_lock(&port->answer_lock);
	int32_t result = TMQ_WOULD_BLOCK;

	if (port->lookups_pending == 0 && port->answer_status != TMQ_WOULD_BLOCK) {
		result = port->answer_count > 0 ? port->answer_count : port->answer_status;
		memcpy(answers, port->answers, sizeof(port->answers));
		port->answer_count = 0;
		port->answer_status = TMQ_WOULD_BLOCK;
	}
	k_spin_unlock(&port->answer_lock, key);
	return result;
}

#if !defined(CONFIG_NET_L2_OPENTHREAD) || defined(CONFIG_OPENTHREAD_DNS_CLIENT)

static bool add_answer(struct tmq_port *port, const uint8_t bytes[16])
{
	if (port->answer_count == TMQ_ANSWERS) {
		return false;
	}
	memcpy(port->answers[port->answer_count].bytes, bytes, 16);
	port->answer_count++;
	return true;
}

#endif

#if defined(CONFIG_NET_L2_OPENTHREAD)

#if defined(CONFIG_OPENTHREAD_DNS_CLIENT)

#include <openthread/dns_client.h>

static int32_t dns_failure(otError error)
{
	switch (error) {
	case OT_ERROR_NONE: /* the name exists, without an address that can be reached */
	case OT_ERROR_NOT_FOUND:
		return tmq_code(ENOENT);
	case OT_ERROR_RESPONSE_TIMEOUT:
		return tmq_code(ETIMEDOUT);
	case OT_ERROR_NO_BUFS:
		return tmq_code(ENOMEM);
	case OT_ERROR_INVALID_STATE: /* no NAT64 prefix */
		return tmq_code(ENETUNREACH);
	case OT_ERROR_INVALID_ARGS:
		return tmq_code(EINVAL);
	default:
		return tmq_code(EIO);
	}
}

/* OpenThread's thread. It resolves A records to synthesised IPv6 addresses by itself. */
static void answered(otError error, const otDnsAddressResponse *response, void *context)
{
	/* Few look-ups can be under way at once; the low bits of the context name the port. */
	uint32_t tag = (uint32_t)(uintptr_t)context;
	struct tmq_port *port = &tmq_ports[tag % CONFIG_THREAD_MQTT_MAX_CLIENTS];
	otIp6Address address;
	uint32_t ttl;
	k_spinlock_key_t key = k_spin_lock(&port->answer_lock);

	if (port->taken && port->lookups_pending > 0 &&
	    (port->lookup & 0xffff) == tag / CONFIG_THREAD_MQTT_MAX_CLIENTS) {
		for (uint16_t i = 0; error == OT_ERROR_NONE &&
				     otDnsAddressResponseGetAddress(response, i, &address, &ttl) ==
					     OT_ERROR_NONE;
		     i++) {
			if (!add_answer(port, address.mFields.m8)) {
				break;
			}
		}
		port->answer_status = dns_failure(error);
		port->lookups_pending--;
	}
	k_spin_unlock(&port->answer_lock, key);
	if (port->taken) {
		tmq_port_wake(port);
	}
}

int32_t tmq_port_resolve(struct tmq_port *port, const char *name, size_t length, uint8_t family)
{
	char text[256];
	uint32_t tag;
	otError error;

	if (length >= sizeof(text)) {
		return tmq_code(EINVAL);
	}
	memcpy(text, name, length);
	text[length] = '\0';

	tmq_resolve_cancel(port);
	port->lookups_pending = 1;
	port->sent_at = k_uptime_get();
	tag = (port->lookup & 0xffff) * CONFIG_THREAD_MQTT_MAX_CLIENTS +
	      (uint32_t)(port - tmq_ports);

	tmq_ot_lock();
	if (family == TMQ_FAMILY_INET) {
		error = otDnsClientResolveIp4Address(tmq_ot_instance(), text, answered,
						     (void *)(uintptr_t)tag, NULL);
	} else {
		/* AAAA, and A behind the NAT64 prefix if there is none. */
		error = otDnsClientResolveAddress(tmq_ot_instance(), text, answered,
						  (void *)(uintptr_t)tag, NULL);
	}
	tmq_ot_unlock();
	if (error != OT_ERROR_NONE) {
		tmq_resolve_cancel(port);
		return dns_failure(error);
	}
	return 0;
}

#else /* no DNS client: the chain's next link is asked */

int32_t tmq_port_resolve(struct tmq_port *port, const char *name, size_t length, uint8_t family)
{
	ARG_UNUSED(port);
	ARG_UNUSED(name);
	ARG_UNUSED(length);
	ARG_UNUSED(family);
	return tmq_code(ENOTSUP);
}

#endif

#else /* getaddrinfo */

int32_t tmq_port_resolve(struct tmq_port *port, const char *name, size_t length, uint8_t family)
{
	char text[256];
	struct zsock_addrinfo hints = {
		.ai_family = family == TMQ_FAMILY_INET    ? TMQ_AF_INET
			     : family == TMQ_FAMILY_INET6 ? TMQ_AF_INET6
							  : TMQ_AF_UNSPEC,
		.ai_socktype = TMQ_SOCK_STREAM,
	};
	struct zsock_addrinfo *found = NULL;
	int error;

	if (length >= sizeof(text)) {
		return tmq_code(EINVAL);
	}
	memcpy(text, name, length);
	text[length] = '\0';

	tmq_resolve_cancel(port);
	error = zsock_getaddrinfo(text, NULL, &hints, &found);
	if (error != 0) {
		return tmq_code(ENOENT);
	}
	for (const struct zsock_addrinfo *info = found; info != NULL; info = info->ai_next) {
		uint8_t bytes[16] = {0};

		if (info->ai_addr->sa_family == TMQ_AF_INET) {
			bytes[10] = 0xff;
			bytes[11] = 0xff;
			memcpy(&bytes[12], &((tmq_sockaddr_in *)info->ai_addr)->sin_addr, 4);
		} else if (info->ai_addr->sa_family == TMQ_AF_INET6) {
			memcpy(bytes, &((tmq_sockaddr_in6 *)info->ai_addr)->sin6_addr, 16);
		} else {
			continue;
		}
		(void)add_answer(port, bytes);
	}
	zsock_freeaddrinfo(found);
	port->answer_status = tmq_code(ENOENT);
	return 0;
}

#endif
