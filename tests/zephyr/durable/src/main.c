/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A device whose session is kept in flash. It publishes numbered messages as told on the command line and
 * prints each step; tests/zephyr/durable.py then checks whether each survived a power loss.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/stats/stats.h>

#include <cmdline.h>
#include <posix_board_if.h>
#include <soc.h>

#include <thread_mqtt.h>

#if defined(CONFIG_THREAD_MQTT_SESSION_ENCRYPTION)
#include <psa/crypto.h>
#endif

/* Longer than a broker is away. */
#define PATIENCE 120000

static struct {
	char *broker;
	uint32_t version;
	uint32_t first;
	uint32_t count;
	uint32_t qos;
	uint32_t size;
	uint32_t receive;
	bool wait;
	bool other_key;
} options;

static K_SEM_DEFINE(online, 0, 1);
static K_SEM_DEFINE(restored, 0, K_SEM_MAX_LIMIT);
static K_SEM_DEFINE(received, 0, K_SEM_MAX_LIMIT);
static K_SEM_DEFINE(subscribed, 0, 1);
static uint32_t to_restore;

static void add_options(void)
{
	static struct args_struct_t table[] = {
		{.option = "broker", .name = "uri", .type = 's', .dest = &options.broker},
		{.option = "mqtt", .name = "version", .type = 'u', .dest = &options.version},
		{.option = "first", .name = "number", .type = 'u', .dest = &options.first},
		{.option = "count", .name = "messages", .type = 'u', .dest = &options.count},
		{.option = "qos", .name = "qos", .type = 'u', .dest = &options.qos},
		{.option = "size", .name = "bytes", .type = 'u', .dest = &options.size},
		{.option = "receive", .name = "messages", .type = 'u', .dest = &options.receive},
		{.option = "wait", .is_switch = true, .type = 'b', .dest = &options.wait},
		{.option = "other-key", .is_switch = true, .type = 'b', .dest = &options.other_key},
		ARG_TABLE_ENDMARKER,
	};

	native_add_command_line_opts(table);
}

NATIVE_TASK(add_options, PRE_BOOT_1, 20);

static void on_event(struct thread_mqtt *client, const struct thread_mqtt_event *event,
		     void *user_data)
{
	ARG_UNUSED(client);
	ARG_UNUSED(user_data);

	switch (event->type) {
	case THREAD_MQTT_EVENT_MESSAGE:
		printk("received %.*s\n", (int)event->message->payload_len,
		       (const char *)event->message->payload);
		k_sem_give(&received);
		break;
	case THREAD_MQTT_EVENT_PUBLISHED:
		/* A message from before a restart: thread_mqtt.h specifies the tokens. */
		if (event->token >= 0xFFFF8000) {
			k_sem_give(&restored);
		}
		break;
	case THREAD_MQTT_EVENT_ONLINE:
		printk("online, session %spresent\n", event->session_present ? "" : "not ");
		k_sem_give(&online);
		break;
	case THREAD_MQTT_EVENT_RESTORED:
		to_restore = event->number;
		printk("restored %u\n", event->number);
		break;
	case THREAD_MQTT_EVENT_FAILED:
	case THREAD_MQTT_EVENT_CANDIDATE_FAILED:
	case THREAD_MQTT_EVENT_STAGE:
	case THREAD_MQTT_EVENT_STORED:
		break;
	case THREAD_MQTT_EVENT_SUBSCRIBED:
		k_sem_give(&subscribed);
		break;
	default:
		printk("event %s: %u: %s\n", thread_mqtt_event_to_str(event->type), event->number,
		       event->text == NULL ? "" : event->text);
		break;
	}
}

/* Prints the flash simulator's counters since the start. */
static int print_statistic(struct stats_hdr *group, void *argument, const char *name, uint16_t offset)
{
	ARG_UNUSED(argument);

	if (strcmp(name, "bytes_written") == 0 || strcmp(name, "flash_write_calls") == 0 ||
	    strcmp(name, "flash_erase_calls") == 0) {
		printk("%s %u\n", name, *(uint32_t *)((uint8_t *)group + offset));
	}
	return 0;
}

static void print_statistics(void)
{
	(void)stats_walk(stats_group_find("flash_sim_stats"), print_statistic, NULL);
}

static int publish(struct thread_mqtt *client, uint32_t number)
{
	static char payload[1024];
	struct thread_mqtt_message message = {
		.topic = "durable/from/device1",
		.payload = payload,
		.qos = options.qos == UINT32_MAX ? 1 + number % 2 : options.qos,
	};
	int length = snprintf(payload, sizeof(payload), "%u ", number);

	if (options.size != UINT32_MAX && options.size < sizeof(payload)) {
		memset(payload + length, '.', sizeof(payload) - length);
		length = options.size;
	}
	message.payload_len = length;
	return thread_mqtt_publish_wait(client, &message, NULL,
					options.wait ? THREAD_MQTT_WAIT_ACKNOWLEDGED
						     : THREAD_MQTT_WAIT_STORED,
					PATIENCE);
}

static void live(struct thread_mqtt *client)
{
	int error;

	if (options.wait) {
		print_statistics();
	}
	/* Succeeds whatever was restored. */
	error = thread_mqtt_subscribe(client, "durable/to", 2, NULL);
	if (error != 0) {
		printk("event not subscribed: %s\n", thread_mqtt_error_to_str(error));
		return;
	}
	(void)thread_mqtt_start(client);
	if (options.wait) {
		(void)k_sem_take(&online, K_FOREVER);
		(void)k_sem_take(&subscribed, K_FOREVER);
	}
	for (uint32_t i = 0; i < options.count; i++) {
		error = publish(client, options.first + i);
		if (error != 0) {
			printk("not accepted: %d\n", error);
			break;
		}
		printk("accepted %u\n", options.first + i);
	}
	if (options.wait) {
		for (uint32_t i = 0; i < to_restore; i++) {
			(void)k_sem_take(&restored, K_FOREVER);
		}
		for (uint32_t i = 0; options.receive != UINT32_MAX && i < options.receive; i++) {
			(void)k_sem_take(&received, K_FOREVER);
		}
		print_statistics();
		(void)thread_mqtt_stop(client);
	} else {
		k_sleep(K_FOREVER);
	}
}

#if defined(CONFIG_THREAD_MQTT_SESSION_ENCRYPTION)
/* Creates the key of the stored session on the first start; replaces it if another key is asked for. */
static void provision(void)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id = CONFIG_THREAD_MQTT_SESSION_KEY_ID;
	psa_status_t status = psa_crypto_init();

	if (status == PSA_SUCCESS && options.other_key) {
		status = psa_destroy_key(id);
	}
	if (status != PSA_SUCCESS || psa_get_key_attributes(id, &attributes) == PSA_SUCCESS) {
		printk("key kept: %d\n", (int)status);
		return;
	}
	psa_set_key_id(&attributes, id);
	psa_set_key_lifetime(&attributes, PSA_KEY_LIFETIME_PERSISTENT);
	psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
	psa_set_key_bits(&attributes, 128);
	psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_ENCRYPT | PSA_KEY_USAGE_DECRYPT);
	status = psa_generate_key(&attributes, &id);
	printk("key made: %d\n", (int)status);
}
#endif

int main(void)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client = NULL;
	int error;

#if defined(CONFIG_THREAD_MQTT_SESSION_ENCRYPTION)
	provision();
#endif
	config.broker = options.broker;
	config.mqtt_version = options.version;
	config.client_id = "durable-device";
	config.clean_start = false;
	config.session_expiry_s = 3600;
	config.backoff_min_ms = 50;
	config.backoff_max_ms = 200;
	config.callback = on_event;
	error = thread_mqtt_init(&client, &config);
	printk("init: %d, %s\n", error, thread_mqtt_error_to_str(error));
	if (error == 0) {
		live(client);
		printk("deinit: %d\n", thread_mqtt_deinit(client));
	}
	LOG_PANIC();
	posix_exit(0);
	return 0;
}
