/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define PSA_WANT_ALG_ECDH                           1
#define PSA_WANT_ALG_ECDSA                          1
#define PSA_WANT_ALG_GCM                            1
#define PSA_WANT_ALG_HMAC                           1
#define PSA_WANT_ALG_SHA_256                        1
#define PSA_WANT_ECC_SECP_R1_256                    1
#define PSA_WANT_KEY_TYPE_AES                       1
#define PSA_WANT_KEY_TYPE_ECC_KEY_PAIR_BASIC        1
#define PSA_WANT_KEY_TYPE_ECC_KEY_PAIR_EXPORT       1
#define PSA_WANT_KEY_TYPE_ECC_KEY_PAIR_GENERATE     1
#define PSA_WANT_KEY_TYPE_ECC_KEY_PAIR_IMPORT       1
#define PSA_WANT_KEY_TYPE_ECC_PUBLIC_KEY            1
#define PSA_WANT_KEY_TYPE_HMAC                      1

#ifndef PSA_NO_X25519
#define PSA_WANT_ECC_MONTGOMERY_255 1
#endif

#ifdef PSA_RSA
#define PSA_WANT_ALG_RSA_PKCS1V15_SIGN   1
#define PSA_WANT_ALG_RSA_PSS             1
#define PSA_WANT_KEY_TYPE_RSA_PUBLIC_KEY 1
#endif

#ifdef PSA_ALL
#define PSA_WANT_ALG_CHACHA20_POLY1305 1
#define PSA_WANT_ALG_SHA_384           1
#define PSA_WANT_ALG_SHA_512           1
#define PSA_WANT_ECC_SECP_R1_384       1
#define PSA_WANT_KEY_TYPE_CHACHA20     1
#endif

/* Mbed TLS's own TLS 1.3 derives its keys inside of PSA. */
#ifdef PSA_HKDF
#define PSA_WANT_ALG_HKDF_EXTRACT    1
#define PSA_WANT_ALG_HKDF_EXPAND     1
#define PSA_WANT_KEY_TYPE_DERIVE     1
#define PSA_WANT_ALG_TLS12_PRF       1
#define PSA_WANT_ALG_TLS12_PSK_TO_MS 1
#endif
