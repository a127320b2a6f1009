/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Connects, publishes a message of 20 bytes at each QoS and disconnects, twice, so that the second connection
 * resumes the TLS session. Prints a mark where something begins or ends, with time in between for late frames.
 * Client, topic and payload are those of docs/measurements.md.
 */
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include <thread_mqtt.h>

#define QUIET K_SECONDS(2)

static const unsigned char ca[] = {
#include <ca.pem.inc>
};

static K_SEM_DEFINE(online, 0, 1);
static K_SEM_DEFINE(published, 0, 1);
static K_SEM_DEFINE(stopped, 0, 1);

static void on_event(struct thread_mqtt *client, const struct thread_mqtt_event *event,
		     void *user_data)
{
	ARG_UNUSED(client);
	ARG_UNUSED(user_data);

	switch (event->type) {
	case THREAD_MQTT_EVENT_STAGE:
		printk("mark: %s\n", thread_mqtt_stage_to_str(event->stage));
		printk("text: %s\n", event->text);
		break;
	case THREAD_MQTT_EVENT_ONLINE:
		printk("mark: online\n");
		k_sem_give(&online);
		break;
	case THREAD_MQTT_EVENT_FAILED:
		printk("failed: %s\n", event->text);
		break;
	case THREAD_MQTT_EVENT_PUBLISHED:
		printk("mark: acknowledged\n");
		k_sem_give(&published);
		break;
	case THREAD_MQTT_EVENT_STOPPED:
		k_sem_give(&stopped);
		break;
	default:
		break;
	}
}

int main(void)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client;

	config.ca = ca;
	config.ca_len = sizeof(ca);
	config.callback = on_event;
	config.client_id = "sensor-1";
	if (thread_mqtt_init(&client, &config) != 0) {
		printk("failed: init\n");
		return 0;
	}

	for (int round = 0; round < 2; round++) {
		printk("mark: start\n");
		(void)thread_mqtt_start(client);
		(void)k_sem_take(&online, K_FOREVER);
		k_sleep(QUIET);
		for (int qos = 0; qos <= 2; qos++) {
			struct thread_mqtt_message message = {
				.topic = "home/kitchen/temperature",
				.payload = "{\"temperature\":21.5}",
				.payload_len = 20,
				.qos = qos,
			};

			printk("mark: QoS %d\n", qos);
			(void)thread_mqtt_publish(client, &message, NULL);
			(void)k_sem_take(&published, K_FOREVER);
			k_sleep(QUIET);
		}
		printk("mark: disconnect\n");
		(void)thread_mqtt_stop(client);
		(void)k_sem_take(&stopped, K_FOREVER);
		k_sleep(QUIET);
	}
	printk("mark: end\n");
	return 0;
}
