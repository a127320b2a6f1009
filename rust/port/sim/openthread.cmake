# CMake reads this before OpenThread's own files: .cargo/config.toml names it as the toolchain file.
# openthread-sys compiles the libraries for full and for minimal Thread devices; the simulator links the
# first alone, and the second would double the time that a cold build takes.
set(OT_MTD OFF CACHE BOOL "" FORCE)
