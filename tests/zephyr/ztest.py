"""Builds the ztest suites of the C API and the port for native_sim in a west workspace and runs them.
The same as `west twister -T tests/zephyr/api -p native_sim/native/64`, without its report.

    python3 tests/zephyr/ztest.py WORKSPACE     (the folder above zephyr/)

Needs west, Zephyr's build tools and Rust as native_sim.py says.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from native_sim import ROOT, environment, west_build

PATIENCE = 600  # seconds for all suites


def main(workspace):
    env = environment(workspace)
    with tempfile.TemporaryDirectory() as name:
        build = pathlib.Path(os.environ.get("ZTEST_BUILD_DIR", name)) / "api"
        print("building api", flush=True)
        west_build(build, ROOT / "tests" / "zephyr" / "api", [], env)
        # The image does not end by itself where nobody tells it to: ztest does.
        result = subprocess.run([str(build / "zephyr" / "zephyr.exe")], capture_output=True, text=True,
                                errors="replace", timeout=PATIENCE)
    lines = [line for line in result.stdout.splitlines() if "SUITE" in line or "PASS" in line or "FAIL" in line
             or "assert" in line.lower() or "PROJECT EXECUTION" in line or "bytes of heap" in line]
    print("\n".join(lines))
    if result.returncode != 0 or "PROJECT EXECUTION SUCCESSFUL" not in result.stdout:
        sys.exit(f"error: a suite failed, exit status {result.returncode}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]).resolve())
