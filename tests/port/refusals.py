"""Refusals that cannot be tested in this project's workspaces: options of the nRF Connect SDK or of another
version of Zephyr. Runs zephyr/cmake/refuse.cmake alone with them. All others are in
tests/zephyr/refusals.py, where Kconfig sets the options.

    python3 tests/port/refusals.py
"""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))
from usage import arguments  # noqa: E402

REFUSE = ROOT / "zephyr/cmake/refuse.cmake"

# A valid image: a Thread device with PSA Crypto, of the nRF Connect SDK 2.5.
THREAD = {
    "NET_L2_OPENTHREAD": "y", "NET_IPV6": "y", "NET_SOCKETS": "y", "NET_TCP": "y", "NET_UDP": "y",
    "OPENTHREAD_SLAAC": "y", "EVENTFD": "y", "EVENTFD_MAX": "1", "POSIX_MAX_FDS": "8",
    "NET_SOCKETS_POLL_MAX": "6", "CSPRNG_ENABLED": "y", "PICOLIBC": "y", "NRF_SECURITY": "y",
    "COMMON_LIBC_MALLOC_ARENA_SIZE": "49152", "MAIN_STACK_SIZE": "4096", "HEAP_MEM_POOL_SIZE": "0",
    "THREAD_MQTT_C_API": "y", "THREAD_MQTT_CRYPTO_PSA": "y", "THREAD_MQTT_STACK_SIZE": "13312",
    "THREAD_MQTT_MAX_CLIENTS": "1", "THREAD_MQTT_MAX_CHAIN": "4", "THREAD_MQTT_OUTBOX_BYTES": "16384",
    "THREAD_MQTT_MAX_PACKET_SIZE": "16384", "THREAD_MQTT_SEC_TAG": "-1",
    "THREAD_MQTT_DNS_SERVERS": "9.9.9.9 8.8.8.8", "THREAD_MQTT_NAT64_PREFIX": "",
    "THREAD_MQTT_TIME_SERVERS": "time.example.org",
}
ON_PSA = {**THREAD, "MBEDTLS_PSA_CRYPTO_C": "y", "OPENTHREAD_CRYPTO_PSA": "y"}
# Without Thread, on Zephyr's own stack.
ETHERNET = {**THREAD, "NET_L2_OPENTHREAD": None, "DNS_RESOLVER": "y", "NET_IPV4": "y"}

EIGHT = {**THREAD, "THREAD_MQTT_MAX_CLIENTS": "8", "EVENTFD_MAX": "8", "POSIX_MAX_FDS": "36"}

OLD_TCP, NEW_TCP = "mbedtls_md5(hash);", "psa_hash_compute();"

# Name, Zephyr version, options, tcp.c, text that the output must contain. None: it must work without any output.
# After "Warning: " the configuration continues.
CASES = [
    ("the base", "3.4", THREAD, OLD_TCP, None),
    ("a heap too small for a handshake", "4.2",
     {**THREAD, "COMMON_LIBC_MALLOC_ARENA_SIZE": "27224", "THREAD_MQTT_OUTBOX_BYTES": "4096",
      "THREAD_MQTT_MAX_PACKET_SIZE": "4096"}, NEW_TCP,
     "Set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to 27225 or more"),
    ("the least heap for a handshake", "4.2",
     {**THREAD, "COMMON_LIBC_MALLOC_ARENA_SIZE": "27225", "THREAD_MQTT_OUTBOX_BYTES": "4096",
      "THREAD_MQTT_MAX_PACKET_SIZE": "4096"}, NEW_TCP, None),
    ("a smaller heap for shorter chains", "4.2",
     {**THREAD, "COMMON_LIBC_MALLOC_ARENA_SIZE": "21692", "THREAD_MQTT_OUTBOX_BYTES": "4096",
      "THREAD_MQTT_MAX_PACKET_SIZE": "4096", "THREAD_MQTT_MAX_CHAIN": "2"}, NEW_TCP, None),
    ("MQTT 3.1.1 in a heap too small for any record", "4.2",
     {**THREAD, "COMMON_LIBC_MALLOC_ARENA_SIZE": "44253", "THREAD_MQTT_OUTBOX_BYTES": "4096",
      "THREAD_MQTT_MAX_PACKET_SIZE": "4096", "THREAD_MQTT_VERSION": "4"}, NEW_TCP,
     "Warning: set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to 44254"),
    ("MQTT 3.1.1 in a heap for any record", "4.2",
     {**THREAD, "COMMON_LIBC_MALLOC_ARENA_SIZE": "44254", "THREAD_MQTT_OUTBOX_BYTES": "4096",
      "THREAD_MQTT_MAX_PACKET_SIZE": "4096", "THREAD_MQTT_VERSION": "4"}, NEW_TCP, None),
    ("a stack too small for chains of seven", "4.2", {**THREAD, "THREAD_MQTT_MAX_CHAIN": "7"}, NEW_TCP,
     "Set CONFIG_THREAD_MQTT_STACK_SIZE to 14624 or more"),
    ("a heap too small for the outbox", "4.2", {**THREAD, "THREAD_MQTT_OUTBOX_BYTES": "32768"}, NEW_TCP,
     "Set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to 62652 or more"),
    ("connections for eight clients", "4.2",
     {**EIGHT, "NET_MAX_CONN": "15", "NET_MAX_CONTEXTS": "16"}, NEW_TCP, "Set CONFIG_NET_MAX_CONN to 16 or more"),
    ("contexts for eight clients", "4.2",
     {**EIGHT, "NET_MAX_CONN": "16", "NET_MAX_CONTEXTS": "15"}, NEW_TCP, "Set CONFIG_NET_MAX_CONTEXTS to 16 or more"),
    ("enough of both for eight clients", "4.2", {**EIGHT, "NET_MAX_CONN": "16", "NET_MAX_CONTEXTS": "16"}, NEW_TCP, None),
    ("eight clients on a modem's sockets", "4.2",
     {**EIGHT, "NET_MAX_CONN": "4", "NET_MAX_CONTEXTS": "6", "NET_SOCKETS_OFFLOAD": "y"}, NEW_TCP, None),
    ("one client with both families", "4.2", {**ETHERNET, "EVENTFD_MAX": "2", "HEAP_MEM_POOL_SIZE": "1024",
     "NET_MAX_CONN": "1"}, NEW_TCP, "Set CONFIG_NET_MAX_CONN to 2 or more"),
    ("one client with DNS over TCP", "4.2", {**ETHERNET, "EVENTFD_MAX": "2", "HEAP_MEM_POOL_SIZE": "1024",
     "THREAD_MQTT_DNS_TCP": "y", "NET_MAX_CONN": "2"}, NEW_TCP, "Set CONFIG_NET_MAX_CONN to 3 or more"),
    ("the shortest keep-alive above the longest", "4.2",
     {**THREAD, "THREAD_MQTT_KEEP_ALIVE_AUTO": "y", "THREAD_MQTT_KEEP_ALIVE_MIN": "4000",
      "THREAD_MQTT_KEEP_ALIVE_MAX": "3600"}, NEW_TCP, "Set CONFIG_THREAD_MQTT_KEEP_ALIVE_MAX to 4000 or more"),
    ("a keep-alive with one value", "4.2",
     {**THREAD, "THREAD_MQTT_KEEP_ALIVE_AUTO": "y", "THREAD_MQTT_KEEP_ALIVE_MIN": "3600",
      "THREAD_MQTT_KEEP_ALIVE_MAX": "3600"}, NEW_TCP, None),
    ("the shortest pause above the longest", "4.2",
     {**THREAD, "THREAD_MQTT_BACKOFF_MIN": "600000", "THREAD_MQTT_BACKOFF_MAX": "300000"}, NEW_TCP,
     "Set CONFIG_THREAD_MQTT_BACKOFF_MAX to 600000 or more"),
    ("a long name of a session", "4.2", {**THREAD, "THREAD_MQTT_SESSION_NAME": "thirteen-long"}, NEW_TCP,
     "Set it to 1 to 12 characters"),
    ("a name of a session with a blank", "4.2", {**THREAD, "THREAD_MQTT_SESSION_NAME": "a b"}, NEW_TCP,
     "Set it to 1 to 12 characters"),
    ("a name of a session", "4.2", {**THREAD, "THREAD_MQTT_SESSION_NAME": "Twelve_long1"}, NEW_TCP, None),
    ("PSA Crypto without algorithms", "3.4", {**THREAD, "MBEDTLS_LEGACY_CRYPTO_C": "y"}, OLD_TCP,
     "(CONFIG_MBEDTLS_LEGACY_CRYPTO_C) instead. Set CONFIG_THREAD_MQTT_CRYPTO_SOFT=y."),
    ("PSA Crypto without algorithms, NCS 2.7", "3.6", {**THREAD, "MBEDTLS_LEGACY_CRYPTO_C": "y"}, OLD_TCP,
     "(CONFIG_MBEDTLS_LEGACY_CRYPTO_C) instead. Set CONFIG_THREAD_MQTT_CRYPTO_SOFT=y."),
    ("PSA Crypto beside the older cryptography", "3.7", {**THREAD, "MBEDTLS_LEGACY_CRYPTO_C": "y"}, OLD_TCP,
     None),
    ("PSA Crypto that OpenThread calls, too", "3.4", ON_PSA, OLD_TCP,
     "Set CONFIG_THREAD_MQTT_CRYPTO_SOFT=y, or update to Zephyr 3.7"),
    ("PSA Crypto that OpenThread calls, too, with CryptoCell's mutexes", "3.6",
     {**ON_PSA, "MBEDTLS_THREADING_C": "y"}, OLD_TCP,
     "Set CONFIG_THREAD_MQTT_CRYPTO_SOFT=y, or update to Zephyr 3.7"),
    ("PSA Crypto for two clients", "3.6",
     {**THREAD, "NRF_SECURITY": None, "MBEDTLS_PSA_CRYPTO_C": "y", "THREAD_MQTT_MAX_CLIENTS": "2",
      "EVENTFD_MAX": "2"}, OLD_TCP, "Set CONFIG_THREAD_MQTT_CRYPTO_SOFT=y, or update to Zephyr 3.7"),
    ("PSA Crypto for one client", "3.6", {**THREAD, "NRF_SECURITY": None, "MBEDTLS_PSA_CRYPTO_C": "y"}, OLD_TCP,
     None),
    ("PSA Crypto in a secure partition", "3.6", {**ON_PSA, "BUILD_WITH_TFM": "y"}, OLD_TCP, None),
    ("PSA Crypto without locks", "3.7", ON_PSA, OLD_TCP, "Set CONFIG_MBEDTLS_THREADING_C=y"),
    ("PSA Crypto with locks", "3.7", {**ON_PSA, "MBEDTLS_THREADING_C": "y"}, OLD_TCP, None),
    ("PSA Crypto of upstream Zephyr", "4.2", {**ON_PSA, "NRF_SECURITY": None}, NEW_TCP, None),
    ("PSA Crypto on another core", "4.4", {**ON_PSA, "MBEDTLS_PSA_CRYPTO_C": None}, NEW_TCP, None),
    ("OpenThread's stack too small for PSA Crypto", "4.2",
     {**ON_PSA, "NRF_SECURITY": None, "OPENTHREAD_THREAD_STACK_SIZE": "3168"}, NEW_TCP,
     "Warning: Set CONFIG_OPENTHREAD_THREAD_STACK_SIZE to 5120"),
    ("OpenThread's stack for PSA Crypto", "4.2",
     {**ON_PSA, "NRF_SECURITY": None, "OPENTHREAD_THREAD_STACK_SIZE": "5120"}, NEW_TCP, None),
    ("soft backend beside the older cryptography", "3.4",
     {**THREAD, "MBEDTLS_LEGACY_CRYPTO_C": "y", "THREAD_MQTT_CRYPTO_PSA": None,
      "THREAD_MQTT_STACK_SIZE": "18432"}, OLD_TCP, None),
    ("sequence numbers with MD5", "3.4", {**THREAD, "NET_TCP_ISN_RFC6528": "y"}, OLD_TCP,
     "Set CONFIG_NET_TCP_ISN_RFC6528=n"),
    ("sequence numbers with SHA-256", "4.1", {**THREAD, "NET_TCP_ISN_RFC6528": "y"}, NEW_TCP, None),
    ("prebuilt OpenThread, minimal C library", "3.4",
     {**THREAD, "OPENTHREAD_LIBRARY": "y", "PICOLIBC": None, "MINIMAL_LIBC": "y"}, OLD_TCP,
     "Set CONFIG_PICOLIBC=y, or CONFIG_NEWLIB_LIBC=y"),
    ("prebuilt OpenThread, picolibc", "3.4", {**THREAD, "OPENTHREAD_LIBRARY": "y"}, OLD_TCP, None),
    # Newlib's heap is all remaining memory.
    ("prebuilt OpenThread, newlib", "3.4",
     {**THREAD, "OPENTHREAD_LIBRARY": "y", "PICOLIBC": None, "NEWLIB_LIBC": "y",
      "COMMON_LIBC_MALLOC_ARENA_SIZE": None}, OLD_TCP, None),
    ("radio co-processor, minimal C library", "4.2",
     {**THREAD, "HDLC_RCP_IF": "y", "MINIMAL_LIBC": "y"}, NEW_TCP, "Set CONFIG_PICOLIBC=y"),
    ("getaddrinfo() without a heap", "3.4", ETHERNET, OLD_TCP, "Set CONFIG_HEAP_MEM_POOL_SIZE to 1024"),
    ("getaddrinfo() without DNS and a heap", "4.2", {**ETHERNET, "DNS_RESOLVER": None}, NEW_TCP,
     "Set CONFIG_HEAP_MEM_POOL_SIZE to 1024"),
    ("getaddrinfo() with a heap", "3.4", {**ETHERNET, "HEAP_MEM_POOL_SIZE": "1024"}, OLD_TCP, None),
    ("getaddrinfo() that reserves its heap", "4.2",
     {**ETHERNET, "HEAP_MEM_POOL_ADD_SIZE_GETADDRINFO": "280"}, NEW_TCP, None),
    ("poll limit of Zephyr 4.5", "4.5",
     {**THREAD, "NET_SOCKETS_POLL_MAX": None, "ZVFS_POLL_MAX": "2"}, NEW_TCP, "Set CONFIG_ZVFS_POLL_MAX to 3"),
]


def run(folder, version, options, tcp):
    """Returns the exit status and the output."""
    source = folder / "subsys/net/ip/tcp.c"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(tcp)
    major, minor = version.split(".")
    variables = {f"CONFIG_{name}": value for name, value in options.items() if value is not None}
    variables |= {"ZEPHYR_BASE": folder, "BOARD": "nrf52840dk", "KERNEL_VERSION_MAJOR": major,
                  "KERNEL_VERSION_MINOR": minor}
    result = subprocess.run(["cmake", *(f"-D{name}={value}" for name, value in variables.items()),
                             "-P", REFUSE], capture_output=True, text=True)
    return result.returncode, " ".join((result.stdout + result.stderr).split())


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        for case, version, options, tcp, sentence in CASES:
            status, printed = run(pathlib.Path(name), version, options, tcp)
            if sentence is None:
                well = (status, printed) == (0, "")
            else:
                goes_on = sentence.startswith("Warning: ")
                well = (status == 0) == goes_on and sentence.removeprefix("Warning: ") in printed
            failed += not well
            print(f"{'ok' if well else 'FAILED':6}  {case}")
            if not well:
                print(f"        wanted {sentence!r}, status {status}: {printed}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    arguments(__doc__, 0, 0)
    sys.exit(main())
