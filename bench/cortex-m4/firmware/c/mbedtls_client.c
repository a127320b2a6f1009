/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The same as ../src/tls.rs with Mbed TLS's own client. */
#include "board.h"

#include <string.h>
#include <time.h>

#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#ifdef MBEDTLS_PSA_CRYPTO_C
#include <psa/crypto.h>
#endif

static int failed(const char *what)
{
	board_say(what, strlen(what));
	return -1;
}

static int do_send(void *context, const unsigned char *data, size_t len)
{
	(void)context;
	board_send(data, len);
	return len;
}

/* Mbed TLS asks for a record's header, then for its body: that many bytes will come. */
static int do_receive(void *context, unsigned char *data, size_t len)
{
	(void)context;
	board_receive(data, len);
	return len;
}

static int do_random(void *context, unsigned char *data, size_t len)
{
	(void)context;
	board_random(data, len);
	return 0;
}

time_t time(time_t *now)
{
	time_t unix_time = BOARD_PARAMETERS->unix_time;

	if (now != NULL) {
		*now = unix_time;
	}
	return unix_time;
}

mbedtls_ms_time_t mbedtls_ms_time(void)
{
	return 0;
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *now, struct tm *broken_down)
{
	return gmtime_r(now, broken_down);
}

int board_client(void)
{
	static const unsigned char request[] = "hello\n", answer[] = "olleh\n";
	static uint16_t groups[2];
	unsigned char received[sizeof(answer) - 1];
	const struct board_parameters *parameters = BOARD_PARAMETERS;
	mbedtls_ssl_protocol_version version = parameters->tls_version;
	mbedtls_ssl_context *ssl = board_calloc(1, sizeof(*ssl));
	mbedtls_ssl_config *config = board_calloc(1, sizeof(*config));
	mbedtls_x509_crt *ca = board_calloc(1, sizeof(*ca));
	int result;

	board_phase("start");
#ifdef MBEDTLS_PSA_CRYPTO_C
	if (psa_crypto_init() != PSA_SUCCESS) {
		return failed("psa_crypto_init");
	}
#endif
	board_phase("provider");

	mbedtls_ssl_config_init(config);
	mbedtls_x509_crt_init(ca);
	if (mbedtls_x509_crt_parse(ca, parameters->ca, parameters->ca_len) != 0 ||
	    mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
					MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
		return failed("the configuration");
	}
	mbedtls_ssl_conf_ca_chain(config, ca, NULL);
	mbedtls_ssl_conf_rng(config, do_random, NULL);
	mbedtls_ssl_conf_min_tls_version(config, version);
	mbedtls_ssl_conf_max_tls_version(config, version);
	groups[0] = parameters->group;
	mbedtls_ssl_conf_groups(config, groups);
	board_phase("configure");

	mbedtls_ssl_init(ssl);
	if (mbedtls_ssl_setup(ssl, config) != 0 ||
	    mbedtls_ssl_set_hostname(ssl, BOARD_SERVER) != 0) {
		return failed("mbedtls_ssl_setup");
	}
	mbedtls_ssl_set_bio(ssl, NULL, do_send, do_receive, NULL);
	if (mbedtls_ssl_handshake(ssl) != 0) {
		return failed("mbedtls_ssl_handshake");
	}
	board_phase("handshake");

	if (mbedtls_ssl_write(ssl, request, sizeof(request) - 1) != sizeof(request) - 1) {
		return failed("mbedtls_ssl_write");
	}
	/* TLS 1.3's session tickets come before the answer. */
	do {
		result = mbedtls_ssl_read(ssl, received, sizeof(received));
	} while (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
	if (result != sizeof(received) || memcmp(received, answer, sizeof(received)) != 0) {
		return failed("mbedtls_ssl_read");
	}
	board_phase("exchange");

	mbedtls_ssl_close_notify(ssl);
	mbedtls_ssl_free(ssl);
	board_phase("close");
	return 0;
}
