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

/* What ciphers want: GHASH's key. */
#define ALIGNMENT 16

/* The heap that counts in the place of the C library's, which would lie where it does. */
void *malloc(size_t size)
{
	return board_allocate(size, ALIGNMENT);
}

void free(void *block)
{
	board_free(block, ALIGNMENT);
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
	if (alignment > ALIGNMENT) {
		board_say("error: more than 16 bytes of alignment", 38);
		exit(1);
	}
	return malloc(size);
}

static uint8_t last_event;
/* Messages that were restored last. */
static uint32_t restored;

static void callback(struct thread_mqtt *client, const struct thread_mqtt_event *event, void *user_data)
{
	(void)client;
	(void)user_data;
	last_event = event->type;
	if (event->type == THREAD_MQTT_EVENT_RESTORED) {
		restored = event->number;
	}
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

/* One whose session was stored, with as many messages of 100 bytes as the outbox has room for. */
static void measure_stored(const char *name, const char *session, const void *key, size_t key_len)
{
	static const char payload[100];
	struct thread_mqtt_message message = {
		.topic = "topic/of/20/chars/it", .payload = payload, .payload_len = sizeof(payload), .qos = 2};
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	struct thread_mqtt *client = NULL;

	config.callback = callback;
	config.client_id = "stored";
	config.clean_start = false;
	config.session_expiry_s = 600;
	config.session_name = session;
	config.session_key = key;
	config.session_key_len = key_len;
	expect(thread_mqtt_init(&client, &config) == 0, name);
	for (int i = 0; i < CONFIG_THREAD_MQTT_OUTBOX_MESSAGES; i++) {
		expect(thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_STORED, -1) == 0, name);
	}
	expect(thread_mqtt_deinit(client) == 0, name);
	measure(name, &config);
	expect(restored == CONFIG_THREAD_MQTT_OUTBOX_MESSAGES, name);
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
	static const unsigned char key[16] = {1, 2, 3};

	plain.callback = callback;
	measure("without TLS", &plain);
	measure_stored("8 messages stored", "plain", NULL, 0);
	measure_stored("8 messages stored, encrypted", "sealed", key, sizeof(key));
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
