/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "board.h"

#include <psa/crypto.h>

/* In place of the entropy source and generator of a product. */
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
					     uint8_t *output, size_t size, size_t *length)
{
	(void)context;
	board_random(output, size);
	*length = size;
	return PSA_SUCCESS;
}
