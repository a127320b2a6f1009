#!/usr/bin/env bash
# Installs the C API for this computer into a temporary folder, builds samples/linux against it with
# CMake and with pkg-config, shared and static, and publishes to a Mosquitto on the loopback.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker"; rm -rf "$folder"' EXIT

# Contains a space, which pkg-config and CMake must handle.
prefix="$folder/a prefix"
scripts/install_linux.sh "$prefix"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
cmake -S samples/linux -B "$folder/cmake" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$folder/cmake" >/dev/null
# Versions that find it: the installed one and older ones, but no other exact version and no newer one.
finds() {
    mkdir -p "$folder/find"
    printf 'cmake_minimum_required(VERSION 3.16)\nproject(find NONE)\nset_property(GLOBAL PROPERTY TARGET_SUPPORTS_SHARED_LIBS TRUE)\nfind_package(thread-mqtt %s REQUIRED)\n' "$1" \
        > "$folder/find/CMakeLists.txt"
    cmake -S "$folder/find" -B "$folder/find/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null 2>&1
}
version=$(pkg-config --modversion thread-mqtt)
finds "$version" && finds "$version EXACT" && finds "0.0.1" && ! finds "0.0.1 EXACT" && ! finds "1000.0"
printf 'ok      find_package\n'
sample=samples/linux/src/main.c
# pkg-config prints several arguments, quoted for a shell.
eval "cc -Wall -Wextra -Werror $sample $(pkg-config --cflags --libs thread-mqtt) -o '$folder/shared'"
eval "flags=($(pkg-config --cflags thread-mqtt))"
cc -Wall -Wextra -Werror $sample "${flags[@]}" -Wl,-Bstatic \
    -L"$prefix/lib" -lthread_mqtt -Wl,-Bdynamic -lpthread -ldl -lm -lgcc_s -o "$folder/static"

PATH=$PATH:/usr/sbin
for _ in 1 2 3 4 5; do
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port" > "$folder/mosquitto.conf"
    mosquitto -c "$folder/mosquitto.conf" 2>"$folder/log" &
    broker=$!
    for _ in $(seq 100); do
        kill -0 $broker 2>/dev/null || break
        (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break 2
        sleep 0.1
    done
    broker=
done
if [ -z "$broker" ]; then
    cat "$folder/log" >&2
    exit 1
fi
for program in "$folder/cmake/publish" "$folder/shared" "$folder/static"; do
    "$program" "mqtt://127.0.0.1:$port" > "$folder/out"
    grep -q '^online' "$folder/out"
    [ "$(grep -c '^message: .*: count ' "$folder/out")" -ge 1 ]
    printf 'ok      %s\n' "${program##*/}"
done
THREAD_MQTT_LOG=verbose "$folder/shared" "mqtt://127.0.0.1:$port" 2>&1 >/dev/null | grep -q 'THREAD_MQTT_LOG=verbose is not off'
printf 'ok      an invalid log level\n'
