/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What every configuration of Mbed TLS here has in common: the platform, and the
 * arithmetic, so that PSA below rustls and Mbed TLS's own client compute alike.
 */
#ifndef BOARD_MBEDTLS_H
#define BOARD_MBEDTLS_H

#include <stddef.h>

void *board_calloc(size_t count, size_t size);
void board_calloc_free(void *pointer);

#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO board_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO   board_calloc_free
#define MBEDTLS_NO_PLATFORM_ENTROPY
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_WINDOW_SIZE 3 /* CONFIG_THREAD_MQTT_MBEDTLS_ECP_WINDOW_SIZE */

#endif /* BOARD_MBEDTLS_H */
