"""What zephyr/cmake/refuse.cmake asks of an image's memory: read from there, tabled, and proved."""
import re

import build
import plan
import run
from run import Handshake

SOURCE = build.ROOT / "zephyr/cmake/refuse.cmake"
THREADS = build.ROOT / "zephyr/kconfig/Kconfig.threads"
# What is left of a stack by default, of what the deepest chain takes.
ROOM = 0.2
# Of the image with PSA, those that take the most heap or stack.
PROVED = (
    Handshake("1.2", "rsa", "P-256", mqtt="5"),
    Handshake("1.3", "rsa", "X25519", mqtt="5"),
    Handshake("1.2", "rsa-deep", "P-256", mqtt="5"),
    Handshake("1.3", "rsa-deep", "X25519", mqtt="5"),
    Handshake("1.2", "p256-deep", "P-256", mqtt="5"),
    Handshake("1.3", "p256-deep", "X25519", mqtt="5"),
)


def numbers():
    """{name: bytes} of what is set there."""
    return {name: int(value) for name, value in re.findall(r"^set\(need_(\w+) (\d+)\)", SOURCE.read_text(), re.MULTILINE)}


def default_stack():
    """The stack of a client's thread with PSA, as Kconfig has it."""
    return int(re.search(r"config THREAD_MQTT_STACK_SIZE\n(?:\t.*\n)*?\tdefault (\d+)\n", THREADS.read_text())[1])


def certificates(handshake):
    """On the path, the root not counted."""
    return 4 if handshake.chain.endswith("-deep") else 2


def prove(builder):
    """Runs the handshakes with exactly that heap, and looks at the stack; returns how many do not fit."""
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
            print(f"error: {handshake}: not with {heap:,} bytes of heap, which {SOURCE.name} takes for enough:\n{failure}")
            continue
        if used > stack:
            failed += 1
            print(f"error: {handshake}: {used:,} bytes of stack, of which {SOURCE.name} asks for {stack:,}")
        if used * (1 + ROOM) > default_stack():
            failed += 1
            print(f"error: {handshake}: {used:,} bytes of stack leave less than {ROOM:.0%} of room in the "
                  f"{default_stack():,} of {THREADS.name}")
    return failed


def arena(count, outbox, packet, soft=False, any_record=False):
    """The arena that the build of Zephyr asks for: certificates on the path, bytes of the outbox and of the largest
    packet; `any_record`: so that a TLS record of any size fits as well."""
    need = numbers()
    handshake = need["heap"] + need["heap_certificate"] * count + (need["heap_soft"] if soft else 0)
    least = max(handshake * 5 // 4, need["heap_open"] + outbox + packet)
    return least + (need["record"] if any_record else 0)


def rows():
    """(certificates, largest packet, arena with PSA, with Rust's cryptography, for any record, stack with PSA, with Rust's, with P-384)."""
    need = numbers()
    for count in (2, 4):
        for packet in (1024, 4096, 16384):
            arenas = [arena(count, packet, packet, **what) for what in (
                {}, {"soft": True}, {"soft": True, "any_record": True})]
            stack = [need[name] + need["stack_certificate"] * count
                     for name in ("stack_psa", "stack_soft", "stack_soft_p384")]
            yield (count, packet, *arenas, *stack)
