/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The codes of Zephyr's resolver.
 */
#ifndef STUB_DNS_RESOLVE_H_
#define STUB_DNS_RESOLVE_H_

enum {
	DNS_EAI_NONAME = -2,
	DNS_EAI_AGAIN = -3,
	DNS_EAI_FAIL = -4,
	DNS_EAI_NODATA = -5,
	DNS_EAI_MEMORY = -10,
	DNS_EAI_SYSTEM = -11,
	DNS_EAI_CANCELED = -101,
};

#endif /* STUB_DNS_RESOLVE_H_ */
