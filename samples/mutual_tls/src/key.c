/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A private key that is generated in PSA Crypto and never leaves it: it may sign but not be exported.
 */
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/sys/util.h>

#include <psa/crypto.h>

#include "key.h"

LOG_MODULE_REGISTER(key, LOG_LEVEL_INF);

#define KEY_BITS 256

/* SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480 section 2). */
static const uint8_t spki_prefix[] = {
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
	0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};

static psa_status_t generate(void)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id;

	psa_set_key_id(&attributes, CONFIG_SAMPLE_KEY_ID);
	psa_set_key_lifetime(&attributes, PSA_KEY_LIFETIME_PERSISTENT);
	psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_bits(&attributes, KEY_BITS);
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_HASH);
	psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
	return psa_generate_key(&attributes, &id);
}

int key_open(void)
{
	uint8_t point[PSA_EXPORT_PUBLIC_KEY_MAX_SIZE];
	char hex[2 * (sizeof(spki_prefix) + sizeof(point)) + 1];
	size_t length = 0;
	psa_status_t status = psa_crypto_init();

	if (status == PSA_SUCCESS) {
		status = psa_export_public_key(CONFIG_SAMPLE_KEY_ID, point, sizeof(point), &length);
	}
	if (status == PSA_ERROR_INVALID_HANDLE || status == PSA_ERROR_DOES_NOT_EXIST) {
		LOG_INF("making key %#x", CONFIG_SAMPLE_KEY_ID);
		status = generate();
		if (status == PSA_SUCCESS) {
			status = psa_export_public_key(CONFIG_SAMPLE_KEY_ID, point, sizeof(point),
						       &length);
		}
	}
	if (status != PSA_SUCCESS) {
		LOG_ERR("key %#x: PSA status %d", CONFIG_SAMPLE_KEY_ID, (int)status);
		return (int)status;
	}
	(void)bin2hex(spki_prefix, sizeof(spki_prefix), hex, sizeof(hex));
	(void)bin2hex(point, length, hex + 2 * sizeof(spki_prefix),
		      sizeof(hex) - 2 * sizeof(spki_prefix));
	LOG_INF("public key: %s", hex);
	return 0;
}
