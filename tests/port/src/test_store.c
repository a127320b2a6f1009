/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Values that survive reboots, and credentials.
 */
#include <errno.h>

#include <zephyr/net/tls_credentials.h>

#include "stub.h"

#if defined(CONFIG_THREAD_MQTT_STORAGE)

TEST(what_is_kept_is_read)
{
	uint8_t buffer[8];

	CHECK_EQUAL(tmq_port_store_read("time", buffer, sizeof(buffer)), TMQ_NOT_FOUND);
	CHECK_EQUAL(tmq_port_store_write("time", (const uint8_t *)"12345678", 8), 0);
	CHECK_EQUAL(stub_kept("thread_mqtt/time"), 8);
	CHECK_EQUAL(tmq_port_store_read("time", buffer, sizeof(buffer)), 8);
	CHECK(memcmp(buffer, "12345678", 8) == 0);
	CHECK_EQUAL(tmq_port_store_write("time", (const uint8_t *)"abc", 3), 0);
	CHECK_EQUAL(tmq_port_store_read("time", buffer, sizeof(buffer)), 3);
	/* Neither a similar key nor one below it is the same key. */
	CHECK_EQUAL(tmq_port_store_write("time/zone", (const uint8_t *)"x", 1), 0);
	CHECK_EQUAL(tmq_port_store_read("time", buffer, sizeof(buffer)), 3);
	CHECK_EQUAL(tmq_port_store_read("tim", buffer, sizeof(buffer)), TMQ_NOT_FOUND);
	CHECK_EQUAL(tmq_port_store_delete("time"), 0);
	CHECK_EQUAL(tmq_port_store_read("time", buffer, sizeof(buffer)), TMQ_NOT_FOUND);
	CHECK_EQUAL(tmq_port_store_delete("time"), 0);
}

TEST(a_value_larger_than_the_buffer_is_not_cut)
{
	uint8_t buffer[7] = "unread";

	CHECK_EQUAL(tmq_port_store_write("time", (const uint8_t *)"12345678", 8), 0);
	CHECK_EQUAL(tmq_port_store_read("time", buffer, sizeof(buffer)),
		    TMQ_ERRNO_BASE - EMSGSIZE);
	CHECK(strcmp((char *)buffer, "unread") == 0);
}

static void note(void *context, const char *key, const uint8_t *data, size_t length)
{
	char *seen = context;
	size_t end = strlen(seen);

	snprintf(seen + end, 64 - end, "%s=%.*s;", key, (int)length, (const char *)data);
}

TEST(each_value_of_a_prefix_is_handed_out)
{
	char seen[64] = "";

	CHECK_EQUAL(tmq_port_store_each("s.", note, seen), 0);
	CHECK(strcmp(seen, "") == 0);
	CHECK_EQUAL(tmq_port_store_write("time", (const uint8_t *)"12345678", 8), 0);
	CHECK_EQUAL(tmq_port_store_write("s.8001", (const uint8_t *)"one", 3), 0);
	CHECK_EQUAL(tmq_port_store_write("other.8001", (const uint8_t *)"no", 2), 0);
	CHECK_EQUAL(tmq_port_store_write("s.8002", (const uint8_t *)"two", 3), 0);
	CHECK_EQUAL(tmq_port_store_write("s.8003", (const uint8_t *)"gone", 4), 0);
	CHECK_EQUAL(tmq_port_store_delete("s.8003"), 0);
	CHECK_EQUAL(tmq_port_store_each("s.", note, seen), 0);
	CHECK(strcmp(seen, "s.8001=one;s.8002=two;") == 0);
	stub_fail_settings(-EIO);
	CHECK_EQUAL(tmq_port_store_each("s.", note, seen), TMQ_ERRNO_BASE - EIO);
	stub_fail_settings(-EBADF);
	CHECK_EQUAL(tmq_port_store_each("s.", note, seen), TMQ_ERRNO_BASE - EBADF);
}

TEST(storage_fails_with_a_code)
{
	static const int errors[][2] = {
		{-ENOSPC, TMQ_STORAGE_FULL},
		{-ENOMEM, TMQ_STORAGE_FULL},
		{-EIO, TMQ_ERRNO_BASE - EIO},
		{-EINVAL, TMQ_ERRNO_BASE - EINVAL},
	};
	const char *long_key = "a key that is longer than any other";
	uint8_t buffer[8];

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		stub_fail_settings(errors[i][0]);
		CHECK_EQUAL(tmq_port_store_write("time", buffer, 8), errors[i][1]);
		CHECK_EQUAL(tmq_port_store_delete("time"), errors[i][1]);
	}
	stub_fail_settings(0);
	CHECK_EQUAL(tmq_port_store_write(long_key, buffer, 8), TMQ_ERRNO_BASE - EINVAL);
	CHECK_EQUAL(tmq_port_store_read(long_key, buffer, 8), TMQ_ERRNO_BASE - EINVAL);
	CHECK_EQUAL(tmq_port_store_delete(long_key), TMQ_ERRNO_BASE - EINVAL);
	CHECK_EQUAL(tmq_port_store_write("time", buffer, 8), 0);
	stub_fail_settings(-EIO);
	CHECK_EQUAL(tmq_port_store_read("time", buffer, 8), TMQ_ERRNO_BASE - EIO);
	/* The value exists, but cannot be read. */
	stub_fail_settings(-EBADF);
	CHECK_EQUAL(tmq_port_store_read("time", buffer, 8), TMQ_ERRNO_BASE - EBADF);
}

#else

TEST(without_storage_nothing_is_kept)
{
	uint8_t buffer[8] = {0};

	CHECK_EQUAL(tmq_port_store_write("time", buffer, 8), TMQ_NOT_SUPPORTED);
	CHECK_EQUAL(tmq_port_store_read("time", buffer, 8), TMQ_NOT_SUPPORTED);
	CHECK_EQUAL(tmq_port_store_each("s.", NULL, NULL), TMQ_NOT_SUPPORTED);
	CHECK_EQUAL(tmq_port_store_delete("time"), TMQ_NOT_SUPPORTED);
}

#endif

#if defined(CONFIG_TLS_CREDENTIALS)

TEST(credentials_are_found_by_tag_and_kind)
{
	char buffer[16];

	stub_set_credential(7, TLS_CREDENTIAL_CA_CERTIFICATE, "authority", 9);
	stub_set_credential(7, TLS_CREDENTIAL_PUBLIC_CERTIFICATE, "client", 6);
	stub_set_credential(7, TLS_CREDENTIAL_PRIVATE_KEY, "key", 3);
	stub_set_credential(8, TLS_CREDENTIAL_CA_CERTIFICATE, "another", 7);
	CHECK_EQUAL(tmq_port_credential(7, TMQ_CREDENTIAL_CA, (uint8_t *)buffer, 16), 9);
	CHECK(memcmp(buffer, "authority", 9) == 0);
	CHECK_EQUAL(tmq_port_credential(7, TMQ_CREDENTIAL_CERTIFICATE, (uint8_t *)buffer, 6), 6);
	CHECK(memcmp(buffer, "client", 6) == 0);
	CHECK_EQUAL(tmq_port_credential(7, TMQ_CREDENTIAL_KEY, (uint8_t *)buffer, 16), 3);
	CHECK_EQUAL(tmq_port_credential(7, TMQ_CREDENTIAL_KEY, (uint8_t *)buffer, 2),
		    TMQ_TOO_SMALL);
	CHECK_EQUAL(tmq_port_credential(8, TMQ_CREDENTIAL_KEY, (uint8_t *)buffer, 16),
		    TMQ_NOT_FOUND);
	CHECK_EQUAL(tmq_port_credential(9, TMQ_CREDENTIAL_CA, (uint8_t *)buffer, 16),
		    TMQ_NOT_FOUND);
	CHECK_EQUAL(tmq_port_credential(-1, TMQ_CREDENTIAL_CA, (uint8_t *)buffer, 16),
		    TMQ_ERRNO_BASE - EACCES);
	CHECK_EQUAL(tmq_port_credential(7, 3, (uint8_t *)buffer, 16), TMQ_ERRNO_BASE - EINVAL);
	CHECK_EQUAL(tmq_port_credential(7, 255, (uint8_t *)buffer, 16), TMQ_ERRNO_BASE - EINVAL);
}

#else

TEST(without_tls_credentials_there_are_none)
{
	uint8_t buffer[16];

	CHECK_EQUAL(tmq_port_credential(7, TMQ_CREDENTIAL_CA, buffer, 16), TMQ_NOT_SUPPORTED);
}

#endif
