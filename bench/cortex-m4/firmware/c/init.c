/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What thread_mqtt_init() takes, and what it leaves to its client's thread: a phase for each, with credentials that
 * ../../init.py brings. The port is that of tests/cortex-m4.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#ifdef INIT_PSA
#include <psa/crypto.h>
#endif
#include <thread_mqtt.h>

#include "board.h"
#include "cooperative.h"
#include "init_credentials.h"
#include "script.h"

/* The heap that counts in the place of the C library's, which would lie where it does. */
void *malloc(size_t size)
{
	return board_allocate(size, sizeof(uint64_t));
}

void free(void *block)
{
	board_free(block, sizeof(uint64_t));
}

void *realloc(void *block, size_t size)
{
	void *larger = malloc(size);

	if (larger != NULL && block != NULL) {
		size_t before = (size_t)((const uint64_t *)block)[-1];

		memcpy(larger, block, before < size ? before : size);
		free(block);
	}
	return larger;
}

void *memalign(size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	board_say("error: more than 8 bytes of alignment", 37);
	exit(1);
}

static uint8_t last_event;

static void callback(struct thread_mqtt *client, const struct thread_mqtt_event *event, void *user_data)
{
	(void)client;
	(void)user_data;
	last_event = event->type;
}

static void expect(bool condition, const char *what)
{
	if (!condition) {
		board_say("error:", 6);
		board_say(what, strlen(what));
		exit(1);
	}
}

/* One client: made, and run until it waits for nothing but its start. */
static void measure(const char *name, const struct thread_mqtt_config *config)
{
	struct thread_mqtt *client = NULL;

	board_phase("between");
	expect(thread_mqtt_init(&client, config) == 0, name);
	board_phase(name);
	client_resume();
	board_phase("thread");
	/* What it was given was good: it has nothing to tell of it. */
	last_event = 0;
	expect(thread_mqtt_start(client) == 0, name);
	client_resume();
	expect(last_event != THREAD_MQTT_EVENT_FAILED, name);
	expect(thread_mqtt_deinit(client) == 0, name);
}

/* One with TLS; without what is NULL or 0. */
static void measure_tls(const char *name, const char *ca, const char *certificate, const char *key, uint32_t key_id)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();

	config.callback = callback;
	config.broker = "mqtts://broker.example.com";
	config.ca = ca;
	config.ca_len = strlen(ca);
	config.certificate = certificate;
	config.certificate_len = certificate == NULL ? 0 : strlen(certificate);
	config.private_key = key;
	config.private_key_len = key == NULL ? 0 : strlen(key);
	config.private_key_id = key_id;
	measure(name, &config);
}

#ifdef INIT_PSA
static uint32_t key_in_psa(void)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id = 0;

	expect(psa_crypto_init() == PSA_SUCCESS, "psa_crypto_init()");
	psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH);
	psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
	expect(psa_import_key(&attributes, key_number, sizeof(key_number), &id) == PSA_SUCCESS, "psa_import_key()");
	return id;
}
#endif

int board_client(void)
{
	struct thread_mqtt_config plain = THREAD_MQTT_CONFIG_DEFAULT();

	plain.callback = callback;
	measure("without TLS", &plain);
	measure_tls("CA of RSA-2048", ca_rsa, NULL, NULL, 0);
	measure_tls("CA, client certificate, P-256 key", ca_rsa, certificate_p256, key_p256, 0);
	measure_tls("CA, client certificate, P-256 key without its public half", ca_rsa, certificate_p256,
		    key_p256_alone, 0);
	measure_tls("ten CAs of RSA-2048", ca_bundle, NULL, NULL, 0);
#ifdef INIT_PSA
	measure_tls("CA, client certificate, P-256 key in PSA Crypto", ca_rsa, certificate_p256, NULL, key_in_psa());
#endif
	return 0;
}
