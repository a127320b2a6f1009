/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A client whose credentials, time servers and storage are given on the command line. It prints what
 * happens and exits when it is online. tests/zephyr/runtime.py runs it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/logging/log_ctrl.h>
#include <zephyr/net/tls_credentials.h>
#include <zephyr/settings/settings.h>
#include <zephyr/sys/byteorder.h>

#include <cmdline.h>
#include <posix_board_if.h>
#include <soc.h>

#include <thread_mqtt.h>

#include <thread_mqtt_port.h>

#if defined(CONFIG_THREAD_MQTT_CRYPTO_PSA)
#include <psa/crypto.h>
#endif

#define TAG CONFIG_THREAD_MQTT_SEC_TAG

static const char ca[] = {
#include <ca.pem.inc>
};
static const char certificate[] = {
#include <client.pem.inc>
};
static const char key[] = {
#include <client.key.inc>
};
static const char other_key[] = {
#include <other.key.inc>
};
static const char broken[] = "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n";

static struct {
	char *broker;
	char *credentials;
	char *time_servers;
	char *key;
	char *handed;
	bool strict;
	uint64_t set_time;
	bool fill;
	bool damage;
	uint32_t stay;
	uint32_t keep;
	uint32_t times;
} options;

static K_SEM_DEFINE(ended, 0, 1);

static void add_options(void)
{
	static struct args_struct_t table[] = {
		{.option = "broker", .name = "uri", .type = 's', .dest = &options.broker},
		{.option = "credentials", .name = "which", .type = 's', .dest = &options.credentials},
		{.option = "time-servers", .name = "list", .type = 's', .dest = &options.time_servers},
		{.option = "key", .name = "which", .type = 's', .dest = &options.key},
		{.option = "handed", .name = "which", .type = 's', .dest = &options.handed},
		{.option = "strict", .is_switch = true, .type = 'b', .dest = &options.strict},
		{.option = "set-time", .name = "seconds", .type = 'U', .dest = &options.set_time},
		{.option = "fill", .is_switch = true, .type = 'b', .dest = &options.fill},
		{.option = "damage", .is_switch = true, .type = 'b', .dest = &options.damage},
		{.option = "stay", .name = "seconds", .type = 'u', .dest = &options.stay},
		{.option = "keep", .name = "day", .type = 'u', .dest = &options.keep},
		{.option = "times", .name = "count", .type = 'u', .dest = &options.times},
		ARG_TABLE_ENDMARKER,
	};

	native_add_command_line_opts(table);
}

NATIVE_TASK(add_options, PRE_BOOT_1, 20);

static void add(enum tls_credential_type type, const void *data, size_t length)
{
	int error = tls_credential_add(TAG, type, data, length);

	if (error != 0) {
		printk("tls_credential_add: %d\n", error);
	}
}

static void add_credentials(const char *which)
{
	if (strcmp(which, "none") == 0) {
		return;
	}
	if (strcmp(which, "broken-ca") == 0) {
		add(TLS_CREDENTIAL_CA_CERTIFICATE, broken, sizeof(broken));
		return;
	}
	add(TLS_CREDENTIAL_CA_CERTIFICATE, ca, sizeof(ca));
	if (strcmp(which, "all") == 0 || strcmp(which, "no-key") == 0) {
		add(TLS_CREDENTIAL_PUBLIC_CERTIFICATE, certificate, sizeof(certificate));
	}
	if (strcmp(which, "all") == 0 || strcmp(which, "no-certificate") == 0) {
		add(TLS_CREDENTIAL_PRIVATE_KEY, key, sizeof(key));
	}
	if (strcmp(which, "other-key") == 0) {
		add(TLS_CREDENTIAL_PUBLIC_CERTIFICATE, certificate, sizeof(certificate));
		add(TLS_CREDENTIAL_PRIVATE_KEY, other_key, sizeof(other_key));
	}
	if (strcmp(which, "broken-key") == 0) {
		add(TLS_CREDENTIAL_PUBLIC_CERTIFICATE, certificate, sizeof(certificate));
		add(TLS_CREDENTIAL_PRIVATE_KEY, broken, sizeof(broken));
	}
}

/* Sets credentials in the configuration, in addition to those kept under the tag. */
static void hand_over(struct thread_mqtt_config *config, const char *which)
{
	if (strcmp(which, "certificate") == 0) {
		config->certificate = certificate;
		config->certificate_len = sizeof(certificate);
	} else if (strcmp(which, "key") == 0) {
		config->private_key = key;
		config->private_key_len = sizeof(key);
	} else {
		config->sec_tag = -1;
	}
}

#if defined(CONFIG_THREAD_MQTT_CRYPTO_PSA)
static const uint8_t private_key[] = {
#include <client.raw.inc>
};
static const uint8_t other_private_key[] = {
#include <other.raw.inc>
};

/* Imports a volatile P-256 key that PSA Crypto does not export. */
static psa_key_id_t import(const uint8_t *scalar, size_t length, psa_key_usage_t usage,
			   psa_algorithm_t algorithm)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id = 0;
	psa_status_t status = psa_crypto_init();

	psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_usage_flags(&attributes, usage);
	psa_set_key_algorithm(&attributes, algorithm);
	if (status == PSA_SUCCESS) {
		status = psa_import_key(&attributes, scalar, length, &id);
	}
	printk("import: %d\n", (int)status);
	return id;
}

static psa_key_id_t key_id(const char *which)
{
	psa_algorithm_t ecdsa = PSA_ALG_ECDSA(PSA_ALG_SHA_256);

	if (strcmp(which, "missing") == 0) {
		return 4711;
	}
	if (strcmp(which, "other") == 0) {
		return import(other_private_key, sizeof(other_private_key), PSA_KEY_USAGE_SIGN_HASH,
			      ecdsa);
	}
	if (strcmp(which, "no-sign") == 0) {
		return import(private_key, sizeof(private_key), PSA_KEY_USAGE_VERIFY_HASH, ecdsa);
	}
	if (strcmp(which, "no-ecdsa") == 0) {
		return import(private_key, sizeof(private_key), PSA_KEY_USAGE_SIGN_HASH, PSA_ALG_ECDH);
	}
	return import(private_key, sizeof(private_key), PSA_KEY_USAGE_SIGN_HASH, ecdsa);
}

static void destroy(uint32_t id)
{
	printk("destroy: %d\n", (int)psa_destroy_key(id));
}
#else
/* Without PSA Crypto the key does not exist. */
static uint32_t key_id(const char *which)
{
	ARG_UNUSED(which);
	return 1;
}

static void destroy(uint32_t id)
{
	ARG_UNUSED(id);
}
#endif

/* Fills the storage as if other parts of a product had used it up. */
static void fill_storage(void)
{
	static uint8_t data[512];
	int error = settings_subsys_init();

	for (int i = 0; error == 0; i++) {
		char name[24];

		/* Down to the last bytes. */
		for (size_t size = sizeof(data); size > 0; size /= 2) {
			snprintf(name, sizeof(name), "product/%d", i);
			error = settings_save_one(name, data, size);
			if (error != -ENOSPC) {
				break;
			}
		}
	}
	printk("storage filled: %d\n", error);
}

/* Stores times a day apart, one after the other, as the client does: the layout of KeptFloor. */
static void keep(uint32_t day, uint32_t times)
{
	for (uint32_t i = 0; i < times; i++) {
		uint64_t floor = CONFIG_SAMPLE_EPOCH + 86400ULL * (day + i);
		uint8_t bytes[17] = {1};
		int32_t code;

		sys_put_le64(floor, &bytes[1]);
		sys_put_le64(~floor, &bytes[9]);
		code = tmq_port_store_write("time", bytes, sizeof(bytes));
		printk("kept %u: %d\n", day + i, (int)code);
	}
}

static void on_event(struct thread_mqtt *client, const struct thread_mqtt_event *event,
		     void *user_data)
{
	ARG_UNUSED(user_data);

	printk("event %s: %s: %s\n", thread_mqtt_event_to_str(event->type),
	       thread_mqtt_stage_to_str(event->stage), event->text == NULL ? "" : event->text);
	if (event->cure != NULL) {
		printk("cure: %s\n", event->cure);
	}
	if (event->type == THREAD_MQTT_EVENT_ONLINE) {
		printk("time %lld\n", (long long)thread_mqtt_time(client));
	}
	if (event->type == THREAD_MQTT_EVENT_ONLINE || event->type == THREAD_MQTT_EVENT_FAILED) {
		k_sem_give(&ended);
	}
}

int main(void)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client = NULL;
	int error;

	add_credentials(options.credentials == NULL ? "ca" : options.credentials);
	/* native_sim's value for a number that was not given. */
	if (options.keep != UINT32_MAX) {
		keep(options.keep, options.times);
		posix_exit(0);
	}
	if (options.fill) {
		fill_storage();
	}
	if (options.damage) {
		(void)settings_subsys_init();
		printk("damage: %d\n", settings_save_one("thread_mqtt/time", "damaged", 7));
	}

	config.broker = options.broker;
	config.time_servers = options.time_servers;
	config.time_strict = options.strict;
	config.time_deadline_s = 8;
	config.callback = on_event;
	if (options.key != NULL) {
		config.private_key_id = key_id(options.key);
	}
	if (options.handed != NULL) {
		hand_over(&config, options.handed);
	}
	if (options.set_time != UINT64_MAX) {
		printk("set_time: %d\n", thread_mqtt_set_time((int64_t)options.set_time));
	}

	error = thread_mqtt_init(&client, &config);
	printk("init: %d, %s\n", error, thread_mqtt_error_to_str(error));
	if (options.key != NULL && strcmp(options.key, "destroyed") == 0) {
		/* After the client's thread has read it. */
		k_sleep(K_SECONDS(1));
		destroy(config.private_key_id);
	}
	if (error == 0) {
		(void)thread_mqtt_start(client);
		(void)k_sem_take(&ended, K_FOREVER);
		if (options.stay != UINT32_MAX) {
			k_sleep(K_SECONDS(options.stay));
		}
		printk("deinit: %d\n", thread_mqtt_deinit(client));
	}
	LOG_PANIC();
	posix_exit(0);
	return 0;
}
