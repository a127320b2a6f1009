#!/usr/bin/env python3
"""Compares the defaults in include/thread_mqtt_config.h with those in Kconfig. One C API reads both."""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def kconfig():
    """Returns each option's unconditional default; the first one counts, as in Kconfig."""
    defaults = {}
    option = None
    for path in [ROOT / "zephyr/Kconfig", *sorted((ROOT / "zephyr/kconfig").glob("Kconfig.*"))]:
        for line in path.read_text().splitlines():
            if found := re.match(r"\s*(?:menu)?config (\w+)$", line):
                option = found[1]
            elif re.match(r"\s*(?:choice|endchoice|menu|endmenu)\b", line):
                option = None
            elif found := re.match(r'\s+default (".*"|\S+)$', line):
                if option is not None:
                    defaults.setdefault(option, found[1])
    return defaults


def header():
    text = (ROOT / "include/thread_mqtt_config.h").read_text()
    return dict(re.findall(r"^#define CONFIG_(THREAD_MQTT_\w+) (.*)$", text, re.M))


# Allows more clients outside Zephyr, where there is more memory than on a device.
OTHERS = {"THREAD_MQTT_MAX_CLIENTS"}


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    wanted = kconfig()
    wrong = []
    found = header()
    for option, value in found.items():
        expected = {"y": "1"}.get(wanted.get(option), wanted.get(option))
        if option not in OTHERS and value != expected:
            wrong.append(f"CONFIG_{option} is {value} in the header, {expected} in Kconfig")
    print("\n".join(wrong) or f"ok: {len(found)} defaults match Kconfig")
    if not found:
        sys.exit("include/thread_mqtt_config.h defines no option")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
