"""Builds the ztest suites of the C API and the port in a west workspace and runs them, on native_sim or on a Cortex-M4
emulated by QEMU. Does the same as `west twister -T tests/zephyr/api`, without its report.

    python3 tests/zephyr/ztest.py WORKSPACE [BOARD]     (the folder above zephyr/)

BOARD is native_sim/native/64 (default) or mps2/an386. Needs west, Zephyr's build tools and Rust as described in
native_sim.py, and for mps2/an386 what cortex_m.py needs.
"""

import pathlib
import re
import sys
import time

import cortex_m
from native_sim import NATIVE, ROOT, chosen, environment, kept, west_build
from openthread import process
from usage import arguments

PATIENCE = 600  # seconds for all suites
END = "PROJECT EXECUTION"


def main(workspace, board=NATIVE):
    chosen([board], (NATIVE, cortex_m.BOARD))
    if board == cortex_m.BOARD and (why := cortex_m.missing()):
        print(f"SKIPPED: {why}")
        return
    folder = kept() / "zephyr-ztest" / board.replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    print(f"building api for {board}", flush=True)
    west_build(folder / "api", ROOT / "tests" / "zephyr" / "api", [], environment(workspace, board), board)

    printed = folder / "printed.txt"
    printed.write_text("")
    image = folder / "api" / "zephyr"
    running = cortex_m.emulated(image / "zephyr.elf", printed) if board == cortex_m.BOARD else \
        process([image / "zephyr.exe", "-flash_in_ram"], printed)
    with running as ended:
        deadline = time.monotonic() + PATIENCE
        # ztest ends native_sim; a board keeps running, and prints one character at a time.
        while ended.poll() is None and not re.search(f"{END} (SUCCESSFUL|FAILED)", printed.read_text(errors="replace")):
            if time.monotonic() > deadline:
                sys.exit(f"{printed.read_text(errors='replace')}\nerror: the suites did not end")
            time.sleep(0.2)
    text = printed.read_text(errors="replace")
    print("\n".join(line for line in text.splitlines() if any(
        word in line for word in ("SUITE", "PASS", "FAIL", "ssert", END, "bytes of heap", "bytes of stack", "fault"))))
    if f"{END} SUCCESSFUL" not in text:
        sys.exit("error: a suite failed")


if __name__ == "__main__":
    where, *wanted = arguments(__doc__, 1, 2)
    main(pathlib.Path(where).resolve(), *wanted)
