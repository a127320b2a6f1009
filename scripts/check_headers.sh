#!/usr/bin/env bash
# Compiles the public header and the port's header on their own, without Zephyr. Each must include what it
# uses and compile cleanly in the dialects and with the warnings that its users have.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
status=0

# Included twice, before anything else: tests the include guard, and that it includes what it needs.
cat > "$folder/api.c" <<'END'
#include <thread_mqtt.h>
#include <thread_mqtt.h>
static struct thread_mqtt_config kept = THREAD_MQTT_CONFIG_DEFAULT();
int use(struct thread_mqtt **client);
int use(struct thread_mqtt **client)
{
	struct thread_mqtt_config config = THREAD_MQTT_CONFIG_DEFAULT();

	kept = config;
	return thread_mqtt_init(client, &config);
}
END
# The macro's own names must not shadow the caller's, not even in a lambda.
cat > "$folder/api.cpp" <<'END'
#include <thread_mqtt.h>
#include <thread_mqtt.h>
static const auto kept = THREAD_MQTT_CONFIG_DEFAULT();
int use(thread_mqtt **client);
int use(thread_mqtt **client)
{
	auto config = THREAD_MQTT_CONFIG_DEFAULT();
	auto set = [] {
		auto inner = THREAD_MQTT_CONFIG_DEFAULT();
		inner.keep_alive_s = kept.keep_alive_s;
		return inner;
	}();

	config.client_id = set.client_id;
	config.callback = [](thread_mqtt *, const thread_mqtt_event *event, void *) {
		static_assert(THREAD_MQTT_EVENT_MESSAGE == 7, "a value for static_assert");
		if (event->type == THREAD_MQTT_EVENT_MESSAGE) {
			(void)event->message->topic;
		}
	};
	return thread_mqtt_init(client, &config);
}
END
cat > "$folder/port.c" <<'END'
#include <thread_mqtt_port.h>
#include <thread_mqtt_port.h>
struct tmq_network network;
END
cat > "$folder/shell.c" <<'END'
#include <shell.h>
#include <shell.h>
struct tmq_listener listener;
END

# Defines each option that the header names with a value of its type: text if its default is text.
while read -r option; do
    if grep -qE "^#define $option \"" include/thread_mqtt_config.h; then
        printf '#define %s "x"\n' "$option"
    else
        printf '#define %s 1\n' "$option"
    fi
done < <(grep -oE 'CONFIG_THREAD_MQTT_[A-Z0-9_]+' include/thread_mqtt.h | sort -u) > "$folder/on.h"
# The defaults, with which most switches are off.
: > "$folder/default.h"

c=(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wmissing-field-initializers)
cpp=("${c[@]}" -Wold-style-cast)

# check COMPILER STANDARD SOURCE HEADER WARNING...
check() {
    local compiler=$1 standard=$2 source=$3 header=$4; shift 4
    if ! command -v "$compiler" >/dev/null; then
        printf 'SKIPPED %s: the compiler is not installed\n' "$compiler"
    elif "$compiler" -std="$standard" -fsyntax-only "$@" -include "$folder/on.h" \
            -Iinclude -I"$(dirname "$header")" "$folder/$source" \
        && "$compiler" -std="$standard" -fsyntax-only "$@" -include "$folder/default.h" \
            -Iinclude -I"$(dirname "$header")" "$folder/$source"; then
        printf 'ok      %-8s %-5s  %s\n' "$compiler" "$standard" "$header"
    else
        printf 'FAILED  %-8s %-5s  %s\n' "$compiler" "$standard" "$header"; status=1
    fi
}
for compiler in gcc clang; do
    for standard in c11 c17; do
        check $compiler $standard api.c include/thread_mqtt.h "${c[@]}"
        check $compiler $standard port.c include/thread_mqtt_port.h "${c[@]}"
        check $compiler $standard shell.c zephyr/src/shell.h "${c[@]}"
    done
done
for standard in c++11 c++14 c++17 c++20; do
    check g++ $standard api.cpp include/thread_mqtt.h "${cpp[@]}" -Wuseless-cast
    check clang++ $standard api.cpp include/thread_mqtt.h "${cpp[@]}"
done
exit $status
