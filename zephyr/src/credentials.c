/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Reads certificates and keys by the tag under which Zephyr's TLS credentials keep them. Uses only the
 * credential store, which has no dependencies: no TLS socket, no Mbed TLS.
 */
#include <errno.h>

#include "internal.h"

#if defined(CONFIG_TLS_CREDENTIALS)

#include <zephyr/net/tls_credentials.h>

/* Renamed in Zephyr 4.2 or earlier; the old name still exists. */
#if TMQ_ZEPHYR_AT_LEAST(4, 2)
#define CERTIFICATE TLS_CREDENTIAL_PUBLIC_CERTIFICATE
#else
#define CERTIFICATE TLS_CREDENTIAL_SERVER_CERTIFICATE
#endif

int32_t tmq_port_credential(int32_t tag, uint8_t kind, uint8_t *buffer, size_t size)
{
	static const enum tls_credential_type types[] = {
		[TMQ_CREDENTIAL_CA] = TLS_CREDENTIAL_CA_CERTIFICATE,
		[TMQ_CREDENTIAL_CERTIFICATE] = CERTIFICATE,
		[TMQ_CREDENTIAL_KEY] = TLS_CREDENTIAL_PRIVATE_KEY,
	};
	size_t length = size;
	int error;

	if (kind >= ARRAY_SIZE(types)) {
		return tmq_code(EINVAL);
	}
	error = tls_credential_get((sec_tag_t)tag, types[kind], buffer, &length);
	switch (error) {
	case 0:
		return (int32_t)length;
	case -EFBIG:
		/* Some versions report the required size; Zephyr 3.5 does not. */
		return TMQ_TOO_SMALL;
	case -ENOENT:
		return TMQ_NOT_FOUND;
	default:
		return tmq_code(-error);
	}
}

#else

int32_t tmq_port_credential(int32_t tag, uint8_t kind, uint8_t *buffer, size_t size)
{
	ARG_UNUSED(tag);
	ARG_UNUSED(kind);
	ARG_UNUSED(buffer);
	ARG_UNUSED(size);
	return TMQ_NOT_SUPPORTED;
}

#endif
