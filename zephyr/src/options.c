/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What Kconfig says, for the Rust core; and the name that the hardware has.
 */
#include <string.h>

#include "internal.h"

#if defined(CONFIG_NET_L2_OPENTHREAD)
#include <openthread/link.h>
#elif defined(CONFIG_HWINFO)
#include <zephyr/drivers/hwinfo.h>
#endif

const struct tmq_options *tmq_port_options(void)
{
	static const struct tmq_options options = {
		.dns_servers = CONFIG_THREAD_MQTT_DNS_SERVERS,
		.nat64_prefix = CONFIG_THREAD_MQTT_NAT64_PREFIX,
		.broker = CONFIG_THREAD_MQTT_BROKER,
		.client_id = CONFIG_THREAD_MQTT_CLIENT_ID,
		.time_servers = CONFIG_THREAD_MQTT_TIME_SERVERS,
		.discover_prefix = IS_ENABLED(CONFIG_THREAD_MQTT_NAT64_DISCOVERY),
		.well_known_prefix = IS_ENABLED(CONFIG_THREAD_MQTT_NAT64_WELL_KNOWN),
		.time_strict = IS_ENABLED(CONFIG_THREAD_MQTT_TIME_STRICT),
		.mqtt_version = CONFIG_THREAD_MQTT_VERSION,
		.port = CONFIG_THREAD_MQTT_PORT,
		.receive_maximum = CONFIG_THREAD_MQTT_RECEIVE_MAXIMUM,
		.sec_tag = CONFIG_THREAD_MQTT_SEC_TAG,
		.keep_alive_s = CONFIG_THREAD_MQTT_KEEP_ALIVE,
		.time_deadline_s = CONFIG_THREAD_MQTT_TIME_DEADLINE,
		.max_chain = CONFIG_THREAD_MQTT_MAX_CHAIN,
		.outbox_messages = CONFIG_THREAD_MQTT_OUTBOX_MESSAGES,
		.outbox_bytes = CONFIG_THREAD_MQTT_OUTBOX_BYTES,
		.max_packet_size = CONFIG_THREAD_MQTT_MAX_PACKET_SIZE,
		.tls_inbound = CONFIG_THREAD_MQTT_TLS_INBOUND,
		.tls_outbound = CONFIG_THREAD_MQTT_TLS_OUTBOUND,
		.tls_fragment = CONFIG_THREAD_MQTT_TLS_FRAGMENT,
	};

	return &options;
}

uint8_t tmq_port_hardware_id(uint8_t id[TMQ_HARDWARE_ID])
{
#if defined(CONFIG_NET_L2_OPENTHREAD)
	otExtAddress eui64;

	BUILD_ASSERT(sizeof(eui64.m8) <= TMQ_HARDWARE_ID);
	tmq_ot_lock();
	otLinkGetFactoryAssignedIeeeEui64(tmq_ot_instance(), &eui64);
	tmq_ot_unlock();
	memcpy(id, eui64.m8, sizeof(eui64.m8));
	return sizeof(eui64.m8);
#elif defined(CONFIG_HWINFO)
	ssize_t length = hwinfo_get_device_id(id, TMQ_HARDWARE_ID);

	return length > 0 ? (uint8_t)length : 0;
#else
	ARG_UNUSED(id);
	return 0;
#endif
}
