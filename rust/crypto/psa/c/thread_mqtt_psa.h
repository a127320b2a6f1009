/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file
 * What the crate thread-mqtt-psa calls: PSA Crypto behind an ABI of our own.
 *
 * PSA Crypto is the same API everywhere, but not the same ABI: the layout of
 * psa_key_attributes_t and of the operation structures differs between versions
 * and configurations of Mbed TLS, TF-M, Oberon and CryptoCell. Here are only
 * fixed-width integers, pointers and lengths. Every function is one PSA call
 * with the values of the PSA Crypto 1.0 encoding and returns its psa_status_t.
 *
 * Only the subset that Zephyr 3.5 to 4.4 and nRF Connect SDK 2.6 to 3.4 have in
 * common is used. Compile thread_mqtt_psa.c against the psa/crypto.h of the image.
 */
#ifndef THREAD_MQTT_PSA_H
#define THREAD_MQTT_PSA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a key is and what it may do; see psa_key_attributes_t. */
struct thread_mqtt_psa_attributes {
	uint32_t type;      /**< psa_key_type_t */
	uint32_t bits;      /**< Size in bits; 0 on import: as the data says. */
	uint32_t usage;     /**< psa_key_usage_t */
	uint32_t algorithm; /**< psa_algorithm_t, the one the key is permitted for. */
};

/**
 * What the software in this image was built with, as bits of thread_mqtt_psa_built_in(). Without
 * THREAD_MQTT_PSA_STATED nothing is known: a driver or a secure partition answers for at least one
 * of the algorithms that the image wants, and has to be asked.
 */
#define THREAD_MQTT_PSA_STATED            0x00000001u
#define THREAD_MQTT_PSA_SHA_256           0x00000002u
#define THREAD_MQTT_PSA_SHA_384           0x00000004u
#define THREAD_MQTT_PSA_SHA_512           0x00000008u
#define THREAD_MQTT_PSA_HMAC              0x00000010u
#define THREAD_MQTT_PSA_AES_128_GCM       0x00000020u
#define THREAD_MQTT_PSA_AES_256_GCM       0x00000040u
#define THREAD_MQTT_PSA_CHACHA20_POLY1305 0x00000080u
#define THREAD_MQTT_PSA_ECDH              0x00000100u
#define THREAD_MQTT_PSA_ECDSA             0x00000200u
#define THREAD_MQTT_PSA_P_256             0x00000400u
#define THREAD_MQTT_PSA_P_384             0x00000800u
#define THREAD_MQTT_PSA_P_521             0x00001000u
#define THREAD_MQTT_PSA_X25519            0x00002000u
#define THREAD_MQTT_PSA_RSA_PKCS1         0x00004000u
#define THREAD_MQTT_PSA_RSA_PSS           0x00008000u
/** RSA with numbers of that many bits. */
#define THREAD_MQTT_PSA_RSA_3072          0x00010000u
#define THREAD_MQTT_PSA_RSA_4096          0x00020000u

uint32_t thread_mqtt_psa_built_in(void);

/** The library itself, and randomness. */
int32_t thread_mqtt_psa_init(void);
int32_t thread_mqtt_psa_random(uint8_t *out, size_t len);

/** Keys: volatile ones are made and destroyed here, others only used. */
int32_t thread_mqtt_psa_import(const struct thread_mqtt_psa_attributes *attributes,
			       const uint8_t *data, size_t len, uint32_t *key);
int32_t thread_mqtt_psa_generate(const struct thread_mqtt_psa_attributes *attributes,
				 uint32_t *key);
int32_t thread_mqtt_psa_destroy(uint32_t key);
int32_t thread_mqtt_psa_attributes(uint32_t key, struct thread_mqtt_psa_attributes *attributes);
int32_t thread_mqtt_psa_export_public(uint32_t key, uint8_t *out, size_t size, size_t *len);
int32_t thread_mqtt_psa_agree(uint32_t key, const uint8_t *peer, size_t peer_len, uint8_t *out,
			      size_t size, size_t *len);

/**
 * AEAD in place: `buf` of `len` bytes holds the text followed by room for the
 * tag (seal), or the ciphertext followed by its tag (open). `done` is what PSA
 * wrote.
 */
int32_t thread_mqtt_psa_seal(uint32_t key, uint32_t algorithm, const uint8_t *nonce,
			     size_t nonce_len, const uint8_t *aad, size_t aad_len, uint8_t *buf,
			     size_t len, size_t tag_len, size_t *done);
int32_t thread_mqtt_psa_open(uint32_t key, uint32_t algorithm, const uint8_t *nonce,
			     size_t nonce_len, const uint8_t *aad, size_t aad_len, uint8_t *buf,
			     size_t len, size_t *done);

/**
 * Multipart hash. An operation is zeroed memory of thread_mqtt_psa_hash_size()
 * bytes, aligned to 8, which stays where it is until it has been aborted.
 */
size_t thread_mqtt_psa_hash_size(void);
int32_t thread_mqtt_psa_hash_setup(void *operation, uint32_t algorithm);
int32_t thread_mqtt_psa_hash_update(void *operation, const uint8_t *data, size_t len);
int32_t thread_mqtt_psa_hash_clone(const void *from, void *to);
int32_t thread_mqtt_psa_hash_finish(void *operation, uint8_t *out, size_t size, size_t *len);
int32_t thread_mqtt_psa_hash_abort(void *operation);

/** Multipart MAC; memory as for the hash, of thread_mqtt_psa_mac_size() bytes. */
size_t thread_mqtt_psa_mac_size(void);
int32_t thread_mqtt_psa_mac_setup(void *operation, uint32_t key, uint32_t algorithm);
int32_t thread_mqtt_psa_mac_update(void *operation, const uint8_t *data, size_t len);
int32_t thread_mqtt_psa_mac_finish(void *operation, uint8_t *out, size_t size, size_t *len);
int32_t thread_mqtt_psa_mac_abort(void *operation);

/** Signatures; those of ECDSA are r followed by s, each as long as the field. */
int32_t thread_mqtt_psa_sign_hash(uint32_t key, uint32_t algorithm, const uint8_t *hash,
				  size_t hash_len, uint8_t *out, size_t size, size_t *len);
int32_t thread_mqtt_psa_verify_hash(uint32_t key, uint32_t algorithm, const uint8_t *hash,
				    size_t hash_len, const uint8_t *signature,
				    size_t signature_len);
int32_t thread_mqtt_psa_verify_message(uint32_t key, uint32_t algorithm, const uint8_t *message,
				       size_t message_len, const uint8_t *signature,
				       size_t signature_len);

#ifdef __cplusplus
}
#endif

#endif /* THREAD_MQTT_PSA_H */
