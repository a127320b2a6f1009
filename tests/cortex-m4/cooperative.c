/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include "cooperative.h"

#include <stddef.h>
#include <stdint.h>

#define STACK_WORDS (32 * 1024 / 4)
/* What switch_stacks() saves on a stack: s16 to s31, r4 to r11, the return address. */
#define FRAME_WORDS (16 + 8 + 1)

static uint64_t stack[STACK_WORDS / 2];
static uint32_t *application_stack, *client_stack;
static void (*client_run)(void *argument);
static void *client_argument;
static bool alive, running;

/* Saves the callee-saved registers (AAPCS) on this stack, and continues where the other one stopped. */
__attribute__((naked, noinline)) static void switch_stacks(uint32_t **from, uint32_t *to)
{
	(void)from;
	(void)to;
	__asm__ volatile("push {r4-r11, lr}\n"
			 "vpush {s16-s31}\n"
			 "str sp, [r0]\n"
			 "mov sp, r1\n"
			 "vpop {s16-s31}\n"
			 "pop {r4-r11, pc}\n");
}

static void client_entry(void)
{
	client_run(client_argument);
	alive = false;
	running = false;
	switch_stacks(&client_stack, application_stack);
	__builtin_unreachable();
}

void client_start(void (*run)(void *argument), void *argument)
{
	uint32_t *top = (uint32_t *)(stack + STACK_WORDS / 2);

	client_run = run;
	client_argument = argument;
	client_stack = top - FRAME_WORDS;
	client_stack[FRAME_WORDS - 1] = (uint32_t)(uintptr_t)client_entry;
	alive = true;
}

bool client_is_alive(void)
{
	return alive;
}

bool client_is_running(void)
{
	return running;
}

void client_resume(void)
{
	if (alive) {
		running = true;
		switch_stacks(&application_stack, client_stack);
	}
}

void client_pause(void)
{
	running = false;
	switch_stacks(&client_stack, application_stack);
}
