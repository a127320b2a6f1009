/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Test cases that need no broker.
 */
#ifndef OFFLINE_H_
#define OFFLINE_H_

void test_strings(void);
void test_uri_check(void);
void test_without_a_client(void);
void test_configuration(void);
void test_damaged_ca(void);

#endif /* OFFLINE_H_ */
