/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The network: a computer is always attached, and its DNS servers are those of /etc/resolv.conf.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

const char *tmq_port_role(void)
{
	return NULL;
}

uint8_t tmq_port_addresses(struct tmq_address addresses[TMQ_ADDRESSES])
{
	struct ifaddrs *all;
	uint8_t count = 0;

	if (getifaddrs(&all) < 0) {
		return 0;
	}
	for (const struct ifaddrs *one = all; one != NULL && count < TMQ_ADDRESSES; one = one->ifa_next) {
		if (one->ifa_addr == NULL || (one->ifa_flags & IFF_LOOPBACK) != 0) {
			continue;
		}
		addresses[count].port = 0;
		if (one->ifa_addr->sa_family == AF_INET) {
			tmq_map(&((struct sockaddr_in *)one->ifa_addr)->sin_addr,
				addresses[count++].bytes);
		} else if (one->ifa_addr->sa_family == AF_INET6) {
			const struct in6_addr *ipv6 = &((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr;

			if (!IN6_IS_ADDR_LINKLOCAL(ipv6)) {
				memcpy(addresses[count++].bytes, ipv6, 16);
			}
		}
	}
	freeifaddrs(all);
	return count;
}

static uint8_t dns_servers(struct tmq_address servers[TMQ_DNS_SERVERS])
{
	FILE *file = fopen("/etc/resolv.conf", "re");
	uint8_t count = 0;
	char line[256];
	char server[64];

	while (file != NULL && count < TMQ_DNS_SERVERS && fgets(line, sizeof(line), file) != NULL) {
		struct in_addr ipv4;

		if (sscanf(line, " nameserver %63s", server) != 1) {
			continue;
		}
		if (inet_pton(AF_INET, server, &ipv4) == 1) {
			tmq_map(&ipv4, servers[count].bytes);
		} else if (inet_pton(AF_INET6, server, servers[count].bytes) != 1) {
			continue; /* with a zone, for which struct tmq_address has no field */
		}
		servers[count++].port = 53;
	}
	if (file != NULL) {
		(void)fclose(file);
	}
	return count;
}

static struct tmq_network network;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_network(void)
{
	const char *ipv6_only = tmq_environment("THREAD_MQTT_IPV6_ONLY");

	network.attached = 1;
	network.native_ipv4 = ipv6_only == NULL || strcmp(ipv6_only, "0") == 0;
	network.dns_server_count = dns_servers(network.dns_servers);
}

void tmq_port_network(struct tmq_port *port, struct tmq_network *to)
{
	(void)port;
	(void)pthread_once(&once, read_network);
	*to = network;
}
