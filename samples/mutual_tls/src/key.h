/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef SAMPLE_KEY_H_
#define SAMPLE_KEY_H_

/**
 * Generates the device's key pair in PSA Crypto unless it exists, and prints its public key.
 *
 * @return 0, or a negative psa_status_t.
 */
int key_open(void);

#endif /* SAMPLE_KEY_H_ */
