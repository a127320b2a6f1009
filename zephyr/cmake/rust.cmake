# Copyright (c) 2026 The thread-mqtt authors
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# How Rust is compiled, both for the C API's library here and for a Rust application; then the library
# itself.

# RUSTC in the environment names the compiler, as it does for cargo. The value is remembered for when CMake runs again
# without it. Otherwise rustup's compiler precedes the distribution's, which has no library for a Cortex-M.
if(DEFINED ENV{RUSTC})
  file(TO_CMAKE_PATH "$ENV{RUSTC}" rustc)
  set(THREAD_MQTT_RUSTC "${rustc}" CACHE INTERNAL "Value of RUSTC in the environment")
endif()

# The cure may be another compiler, so the next configuration starts without this one. A function, because a macro
# interprets escapes in the compiler's output.
function(thread_mqtt_refuse_rust)
  unset(THREAD_MQTT_RUSTC CACHE)
  string(CONCAT sentence ${ARGN})
  message(FATAL_ERROR "thread-mqtt: ${sentence}")
endfunction()

set(rustc_names rustc)
set(cargo_names cargo)
set(rust_folders)
if(THREAD_MQTT_RUSTC)
  set(rustc_names ${THREAD_MQTT_RUSTC})
  get_filename_component(rust_folders ${THREAD_MQTT_RUSTC} DIRECTORY)
  get_filename_component(name ${THREAD_MQTT_RUSTC} NAME)
  if(name MATCHES "^rustc(-.*)$")
    set(cargo_names cargo${CMAKE_MATCH_1} cargo)
  endif()
else()
  if(DEFINED ENV{CARGO_HOME})
    list(APPEND rust_folders $ENV{CARGO_HOME}/bin)
  endif()
  list(APPEND rust_folders $ENV{HOME}/.cargo/bin)
endif()
# Searched in every configuration, because rustup may have been installed since the last one.
unset(CARGO CACHE)
unset(RUSTC CACHE)
find_program(CARGO NAMES ${cargo_names} HINTS ${rust_folders})
find_program(RUSTC NAMES ${rustc_names} HINTS ${rust_folders})
if(THREAD_MQTT_RUSTC AND NOT RUSTC)
  thread_mqtt_refuse_rust("RUSTC in the environment names ${THREAD_MQTT_RUSTC}, which is not a program. Set it to "
    "a rustc, or unset it.")
endif()
if(NOT CARGO OR NOT RUSTC)
  thread_mqtt_refuse_rust("cargo and rustc were not found. Install Rust with rustup (https://rustup.rs) and open a "
    "new shell.")
endif()
# Run in cargo's working directory, because rustup overrides are per directory.
execute_process(COMMAND ${RUSTC} --version WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
  OUTPUT_VARIABLE rustc_version ERROR_VARIABLE rustc_error
  OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX MATCH "[0-9]+\\.[0-9]+(\\.[0-9]+)?" rustc_number "${rustc_version}")
if(NOT rustc_number)
  thread_mqtt_refuse_rust("${RUSTC} does not run: ${rustc_error}. Run `rustup default stable`, or set RUSTC in the "
    "environment to another compiler.")
endif()
# Every message names the compiler this way.
set(rustc_named "${RUSTC} (${rustc_number})")

# Prevents inlining a function with large locals into its caller: on the way down through rustls and
# webpki's recursion all of them would be on the stack together (docs/footprint.md: 2 to 5 kB of stack,
# 3 kB of flash).
set(rustflags -Cllvm-args=-inline-max-stacksize=256)
set(cargo_env)
if(CONFIG_THREAD_MQTT_CRYPTO_SOFT)
  # The small-flash variants of AES and SHA-2.
  list(APPEND rustflags --cfg aes_backend_soft="compact" --cfg sha2_backend_soft="compact")
endif()

# Users who build with `cargo -Zbuild-std` anyway have its settings in the environment.
if(DEFINED ENV{CARGO_UNSTABLE_BUILD_STD})
  set(build_std ON)
  list(APPEND cargo_env CARGO_UNSTABLE_BUILD_STD=$ENV{CARGO_UNSTABLE_BUILD_STD})
  if(DEFINED ENV{RUSTC_BOOTSTRAP})
    list(APPEND cargo_env RUSTC_BOOTSTRAP=$ENV{RUSTC_BOOTSTRAP})
  endif()
endif()
if(CONFIG_THREAD_MQTT_RUST_BUILD_STD)
  execute_process(COMMAND ${RUSTC} --print sysroot WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
    OUTPUT_VARIABLE sysroot OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(rustc_number VERSION_LESS 1.92)
    message(WARNING "thread-mqtt: the image is larger than necessary, because ${rustc_named} cannot compile "
      "its own library for size. Update Rust to 1.92 or later (`rustup update`), or set "
      "CONFIG_THREAD_MQTT_RUST_BUILD_STD=n.")
  elseif(NOT EXISTS "${sysroot}/lib/rustlib/src/rust/library/core/Cargo.toml")
    message(WARNING "thread-mqtt: the image is larger than necessary, because the library source of "
      "${rustc_named} is missing. Run `rustup component add rust-src`, or set "
      "CONFIG_THREAD_MQTT_RUST_BUILD_STD=n.")
  else()
    set(build_std ON)
    # A stable cargo and rustc accept unstable options only this way.
    set(cargo_env RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=core,alloc
      CARGO_UNSTABLE_BUILD_STD_FEATURES=optimize_for_size)
    list(APPEND rustflags -Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none
      -Zfmt-debug=none)
  endif()
endif()

# Each feature of the platform crate that has an option of the same name is on if the option is on. The
# manifest is the only list of these features.
file(READ ${module_dir}/rust/port/platform/Cargo.toml manifest)
string(REGEX MATCH "\\[features\\]\n(.*)\n\\[dependencies\\]" manifest "${manifest}")
string(REGEX MATCHALL "\n[a-z0-9-]+ =" known_features "${CMAKE_MATCH_1}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${module_dir}/rust/port/platform/Cargo.toml)
set(platform_features)
foreach(feature ${known_features})
  string(REGEX REPLACE "\n([a-z0-9-]+) =" "\\1" feature "${feature}")
  string(REPLACE "-" "_" option "${feature}")
  string(TOUPPER "${option}" option)
  if(CONFIG_THREAD_MQTT_${option})
    list(APPEND platform_features ${feature})
  endif()
endforeach()

# Log messages that will not be shown are not compiled in.
set(log_level 0)
if(CONFIG_THREAD_MQTT_LOG_LEVEL)
  set(log_level ${CONFIG_THREAD_MQTT_LOG_LEVEL})
endif()
set(log_levels log-off log-error log-warn log-info)
if(log_level LESS 4)
  list(GET log_levels ${log_level} feature)
  list(APPEND platform_features ${feature})
endif()

# rust_cargo_application() passes no features to cargo. The application's manifest reads them from these
# flags, which its CMakeLists.txt puts into the environment.
set(application_rustflags ${rustflags})
foreach(feature ${platform_features})
  list(APPEND application_rustflags --cfg thread_mqtt="${feature}")
endforeach()
list(JOIN application_rustflags " " application_rustflags)
list(JOIN rustflags " " rustflags)
set_property(GLOBAL PROPERTY THREAD_MQTT_CARGO_ENV "RUSTFLAGS=${application_rustflags}" "RUSTC=${RUSTC}" ${cargo_env})

# ---------------------------------------------------------------------------
# The Rust library; a Rust application brings its own

if(NOT CONFIG_THREAD_MQTT_C_API)
  return()
endif()

if(CONFIG_CPU_CORTEX_M4 OR CONFIG_CPU_CORTEX_M7)
  set(target thumbv7em-none-eabi)
elseif(CONFIG_CPU_CORTEX_M33 OR CONFIG_CPU_CORTEX_M55)
  set(target thumbv8m.main-none-eabi)
elseif(CONFIG_ARCH_POSIX AND CONFIG_64BIT)
  set(target ${CMAKE_HOST_SYSTEM_PROCESSOR}-unknown-none)
elseif(CONFIG_ARCH_POSIX AND CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(target i686-unknown-linux-gnu) # Rust has no bare-metal target for 32-bit x86
else()
  message(FATAL_ERROR "thread-mqtt: no Rust target is known for this board. Supported are Cortex-M4, "
    "M7, M33, M55, native_sim/native/64 and, on x86-64 machines, native_sim and nrf52_bsim.")
endif()
if(CONFIG_CPU_CORTEX_M AND CONFIG_FP_HARDABI)
  set(target ${target}hf)
endif()

set(THREAD_MQTT_CARGO_TARGET_DIR ${CMAKE_CURRENT_BINARY_DIR}/rust CACHE PATH
  "Where cargo builds; images with the same options may share it and compile once")
zephyr_get(THREAD_MQTT_CARGO_TARGET_DIR) # also reads sysbuild's value
set(rust_dir ${THREAD_MQTT_CARGO_TARGET_DIR})

# Rust's Cortex-M targets keep a frame pointer, which costs two instructions and a register in every
# function. A core compiled here does not need it. cargo names its folder after the file.
set(target_spec ${target})
if(build_std AND CONFIG_CPU_CORTEX_M)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env RUSTC_BOOTSTRAP=1
    ${RUSTC} -Zunstable-options --print target-spec-json --target ${target}
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} OUTPUT_VARIABLE spec COMMAND_ERROR_IS_FATAL ANY)
  string(JSON spec SET "${spec}" frame-pointer "\"may-omit\"")
  set(target_spec ${rust_dir}/${target}.json) # cargo rebuilds everything if the file moves
  file(CONFIGURE OUTPUT ${target_spec} CONTENT "${spec}" @ONLY)
  list(APPEND cargo_env CARGO_UNSTABLE_JSON_TARGET_SPEC=true)
endif()

if(NOT build_std)
  execute_process(COMMAND ${RUSTC} --print target-libdir --target ${target}
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} OUTPUT_VARIABLE target_libdir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT EXISTS "${target_libdir}")
    thread_mqtt_refuse_rust("${rustc_named} has no library for ${target}. Run `rustup target add ${target}`. If "
      "this is not rustup's compiler, set RUSTC in the environment to that one.")
  endif()
endif()

set(features runtime)
if(CONFIG_THREAD_MQTT_SENTENCES)
  list(APPEND features sentences)
endif()
if(CONFIG_THREAD_MQTT_SHELL)
  list(APPEND features shell)
endif()
foreach(feature ${platform_features})
  list(APPEND features thread-mqtt-platform/${feature})
endforeach()
list(JOIN features "," features)

set(rust_archive ${rust_dir}/${target}/release/libthread_mqtt_c_api.a)

# rustls and webpki derived from the published crates, without what a client never does.
set(cargo_overrides)
if(CONFIG_THREAD_MQTT_RUSTLS_CLIENT_ONLY)
  set(client_only ${rust_dir}/client-only)
  set(client_only_script ${module_dir}/scripts/rustls_client_only.py)
  set(client_only_options)
  if(NOT CONFIG_THREAD_MQTT_P384)
    set(client_only_options --without-p384)
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} -E env CARGO=${CARGO} RUSTC=${RUSTC}
    ${PYTHON_EXECUTABLE} ${client_only_script} ${client_only} ${client_only_options}
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} RESULT_VARIABLE failed ERROR_VARIABLE error OUTPUT_QUIET ERROR_STRIP_TRAILING_WHITESPACE)
  if(failed)
    message(FATAL_ERROR "thread-mqtt: CONFIG_THREAD_MQTT_RUSTLS_CLIENT_ONLY: ${error}")
  endif()
  file(GLOB client_only_parts ${module_dir}/scripts/client_only/*.py)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${client_only_script} ${client_only_parts}
    ${module_dir}/Cargo.lock)
  list(APPEND cargo_overrides --config ${client_only}/config.toml)
endif()

# Runs on every build, because cargo decides best whether there is anything to do.
add_custom_target(thread_mqtt_cargo
  COMMAND ${CMAKE_COMMAND} -E env "RUSTFLAGS=${rustflags}" "RUSTC=${RUSTC}" ${cargo_env}
    ${CARGO} rustc --release --locked --lib --crate-type staticlib
    --manifest-path ${module_dir}/rust/c-api/Cargo.toml
    --no-default-features --features ${features}
    --target ${target_spec} --target-dir ${rust_dir} ${cargo_overrides}
  BYPRODUCTS ${rust_archive}
  USES_TERMINAL
  VERBATIM
  COMMENT "Building thread-mqtt for ${target}")

add_library(thread_mqtt_rust STATIC IMPORTED GLOBAL)
set_target_properties(thread_mqtt_rust PROPERTIES IMPORTED_LOCATION ${rust_archive})
add_dependencies(thread_mqtt_rust thread_mqtt_cargo)
# Rust's library contains a 64-bit division that is small but several times slower than gcc's. Because it
# is linked first, the image's C code would use it too.
if(CONFIG_CPU_CORTEX_M AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  zephyr_library_link_libraries(-Wl,-u,__aeabi_uldivmod -lgcc)
endif()
zephyr_library_link_libraries(thread_mqtt_rust)
