/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Zephyr's kernel on POSIX threads. No mutex of the port may be held when OpenThread's lock or one of
 * Zephyr's network stack is taken, because their callbacks take the port's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "stub.h"

/* -------------------------------------------------------------------------------------- the tests */

static struct {
	const char *name;
	void (*run)(void);
} tests[128];
static size_t test_count;

void stub_add_test(const char *name, void (*run)(void))
{
	tests[test_count].name = name;
	tests[test_count++].run = run;
}

void stub_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "%s:%d: ", file, line);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	_exit(1);
}

void stub_pause(void)
{
	usleep(1000);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		for (size_t i = 0; i < test_count; i++) {
			puts(tests[i].name);
		}
		return 0;
	}
	/* Ends a deadlock. */
	alarm(120);
	for (size_t i = 0; i < test_count; i++) {
		if (strcmp(tests[i].name, argv[1]) == 0) {
			tests[i].run();
			return 0;
		}
	}
	stub_fail(__FILE__, __LINE__, "no test %s", argv[1]);
}

/* -------------------------------------------------------------------------------------- the locks */

static __thread int mutexes_held, spinlocks_held;

void stub_enter_foreign(const char *what)
{
	if (mutexes_held != 0 || spinlocks_held != 0) {
		fprintf(stderr, "%s is called with a lock of the port held\n", what);
		abort(); /* its stack shows where */
	}
}

int k_mutex_init(struct k_mutex *mutex)
{
	return pthread_mutex_init(&mutex->mutex, NULL);
}

int k_mutex_lock(struct k_mutex *mutex, k_timeout_t timeout)
{
	ARG_UNUSED(timeout);
	if (spinlocks_held != 0) {
		stub_fail(__FILE__, __LINE__, "a mutex is taken under a spinlock");
	}
	CHECK(pthread_mutex_lock(&mutex->mutex) == 0);
	mutexes_held++;
	return 0;
}

int k_mutex_unlock(struct k_mutex *mutex)
{
	mutexes_held--;
	return pthread_mutex_unlock(&mutex->mutex);
}

int k_condvar_init(struct k_condvar *condvar)
{
	return pthread_cond_init(&condvar->condvar, NULL);
}

int k_condvar_wait(struct k_condvar *condvar, struct k_mutex *mutex, k_timeout_t timeout)
{
	struct timespec until;

	CHECK_EQUAL(mutexes_held, 1);
	if (timeout < 0) {
		return pthread_cond_wait(&condvar->condvar, &mutex->mutex);
	}
	CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0);
	until.tv_sec += timeout / 1000;
	until.tv_nsec += timeout % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return -pthread_cond_timedwait(&condvar->condvar, &mutex->mutex, &until);
}

int k_condvar_broadcast(struct k_condvar *condvar)
{
	return pthread_cond_broadcast(&condvar->condvar);
}

int k_condvar_signal(struct k_condvar *condvar)
{
	return pthread_cond_signal(&condvar->condvar);
}

k_spinlock_key_t k_spin_lock(struct k_spinlock *lock)
{
	/* On a Cortex-M the second one would find interrupts already off; with two cores it would hang. */
	CHECK_EQUAL(spinlocks_held, 0);
	while (__atomic_test_and_set(&lock->taken, __ATOMIC_ACQUIRE)) {
		stub_pause();
	}
	spinlocks_held++;
	return 0;
}

void k_spin_unlock(struct k_spinlock *lock, k_spinlock_key_t key)
{
	ARG_UNUSED(key);
	spinlocks_held--;
	__atomic_clear(&lock->taken, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------------------------------------ the threads */

static __thread struct k_thread *current;

static void *run_thread(void *argument)
{
	current = argument;
	current->entry(current->arguments[0], current->arguments[1], current->arguments[2]);
	CHECK_EQUAL(mutexes_held, 0);
	return NULL;
}

k_tid_t k_thread_create(struct k_thread *thread, k_thread_stack_t *stack, size_t size,
			void (*entry)(void *, void *, void *), void *first, void *second,
			void *third, int priority, uint32_t options, k_timeout_t delay)
{
	ARG_UNUSED(stack);
	ARG_UNUSED(size);
	ARG_UNUSED(priority);
	ARG_UNUSED(options);
	ARG_UNUSED(delay);
	thread->entry = entry;
	thread->arguments[0] = first;
	thread->arguments[1] = second;
	thread->arguments[2] = third;
	CHECK(pthread_create(&thread->thread, NULL, run_thread, thread) == 0);
	return thread;
}

int k_thread_name_set(k_tid_t thread, const char *name)
{
	ARG_UNUSED(thread);
	ARG_UNUSED(name);
	return 0;
}

int k_thread_join(k_tid_t thread, k_timeout_t timeout)
{
	ARG_UNUSED(timeout);
	CHECK_EQUAL(mutexes_held, 0);
	return pthread_join(thread->thread, NULL);
}

k_tid_t k_current_get(void)
{
	/* A thread that the port did not create. */
	static __thread struct k_thread other;

	return current == NULL ? &other : current;
}

void stub_start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
	CHECK(pthread_create(thread, NULL, run, argument) == 0);
}

/* -------------------------------------------------------------------------------------- the clock */

static int64_t stands_at = -1;
static int last_timeout, sleeps;

void stub_stop_clock(int64_t milliseconds)
{
	__atomic_store_n(&stands_at, milliseconds, __ATOMIC_SEQ_CST);
}

bool stub_clock_stands(void)
{
	return __atomic_load_n(&stands_at, __ATOMIC_SEQ_CST) >= 0;
}

int64_t k_uptime_get(void)
{
	int64_t stands = __atomic_load_n(&stands_at, __ATOMIC_SEQ_CST);
	struct timespec now;

	if (stands >= 0) {
		return stands;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void stub_note_timeout(int timeout)
{
	__atomic_store_n(&last_timeout, timeout, __ATOMIC_SEQ_CST);
}

int stub_last_timeout(void)
{
	return __atomic_load_n(&last_timeout, __ATOMIC_SEQ_CST);
}

int32_t k_msleep(int32_t milliseconds)
{
	__atomic_add_fetch(&sleeps, 1, __ATOMIC_SEQ_CST);
	if (!stub_clock_stands()) {
		usleep(milliseconds * 1000);
	}
	return 0;
}

int stub_sleeps(void)
{
	return __atomic_load_n(&sleeps, __ATOMIC_SEQ_CST);
}

/* ---------------------------------------------------------------------------- the log and the rest */

static char logged[8192];

/* Zephyr copies the text of each %s up to its NUL, whatever the precision. */
void stub_log(char level, const char *format, ...)
{
	size_t length = strlen(logged);
	va_list arguments;

	if (strchr(format, '%') != NULL) {
		va_start(arguments, format);
		if (strstr(format, "%.*s") != NULL) {
			(void)va_arg(arguments, int);
		}
		(void)strlen(va_arg(arguments, const char *));
		va_end(arguments);
	}
	CHECK(length + 400 < sizeof(logged));
	logged[length++] = level;
	logged[length++] = ' ';
	va_start(arguments, format);
	length += vsnprintf(&logged[length], 390, format, arguments);
	va_end(arguments);
	logged[length] = '\n';
	logged[length + 1] = '\0';
}

const char *stub_log_text(void)
{
	return logged;
}

void k_panic(void)
{
	fputs(logged, stdout);
	fflush(stdout);
	_exit(77);
}

static int random_error;

void stub_fail_random(int error)
{
	random_error = error;
}

int sys_csrand_get(void *buffer, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		((uint8_t *)buffer)[i] = (uint8_t)(i + 1);
	}
	return random_error;
}

ssize_t hwinfo_get_device_id(uint8_t *buffer, size_t length)
{
	CHECK(length >= 8);
	memcpy(buffer, "\1\2\3\4\5\6\7\10", 8);
	return 8;
}

/* ---------------------------------------------------------------------------------------- addresses */

struct tmq_address stub_address(const char *text, uint16_t port)
{
	struct tmq_address address = {.port = port};

	if (inet_pton(AF_INET, text, &address.bytes[12]) == 1) {
		address.bytes[10] = 0xff;
		address.bytes[11] = 0xff;
	} else {
		CHECK(inet_pton(AF_INET6, text, address.bytes) == 1);
	}
	return address;
}

const char *stub_text(const uint8_t address[16])
{
	static __thread char text[INET6_ADDRSTRLEN];

	return inet_ntop(AF_INET6, address, text, sizeof(text));
}
