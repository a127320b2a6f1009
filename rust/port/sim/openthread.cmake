# CMake reads this before OpenThread's own files: .cargo/config.toml names it as the toolchain file.
# Both settings are for the time that a cold build takes.

# openthread-sys compiles the libraries for full and for minimal Thread devices; the simulator links the
# first alone.
set(OT_MTD OFF CACHE BOOL "" FORCE)

# Each of OpenThread's files reads the same headers first: they are compiled once. After a change here: cargo clean -p openthread-sys.
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.19)
  set(CMAKE_PROJECT_openthread_INCLUDE ${CMAKE_CURRENT_LIST_DIR}/headers.cmake CACHE FILEPATH "" FORCE)
endif()
