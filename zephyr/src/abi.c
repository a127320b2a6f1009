/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * How this image's C compiler lays out the structures shared with Rust. Contains no code.
 */
#include <stddef.h>

#include <thread_mqtt.h>

#include <thread_mqtt_port.h>
#include "shell.h"

#define P sizeof(void *)

_Static_assert(sizeof(int) == 4 && sizeof(bool) == 1, "ABI: int has 32 bits, bool has 8");
_Static_assert(sizeof(size_t) == P && sizeof(void (*)(void)) == P, "ABI: size_t and pointers are alike");

#define STRUCT(structure, size)                                                                    \
	_Static_assert(sizeof(struct structure) == (size), "ABI: " #structure);
#define FIELD(structure, field, offset, width)                                                     \
	_Static_assert(offsetof(struct structure, field) == (offset) &&                            \
			       sizeof(((struct structure *)0)->field) == (width),                  \
		       "ABI: " #structure "." #field);
#include "abi.def"
