/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * publish BROKER [CA.pem]: publishes a counter ten times and prints what it receives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thread_mqtt.h>

#define TOPIC "thread-mqtt/linux"

/* The same callback as on a device. Runs in the client's thread. */
static void on_event(struct thread_mqtt *client, const struct thread_mqtt_event *event,
		     void *user_data)
{
	(void)client;
	(void)user_data;
	printf("%s", thread_mqtt_event_to_str(event->type));
	if (event->message != NULL) {
		printf(": %s: %.*s", event->message->topic, (int)event->message->payload_len,
		       (const char *)event->message->payload);
	} else if (event->text != NULL) {
		printf(": %s", event->text);
	}
	printf("\n");
	if (event->cure != NULL) {
		printf("what to do: %s\n", event->cure);
	}
}

/* Reads a whole file and appends a NUL. */
static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = file == NULL ? NULL : calloc(1, 65536);

	if (text != NULL && fread(text, 1, 65535, file) == 0) {
		free(text);
		text = NULL;
	}
	if (file != NULL) {
		(void)fclose(file);
	}
	return text;
}

int main(int argc, char **argv)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client;
	char *ca = argc > 2 ? read_file(argv[2]) : NULL;
	int result;

	if (argc < 2 || (argc > 2 && ca == NULL)) {
		fprintf(stderr, argc < 2 ? "usage: publish BROKER [CA.pem]\n"
					 : "the CA certificate cannot be read\n");
		return 2;
	}
	config.broker = argv[1];
	config.ca = ca;
	config.ca_len = ca == NULL ? 0 : strlen(ca);
	config.callback = on_event;
	result = thread_mqtt_init(&client, &config);
	free(ca);
	if (result != 0) {
		fprintf(stderr, "%s\n", thread_mqtt_error_to_str(result));
		return 1;
	}
	(void)thread_mqtt_subscribe(client, TOPIC, 1, NULL);
	(void)thread_mqtt_start(client);
	for (int i = 1; i <= 10 && result == 0; i++) {
		char payload[32];
		struct thread_mqtt_message message = {.topic = TOPIC, .payload = payload, .qos = 1};

		message.payload_len = (size_t)snprintf(payload, sizeof(payload), "count %d", i);
		result = thread_mqtt_publish_wait(client, &message, NULL,
						  THREAD_MQTT_WAIT_ACKNOWLEDGED, 30000);
	}
	if (result != 0) {
		fprintf(stderr, "%s\n", thread_mqtt_error_to_str(result));
	}
	(void)thread_mqtt_deinit(client);
	return result == 0 ? 0 : 1;
}
