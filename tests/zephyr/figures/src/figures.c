/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Stack, heap and cycles, for tests that run an image:
 *
 *     figures: thread NAME used BYTES of BYTES cycles CYCLES
 *     figures: interrupts used BYTES of BYTES
 *     figures: heap NUMBER used BYTES
 *     figures: end
 */
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>
#include <zephyr/sys/sys_heap.h>

K_KERNEL_STACK_ARRAY_DECLARE(z_interrupt_stacks, CONFIG_MP_MAX_NUM_CPUS, CONFIG_ISR_STACK_SIZE);

static void print_thread(const struct k_thread *thread, void *user_data)
{
	struct k_thread *queried = (struct k_thread *)thread;
	k_thread_runtime_stats_t stats = {0};
	size_t size = thread->stack_info.size;
	size_t unused = 0;

	ARG_UNUSED(user_data);
	(void)k_thread_stack_space_get(queried, &unused);
	(void)k_thread_runtime_stats_get(queried, &stats);
	printk("figures: thread %s used %zu of %zu cycles %llu\n", k_thread_name_get(queried),
	       size - unused, size, stats.execution_cycles);
}

static void print_interrupts(void)
{
	const uint8_t *stack = K_KERNEL_STACK_BUFFER(z_interrupt_stacks[0]);
	size_t size = K_KERNEL_STACK_SIZEOF(z_interrupt_stacks[0]);
	size_t unused = 0;

	/* INIT_STACKS fills the stacks; they grow downwards. */
	while (unused < size && stack[unused] == 0xaa) {
		unused++;
	}
	printk("figures: interrupts used %zu of %zu\n", size - unused, size);
}

static void print_heaps(void)
{
	struct sys_heap **heaps;
	int count = sys_heap_array_get(&heaps);

	for (int i = 0; i < count; i++) {
		struct sys_memory_stats stats;

		if (sys_heap_runtime_stats_get(heaps[i], &stats) == 0) {
			printk("figures: heap %d used %zu\n", i, stats.max_allocated_bytes);
		}
	}
}

static void print_all(void *first, void *second, void *third)
{
	ARG_UNUSED(first);
	ARG_UNUSED(second);
	ARG_UNUSED(third);

	while (true) {
		k_sleep(K_SECONDS(1));
		k_thread_foreach_unlocked(print_thread, NULL);
		print_interrupts();
		print_heaps();
		printk("figures: end\n");
	}
}

K_THREAD_DEFINE(figures, 1536, print_all, NULL, NULL, NULL, K_LOWEST_APPLICATION_THREAD_PRIO, 0, 0);
