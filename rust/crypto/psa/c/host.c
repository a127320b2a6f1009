/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What PSA needs of a Linux host, and what the tests need of PSA: randomness where
 * it is built without its own, a lock, the number of key slots in use, a call made
 * to fail.
 */
#include <pthread.h>
#include <sys/random.h>

#include <psa/crypto.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t calls;      /* since the last reset */
static uint32_t fail_from;  /* the first call that fails; 0: none */
static uint32_t fail_count; /* how many fail from there on */
static int32_t fail_status;
static int silent; /* what is built in is not said */
static uint32_t failed;
static uint32_t most_slots;

#ifdef MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
					     uint8_t *out, size_t size, size_t *len)
{
	(void)context;
	for (*len = 0; *len < size;) {
		ssize_t n = getrandom(out + *len, size - *len, 0);

		if (n < 0) {
			return PSA_ERROR_INSUFFICIENT_ENTROPY;
		}
		*len += (size_t)n;
	}
	return PSA_SUCCESS;
}
#endif

static uint32_t slots(void)
{
	mbedtls_psa_stats_t stats;

	mbedtls_psa_get_stats(&stats);
	return (uint32_t)(stats.MBEDTLS_PRIVATE(volatile_slots) +
			  stats.MBEDTLS_PRIVATE(persistent_slots) +
			  stats.MBEDTLS_PRIVATE(external_slots) +
			  stats.MBEDTLS_PRIVATE(half_filled_slots));
}

psa_status_t thread_mqtt_psa_host_enter(int can_fail)
{
	pthread_mutex_lock(&lock);
	if (!can_fail) {
		return PSA_SUCCESS;
	}
	calls++;
	if (fail_from != 0 && calls >= fail_from && calls - fail_from < fail_count) {
		failed++;
		return fail_status;
	}
	return PSA_SUCCESS;
}

psa_status_t thread_mqtt_psa_host_leave(psa_status_t status)
{
	uint32_t now = slots();

	if (now > most_slots) {
		most_slots = now;
	}
	pthread_mutex_unlock(&lock);
	return status;
}

const char *thread_mqtt_psa_host_library(void)
{
#ifdef TF_PSA_CRYPTO_VERSION_STRING_FULL
	return TF_PSA_CRYPTO_VERSION_STRING_FULL;
#else
	return MBEDTLS_VERSION_STRING_FULL;
#endif
}

void thread_mqtt_psa_host_state(int states_now)
{
	pthread_mutex_lock(&lock);
	silent = !states_now;
	pthread_mutex_unlock(&lock);
}

int thread_mqtt_psa_host_states(void)
{
	pthread_mutex_lock(&lock);
	int states = !silent;

	pthread_mutex_unlock(&lock);
	return states;
}

void thread_mqtt_psa_host_fail(uint32_t from, uint32_t count, int32_t status)
{
	pthread_mutex_lock(&lock);
	calls = 0;
	failed = 0;
	most_slots = slots();
	fail_from = from;
	fail_count = count;
	fail_status = status;
	pthread_mutex_unlock(&lock);
}

/* The counters, read together. */
void thread_mqtt_psa_host_counters(uint32_t *calls_out, uint32_t *failed_out, uint32_t *slots_out,
				   uint32_t *most_slots_out)
{
	pthread_mutex_lock(&lock);
	*calls_out = calls;
	*failed_out = failed;
	*slots_out = slots();
	*most_slots_out = most_slots;
	pthread_mutex_unlock(&lock);
}
