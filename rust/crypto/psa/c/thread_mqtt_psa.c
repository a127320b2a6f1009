/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "thread_mqtt_psa.h"

#include <psa/crypto.h>

/*
 * The Rust side passes the values of the PSA Crypto encoding. They are fixed by
 * the specification; here the compiler checks that the header agrees.
 */
#define SAME(name, value) _Static_assert((name) == (value), #name " is not " #value)

SAME(PSA_SUCCESS, 0);
SAME(PSA_ERROR_NOT_SUPPORTED, -134);
SAME(PSA_ERROR_INVALID_SIGNATURE, -149);
SAME(PSA_KEY_USAGE_ENCRYPT, 0x100);
SAME(PSA_KEY_USAGE_DECRYPT, 0x200);
SAME(PSA_KEY_USAGE_SIGN_MESSAGE, 0x400);
SAME(PSA_KEY_USAGE_VERIFY_MESSAGE, 0x800);
SAME(PSA_KEY_USAGE_SIGN_HASH, 0x1000);
SAME(PSA_KEY_USAGE_VERIFY_HASH, 0x2000);
SAME(PSA_KEY_USAGE_DERIVE, 0x4000);
SAME(PSA_KEY_TYPE_HMAC, 0x1100);
SAME(PSA_KEY_TYPE_AES, 0x2400);
SAME(PSA_KEY_TYPE_CHACHA20, 0x2004);
SAME(PSA_KEY_TYPE_RSA_PUBLIC_KEY, 0x4001);
SAME(PSA_KEY_TYPE_RSA_KEY_PAIR, 0x7001);
SAME(PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1), 0x4112);
SAME(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), 0x7112);
SAME(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY), 0x7141);
SAME(PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_TWISTED_EDWARDS), 0x4142);
SAME(PSA_ALG_SHA_256, 0x02000009);
SAME(PSA_ALG_SHA_384, 0x0200000a);
SAME(PSA_ALG_SHA_512, 0x0200000b);
SAME(PSA_ALG_ANY_HASH, 0x020000ff);
SAME(PSA_ALG_HMAC(PSA_ALG_SHA_256), 0x03800009);
SAME(PSA_ALG_GCM, 0x05500200);
SAME(PSA_ALG_CHACHA20_POLY1305, 0x05100500);
SAME(PSA_ALG_RSA_PKCS1V15_SIGN(PSA_ALG_SHA_256), 0x06000209);
SAME(PSA_ALG_RSA_PSS(PSA_ALG_SHA_256), 0x06000309);
SAME(PSA_ALG_ECDSA(PSA_ALG_SHA_256), 0x06000609);
SAME(PSA_ALG_DETERMINISTIC_ECDSA(PSA_ALG_SHA_256), 0x06000709);
SAME(PSA_ALG_PURE_EDDSA, 0x06000800);
SAME(PSA_ALG_ECDH, 0x09020000);

/* The structure that crosses; the Rust side asserts the same numbers. */
#define AT(field, offset)                                                                          \
	_Static_assert(offsetof(struct thread_mqtt_psa_attributes, field) == (offset) &&           \
			       sizeof(((struct thread_mqtt_psa_attributes *)0)->field) == 4,       \
		       "ABI: thread_mqtt_psa_attributes." #field)

AT(type, 0);
AT(bits, 4);
AT(usage, 8);
AT(algorithm, 12);
_Static_assert(sizeof(struct thread_mqtt_psa_attributes) == 16, "ABI: thread_mqtt_psa_attributes");
_Static_assert(sizeof(size_t) == sizeof(void *), "ABI: Rust's usize is size_t");

_Static_assert(sizeof(psa_key_id_t) == sizeof(uint32_t), "a key id is 32 bits wide");
_Static_assert(_Alignof(psa_hash_operation_t) <= 8 && _Alignof(psa_mac_operation_t) <= 8,
	       "operations are aligned to 8 bytes at most");

/*
 * Mbed TLS and TF-PSA-Crypto define MBEDTLS_PSA_BUILTIN_x for each PSA_WANT_x that their own software
 * does. One that is wanted and not built in is a driver's. p256-m is a driver by its form, and
 * software by its nature.
 */
#if !defined(MBEDTLS_PSA_CRYPTO_C)
#define BY_DRIVER 1 /* the secure side, or an implementation of another kind */
#elif (defined(PSA_WANT_ALG_SHA_256) && !defined(MBEDTLS_PSA_BUILTIN_ALG_SHA_256)) ||              \
	(defined(PSA_WANT_ALG_SHA_384) && !defined(MBEDTLS_PSA_BUILTIN_ALG_SHA_384)) ||            \
	(defined(PSA_WANT_ALG_SHA_512) && !defined(MBEDTLS_PSA_BUILTIN_ALG_SHA_512)) ||            \
	(defined(PSA_WANT_ALG_HMAC) && !defined(MBEDTLS_PSA_BUILTIN_ALG_HMAC)) ||                  \
	(defined(PSA_WANT_KEY_TYPE_AES) && !defined(MBEDTLS_PSA_BUILTIN_KEY_TYPE_AES)) ||          \
	(defined(PSA_WANT_ALG_GCM) && !defined(MBEDTLS_PSA_BUILTIN_ALG_GCM)) ||                    \
	(defined(PSA_WANT_ALG_CHACHA20_POLY1305) &&                                                \
	 !defined(MBEDTLS_PSA_BUILTIN_ALG_CHACHA20_POLY1305)) ||                                   \
	(defined(PSA_WANT_ECC_SECP_R1_384) && !defined(MBEDTLS_PSA_BUILTIN_ECC_SECP_R1_384)) ||    \
	(defined(PSA_WANT_ECC_SECP_R1_521) && !defined(MBEDTLS_PSA_BUILTIN_ECC_SECP_R1_521)) ||    \
	(defined(PSA_WANT_ECC_MONTGOMERY_255) &&                                                   \
	 !defined(MBEDTLS_PSA_BUILTIN_ECC_MONTGOMERY_255)) ||                                      \
	(defined(PSA_WANT_ALG_RSA_PKCS1V15_SIGN) &&                                                \
	 !defined(MBEDTLS_PSA_BUILTIN_ALG_RSA_PKCS1V15_SIGN)) ||                                   \
	(defined(PSA_WANT_ALG_RSA_PSS) && !defined(MBEDTLS_PSA_BUILTIN_ALG_RSA_PSS))
#define BY_DRIVER 1
#elif !defined(MBEDTLS_PSA_P256M_DRIVER_ENABLED) &&                                                \
	((defined(PSA_WANT_ALG_ECDH) && !defined(MBEDTLS_PSA_BUILTIN_ALG_ECDH)) ||                 \
	 (defined(PSA_WANT_ALG_ECDSA) && !defined(MBEDTLS_PSA_BUILTIN_ALG_ECDSA)) ||               \
	 (defined(PSA_WANT_ECC_SECP_R1_256) && !defined(MBEDTLS_PSA_BUILTIN_ECC_SECP_R1_256)))
#define BY_DRIVER 1
#endif

#if defined(THREAD_MQTT_PSA_NO_PROBE) && defined(BY_DRIVER)
#error "This image's PSA Crypto has drivers or a secure side, whose algorithms must be queried: " \
	"set CONFIG_THREAD_MQTT_PSA_PROBE=y"
#endif

/* RSA's numbers must fit: a configuration for OpenThread may have shorter ones. */
#if !defined(MBEDTLS_MPI_MAX_SIZE) || MBEDTLS_MPI_MAX_SIZE >= 512
#define NUMBERS 4096
#else
#define NUMBERS (MBEDTLS_MPI_MAX_SIZE * 8)
#endif

uint32_t thread_mqtt_psa_built_in(void)
{
#ifdef BY_DRIVER
	return 0;
#else
	uint32_t have = THREAD_MQTT_PSA_STATED;

#ifdef THREAD_MQTT_PSA_HOST_H
	if (!thread_mqtt_psa_host_states()) {
		return 0;
	}
#endif
#ifdef PSA_WANT_ALG_SHA_256
	have |= THREAD_MQTT_PSA_SHA_256;
#endif
#ifdef PSA_WANT_ALG_SHA_384
	have |= THREAD_MQTT_PSA_SHA_384;
#endif
#ifdef PSA_WANT_ALG_SHA_512
	have |= THREAD_MQTT_PSA_SHA_512;
#endif
#ifdef PSA_WANT_ALG_HMAC
	have |= THREAD_MQTT_PSA_HMAC;
#endif
#if defined(PSA_WANT_ALG_GCM) && defined(PSA_WANT_KEY_TYPE_AES)
	have |= THREAD_MQTT_PSA_AES_128_GCM;
#ifndef MBEDTLS_AES_ONLY_128_BIT_KEY_LENGTH
	have |= THREAD_MQTT_PSA_AES_256_GCM;
#endif
#endif
#if defined(PSA_WANT_ALG_CHACHA20_POLY1305) && defined(PSA_WANT_KEY_TYPE_CHACHA20)
	have |= THREAD_MQTT_PSA_CHACHA20_POLY1305;
#endif
#ifdef PSA_WANT_ALG_ECDH
	have |= THREAD_MQTT_PSA_ECDH;
#endif
#ifdef PSA_WANT_ALG_ECDSA
	have |= THREAD_MQTT_PSA_ECDSA;
#endif
#if defined(PSA_WANT_ECC_SECP_R1_256) && NUMBERS >= 256
	have |= THREAD_MQTT_PSA_P_256;
#endif
#if defined(PSA_WANT_ECC_SECP_R1_384) && NUMBERS >= 384
	have |= THREAD_MQTT_PSA_P_384;
#endif
#if defined(PSA_WANT_ECC_SECP_R1_521) && NUMBERS >= 521
	have |= THREAD_MQTT_PSA_P_521;
#endif
#ifdef PSA_WANT_ECC_MONTGOMERY_255
	have |= THREAD_MQTT_PSA_X25519;
#endif
#if defined(PSA_WANT_KEY_TYPE_RSA_PUBLIC_KEY) && NUMBERS >= 2048
#ifdef PSA_WANT_ALG_RSA_PKCS1V15_SIGN
	have |= THREAD_MQTT_PSA_RSA_PKCS1;
#endif
#ifdef PSA_WANT_ALG_RSA_PSS
	have |= THREAD_MQTT_PSA_RSA_PSS;
#endif
#if NUMBERS >= 3072
	have |= THREAD_MQTT_PSA_RSA_3072;
#endif
#if NUMBERS >= 4096
	have |= THREAD_MQTT_PSA_RSA_4096;
#endif
#endif
	return have;
#endif
}
#ifdef MBEDTLS_PSA_CRYPTO_KEY_ID_ENCODES_OWNER
#error "Key ids with an owner belong inside a secure partition, not in an application"
#endif

static psa_key_attributes_t to_psa(const struct thread_mqtt_psa_attributes *from)
{
	psa_key_attributes_t to = PSA_KEY_ATTRIBUTES_INIT;

	psa_set_key_type(&to, (psa_key_type_t)from->type);
	psa_set_key_bits(&to, from->bits);
	psa_set_key_usage_flags(&to, from->usage);
	psa_set_key_algorithm(&to, from->algorithm);
	return to;
}

int32_t thread_mqtt_psa_init(void)
{
	return psa_crypto_init();
}

int32_t thread_mqtt_psa_random(uint8_t *out, size_t len)
{
	return psa_generate_random(out, len);
}

int32_t thread_mqtt_psa_import(const struct thread_mqtt_psa_attributes *attributes,
			       const uint8_t *data, size_t len, uint32_t *key)
{
	psa_key_attributes_t psa = to_psa(attributes);
	psa_key_id_t id = 0;
	psa_status_t status = psa_import_key(&psa, data, len, &id);

	*key = id;
	return status;
}

int32_t thread_mqtt_psa_generate(const struct thread_mqtt_psa_attributes *attributes,
				 uint32_t *key)
{
	psa_key_attributes_t psa = to_psa(attributes);
	psa_key_id_t id = 0;
	psa_status_t status = psa_generate_key(&psa, &id);

	*key = id;
	return status;
}

int32_t thread_mqtt_psa_destroy(uint32_t key)
{
	return psa_destroy_key(key);
}

int32_t thread_mqtt_psa_attributes(uint32_t key, struct thread_mqtt_psa_attributes *attributes)
{
	psa_key_attributes_t psa = PSA_KEY_ATTRIBUTES_INIT;
	psa_status_t status = psa_get_key_attributes(key, &psa);

	attributes->type = psa_get_key_type(&psa);
	attributes->bits = (uint32_t)psa_get_key_bits(&psa);
	attributes->usage = psa_get_key_usage_flags(&psa);
	attributes->algorithm = psa_get_key_algorithm(&psa);
	psa_reset_key_attributes(&psa);
	return status;
}

int32_t thread_mqtt_psa_export_public(uint32_t key, uint8_t *out, size_t size, size_t *len)
{
	return psa_export_public_key(key, out, size, len);
}

int32_t thread_mqtt_psa_agree(uint32_t key, const uint8_t *peer, size_t peer_len, uint8_t *out,
			      size_t size, size_t *len)
{
	return psa_raw_key_agreement(PSA_ALG_ECDH, key, peer, peer_len, out, size, len);
}

/*
 * Input and output of an AEAD are the same buffer. PSA leaves overlap to the
 * implementation; the record layer of Mbed TLS itself does exactly this over
 * PSA, so every backend for it copes, and the self test would find one that
 * does not.
 */
int32_t thread_mqtt_psa_seal(uint32_t key, uint32_t algorithm, const uint8_t *nonce,
			     size_t nonce_len, const uint8_t *aad, size_t aad_len, uint8_t *buf,
			     size_t len, size_t tag_len, size_t *done)
{
	if (len < tag_len) {
		return PSA_ERROR_BUFFER_TOO_SMALL;
	}
	return psa_aead_encrypt(key, algorithm, nonce, nonce_len, aad, aad_len, buf, len - tag_len,
				buf, len, done);
}

int32_t thread_mqtt_psa_open(uint32_t key, uint32_t algorithm, const uint8_t *nonce,
			     size_t nonce_len, const uint8_t *aad, size_t aad_len, uint8_t *buf,
			     size_t len, size_t *done)
{
	return psa_aead_decrypt(key, algorithm, nonce, nonce_len, aad, aad_len, buf, len, buf, len,
				done);
}

size_t thread_mqtt_psa_hash_size(void)
{
	return sizeof(psa_hash_operation_t);
}

int32_t thread_mqtt_psa_hash_setup(void *operation, uint32_t algorithm)
{
	*(psa_hash_operation_t *)operation = psa_hash_operation_init();
	return psa_hash_setup(operation, algorithm);
}

int32_t thread_mqtt_psa_hash_update(void *operation, const uint8_t *data, size_t len)
{
	return psa_hash_update(operation, data, len);
}

int32_t thread_mqtt_psa_hash_clone(const void *from, void *to)
{
	*(psa_hash_operation_t *)to = psa_hash_operation_init();
	return psa_hash_clone(from, to);
}

int32_t thread_mqtt_psa_hash_finish(void *operation, uint8_t *out, size_t size, size_t *len)
{
	return psa_hash_finish(operation, out, size, len);
}

int32_t thread_mqtt_psa_hash_abort(void *operation)
{
	return psa_hash_abort(operation);
}

size_t thread_mqtt_psa_mac_size(void)
{
	return sizeof(psa_mac_operation_t);
}

int32_t thread_mqtt_psa_mac_setup(void *operation, uint32_t key, uint32_t algorithm)
{
	*(psa_mac_operation_t *)operation = psa_mac_operation_init();
	return psa_mac_sign_setup(operation, key, algorithm);
}

int32_t thread_mqtt_psa_mac_update(void *operation, const uint8_t *data, size_t len)
{
	return psa_mac_update(operation, data, len);
}

int32_t thread_mqtt_psa_mac_finish(void *operation, uint8_t *out, size_t size, size_t *len)
{
	return psa_mac_sign_finish(operation, out, size, len);
}

int32_t thread_mqtt_psa_mac_abort(void *operation)
{
	return psa_mac_abort(operation);
}

int32_t thread_mqtt_psa_sign_hash(uint32_t key, uint32_t algorithm, const uint8_t *hash,
				  size_t hash_len, uint8_t *out, size_t size, size_t *len)
{
	return psa_sign_hash(key, algorithm, hash, hash_len, out, size, len);
}

int32_t thread_mqtt_psa_verify_hash(uint32_t key, uint32_t algorithm, const uint8_t *hash,
				    size_t hash_len, const uint8_t *signature,
				    size_t signature_len)
{
	return psa_verify_hash(key, algorithm, hash, hash_len, signature, signature_len);
}

int32_t thread_mqtt_psa_verify_message(uint32_t key, uint32_t algorithm, const uint8_t *message,
				       size_t message_len, const uint8_t *signature,
				       size_t signature_len)
{
	return psa_verify_message(key, algorithm, message, message_len, signature, signature_len);
}
