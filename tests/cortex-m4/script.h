/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What the test tells the port.
 */
#ifndef SCRIPT_H_
#define SCRIPT_H_

#include <stdbool.h>

/** Within the validity of the test's certificates. */
#define SCRIPT_BUILD_TIME ((int64_t)BOARD_PARAMETERS->unix_time)

/** The platform has no entropy. */
extern bool script_has_no_entropy;

#endif /* SCRIPT_H_ */
