/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Certificates and keys: errors from thread_mqtt_init() and from the client's thread.
 */
#include "check.h"

/* Reads a certificate whose lines are complete, but which contains characters that are not base64. */
static char *damaged(const char *path, size_t *length)
{
	char *text = read_all(path, length);

	text[*length / 2] = '!';
	text[*length / 2 + 1] = '!';
	return text;
}

/* Errors that show only on reading: the client is created, and reports them once when it is to connect. */
static void told_by_event(struct thread_mqtt_config *config, int error, const char *sentence)
{
	struct told *told = config->user_data;
	struct thread_mqtt_failure failure;
	struct thread_mqtt *client = NULL;
	struct thread_mqtt_event event;

	CHECK_EQUAL(thread_mqtt_config_check(config), error);
	told_init(told);
	CHECK_EQUAL(thread_mqtt_init(&client, config), 0);
	pause_ms(50);
	CHECK_EQUAL(told_count(told, THREAD_MQTT_EVENT_FAILED), 0);
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), 0);
	CHECK_EQUAL(failure.error, 0);

	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(told, THREAD_MQTT_EVENT_FAILED, 1);
	event = told_last(told, THREAD_MQTT_EVENT_FAILED);
	CHECK_EQUAL(event.error, error);
	CHECK_EQUAL(event.stage, THREAD_MQTT_STAGE_TLS);
	CHECK_EQUAL(event.retry_ms, -1);
	CHECK(event.text != NULL && event.cure == NULL);
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), 0);
	CHECK_EQUAL(failure.error, error);
	CHECK_EQUAL(failure.stage, THREAD_MQTT_STAGE_TLS);
	if (strstr(failure.cause, sentence) == NULL) {
		fprintf(stderr, "\"%s\" is not in: %s\n", sentence, failure.cause);
		abort();
	}
	/* Longer than the first pause: nothing was tried, and nothing will be. */
	pause_ms(2 * (long)config->backoff_min_ms);
	CHECK_EQUAL(told_count(told, THREAD_MQTT_EVENT_FAILED), 1);
	CHECK_EQUAL(told_count(told, THREAD_MQTT_EVENT_STAGE), 0);
	CHECK(!thread_mqtt_is_online(client));

	CHECK_EQUAL(thread_mqtt_retry_now(client), 0);
	await(told, THREAD_MQTT_EVENT_FAILED, 2);
	CHECK_EQUAL(thread_mqtt_stop(client), 0);
	await(told, THREAD_MQTT_EVENT_STOPPED, 1);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(told, THREAD_MQTT_EVENT_FAILED, 3);
	CHECK_EQUAL(told_last(told, THREAD_MQTT_EVENT_FAILED).retry_ms, -1);
	end(client);
}

/* Errors found at once: no client is created. */
static void told_at_once(const struct thread_mqtt_config *config, int error)
{
	struct thread_mqtt *client = NULL;

	CHECK_EQUAL(thread_mqtt_init(&client, config), error);
	CHECK(client == NULL);
	CHECK_EQUAL(thread_mqtt_config_check(config), error);
}

static struct thread_mqtt_config quick(struct told *told)
{
	struct thread_mqtt_config config = tls_config(told, "TEST_BROKER_TLS");

	config.backoff_min_ms = 20;
	return config;
}

static void ca(void)
{
	struct told told;
	struct thread_mqtt_config config = quick(&told);
	size_t length;
	char *bytes;

	CHECK_EQUAL(thread_mqtt_config_check(&config), 0);
	config.ca_len /= 2;
	told_at_once(&config, THREAD_MQTT_ERROR_CA);
	bytes = read_all(setting("TEST_KEY"), &length);
	config.ca = bytes;
	config.ca_len = length;
	told_at_once(&config, THREAD_MQTT_ERROR_CA);
	free(bytes);
	bytes = damaged(setting("TEST_CA"), &length);
	config.ca = bytes;
	config.ca_len = length;
	told_by_event(&config, THREAD_MQTT_ERROR_CA, "CA certificate 1 contains a character");
	free(bytes);

	config.ca = NULL;
	config.ca_len = 0;
	config.sec_tag = 43;
	told_at_once(&config, THREAD_MQTT_ERROR_CA);
	/* run.py keeps a damaged certificate under this tag, and a file that is not one under the next. */
	config.sec_tag = 44;
	told_by_event(&config, THREAD_MQTT_ERROR_CA, "credential 44 CA: CA certificate 1 contains a character");
	config.sec_tag = 45;
	told_by_event(&config, THREAD_MQTT_ERROR_CA, "credential 45 CA: expected a CA certificate");
	config.sec_tag = 42;
	CHECK_EQUAL(thread_mqtt_config_check(&config), 0);
}

static void identity(void)
{
	struct told told;
	struct thread_mqtt_config config = quick(&told);
	size_t certificate_len, key_len, other_len, bad_len;
	char *certificate = read_all(setting("TEST_CERTIFICATE"), &certificate_len);
	char *key = read_all(setting("TEST_KEY"), &key_len);
	char *other = read_all(setting("TEST_OTHER_KEY"), &other_len);
	char *bad = damaged(setting("TEST_CERTIFICATE"), &bad_len);
	struct thread_mqtt *client;

	config.certificate = certificate;
	config.certificate_len = certificate_len;
	told_at_once(&config, THREAD_MQTT_ERROR_IDENTITY);
	config.private_key_id = 7;
	told_at_once(&config, THREAD_MQTT_ERROR_IDENTITY);
	config.private_key = key;
	config.private_key_len = key_len;
	told_at_once(&config, THREAD_MQTT_ERROR_IDENTITY);
	config.private_key_id = 0;
	CHECK_EQUAL(thread_mqtt_config_check(&config), 0);
	client = started(&config);
	await(&told, THREAD_MQTT_EVENT_ONLINE, 1);
	end(client);

	config.private_key = certificate;
	config.private_key_len = certificate_len;
	told_at_once(&config, THREAD_MQTT_ERROR_IDENTITY);
	config.private_key = other;
	config.private_key_len = other_len;
	told_by_event(&config, THREAD_MQTT_ERROR_IDENTITY, "does not belong to the client certificate");
	config.certificate = bad;
	config.certificate_len = bad_len;
	told_by_event(&config, THREAD_MQTT_ERROR_IDENTITY, "client certificate 1 contains a character");
	config.certificate = NULL;
	config.certificate_len = 0;
	told_at_once(&config, THREAD_MQTT_ERROR_IDENTITY);
	free(certificate);
	free(key);
	free(other);
	free(bad);
}

/* Settings that the image does not support. */
static void choice(void)
{
	struct told told;
	struct thread_mqtt_config config = quick(&told);

	config.tls_suites = "no suite";
	told_at_once(&config, THREAD_MQTT_ERROR_SETTING);
	config.tls_suites = "TLS_AES_128_GCM_SHA256";
	config.tls_versions = 1;
	told_by_event(&config, THREAD_MQTT_ERROR_SETTING, "TLS 1.2");
	config.tls_versions = 2;
	CHECK_EQUAL(thread_mqtt_config_check(&config), 0);
	CHECK_EQUAL(thread_mqtt_config_check(NULL), THREAD_MQTT_ERROR_ARGUMENT);
	config.ca_len = 0;
	config.ca = NULL;
	told_at_once(&config, THREAD_MQTT_ERROR_CA);
}

/* Deleted before or while its thread reads the credentials. */
static void ended_early(void)
{
	struct told told;
	struct thread_mqtt_config config = quick(&told);
	struct thread_mqtt *client = NULL;

	for (int i = 0; i < 50; i++) {
		CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
		if (i % 2 != 0) {
			CHECK_EQUAL(thread_mqtt_start(client), 0);
		}
		end(client);
	}
}

static void take_the_heap(void)
{
	heap_limit_here(heap_used_here() + 2048);
}

/* Another thread has used up the heap since thread_mqtt_init(). */
static void exhausted_heap(void)
{
	struct told told;
	struct thread_mqtt_config config = quick(&told);
	struct thread_mqtt_failure failure;
	struct thread_mqtt *client = NULL;

	at_thread_begin(take_the_heap);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	await(&told, THREAD_MQTT_EVENT_FAILED, 1);
	at_thread_begin(NULL);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).error, THREAD_MQTT_ERROR_MEMORY);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_FAILED).retry_ms, -1);
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), 0);
	CHECK(strstr(failure.cause, "not enough heap to set up TLS") != NULL);
	end(client);
}

void credential_cases(void)
{
	exhausted_heap();
	ca();
	identity();
	choice();
	ended_early();
}
