/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The radio of a border router. It consists of Zephyr's code. The functions here are those of OpenThread's IPv6
 * that Zephyr's network layer references, although a co-processor has no IPv6 and never calls them. On hardware
 * the linker drops their callers.
 */
#include <stddef.h>

#include <openthread/ip6.h>
#include <openthread/thread.h>

const otNetifAddress *otIp6GetUnicastAddresses(otInstance *instance)
{
	OT_UNUSED_VARIABLE(instance);
	return NULL;
}

const otNetifMulticastAddress *otIp6GetMulticastAddresses(otInstance *instance)
{
	OT_UNUSED_VARIABLE(instance);
	return NULL;
}

const otMeshLocalPrefix *otThreadGetMeshLocalPrefix(otInstance *instance)
{
	OT_UNUSED_VARIABLE(instance);
	return NULL;
}

int main(void)
{
	return 0;
}
