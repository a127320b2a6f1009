/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Passes the Kconfig values and the hardware ID to the Rust core.
 */
#include <string.h>

#include "internal.h"

#if defined(CONFIG_NET_L2_OPENTHREAD)
#include <openthread/link.h>
#elif defined(CONFIG_HWINFO)
#include <zephyr/drivers/hwinfo.h>
#endif

#define TEXT(field, option)                      .field = CONFIG_THREAD_MQTT_##option,
#define NUMBER(field, type, option, least, most) .field = CONFIG_THREAD_MQTT_##option,
#define SWITCH(field, option)                    .field = IS_ENABLED(CONFIG_THREAD_MQTT_##option),

const struct tmq_options *tmq_port_options(void)
{
	static const struct tmq_options options = {
#include <thread_mqtt_options.def>
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
