#!/usr/bin/env bash
# Compiles the public header and the port's header by themselves, without Zephyr: each must include
# what it uses and be clean in the dialects that its users compile with.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
status=0

# result STATUS WHAT
result() {
    if [ "$1" -eq 0 ]; then echo "ok      $2"; else echo "FAILED  $2"; status=1; fi
}

# Twice, before anything else: the include guard, and that it includes what it needs. The defaults
# are written once for C and once for C++, so they are compared.
cat > "$folder/api.c" <<'END'
#include <thread_mqtt.h>
#include <thread_mqtt.h>
extern const char broker[];
const struct thread_mqtt_config default_in_c = THREAD_MQTT_CONFIG_DEFAULT();
const char broker[] = "mqtts://broker.example.org";
END
cat > "$folder/api.cpp" <<'END'
#include <thread_mqtt.h>
#include <thread_mqtt.h>
#include <cstring>
extern "C" const char broker[];
extern "C" const thread_mqtt_config default_in_c;
int main()
{
	thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();
	return std::memcmp(&config, &default_in_c, sizeof(config)) != 0;
}
END
cat > "$folder/port.c" <<'END'
#include <port.h>
#include <port.h>
struct tmq_network network;
END
kconfig=(-DCONFIG_THREAD_MQTT_BROKER=broker -DCONFIG_THREAD_MQTT_VERSION=5 -DCONFIG_THREAD_MQTT_KEEP_ALIVE=60)
strict=(-c -Wall -Wextra -Wpedantic -Werror)

for standard in c11 c17; do
    gcc -std=$standard "${strict[@]}" "${kconfig[@]}" -Iinclude "$folder/api.c" -o "$folder/c.o"
    result $? "$standard    include/thread_mqtt.h"
    gcc -std=$standard "${strict[@]}" -Izephyr/src "$folder/port.c" -o "$folder/port.o"
    result $? "$standard    zephyr/src/port.h"
done
for standard in c++11 c++17 c++20; do
    g++ -std=$standard "${strict[@]}" "${kconfig[@]}" -Iinclude "$folder/api.cpp" -o "$folder/cpp.o"
    result $? "$standard  include/thread_mqtt.h"
    g++ "$folder/c.o" "$folder/cpp.o" -o "$folder/compare" && "$folder/compare"
    result $? "$standard  the same defaults in C and C++"
done
exit $status
