#!/usr/bin/env bash
# Creates a Python environment with west, Kconfiglib and PyYAML under target/ (once) and prints the path of
# its python.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${CARGO_TARGET_DIR:-$root/target}/python_tools
wanted=$root/scripts/python_tools.txt

if ! cmp -s "$wanted" "$venv/installed.txt"; then
    printf 'Installing west, Kconfiglib and PyYAML into %s (once)\n' "$venv" >&2
    python3 -m venv "$venv" >&2 || exit 1
    timeout 300 "$venv/bin/pip" install --quiet --retries 1 --disable-pip-version-check -r "$wanted" >&2 || exit 1
    cp "$wanted" "$venv/installed.txt"
fi
printf '%s\n' "$venv/bin/python"
