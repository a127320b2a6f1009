/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Included before thread_mqtt_psa.c in host builds only: every PSA call of the
 * shim goes through a lock (Mbed TLS is built without MBEDTLS_THREADING_C) and
 * past a hook that can make it fail (the tests' fault injection).
 *
 * A name in parentheses is not expanded again, so (psa_…)(…) is the real call.
 * psa_destroy_key and the aborts cannot be made to fail: they give resources
 * back, and a backend that fails in them is beyond a caller's help.
 */
#ifndef THREAD_MQTT_PSA_HOST_H
#define THREAD_MQTT_PSA_HOST_H

#include <psa/crypto.h>

/** Whether the library says what it was built with, or has to be asked. */
int thread_mqtt_psa_host_states(void);
/** The status to fail with instead of calling, or PSA_SUCCESS. Takes the lock. */
psa_status_t thread_mqtt_psa_host_enter(int can_fail);
/** Releases the lock and passes the status on. */
psa_status_t thread_mqtt_psa_host_leave(psa_status_t status);

#define HOST_CALL(can_fail, call)                                                                  \
	({                                                                                         \
		psa_status_t host_status = thread_mqtt_psa_host_enter(can_fail);                   \
		thread_mqtt_psa_host_leave(host_status != PSA_SUCCESS ? host_status : (call));     \
	})

#define psa_crypto_init()             HOST_CALL(1, (psa_crypto_init)())
#define psa_generate_random(...)      HOST_CALL(1, (psa_generate_random)(__VA_ARGS__))
#define psa_import_key(...)           HOST_CALL(1, (psa_import_key)(__VA_ARGS__))
#define psa_generate_key(...)         HOST_CALL(1, (psa_generate_key)(__VA_ARGS__))
#define psa_destroy_key(...)          HOST_CALL(0, (psa_destroy_key)(__VA_ARGS__))
#define psa_get_key_attributes(...)   HOST_CALL(1, (psa_get_key_attributes)(__VA_ARGS__))
#define psa_export_public_key(...)    HOST_CALL(1, (psa_export_public_key)(__VA_ARGS__))
#define psa_raw_key_agreement(...)    HOST_CALL(1, (psa_raw_key_agreement)(__VA_ARGS__))
#define psa_aead_encrypt(...)         HOST_CALL(1, (psa_aead_encrypt)(__VA_ARGS__))
#define psa_aead_decrypt(...)         HOST_CALL(1, (psa_aead_decrypt)(__VA_ARGS__))
#define psa_hash_setup(...)           HOST_CALL(1, (psa_hash_setup)(__VA_ARGS__))
#define psa_hash_update(...)          HOST_CALL(1, (psa_hash_update)(__VA_ARGS__))
#define psa_hash_clone(...)           HOST_CALL(1, (psa_hash_clone)(__VA_ARGS__))
#define psa_hash_finish(...)          HOST_CALL(1, (psa_hash_finish)(__VA_ARGS__))
#define psa_hash_abort(...)           HOST_CALL(0, (psa_hash_abort)(__VA_ARGS__))
#define psa_mac_sign_setup(...)       HOST_CALL(1, (psa_mac_sign_setup)(__VA_ARGS__))
#define psa_mac_update(...)           HOST_CALL(1, (psa_mac_update)(__VA_ARGS__))
#define psa_mac_sign_finish(...)      HOST_CALL(1, (psa_mac_sign_finish)(__VA_ARGS__))
#define psa_mac_abort(...)            HOST_CALL(0, (psa_mac_abort)(__VA_ARGS__))
#define psa_sign_hash(...)            HOST_CALL(1, (psa_sign_hash)(__VA_ARGS__))
#define psa_verify_hash(...)          HOST_CALL(1, (psa_verify_hash)(__VA_ARGS__))
#define psa_verify_message(...)       HOST_CALL(1, (psa_verify_message)(__VA_ARGS__))

#endif /* THREAD_MQTT_PSA_HOST_H */
