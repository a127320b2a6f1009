/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Initialisation functions run before main().
 */
#ifndef STUB_INIT_H_
#define STUB_INIT_H_

#define SYS_INIT(function, level, priority)                                                        \
	__attribute__((constructor)) static void stub_##level##_##function(void)                   \
	{                                                                                          \
		(void)function();                                                                  \
	}

#endif /* STUB_INIT_H_ */
