/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Authenticates to the broker with a client certificate. The credentials are stored under a tag, as for
 * Zephyr's TLS sockets. A product provisions them in production or keeps them in protected storage.
 * With CONFIG_SAMPLE_KEY_ID the private key is not among them: it stays in PSA Crypto.
 */
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/tls_credentials.h>

#include <thread_mqtt.h>

#include "key.h"

#if defined(CONFIG_SAMPLE_KEY_ID) && CONFIG_SAMPLE_KEY_ID != 0
#define KEY_ID CONFIG_SAMPLE_KEY_ID
#else
#define KEY_ID 0
#endif

LOG_MODULE_REGISTER(mutual_tls, LOG_LEVEL_INF);

static const unsigned char ca[] = {
#include <ca.inc>
};
static const unsigned char certificate[] = {
#include <certificate.inc>
};
#if KEY_ID == 0
static const unsigned char key[] = {
#include <key.inc>
};
#endif

/* The log formats later and reads a text up to its NUL, whatever precision the format specifies. A
 * payload has no NUL.
 */
static void log_message(const struct thread_mqtt_message *message)
{
	char text[64];
	size_t length = MIN(message->payload_len, sizeof(text) - 1);

	memcpy(text, message->payload, length);
	text[length] = '\0';
	LOG_INF("received %s: %s", message->topic, text);
}

static void on_event(struct thread_mqtt *client, const struct thread_mqtt_event *event,
		     void *user_data)
{
	ARG_UNUSED(client);
	ARG_UNUSED(user_data);

	if (event->type == THREAD_MQTT_EVENT_MESSAGE) {
		log_message(event->message);
	} else if (event->type == THREAD_MQTT_EVENT_FAILED) {
		/* Without CONFIG_THREAD_MQTT_SENTENCES there is no text, so print that of the number. */
		LOG_ERR("%s: %s", thread_mqtt_stage_to_str(event->stage),
			event->text != NULL ? event->text : thread_mqtt_error_to_str(event->error));
		if (event->cure != NULL) {
			LOG_ERR("cure: %s", event->cure);
		}
	} else if (event->text != NULL) {
		LOG_INF("%s: %s", thread_mqtt_stage_to_str(event->stage), event->text);
	}
}

static int add_credentials(void)
{
	int err = tls_credential_add(CONFIG_THREAD_MQTT_SEC_TAG, TLS_CREDENTIAL_CA_CERTIFICATE, ca,
				     sizeof(ca));

	if (err == 0) {
		/* Up to Zephyr 3.7 at least, it is called TLS_CREDENTIAL_SERVER_CERTIFICATE. */
		err = tls_credential_add(CONFIG_THREAD_MQTT_SEC_TAG,
					 TLS_CREDENTIAL_PUBLIC_CERTIFICATE, certificate,
					 sizeof(certificate));
	}
#if KEY_ID == 0
	if (err == 0) {
		err = tls_credential_add(CONFIG_THREAD_MQTT_SEC_TAG, TLS_CREDENTIAL_PRIVATE_KEY,
					 key, sizeof(key));
	}
#endif
	return err;
}

int main(void)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt_message message = {
		.topic = CONFIG_SAMPLE_TOPIC,
		.payload = "hello",
		.payload_len = 5,
		.qos = 1,
	};
	struct thread_mqtt *client;
	int err;

#if KEY_ID != 0
	err = key_open();
	if (err != 0) {
		return 0;
	}
	config.private_key_id = KEY_ID;
#endif
	err = add_credentials();
	if (err != 0) {
		LOG_ERR("credentials: error %d; raise CONFIG_TLS_MAX_CREDENTIALS_NUMBER", err);
		return 0;
	}
	config.callback = on_event;
	err = thread_mqtt_init(&client, &config);
	if (err != 0) {
		LOG_ERR("init: %s", thread_mqtt_error_to_str(err));
		return 0;
	}
	(void)thread_mqtt_subscribe(client, CONFIG_SAMPLE_TOPIC, 1, NULL);
	(void)thread_mqtt_publish(client, &message, NULL);
	(void)thread_mqtt_start(client);
	return 0;
}
