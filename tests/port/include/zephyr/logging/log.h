/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The log, which reads a text up to its NUL, as Zephyr's does because it formats later.
 */
#ifndef STUB_LOG_H_
#define STUB_LOG_H_

#define LOG_MODULE_REGISTER(...) extern int stub_log_module
void stub_log(char level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define LOG_ERR(...) stub_log('E', __VA_ARGS__)
#define LOG_WRN(...) stub_log('W', __VA_ARGS__)
#define LOG_INF(...) stub_log('I', __VA_ARGS__)
#define LOG_DBG(...) stub_log('D', __VA_ARGS__)

#endif /* STUB_LOG_H_ */
