"""Reads the memory requirements in zephyr/cmake/refuse.cmake, tabulates them, and verifies them."""
import re

import build
import plan
import run
from run import Handshake

SOURCE = build.ROOT / "zephyr/cmake/refuse.cmake"
THREADS = build.ROOT / "zephyr/kconfig/Kconfig.threads"
# The margin of the default stack, as a fraction of what the deepest chain takes.
ROOM = 0.2
# The handshakes of the PSA image that take the most heap or stack.
PROVED = (
    Handshake("1.2", "rsa", "P-256", mqtt="5"),
    Handshake("1.3", "rsa", "X25519", mqtt="5"),
    Handshake("1.2", "rsa-deep", "P-256", mqtt="5"),
    Handshake("1.3", "rsa-deep", "X25519", mqtt="5"),
    Handshake("1.2", "p256-deep", "P-256", mqtt="5"),
    Handshake("1.3", "p256-deep", "X25519", mqtt="5"),
)


def numbers():
    """Returns {name: bytes} of the values set there."""
    return {name: int(value) for name, value in re.findall(r"^set\(need_(\w+) (\d+)\)", SOURCE.read_text(), re.MULTILINE)}


def default_stack():
    """Returns the default stack of a client's thread with PSA in Kconfig."""
    return int(re.search(r"config THREAD_MQTT_STACK_SIZE\n(?:\t.*\n)*?\tdefault (\d+)\n", THREADS.read_text())[1])


def certificates(handshake):
    """Returns the number of certificates on the path, without the root."""
    return 4 if handshake.chain.endswith("-deep") else 2


def prove(builder):
    """Runs the handshakes with exactly that heap and checks the stack; returns the number that do not fit."""
    need, failed = numbers(), 0
    elf, _ = builder.image(plan.IMAGES["client-psa"])
    for handshake in PROVED:
        count = certificates(handshake)
        heap = need["heap"] + need["heap_certificate"] * count
        stack = need["stack_psa"] + need["stack_certificate"] * count
        try:
            used = max(phase.stack for phase in run.measure(elf, handshake, heap).values())
        except build.Failed as failure:
            failed += 1
            print(f"error: {handshake}: fails with {heap:,} bytes of heap, which {SOURCE.name} considers sufficient:\n{failure}")
            continue
        if used > stack:
            failed += 1
            print(f"error: {handshake}: uses {used:,} bytes of stack, but {SOURCE.name} requires only {stack:,}")
        if used * (1 + ROOM) > default_stack():
            failed += 1
            print(f"error: {handshake}: {used:,} bytes of stack leave a margin below {ROOM:.0%} in the default "
                  f"of {default_stack():,} in {THREADS.name}")
    return failed


def arena(count, outbox, packet, soft=False, any_record=False):
    """Returns the arena that the Zephyr build requires for `count` certificates on the path, and for an outbox and a
    largest packet of so many bytes. With `any_record`, a TLS record of any size fits as well."""
    need = numbers()
    handshake = need["heap"] + need["heap_certificate"] * count + (need["heap_soft"] if soft else 0)
    least = max(handshake * 5 // 4, need["heap_open"] + outbox + packet)
    return least + (need["record"] if any_record else 0)


def rows():
    """Yields (certificates, largest packet, arena with PSA, with RustCrypto, for any record, stack with PSA, with
    RustCrypto, with RustCrypto and P-384)."""
    need = numbers()
    for count in (2, 4):
        for packet in (1024, 4096, 16384):
            arenas = [arena(count, packet, packet, **what) for what in (
                {}, {"soft": True}, {"soft": True, "any_record": True})]
            stack = [need[name] + need["stack_certificate"] * count
                     for name in ("stack_psa", "stack_soft", "stack_soft_p384")]
            yield (count, packet, *arenas, *stack)
