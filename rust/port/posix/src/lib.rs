//! `libthread_mqtt` for Linux: the functions of `include/thread_mqtt.h` over this computer's own
//! sockets, so that C code for a device is developed and debugged without one.
//!
//! ```text
//!  include/thread_mqtt.h        thread-mqtt-c-api
//!  include/thread_mqtt_port.h   thread-mqtt-platform
//!  c/*.c                        POSIX: pthreads, sockets, getaddrinfo(), files
//! ```
//!
//! The C files are a port like that of Zephyr, and an example for one to another operating system:
//! see `docs/porting.md`. Rust programs use the crate `thread-mqtt-host` instead.

// What the library consists of.
use thread_mqtt_c_api as _;
