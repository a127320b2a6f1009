/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Configurations that thread_mqtt_init() must refuse.
 */
#include <errno.h>
#include <string.h>

#include <zephyr/random/random.h>

#include "certificates.h"
#include "common.h"

#define BAD_PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

static char long_text[65537];
static struct thread_mqtt_config config;
static bool no_entropy;

int __real_z_impl_sys_csrand_get(void *dst, size_t length);
int __wrap_z_impl_sys_csrand_get(void *dst, size_t length)
{
	return no_entropy ? -EIO : __real_z_impl_sys_csrand_get(dst, length);
}

static void before(void *fixture)
{
	ARG_UNUSED(fixture);
	memset(long_text, 'x', sizeof(long_text) - 1);
	config = (struct thread_mqtt_config)THREAD_MQTT_CONFIG_DEFAULT();
	no_entropy = false;
}

ZTEST_SUITE(configuration, NULL, NULL, before, NULL, NULL);

/* Returns the result of thread_mqtt_init(); deletes a client that was created. */
static int init(void)
{
	struct thread_mqtt *client = (struct thread_mqtt *)&config;
	int result = thread_mqtt_init(&client, &config);

	if (result != 0) {
		zassert_equal_ptr(client, &config, "nothing is written when there is no client");
		return result;
	}
	zassert_ok(thread_mqtt_deinit(client));
	return 0;
}

ZTEST(configuration, test_defaults)
{
	zassert_str_equal(config.broker, CONFIG_THREAD_MQTT_BROKER);
	zassert_equal(config.mqtt_version, CONFIG_THREAD_MQTT_VERSION);
	zassert_equal(config.keep_alive_s, CONFIG_THREAD_MQTT_KEEP_ALIVE);
	zassert_true(config.clean_start);
	zassert_ok(init());
}

/* Without the macro, or compiled against another version of the header. */
ZTEST(configuration, test_another_header)
{
	struct thread_mqtt_config bare = {.broker = "mqtt://broker.example", .mqtt_version = 5};

	zassert_equal(config.abi, THREAD_MQTT_ABI);
	config.abi++;
	zassert_equal(init(), THREAD_MQTT_ERROR_ABI);
	config = bare;
	zassert_equal(init(), THREAD_MQTT_ERROR_ABI);
}

ZTEST(configuration, test_pointers)
{
	struct thread_mqtt *client;

	zassert_equal(thread_mqtt_init(NULL, &config), THREAD_MQTT_ERROR_ARGUMENT);
	zassert_equal(thread_mqtt_init(&client, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	config.password_len = 1;
	zassert_equal(init(), THREAD_MQTT_ERROR_ARGUMENT);
	config.password_len = 0;
	config.broker = "mqtts://broker.example";
	config.ca_len = 1;
	zassert_equal(init(), THREAD_MQTT_ERROR_ARGUMENT);
}

ZTEST(configuration, test_broker)
{
	static const char *const wrong[] = {
		"", "broker", "http://broker", "mqtt://", "mqtt://broker:0", "mqtt://broker:65536",
		"mqtt://user@broker", "mqtt://1.2.3", "mqtt://[::1", "mqtt://broker/path",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		config.broker = wrong[i];
		zassert_equal(init(), THREAD_MQTT_ERROR_URI, "%s", wrong[i]);
	}
	config.broker = long_text;
	zassert_equal(init(), THREAD_MQTT_ERROR_URI);
	config.broker = NULL;
	zassert_equal(init(), THREAD_MQTT_ERROR_ARGUMENT);
	config.broker = "mqtt://a\xff";
	zassert_equal(init(), THREAD_MQTT_ERROR_ARGUMENT);
}

/* Errors that show only on reading: init accepts them, its client is deleted while it reads, and the check reports
 * them.
 */
static int init_and_read(void)
{
	zassert_ok(init());
	return thread_mqtt_config_check(&config);
}

static int expected(bool is_built)
{
	return is_built ? 0 : THREAD_MQTT_ERROR_NOT_BUILT;
}

ZTEST(configuration, test_capabilities)
{
	struct thread_mqtt_config plain = config;

	config.broker = "mqtt://a.example*2|mqtt://b.example, mqtt://c.example";
	zassert_equal(init(), expected(IS_ENABLED(CONFIG_THREAD_MQTT_FAILOVER)));
	config = plain;
	config.fallback_v311 = true;
	zassert_equal(init(), expected(IS_ENABLED(CONFIG_THREAD_MQTT_FALLBACK_V311)));
	config = plain;
	config.keep_alive_auto = true;
	zassert_equal(init(), expected(IS_ENABLED(CONFIG_THREAD_MQTT_KEEP_ALIVE_AUTO)));
	config = plain;
	config.overflow = THREAD_MQTT_OVERFLOW_DROP_OLDEST;
	zassert_equal(init(), expected(IS_ENABLED(CONFIG_THREAD_MQTT_OUTBOX_POLICIES)));
	config = plain;
	config.broker = "mqtts://broker.example";
	config.tls_pins = "sha256:"
			  "0011223344556677001122334455667700112233445566770011223344556677";
	zassert_equal(init(), expected(IS_ENABLED(CONFIG_THREAD_MQTT_TLS_PINNING)),
		      "in the place of a CA");
	config.tls_pins = NULL;
	config.ca = certificate;
	config.ca_len = sizeof(certificate);
	config.tls_groups = "P-256";
	zassert_equal(init(), expected(IS_ENABLED(CONFIG_THREAD_MQTT_TLS_CHOICE)));
	config.tls_groups = NULL;
	config.tls_alpn = "x-amzn-mqtt-ca";
	zassert_ok(init());
	config = plain;
	config.overflow = 4;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING);
	config = plain;
	config.backoff_min_ms = 0;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING);
	config = plain;
	config.response_timeout_ms = 0;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING);
}

ZTEST(configuration, test_certificates)
{
	config.broker = "mqtts://broker.example";
	zassert_equal(init(), THREAD_MQTT_ERROR_CA, "none");

	config.ca = "rubbish";
	config.ca_len = 7;
	zassert_equal(init(), THREAD_MQTT_ERROR_CA);
	config.ca_len = 0;
	zassert_equal(init(), THREAD_MQTT_ERROR_CA);
	config.ca = BAD_PEM;
	config.ca_len = sizeof(BAD_PEM);
	zassert_equal(init_and_read(), THREAD_MQTT_ERROR_CA);
	config.ca = certificate;
	config.ca_len = sizeof(certificate) / 2;
	zassert_equal(init(), THREAD_MQTT_ERROR_CA, "cut off");
	config.ca_len = sizeof(certificate);
	zassert_ok(init());
	config.ca_len = sizeof(certificate) - 1;
	zassert_ok(init(), "without the final NUL");

	config.certificate = certificate;
	config.certificate_len = sizeof(certificate);
	zassert_equal(init(), THREAD_MQTT_ERROR_IDENTITY, "no key");
	config.private_key = other_key;
	config.private_key_len = sizeof(other_key);
	zassert_equal(init_and_read(), THREAD_MQTT_ERROR_IDENTITY, "another certificate's key");
	config.private_key = BAD_PEM;
	config.private_key_len = sizeof(BAD_PEM);
	zassert_equal(init(), THREAD_MQTT_ERROR_IDENTITY, "no key at all");
	config.private_key = key;
	config.private_key_len = sizeof(key);
	zassert_ok(init());
	zassert_ok(thread_mqtt_config_check(&config));
	config.certificate = NULL;
	config.certificate_len = 0;
	zassert_equal(init(), THREAD_MQTT_ERROR_IDENTITY, "a key alone");
}

ZTEST(configuration, test_interface)
{
	/* This image is built without Thread. */
	config.interface = THREAD_MQTT_INTERFACE_THREAD;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING);
	config.interface = 3;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING);
	config.interface = THREAD_MQTT_INTERFACE_OTHER;
	zassert_ok(init());
}

ZTEST(configuration, test_mqtt)
{
	config.mqtt_version = 3;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING);
	config.mqtt_version = 4;
	config.password = "secret";
	config.password_len = 6;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING, "3.1.1 wants a user name");
	config.username = "me";
	zassert_ok(init());
	config.username = "a\xff";
	zassert_equal(init(), THREAD_MQTT_ERROR_ARGUMENT);
	config.username = long_text;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING);
	config.username = "me";
	config.password = long_text;
	config.password_len = 65536;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING);
	config.password_len = 65535;
	zassert_ok(init());

	config.clean_start = false;
	config.client_id = NULL;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING, "no name for the session to resume");
	config.client_id = "a\xff";
	zassert_equal(init(), THREAD_MQTT_ERROR_ARGUMENT);
	config.client_id = long_text;
	zassert_equal(init(), THREAD_MQTT_ERROR_SETTING);
	config.client_id = "device";
	zassert_ok(init());
}

ZTEST(configuration, test_will)
{
	struct thread_mqtt_message will = {.topic = "gone", .qos = 1};

	config.will = &will;
	zassert_ok(init());
	will.topic = NULL;
	zassert_equal(init(), THREAD_MQTT_ERROR_ARGUMENT);
	will.topic = "a/#";
	zassert_equal(init(), THREAD_MQTT_ERROR_TOPIC);
	will.topic = long_text;
	zassert_equal(init(), THREAD_MQTT_ERROR_TOPIC);
	will.topic = "gone";
	will.qos = 3;
	zassert_equal(init(), THREAD_MQTT_ERROR_ARGUMENT);
	will.qos = 0;
	will.payload_len = 1;
	zassert_equal(init(), THREAD_MQTT_ERROR_ARGUMENT);
	will.payload = long_text;
	will.payload_len = 65536;
	zassert_equal(init(), THREAD_MQTT_ERROR_TOO_LARGE);
	will.payload_len = 65535;
	zassert_ok(init());
}

ZTEST(configuration, test_no_entropy)
{
	no_entropy = true;
	zassert_equal(init(), THREAD_MQTT_ERROR_ENTROPY);
	no_entropy = false;
	zassert_ok(init());
}

ZTEST(configuration, test_more_clients_than_there_are)
{
	struct thread_mqtt *clients[CONFIG_THREAD_MQTT_MAX_CLIENTS];

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		zassert_ok(thread_mqtt_init(&clients[i], &config));
	}
	zassert_equal(init(), THREAD_MQTT_ERROR_CLIENTS);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		zassert_ok(thread_mqtt_deinit(clients[i]));
	}
	zassert_ok(init());
}
