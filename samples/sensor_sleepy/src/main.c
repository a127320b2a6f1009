/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A battery-powered device: reports a temperature periodically, sleeps in between, and receives the
 * commands that the broker kept for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zephyr/drivers/hwinfo.h>
#include <zephyr/drivers/sensor.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include <thread_mqtt.h>

LOG_MODULE_REGISTER(sensor_sleepy, LOG_LEVEL_INF);

static const unsigned char ca[] = {
#include <ca.pem.inc>
};

/* Topics are <topic>/<device>/report and <topic>/<device>/command; device is also the client identifier. */
static char device_id[24];
static char report_topic[64];
static char command_topic[64];

static atomic_t interval = ATOMIC_INIT(CONFIG_SAMPLE_INTERVAL);
static atomic_t visits = ATOMIC_INIT(!IS_ENABLED(CONFIG_SAMPLE_STAY_CONNECTED));
static K_SEM_DEFINE(changed, 0, 1);

static void take_command(const struct thread_mqtt_message *message)
{
	char text[32];
	size_t length = MIN(message->payload_len, sizeof(text) - 1);
	char *end;
	long seconds;

	memcpy(text, message->payload, length);
	text[length] = '\0';

	if (strncmp(text, "interval ", 9) == 0) {
		seconds = strtol(&text[9], &end, 10);
		if (*end == '\0' && seconds >= 1 && seconds <= 86400) {
			LOG_INF("command: report every %ld s", seconds);
			atomic_set(&interval, seconds);
			k_sem_give(&changed);
			return;
		}
	}
	if (strcmp(text, "visit") == 0 || strcmp(text, "stay") == 0) {
		LOG_INF("command: %s", text);
		atomic_set(&visits, text[0] == 'v');
		k_sem_give(&changed);
		return;
	}
	LOG_WRN("unknown command \"%s\"; known are \"interval SECONDS\" (1 to 86400), \"visit\" "
		"and \"stay\"", text);
}

static void on_event(struct thread_mqtt *client, const struct thread_mqtt_event *event,
		     void *user_data)
{
	ARG_UNUSED(client);
	ARG_UNUSED(user_data);

	switch (event->type) {
	case THREAD_MQTT_EVENT_STAGE:
		LOG_INF("%s: %s", thread_mqtt_stage_to_str(event->stage),
			event->text != NULL ? event->text : "reached");
		break;
	case THREAD_MQTT_EVENT_ONLINE:
		LOG_INF("online with %s session",
			event->session_present ? "the kept" : "a new");
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
		take_command(event->message);
		break;
	case THREAD_MQTT_EVENT_PUBLISHED:
		LOG_INF("report acknowledged");
		break;
	case THREAD_MQTT_EVENT_PUBLISH_FAILED:
		LOG_ERR("report refused: %s",
			event->text != NULL ? event->text : thread_mqtt_error_to_str(event->error));
		break;
	case THREAD_MQTT_EVENT_STOPPED:
		LOG_INF("disconnected until the next report");
		break;
	default:
		break;
	}
}

/* Reads the chip's temperature, if it has a sensor, and the uptime. */
static int read_sensors(char *text, size_t size)
{
	long long uptime = k_uptime_get() / MSEC_PER_SEC;

#if DT_NODE_EXISTS(DT_ALIAS(die_temp0))
	const struct device *sensor = DEVICE_DT_GET(DT_ALIAS(die_temp0));
	struct sensor_value value;

	if (sensor_sample_fetch(sensor) == 0 &&
	    sensor_channel_get(sensor, SENSOR_CHAN_DIE_TEMP, &value) == 0) {
		int64_t milli = sensor_value_to_milli(&value);
		int hundredths = (int)(llabs(milli) / 10);

		return snprintf(text, size, "{\"uptime\":%lld,\"temperature\":%s%d.%02d}", uptime,
				milli < 0 ? "-" : "", hundredths / 100, hundredths % 100);
	}
	LOG_WRN("cannot read %s", sensor->name);
#endif
	return snprintf(text, size, "{\"uptime\":%lld}", uptime);
}

/* On a visit, waits until the broker has acknowledged the report; what the broker kept arrives before that. */
static void report(struct thread_mqtt *client, bool visit)
{
	char text[64];
	struct thread_mqtt_message message = {
		.topic = report_topic,
		.payload = text,
		.payload_len = read_sensors(text, sizeof(text)),
		.qos = 1,
	};
	int err = visit ? thread_mqtt_publish_wait(client, &message, NULL,
						   THREAD_MQTT_WAIT_ACKNOWLEDGED,
						   CONFIG_SAMPLE_VISIT * MSEC_PER_SEC)
			: thread_mqtt_publish(client, &message, NULL);

	if (err != 0) {
		LOG_WRN("report: %s", thread_mqtt_error_to_str(err));
	}
}

/* The broker can keep a session only for a client identifier that does not change. */
static void name_device(void)
{
	uint8_t id[8];
	ssize_t length = hwinfo_get_device_id(id, sizeof(id));
	int n = snprintf(device_id, sizeof(device_id), "sensor-");

	/* Two devices with the same name would take over each other's session. */
	if (length <= 0) {
		LOG_WRN("no device id (CONFIG_HWINFO): the broker sees every such device as \"%s\"",
			device_id);
	}
	for (ssize_t i = 0; i < length; i++) {
		n += snprintf(&device_id[n], sizeof(device_id) - n, "%02x", id[i]);
	}
	snprintf(report_topic, sizeof(report_topic), "%s/%s/report", CONFIG_SAMPLE_TOPIC,
		 device_id);
	snprintf(command_topic, sizeof(command_topic), "%s/%s/command", CONFIG_SAMPLE_TOPIC,
		 device_id);
}

int main(void)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client;
	int err;

	name_device();
	config.ca = ca;
	config.ca_len = sizeof(ca);
	config.callback = on_event;
	config.client_id = device_id;
	config.clean_start = false;
	config.session_expiry_s = CONFIG_SAMPLE_SESSION_EXPIRY;

	err = thread_mqtt_init(&client, &config);
	if (err != 0) {
		LOG_ERR("init: %s", thread_mqtt_error_to_str(err));
		return 0;
	}
	LOG_INF("reports go to %s, commands come from %s", report_topic, command_topic);
	(void)thread_mqtt_subscribe(client, command_topic, 1, NULL);
	(void)thread_mqtt_start(client);

	for (;;) {
		bool visit = atomic_get(&visits);

		report(client, visit);
		if (visit) {
			(void)thread_mqtt_stop(client);
		}
		(void)k_sem_take(&changed, K_SECONDS(atomic_get(&interval)));
		if (visit) {
			(void)thread_mqtt_start(client);
		}
	}
}
