/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Publishes a counter and prints what it receives on the same topic.
 */
#include <stdio.h>
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include <thread_mqtt.h>

LOG_MODULE_REGISTER(publish, LOG_LEVEL_INF);

static const unsigned char ca[] = {
#include <ca.pem.inc>
};

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

	switch (event->type) {
	case THREAD_MQTT_EVENT_STAGE:
	case THREAD_MQTT_EVENT_ONLINE:
		LOG_INF("%s: %s", thread_mqtt_stage_to_str(event->stage),
			event->text != NULL ? event->text : "reached");
		break;
	case THREAD_MQTT_EVENT_FAILED:
		/* Without CONFIG_THREAD_MQTT_SENTENCES there is no text, so print that of the number. */
		LOG_ERR("%s: %s", thread_mqtt_stage_to_str(event->stage),
			event->text != NULL ? event->text : thread_mqtt_error_to_str(event->error));
		if (event->cure != NULL) {
			LOG_ERR("cure: %s", event->cure);
		}
		break;
	case THREAD_MQTT_EVENT_MESSAGE:
		log_message(event->message);
		break;
	case THREAD_MQTT_EVENT_PUBLISHED:
		LOG_INF("acknowledged %u", event->token);
		break;
	default:
		LOG_INF("%s", thread_mqtt_event_to_str(event->type));
		break;
	}
}

int main(void)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client;
	int err;

	config.ca = ca;
	config.ca_len = sizeof(ca);
	config.callback = on_event;

	err = thread_mqtt_init(&client, &config);
	if (err != 0) {
		LOG_ERR("init: %s", thread_mqtt_error_to_str(err));
		return 0;
	}
	(void)thread_mqtt_subscribe(client, CONFIG_SAMPLE_TOPIC, 1, NULL);
	(void)thread_mqtt_start(client);

	for (unsigned int count = 1;; count++) {
		char text[24];
		struct thread_mqtt_message message = {
			.topic = CONFIG_SAMPLE_TOPIC,
			.payload = text,
			.payload_len = snprintf(text, sizeof(text), "count %u", count),
			.qos = 1,
		};

		err = thread_mqtt_publish(client, &message, NULL);
		if (err != 0) {
			LOG_WRN("publish: %s", thread_mqtt_error_to_str(err));
		}
		k_sleep(K_SECONDS(CONFIG_SAMPLE_INTERVAL));
	}
}
