/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Sessions that survive their client.
 */
#ifndef STORED_H_
#define STORED_H_

void test_stored(void);
void test_stored_encrypted(void);

#endif /* STORED_H_ */
