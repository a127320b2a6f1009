#!/usr/bin/env bash
# Installs the C API for this computer: headers, libthread_mqtt.a and .so, and the files with which
# pkg-config and CMake find them.
#   scripts/install_linux.sh [PREFIX]     default: /usr/local
set -euo pipefail
case "${1:-}" in
    -h|--help) sed -n '2,4s/^# //p' "$0"; exit 0 ;;
    -*) printf 'error: unknown option %s\n  cure: scripts/install_linux.sh [PREFIX]\n' "$1" >&2; exit 2 ;;
esac
if [ $# -gt 1 ]; then
    printf 'error: expected one PREFIX, not %s arguments\n  cure: scripts/install_linux.sh [PREFIX]\n' "$#" >&2; exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=${1:-/usr/local}
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)

cargo build --locked --release --manifest-path "$root/Cargo.toml" -p thread-mqtt-posix
built=${CARGO_TARGET_DIR:-$root/target}/release
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)

install -d "$prefix/include" "$prefix/lib/pkgconfig" "$prefix/lib/cmake/thread-mqtt"
install -m 644 "$root/include/thread_mqtt.h" "$root/include/thread_mqtt_types.h" "$root/include/thread_mqtt_config.h" \
    "$prefix/include"
install -m 644 "$built/libthread_mqtt.a" "$prefix/lib"
install -m 755 "$built/libthread_mqtt.so" "$prefix/lib"

# pkg-config splits words like a shell.
cat > "$prefix/lib/pkgconfig/thread-mqtt.pc" <<PC
prefix=${prefix// /\\ }
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: thread-mqtt
Description: Keeps a connection to an MQTT broker over TLS
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lthread_mqtt
Libs.private: -lpthread -ldl -lm -lgcc_s
PC

cat > "$prefix/lib/cmake/thread-mqtt/thread-mqtt-config.cmake" <<'CMAKE'
# find_package(thread-mqtt) defines the targets thread-mqtt::shared and thread-mqtt::static.
get_filename_component(_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
foreach(_kind shared static)
  if(NOT TARGET thread-mqtt::${_kind})
    string(TOUPPER ${_kind} _type)
    add_library(thread-mqtt::${_kind} ${_type} IMPORTED)
    set_target_properties(thread-mqtt::${_kind} PROPERTIES
      INTERFACE_INCLUDE_DIRECTORIES "${_prefix}/include")
  endif()
endforeach()
set_target_properties(thread-mqtt::shared PROPERTIES
  IMPORTED_LOCATION "${_prefix}/lib/libthread_mqtt.so"
  IMPORTED_NO_SONAME TRUE)
set_target_properties(thread-mqtt::static PROPERTIES
  IMPORTED_LOCATION "${_prefix}/lib/libthread_mqtt.a"
  INTERFACE_LINK_LIBRARIES "pthread;dl;m;gcc_s")
CMAKE
printf 'set(PACKAGE_VERSION "%s")\nif(NOT PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)\n  set(PACKAGE_VERSION_COMPATIBLE TRUE)\nendif()\nif(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)\n  set(PACKAGE_VERSION_EXACT TRUE)\nendif()\n' \
    "$version" > "$prefix/lib/cmake/thread-mqtt/thread-mqtt-config-version.cmake"
echo "installed in $prefix"
