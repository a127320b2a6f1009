/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * "Memory copying, clearing, and setting" of the Run-time ABI for the Arm Architecture, implemented with
 * the C library's functions. Rust's compiler emits calls to them. If no library provides them, Rust's own
 * library does, with larger functions that are also weak and are linked later.
 */
#include <stddef.h>
#include <string.h>

#define WEAK __attribute__((weak))

void __aeabi_memcpy(void *to, const void *from, size_t length);
void __aeabi_memcpy4(void *to, const void *from, size_t length);
void __aeabi_memcpy8(void *to, const void *from, size_t length);
void __aeabi_memmove(void *to, const void *from, size_t length);
void __aeabi_memmove4(void *to, const void *from, size_t length);
void __aeabi_memmove8(void *to, const void *from, size_t length);
void __aeabi_memset(void *to, size_t length, int value);
void __aeabi_memset4(void *to, size_t length, int value);
void __aeabi_memset8(void *to, size_t length, int value);
void __aeabi_memclr(void *to, size_t length);
void __aeabi_memclr4(void *to, size_t length);
void __aeabi_memclr8(void *to, size_t length);

#define COPY(name, function)                                                                       \
	WEAK void name(void *to, const void *from, size_t length)                                  \
	{                                                                                          \
		function(to, from, length);                                                        \
	}
#define SET(name)                                                                                  \
	WEAK void name(void *to, size_t length, int value)                                         \
	{                                                                                          \
		memset(to, value, length);                                                         \
	}
#define CLEAR(name)                                                                                \
	WEAK void name(void *to, size_t length)                                                    \
	{                                                                                          \
		memset(to, 0, length);                                                             \
	}

COPY(__aeabi_memcpy, memcpy)
COPY(__aeabi_memcpy4, memcpy)
COPY(__aeabi_memcpy8, memcpy)
COPY(__aeabi_memmove, memmove)
COPY(__aeabi_memmove4, memmove)
COPY(__aeabi_memmove8, memmove)
SET(__aeabi_memset)
SET(__aeabi_memset4)
SET(__aeabi_memset8)
CLEAR(__aeabi_memclr)
CLEAR(__aeabi_memclr4)
CLEAR(__aeabi_memclr8)
