/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Nothing is buffered.
 */
#ifndef STUB_LOG_CTRL_H_
#define STUB_LOG_CTRL_H_
#define LOG_PANIC()
#endif
