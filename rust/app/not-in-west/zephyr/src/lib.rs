//! Placeholder for a crate of zephyr-lang-rust outside a west workspace.
compile_error!("this application is built by `west build`, which brings the crates of zephyr-lang-rust");
