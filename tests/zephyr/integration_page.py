"""Builds the product of docs/integration.md as the page says. Its Kconfig lines and its C code are taken from the page,
and built as an application outside this repository, together with what a product already has.

    python3 tests/zephyr/integration_page.py WORKSPACE [BOARD...]     (the folder above zephyr/)

Needs what native_sim.py needs, and for the Cortex-M boards arm-none-eabi-gcc.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from native_sim import ROOT, chosen, environment, kept
from usage import arguments

PAGE = ROOT / "docs/integration.md"

# What gives the product its network, and the snippets for the build.
BOARDS = {
    "native_sim/native/64": (["NET_IPV4=y", "NET_DRIVERS=y", "NET_SOCKETS_OFFLOAD=y",
                              "NET_NATIVE_OFFLOADED_SOCKETS=y", "ETH_NATIVE_TAP=n",
                              "HEAP_MEM_POOL_SIZE=4096"], []),
    "mps2/an386": (["NET_IPV4=y", "NET_L2_ETHERNET=y", "FPU=y", "TEST_RANDOM_GENERATOR=y",
                    "HEAP_MEM_POOL_SIZE=1024"], []),
    "nrf52840dk/nrf52840": (["NET_L2_OPENTHREAD=y", "OPENTHREAD_MTD=y", "FPU=y"],
                            ["thread-mqtt-upstream-psa"]),
}

# The product's own part: it starts the client and publishes.
MAIN = """#include <stddef.h>
struct thread_mqtt;
int start(struct thread_mqtt **client, const char *ca_pem, size_t ca_len);
int publish(struct thread_mqtt *client, const char *text);

int main(void)
{
	static const char ca[] = "of the product";
	struct thread_mqtt *client;

	return start(&client, ca, sizeof(ca) - 1) == 0 ? publish(client, "text") : 0;
}
"""
CMAKE = """cmake_minimum_required(VERSION 3.20.0)
find_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})
project(product)
target_sources(app PRIVATE main.c start.c publish.c)
"""


def block(text, heading, language):
    """Returns the first block of a language after a text in the page."""
    found = re.search(rf"^```{language}\n(.*?)^```$", text.split(heading, 1)[1], re.MULTILINE | re.DOTALL)
    return found[1]


def product(folder, board):
    """Writes the application."""
    text = PAGE.read_text()
    kconfig = block(text, "**3. Five lines of Kconfig**", "ini")
    if len(kconfig.splitlines()) != 5:
        sys.exit(f"error: {PAGE.name} should have five lines of Kconfig:\n{kconfig}")
    network, _ = BOARDS[board]
    (folder / "prj.conf").write_text(kconfig + "".join(f"CONFIG_{line}\n" for line in network))
    (folder / "start.c").write_text(block(text, "**4. Fifteen lines of C.**", "c"))
    (folder / "publish.c").write_text(block(text, "From then on the client keeps connected", "c"))
    (folder / "main.c").write_text(MAIN)
    (folder / "CMakeLists.txt").write_text(CMAKE)


def build(folder, board, env):
    """Returns None, or the end of a failed build's output."""
    arguments = [f"-DEXTRA_ZEPHYR_MODULES={ROOT}",
                 f"-DTHREAD_MQTT_CARGO_TARGET_DIR={kept() / 'zephyr'}"]
    _, snippets = BOARDS[board]
    if snippets:
        arguments.append("-DSNIPPET=" + ";".join(snippets))
    result = subprocess.run(["west", "build", "-b", board, "-d", str(folder / "build"), str(folder), "--",
                             *arguments],
                            cwd=env["ZEPHYR_BASE"], env=env, capture_output=True, text=True, errors="replace")
    printed = result.stdout + result.stderr
    if result.returncode != 0:
        # A compiler's message may be in either output, long before the end of the other.
        return result.stdout[-3000:] + result.stderr[-3000:]
    warnings = [line for line in printed.splitlines() if "warning: " in line and "product" in line]
    return "\n".join(warnings) or None


def main(workspace, boards):
    failed = skipped = 0
    boards = chosen(boards, BOARDS)
    for board in boards:
        env = environment(workspace)
        if not board.startswith("native_sim"):
            if shutil.which("arm-none-eabi-gcc") is None:
                print(f"SKIPPED {board}: no arm-none-eabi-gcc")
                skipped += 1
                continue
            env.update(ZEPHYR_TOOLCHAIN_VARIANT="gnuarmemb", GNUARMEMB_TOOLCHAIN_PATH="/usr")
        with tempfile.TemporaryDirectory() as name:
            product(pathlib.Path(name), board)
            why = build(pathlib.Path(name), board, env)
        failed += why is not None
        print(f"{'ok' if why is None else 'FAILED':6}  {board}", flush=True)
        if why:
            print(why)
    print(f"{len(boards) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return failed


if __name__ == "__main__":
    where, *wanted = arguments(__doc__, 1)
    sys.exit(1 if main(pathlib.Path(where).resolve(), wanted) else 0)
