/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* PSA Crypto below rustls: no TLS, no X.509, no legacy interface. PSA_ALL adds what the features
 * aes256, chacha20 and p384 want.
 */
#include "board_mbedtls.h"

#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS /* as Zephyr: nothing changes them meanwhile */
#define MBEDTLS_PSA_CRYPTO_CONFIG
#define MBEDTLS_PSA_CRYPTO_CONFIG_FILE "board_psa_wants.h"
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#ifdef PSA_P256M
#define MBEDTLS_PSA_P256M_DRIVER_ENABLED
#endif
#define MBEDTLS_PSA_KEY_SLOT_COUNT     16
