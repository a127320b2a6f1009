/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The first start of a device that generates its key in PSA Crypto: there is no certificate yet.
 */
#include <zephyr/logging/log.h>

#include "key.h"

LOG_MODULE_REGISTER(first_start, LOG_LEVEL_INF);

int main(void)
{
	if (key_open() == 0) {
		LOG_INF("have a CA sign it, then set CONFIG_SAMPLE_CERTIFICATE_FILE");
	}
	return 0;
}
