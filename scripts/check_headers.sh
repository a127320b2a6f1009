#!/usr/bin/env bash
# Compiles the public header and the port's header by themselves, without Zephyr: each must include
# what it uses and be clean in the dialects that its users compile with.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
status=0

# Twice, before anything else: the include guard, and that it includes what it needs.
cat > "$folder/api.c" <<'END'
#include <thread_mqtt.h>
#include <thread_mqtt.h>
int use(struct thread_mqtt **client);
int use(struct thread_mqtt **client)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();

	return thread_mqtt_init(client, &config);
}
END
cp "$folder/api.c" "$folder/api.cpp"
cat > "$folder/port.c" <<'END'
#include <port.h>
#include <port.h>
struct tmq_network network;
END

# A value for each option that the header names; 0 suits numbers, strings and flags.
options=()
while read -r option; do options+=("-D$option=0"); done < <(grep -oE 'CONFIG_THREAD_MQTT_[A-Z0-9_]+' include/thread_mqtt.h | sort -u)

# check COMPILER STANDARD SOURCE HEADER
check() {
    if "$1" -std="$2" -fsyntax-only -Wall -Wextra -Wpedantic -Werror "${options[@]}" \
            -I"$(dirname "$4")" "$folder/$3"; then
        printf 'ok      %-5s  %s\n' "$2" "$4"
    else
        printf 'FAILED  %-5s  %s\n' "$2" "$4"; status=1
    fi
}
for standard in c11 c17; do
    check gcc $standard api.c include/thread_mqtt.h
    check gcc $standard port.c zephyr/src/port.h
done
for standard in c++11 c++17 c++20; do
    check g++ $standard api.cpp include/thread_mqtt.h
done
exit $status
