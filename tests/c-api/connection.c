/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * How the connection is made and kept: several brokers, redirects, the fallback to MQTT 3.1.1, the
 * back-off, and the TLS options.
 */
#include <stdatomic.h>

#include "check.h"

/* Set by each event of another broker: a connection that the client itself ended must be over by then. */
static atomic_uint online_meanwhile;

static void look_at_broker(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	struct thread_mqtt_limits limits;

	if (event->type == THREAD_MQTT_EVENT_BROKER &&
	    (thread_mqtt_is_online(client) ||
	     thread_mqtt_get_limits(client, &limits) != THREAD_MQTT_ERROR_STATE)) {
		online_meanwhile++;
	}
}

/* The first broker of a list does not answer, the second does. */
static void failover(void)
{
	char list[128];
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client;

	(void)snprintf(list, sizeof(list), "mqtt://127.0.0.1:1, %s*2", setting("TEST_BROKER"));
	config.broker = list;
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	CHECK(told_count(&told, THREAD_MQTT_EVENT_FAILED) >= 1);
	CHECK(told_count(&told, THREAD_MQTT_EVENT_BROKER) >= 2);
	CHECK(strcmp(told.value, setting("TEST_BROKER")) == 0);
	end(client);

	/* After some time the first is tried again. */
	told_init(&told);
	told_call(&told, look_at_broker);
	config.return_after_s = 1;
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 2);
	CHECK(told_count(&told, THREAD_MQTT_EVENT_BROKER) >= 4);
	CHECK_EQUAL(online_meanwhile, 0);
	end(client);
	config.return_after_s = 0;
	config.broker = "mqtt://a, http://b";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_URI);
	config.broker = "mqtt://a*many";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_URI);
	/* One of them uses TLS. */
	config.broker = "mqtt://a, mqtts://b";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_CA);
}

/* An MQTT 5 broker redirects to another one, by name and by address. */
static void redirect(void)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER_MOVED");
	struct thread_mqtt *client;
	const char *to = setting("TEST_BROKER") + strlen("mqtt://");

	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_REASON_STRING), 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_REASON_STRING).token, 0);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_SERVER_REFERENCE), 1);
	CHECK(strcmp(told.reference, to) == 0);
	CHECK(strcmp(told.reason, "moved over there") == 0);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).error, THREAD_MQTT_ERROR_REJECTED);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).reason, 0x9d);
	CHECK(strcmp(told.value, setting("TEST_BROKER")) == 0);
	end(client);

	/* Redirects that are switched off are not followed. */
	told_init(&told);
	config.redirects = 0;
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_FAILED, 1);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_SERVER_REFERENCE), 1);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_BROKER), 0);
	end(client);
}

/* A broker that supports only MQTT 3.1.1. */
static void fallback(void)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER_OLD");
	struct thread_mqtt_limits limits;
	struct thread_mqtt *client;

	config.fallback_v311 = true;
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_VERSION), 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_VERSION).number, 4);
	CHECK_EQUAL(thread_mqtt_get_limits(client, &limits), 0);
	CHECK_EQUAL(limits.mqtt_version, 4);
	CHECK_EQUAL(limits.maximum_qos, 2);
	CHECK(limits.retain_available);
	end(client);

	told_init(&told);
	config.fallback_v311 = false;
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_FAILED, 1);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_VERSION), 0);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).error, THREAD_MQTT_ERROR_REJECTED);
	end(client);
}

/* retry_now ends pauses of hours. */
static void retry_now(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;

	config.backoff_min_ms = 86400000;
	config.backoff_max_ms = 86400000;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_retry_now(client), THREAD_MQTT_ERROR_STATE);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	for (unsigned int attempt = 1; attempt <= 3; attempt++) {
		await(&told, THREAD_MQTT_EVENT_FAILED, attempt);
		CHECK_EQUAL(thread_mqtt_retry_now(client), 0);
	}
	end(client);
	CHECK_EQUAL(thread_mqtt_retry_now(client), THREAD_MQTT_ERROR_ARGUMENT);

	config.backoff_min_ms = 0;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	config.backoff_min_ms = config.backoff_max_ms + 1;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	config.backoff_min_ms = 1;
	config.backoff_max_ms = UINT32_MAX;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	config = idle_config(&told);
	config.overflow = 4;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
}

static void keep_alive(void)
{
	struct told told;
	struct thread_mqtt_config config = config_for(&told, "TEST_BROKER");
	struct thread_mqtt_limits limits;
	struct thread_mqtt *client;

	config.keep_alive_auto = true;
	config.keep_alive_min_s = 100;
	config.keep_alive_max_s = 1000;
	config.keep_alive_start_s = 150;
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	CHECK_EQUAL(thread_mqtt_get_limits(client, &limits), 0);
	CHECK_EQUAL(limits.learnt_keep_alive_s, 150);
	/* It grows: above the known value, and not above the maximum. */
	CHECK(limits.keep_alive_s > 150 && limits.keep_alive_s <= 1000);
	end(client);
	config.keep_alive_min_s = 9;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
}

/* ---------------------------------------------------------------- TLS */

/* As AWS IoT on port 443: without this protocol the connection ends after the handshake. */
static void alpn(void)
{
	static const char *const refused[] = {"", "mqtt", "x-amzn-http-ca"};
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_ALPN");
	struct thread_mqtt *client;

	config.tls_alpn = "mqtt x-amzn-mqtt-ca";
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	end(client);
	for (size_t i = 0; i < COUNT(refused); i++) {
		told_init(&told);
		config.tls_alpn = refused[i];
		client = started(&config);
		await(&told, THREAD_MQTT_EVENT_FAILED, 1);
		CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_ONLINE), 0);
		end(client);
	}
	config.tls_alpn = "\xff";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_ARGUMENT);
}

static void pinned(const char *pins, bool with_ca, uint8_t type)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client;

	config.tls_pins = pins;
	if (!with_ca) {
		config.ca = NULL;
		config.ca_len = 0;
	}
	client = started(&config);
	await(&told, type, 1);
	if (type == THREAD_MQTT_EVENT_FAILED) {
		CHECK_EQUAL(told_last(&told, type).error, THREAD_MQTT_ERROR_CERTIFICATE);
		CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_ONLINE), 0);
	}
	end(client);
}

static void pins(void)
{
	char pair[256];
	char other[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client = NULL;

	pinned(setting("TEST_PIN"), true, THREAD_MQTT_EVENT_ONLINE);
	/* Instead of a CA. */
	pinned(setting("TEST_PIN"), false, THREAD_MQTT_EVENT_ONLINE);
	pinned(setting("TEST_KEY_PIN"), false, THREAD_MQTT_EVENT_ONLINE);
	(void)snprintf(pair, sizeof(pair), "%s  %s", other, setting("TEST_KEY_PIN"));
	pinned(pair, true, THREAD_MQTT_EVENT_ONLINE);
	/* In addition to a CA. */
	pinned(other, true, THREAD_MQTT_EVENT_FAILED);
	pinned(other, false, THREAD_MQTT_EVENT_FAILED);

	config.tls_pins = "sha256:00";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
}

/* The text of the TLS stage, which names what was negotiated. */
static char agreed[160];

static void note_tls(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	(void)client;
	if (event->type == THREAD_MQTT_EVENT_STAGE && event->stage == THREAD_MQTT_STAGE_TLS) {
		(void)snprintf(agreed, sizeof(agreed), "%s", event->text);
	}
}

static void agrees(const struct thread_mqtt_config *config, struct told *told, const char *version,
		   const char *suite, const char *group)
{
	struct thread_mqtt *client;

	told_init(told);
	told_call(told, note_tls);
	client = started(config);
	await(told, THREAD_MQTT_EVENT_ONLINE, 1);
	end(client);
	CHECK(strstr(agreed, version) != NULL);
	CHECK(strstr(agreed, suite) != NULL);
	CHECK(strstr(agreed, group) != NULL);
}

static void choice(void)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client = NULL;

	config.tls_suites = "TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_GCM_SHA256";
	config.tls_groups = "P-256";
	agrees(&config, &told, "TLS 1.3", "TLS_CHACHA20_POLY1305_SHA256", "secp256r1");
	/* OpenSSL's name of a TLS 1.2 suite. */
	config.tls_suites = "ECDHE-ECDSA-AES128-GCM-SHA256";
	config.tls_groups = "X25519 P-256";
	config.tls_require_ems = true;
	agrees(&config, &told, "TLS 1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "x25519");
	config.tls_suites = NULL;
	config.tls_groups = NULL;
	config.tls_versions = 1;
	config.tls_tickets = 0;
	agrees(&config, &told, "TLS 1.2", "ECDHE", "");
	config.tls_versions = 2;
	config.tls_tickets = 4;
	agrees(&config, &told, "TLS 1.3", "", "");

	config.tls_versions = 4;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	config.tls_versions = 0;
	config.tls_tickets = 5;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	config.tls_tickets = 1;
	config.tls_suites = "TLS_RSA_WITH_RC4_128_MD5";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	/* Logged completely, in more than one line. */
	CHECK(was_logged("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or an OpenSSL name such as "
			 "ECDHE-RSA-AES128-GCM-SHA256"));
	config.tls_suites = NULL;
	config.tls_groups = "secp160r1";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
}

/* A certificate with a P-521 key, which needs an option. */
static void p521(void)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_P521");
	struct thread_mqtt *client = started(&config);

	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	end(client);
}

/* Checks whether a client's second connection resumes the session of the first. */
static void resumption(uint8_t tickets)
{
	struct told told;
	struct thread_mqtt_config config = tls_config(&told, "TEST_BROKER_TLS");
	struct thread_mqtt *client;

	config.tls_tickets = tickets;
	told_call(&told, note_tls);
	client = started(&config);
	for (unsigned int life = 1; life <= 2; life++) {
		await(&told, THREAD_MQTT_EVENT_ONLINE, life);
		CHECK((strstr(agreed, "resumed") != NULL) == (life == 2 && tickets > 0));
		CHECK_EQUAL(thread_mqtt_stop(client), 0);
		await(&told, THREAD_MQTT_EVENT_STOPPED, life);
		CHECK_EQUAL(thread_mqtt_start(client), 0);
	}
	end(client);
}

void connection_cases(void)
{
	failover();
	redirect();
	fallback();
	retry_now();
	keep_alive();
	alpn();
	pins();
	choice();
	p521();
	resumption(0);
	resumption(1);
	resumption(2);
}
