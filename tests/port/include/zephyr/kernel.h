/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The names of Zephyr's kernel that the port uses, on POSIX threads. Every lock counts what its thread
 * holds: see kernel.c.
 */
#ifndef STUB_KERNEL_H_
#define STUB_KERNEL_H_

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define ARG_UNUSED(x) (void)(x)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))
#define BUILD_ASSERT(x, ...) _Static_assert(x, "" __VA_ARGS__)

/* 1 for an option that is defined as 1, otherwise 0. */
#define IS_ENABLED(option)              STUB_ENABLED_1(option)
#define STUB_ENABLED_1(value)           STUB_ENABLED_2(STUB_ONE_##value)
#define STUB_ENABLED_2(one_or_junk)     STUB_SECOND(one_or_junk 1, 0)
#define STUB_SECOND(ignored, value, ...) value
#define STUB_ONE_1                      0,

typedef int k_timeout_t;
#define K_FOREVER  -1
#define K_NO_WAIT  0
#define K_MSEC(ms) ((k_timeout_t)(ms))

struct k_mutex {
	pthread_mutex_t mutex;
};
#define K_MUTEX_DEFINE(name) struct k_mutex name = {PTHREAD_MUTEX_INITIALIZER}
int k_mutex_init(struct k_mutex *mutex);
int k_mutex_lock(struct k_mutex *mutex, k_timeout_t timeout);
int k_mutex_unlock(struct k_mutex *mutex);

struct k_condvar {
	pthread_cond_t condvar;
};
#define K_CONDVAR_DEFINE(name) struct k_condvar name = {PTHREAD_COND_INITIALIZER}
int k_condvar_init(struct k_condvar *condvar);
int k_condvar_wait(struct k_condvar *condvar, struct k_mutex *mutex, k_timeout_t timeout);
int k_condvar_broadcast(struct k_condvar *condvar);
int k_condvar_signal(struct k_condvar *condvar);

/* An all-zero spinlock is free. */
struct k_spinlock {
	char taken;
};
typedef int k_spinlock_key_t;
k_spinlock_key_t k_spin_lock(struct k_spinlock *lock);
void k_spin_unlock(struct k_spinlock *lock, k_spinlock_key_t key);

struct k_thread {
	pthread_t thread;
	void (*entry)(void *, void *, void *);
	void *arguments[3];
};
typedef struct k_thread *k_tid_t;
typedef char k_thread_stack_t;
#define K_THREAD_STACK_ARRAY_DEFINE(name, count, size) k_thread_stack_t name[count][16]
#define K_THREAD_STACK_SIZEOF(stack)                   sizeof(stack)
k_tid_t k_thread_create(struct k_thread *thread, k_thread_stack_t *stack, size_t size,
			void (*entry)(void *, void *, void *), void *first, void *second,
			void *third, int priority, uint32_t options, k_timeout_t delay);
int k_thread_name_set(k_tid_t thread, const char *name);
int k_thread_join(k_tid_t thread, k_timeout_t timeout);
k_tid_t k_current_get(void);
int32_t k_msleep(int32_t milliseconds);
int64_t k_uptime_get(void);
void k_panic(void) __attribute__((noreturn));

typedef long atomic_val_t;
typedef atomic_val_t atomic_t;
static inline atomic_val_t atomic_set(atomic_t *target, atomic_val_t value)
{
	return __atomic_exchange_n(target, value, __ATOMIC_SEQ_CST);
}
static inline atomic_val_t atomic_get(const atomic_t *target)
{
	return __atomic_load_n(target, __ATOMIC_SEQ_CST);
}

#endif /* STUB_KERNEL_H_ */
