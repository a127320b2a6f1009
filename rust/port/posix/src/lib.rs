//! `libthread_mqtt` for Linux: the functions of `include/thread_mqtt.h` over this computer's
//! sockets, to develop and debug C code for a device without one.
//!
//! ```text
//!  include/thread_mqtt.h        thread-mqtt-c-api
//!  include/thread_mqtt_port.h   thread-mqtt-platform
//!  c/*.c                        POSIX: pthreads, sockets, getaddrinfo(), files
//! ```
//!
//! The C files are a port, like Zephyr's, and an example for ports to other operating systems: see
//! `docs/porting.md`. Rust programs use the crate `thread-mqtt-host` instead.

// The contents of the library.
use thread_mqtt_c_api as _;
