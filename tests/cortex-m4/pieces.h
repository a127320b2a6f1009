/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Messages larger than the memory, in pieces.
 */
#ifndef PIECES_H_
#define PIECES_H_

void test_wrong_pieces(void);
void test_pieces(void);
void test_pieces_over_tls(void);
void test_skipped(void);
void test_given_up(void);
void test_cut_while_sending(void);
void test_cut_while_receiving(void);

#endif /* PIECES_H_ */
