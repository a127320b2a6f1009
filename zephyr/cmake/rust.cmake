# Copyright (c) 2026 The thread-mqtt authors
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Rust: how it is compiled, for the library of the C API here and for an application in Rust; then
# the library.

# RUSTC in the environment names the compiler, as it does for cargo, and what it named holds where CMake runs again
# without it. Else rustup's comes before that of the distribution, which has no library for a Cortex-M.
if(DEFINED ENV{RUSTC})
  file(TO_CMAKE_PATH "$ENV{RUSTC}" rustc)
  set(THREAD_MQTT_RUSTC "${rustc}" CACHE INTERNAL "What RUSTC in the environment named")
endif()

# The cure may be another compiler: the next configuration begins without this one. A function, because a macro reads
# the escapes of what a compiler printed.
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
# Looked for in each configuration: since the last one rustup may have come.
unset(CARGO CACHE)
unset(RUSTC CACHE)
find_program(CARGO NAMES ${cargo_names} HINTS ${rust_folders})
find_program(RUSTC NAMES ${rustc_names} HINTS ${rust_folders})
if(THREAD_MQTT_RUSTC AND NOT RUSTC)
  thread_mqtt_refuse_rust("RUSTC in the environment names ${THREAD_MQTT_RUSTC}, which is not a program. Let it name "
    "a rustc, or unset it.")
endif()
if(NOT CARGO OR NOT RUSTC)
  thread_mqtt_refuse_rust("cargo and rustc were not found. Install Rust with rustup (https://rustup.rs) and open a "
    "new shell.")
endif()
# In the folder where cargo is run: an override of rustup is one of folders.
execute_process(COMMAND ${RUSTC} --version WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
  OUTPUT_VARIABLE rustc_version ERROR_VARIABLE rustc_error
  OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX MATCH "[0-9]+\\.[0-9]+(\\.[0-9]+)?" rustc_number "${rustc_version}")
if(NOT rustc_number)
  thread_mqtt_refuse_rust("${RUSTC} does not run: ${rustc_error}. Run `rustup default stable`, or let RUSTC in the "
    "environment name another compiler.")
endif()
# How every message names it.
set(rustc_named "${RUSTC} (${rustc_number})")

# A function with large locals is not inlined into its caller: on the way down through rustls and
# webpki's recursion they would all be on the stack together (docs/footprint.md: 2 to 5 kB of stack,
# 3 kB of flash).
set(rustflags -Cllvm-args=-inline-max-stacksize=256)
set(cargo_env)
if(CONFIG_THREAD_MQTT_CRYPTO_SOFT)
  # Variants of AES and SHA-2 for small flash.
  list(APPEND rustflags --cfg aes_backend_soft="compact" --cfg sha2_backend_soft="compact")
endif()

# What `cargo -Zbuild-std` needs stands in the environment of those who build so anyway.
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
    message(WARNING "thread-mqtt: the image is larger than it need be, because ${rustc_named} cannot compile "
      "its own library for size. Update Rust to 1.92 or later (`rustup update`), or set "
      "CONFIG_THREAD_MQTT_RUST_BUILD_STD=n.")
  elseif(NOT EXISTS "${sysroot}/lib/rustlib/src/rust/library/core/Cargo.toml")
    message(WARNING "thread-mqtt: the image is larger than it need be, because the source of the library of "
      "${rustc_named} is missing. Run `rustup component add rust-src`, or set "
      "CONFIG_THREAD_MQTT_RUST_BUILD_STD=n.")
  else()
    set(build_std ON)
    # cargo and rustc of a stable toolchain take unstable options only so.
    set(cargo_env RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=core,alloc
      CARGO_UNSTABLE_BUILD_STD_FEATURES=optimize_for_size)
    list(APPEND rustflags -Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none
      -Zfmt-debug=none)
  endif()
endif()

# Each feature of the platform's crate that has an option of the same name is on if the option is. The
# manifest is the one list of them.
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

# What the log will not show is not compiled in.
set(log_level 0)
if(CONFIG_THREAD_MQTT_LOG_LEVEL)
  set(log_level ${CONFIG_THREAD_MQTT_LOG_LEVEL})
endif()
set(log_levels log-off log-error log-warn log-info)
if(log_level LESS 4)
  list(GET log_levels ${log_level} feature)
  list(APPEND platform_features ${feature})
endif()

# rust_cargo_application() hands no features to cargo. The manifest of the application reads them
# from these flags, which its CMakeLists.txt puts into the environment.
set(application_rustflags ${rustflags})
foreach(feature ${platform_features})
  list(APPEND application_rustflags --cfg thread_mqtt="${feature}")
endforeach()
list(JOIN application_rustflags " " application_rustflags)
list(JOIN rustflags " " rustflags)
set_property(GLOBAL PROPERTY THREAD_MQTT_CARGO_ENV "RUSTFLAGS=${application_rustflags}" "RUSTC=${RUSTC}" ${cargo_env})

# ---------------------------------------------------------------------------
# The Rust library; an application in Rust brings its own

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
  set(target i686-unknown-linux-gnu) # Rust has no target of 32 bits for x86 without a system
else()
  message(FATAL_ERROR "thread-mqtt: no Rust target is known for this board. Supported are Cortex-M4, "
    "M7, M33, M55, native_sim/native/64 and, on x86-64 machines, native_sim and nrf52_bsim.")
endif()
if(CONFIG_CPU_CORTEX_M AND CONFIG_FP_HARDABI)
  set(target ${target}hf)
endif()

set(THREAD_MQTT_CARGO_TARGET_DIR ${CMAKE_CURRENT_BINARY_DIR}/rust CACHE PATH
  "Where cargo builds; images with the same options may share it and compile once")
zephyr_get(THREAD_MQTT_CARGO_TARGET_DIR) # sysbuild has what was given to it
set(rust_dir ${THREAD_MQTT_CARGO_TARGET_DIR})

# Rust's targets for Cortex-M keep a frame pointer, which costs two instructions and a register in
# every function; a core compiled here can do without. cargo names its folder after the file.
set(target_spec ${target})
if(build_std AND CONFIG_CPU_CORTEX_M)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env RUSTC_BOOTSTRAP=1
    ${RUSTC} -Zunstable-options --print target-spec-json --target ${target}
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} OUTPUT_VARIABLE spec COMMAND_ERROR_IS_FATAL ANY)
  string(JSON spec SET "${spec}" frame-pointer "\"may-omit\"")
  set(target_spec ${rust_dir}/${target}.json) # cargo compiles all anew for a file at another path
  file(CONFIGURE OUTPUT ${target_spec} CONTENT "${spec}" @ONLY)
  list(APPEND cargo_env CARGO_UNSTABLE_JSON_TARGET_SPEC=true)
endif()

if(NOT build_std)
  execute_process(COMMAND ${RUSTC} --print target-libdir --target ${target}
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} OUTPUT_VARIABLE target_libdir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT EXISTS "${target_libdir}")
    thread_mqtt_refuse_rust("${rustc_named} has no library for ${target}. Run `rustup target add ${target}`. If "
      "this is not the compiler of rustup, let RUSTC in the environment name that one.")
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

# rustls and webpki made of the published crates, without what a client never does.
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

# Always run: cargo knows best whether there is anything to do.
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
# Rust's library brings a division of 64 bits, small and several times slower than gcc's. It comes
# first, and the C code of the image would take it, too.
if(CONFIG_CPU_CORTEX_M AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  zephyr_library_link_libraries(-Wl,-u,__aeabi_uldivmod -lgcc)
endif()
zephyr_library_link_libraries(thread_mqtt_rust)
