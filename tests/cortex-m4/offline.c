/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The calls that need no broker: strings, URIs, configurations that are refused.
 */
#include <string.h>

#include <thread_mqtt.h>

#include "board.h"
#include "check.h"
#include "client.h"
#include "cooperative.h"
#include "offline.h"
#include "script.h"

void test_strings(void)
{
	CHECK_STRING(thread_mqtt_error_to_str(THREAD_MQTT_OK), "success");
	CHECK_STRING(thread_mqtt_error_to_str(1), "unknown error");
	CHECK_CONTAINS(thread_mqtt_error_to_str(THREAD_MQTT_ERROR_TIME), "time");
	CHECK_CONTAINS(thread_mqtt_error_to_str(-1000 - 110), "errno");
	CHECK_CONTAINS(thread_mqtt_error_to_str(INT32_MIN), "errno");
	CHECK_STRING(thread_mqtt_stage_to_str(THREAD_MQTT_STAGE_NONE), "no stage");
	CHECK_STRING(thread_mqtt_stage_to_str(THREAD_MQTT_STAGE_ATTACH), "attach");
	CHECK_STRING(thread_mqtt_stage_to_str(THREAD_MQTT_STAGE_MQTT), "MQTT");
	CHECK_STRING(thread_mqtt_stage_to_str(THREAD_MQTT_STAGE_MQTT + 1), "unknown stage");
	CHECK_STRING(thread_mqtt_stage_to_str(UINT8_MAX), "unknown stage");
	CHECK_STRING(thread_mqtt_event_to_str(0), "unknown event");
	CHECK_STRING(thread_mqtt_event_to_str(THREAD_MQTT_EVENT_STAGE), "stage reached");
	CHECK_STRING(thread_mqtt_event_to_str(THREAD_MQTT_EVENT_SUBSCRIPTION_LOST),
		     "subscription lost");
	CHECK_STRING(thread_mqtt_event_to_str(THREAD_MQTT_EVENT_MISSED), "events missed");
	CHECK_STRING(thread_mqtt_event_to_str(THREAD_MQTT_EVENT_PIECE_WANTED + 1), "unknown event");
	CHECK_CONTAINS(thread_mqtt_error_to_str(THREAD_MQTT_ERROR_NOT_BUILT), "lacks the feature");
}

void test_uri_check(void)
{
	char sentence[200] = "untouched";

	CHECK_EQUAL(thread_mqtt_uri_check("mqtts://a.example:8883", sentence, sizeof(sentence)),
		    THREAD_MQTT_OK);
	CHECK_STRING(sentence, "untouched");
	CHECK_EQUAL(thread_mqtt_uri_check("http://a", sentence, sizeof(sentence)),
		    THREAD_MQTT_ERROR_URI);
	CHECK_CONTAINS(sentence, "mqtt");
	memset(sentence, 'x', sizeof(sentence));
	CHECK_EQUAL(thread_mqtt_uri_check("http://a", sentence, 8), THREAD_MQTT_ERROR_URI);
	CHECK_EQUAL(sentence[7], '\0');
	CHECK_EQUAL(sentence[8], 'x');
	CHECK_EQUAL(thread_mqtt_uri_check("http://a", sentence + 8, 0), THREAD_MQTT_ERROR_URI);
	CHECK_EQUAL(sentence[8], 'x');
	CHECK_EQUAL(thread_mqtt_uri_check("http://a", NULL, 8), THREAD_MQTT_ERROR_URI);
	CHECK_EQUAL(thread_mqtt_uri_check("mqtt://a mqtt://b", sentence, sizeof(sentence)),
		    THREAD_MQTT_ERROR_URI);
	CHECK_CONTAINS(sentence, "CONFIG_THREAD_MQTT_FAILOVER");
	CHECK_EQUAL(thread_mqtt_uri_check(NULL, NULL, 0), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_uri_check("mqtt://\xff", NULL, 0), THREAD_MQTT_ERROR_ARGUMENT);
}

void test_without_a_client(void)
{
	struct thread_mqtt_message message = {.topic = "t"};
	struct thread_mqtt_failure failure;
	/* Neither a client nor memory. */
	struct thread_mqtt *const none[] = {NULL, (struct thread_mqtt *)(uintptr_t)0xdeadbee0};
	uint32_t token = 77;

	for (size_t i = 0; i < 2; i++) {
		CHECK_EQUAL(thread_mqtt_start(none[i]), THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_stop(none[i]), THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_deinit(none[i]), THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_publish(none[i], &message, &token),
			    THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_publish_wait(none[i], &message, &token, 0, 0),
			    THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_subscribe(none[i], "t", 0, &token),
			    THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_unsubscribe(none[i], "t", &token),
			    THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_subscribe_many(none[i], NULL, 0, &token),
			    THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_unsubscribe_many(none[i], NULL, 0, &token),
			    THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_get_limits(none[i], NULL), THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_get_client_id(none[i], NULL, 0), THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_retry_now(none[i]), THREAD_MQTT_ERROR_ARGUMENT);
		CHECK_EQUAL(thread_mqtt_last_error(none[i], &failure), THREAD_MQTT_ERROR_ARGUMENT);
		CHECK(!thread_mqtt_is_online(none[i]));
		CHECK_EQUAL(thread_mqtt_time(none[i]), 0);
	}
	CHECK_EQUAL(token, 77);
}

void test_configuration(void)
{
	struct thread_mqtt_config config = defaults(BROKER);
	struct thread_mqtt_message will = {.topic = "will/#"};

	CHECK_EQUAL(config.abi, THREAD_MQTT_ABI);
	CHECK_EQUAL(config.mqtt_version, 5);
	CHECK_EQUAL(config.clean_start, true);
	CHECK_EQUAL(config.keep_alive_s, 60);
	CHECK_EQUAL(config.sec_tag, -1);
	CHECK_EQUAL(config.time_deadline_s, 5);
	CHECK_EQUAL(thread_mqtt_init(NULL, &config), THREAD_MQTT_ERROR_ARGUMENT);
	refused(NULL, THREAD_MQTT_ERROR_ARGUMENT);
	config.abi++;
	refused(&config, THREAD_MQTT_ERROR_ABI);
	config.abi = 0;
	refused(&config, THREAD_MQTT_ERROR_ABI);

	config = defaults(NULL);
	refused(&config, THREAD_MQTT_ERROR_ARGUMENT);
	config = defaults("mqtt://");
	refused(&config, THREAD_MQTT_ERROR_URI);
	config = defaults(BROKER);
	config.mqtt_version = 3;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.client_id = NULL;
	config.clean_start = false;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.client_id = "\xff";
	refused(&config, THREAD_MQTT_ERROR_ARGUMENT);
	config = defaults(BROKER);
	config.username = "\xff";
	refused(&config, THREAD_MQTT_ERROR_ARGUMENT);
	config = defaults(BROKER);
	config.password_len = 1;
	refused(&config, THREAD_MQTT_ERROR_ARGUMENT);
	config = defaults(BROKER);
	config.will = &will;
	refused(&config, THREAD_MQTT_ERROR_TOPIC);
	config = defaults(BROKER);
	config.time_servers = "a:b:c";
	refused(&config, THREAD_MQTT_ERROR_SETTING);

	/* Features that are not in this image. */
	config = defaults("mqtt://a.example, mqtt://b.example");
	refused(&config, THREAD_MQTT_ERROR_NOT_BUILT);
	config = defaults(BROKER);
	config.fallback_v311 = true;
	refused(&config, THREAD_MQTT_ERROR_NOT_BUILT);
	config = defaults(BROKER);
	config.keep_alive_auto = true;
	refused(&config, THREAD_MQTT_ERROR_NOT_BUILT);
	config = defaults(TLS);
	config.tls_pins = "sha256:00";
	refused(&config, THREAD_MQTT_ERROR_NOT_BUILT);
	config = defaults(TLS);
	config.ca = BOARD_PARAMETERS->ca;
	config.ca_len = BOARD_PARAMETERS->ca_len;
	config.tls_suites = "TLS_AES_128_GCM_SHA256";
	refused(&config, THREAD_MQTT_ERROR_NOT_BUILT);
	/* Each number in its field. */
	config = defaults(BROKER);
	config.overflow = 4;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.backoff_min_ms = 0;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.tcp_connect_ms = 0;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.tls_handshake_ms = UINT32_MAX;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.response_timeout_ms = UINT32_MAX;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.first_packet_id = 32768;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.session_key_len = 1;
	refused(&config, THREAD_MQTT_ERROR_ARGUMENT);
	config = defaults(BROKER);
	config.session_key = "key";
	config.session_key_id = 1;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.return_after_s = 31 * 86400;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.stable_after_ms = UINT32_MAX;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(BROKER);
	config.network_jitter_ms = UINT32_MAX;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config = defaults(TLS);
	config.ca = BOARD_PARAMETERS->ca;
	config.ca_len = BOARD_PARAMETERS->ca_len;
	config.tls_versions = 4;
	refused(&config, THREAD_MQTT_ERROR_SETTING);
	config.tls_versions = 0;
	config.tls_tickets = 5;
	refused(&config, THREAD_MQTT_ERROR_SETTING);

	config = defaults(TLS);
	refused(&config, THREAD_MQTT_ERROR_CA);
	config.ca_len = 1;
	refused(&config, THREAD_MQTT_ERROR_ARGUMENT);
	config.ca_len = 0;
	config.sec_tag = 7;
	refused(&config, THREAD_MQTT_ERROR_CA);
	config.sec_tag = -1;
	config.ca = BOARD_PARAMETERS->ca;
	config.ca_len = BOARD_PARAMETERS->ca_len / 2;
	refused(&config, THREAD_MQTT_ERROR_CA);
	config.ca_len = BOARD_PARAMETERS->ca_len;
	config.certificate = BOARD_PARAMETERS->ca;
	config.certificate_len = BOARD_PARAMETERS->ca_len;
	refused(&config, THREAD_MQTT_ERROR_IDENTITY);
	config.private_key_id = 1;
	refused(&config, THREAD_MQTT_ERROR_IDENTITY);
	config.private_key_id = 0;
	config.private_key = "not a key";
	config.private_key_len = 9;
	refused(&config, THREAD_MQTT_ERROR_IDENTITY);

	config = defaults(BROKER);
	script_has_no_entropy = true;
	refused(&config, THREAD_MQTT_ERROR_ENTROPY);
	script_has_no_entropy = false;
	CHECK(!client_is_alive());
}

/* An error that shows only on reading is reported by an event, once. */
void test_damaged_ca(void)
{
	static char ca[sizeof(BOARD_PARAMETERS->ca)];
	struct thread_mqtt_config config = defaults(TLS);
	struct thread_mqtt_failure failure;
	struct thread_mqtt *client;

	memcpy(ca, BOARD_PARAMETERS->ca, sizeof(ca));
	ca[BOARD_PARAMETERS->ca_len / 2] = '!';
	config.ca = ca;
	config.ca_len = BOARD_PARAMETERS->ca_len;
	CHECK_EQUAL(thread_mqtt_config_check(&config), THREAD_MQTT_ERROR_CA);
	client = client_of(&config);
	/* It has been copied. */
	memset(ca, 0, sizeof(ca));
	CHECK_EQUAL(thread_mqtt_start(client), THREAD_MQTT_OK);
	EXPECT(client, .type = THREAD_MQTT_EVENT_FAILED, .stage = THREAD_MQTT_STAGE_TLS,
	       .error = THREAD_MQTT_ERROR_CA, .text = "CA certificate 1 contains a character");
	CHECK_EQUAL(thread_mqtt_last_error(client, &failure), THREAD_MQTT_OK);
	CHECK_EQUAL(failure.error, THREAD_MQTT_ERROR_CA);
	CHECK_CONTAINS(failure.cause, "CA certificate 1 contains a character");
	stop(client);
	end(client);
}
