#!/usr/bin/env bash
# Installs the C API for this computer into a folder of its own, builds samples/linux against it with
# CMake and with pkg-config, shared and static, and publishes to a Mosquitto on the loopback.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker"; rm -rf "$folder"' EXIT

scripts/install_linux.sh "$folder/prefix"
export PKG_CONFIG_PATH=$folder/prefix/lib/pkgconfig LD_LIBRARY_PATH=$folder/prefix/lib
cmake -S samples/linux -B "$folder/cmake" -DCMAKE_PREFIX_PATH="$folder/prefix" >/dev/null
cmake --build "$folder/cmake" >/dev/null
sample=samples/linux/src/main.c
# pkg-config's words are several arguments.
# shellcheck disable=SC2046
cc -Wall -Wextra -Werror $sample $(pkg-config --cflags --libs thread-mqtt) -o "$folder/shared"
# shellcheck disable=SC2046
cc -Wall -Wextra -Werror $sample $(pkg-config --cflags thread-mqtt) -Wl,-Bstatic \
    -L"$folder/prefix/lib" -lthread_mqtt -Wl,-Bdynamic -lpthread -ldl -lm -lgcc_s -o "$folder/static"

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
