/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * TLS credentials: see storage.c.
 */
#ifndef STUB_TLS_CREDENTIALS_H_
#define STUB_TLS_CREDENTIALS_H_
#include <stddef.h>
typedef int sec_tag_t;
enum tls_credential_type {
	TLS_CREDENTIAL_NONE,
	TLS_CREDENTIAL_CA_CERTIFICATE,
	TLS_CREDENTIAL_PUBLIC_CERTIFICATE,
	TLS_CREDENTIAL_PRIVATE_KEY,
	TLS_CREDENTIAL_SERVER_CERTIFICATE = TLS_CREDENTIAL_PUBLIC_CERTIFICATE,
};
int tls_credential_get(sec_tag_t tag, enum tls_credential_type type, void *buffer, size_t *length);
#endif
