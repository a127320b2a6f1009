"""Reads flash sizes from the linker map."""
import re
from collections import Counter

# An input section: its name (on a line of its own if long), address, size and source file.
SECTION = re.compile(r"^ (\.\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S.*)$", re.MULTILINE)
# A crate root in a mangled name (v0): C, a disambiguator, length and name.
CRATE = re.compile(r"C(?:s[0-9A-Za-z]*_)?(\d+)_?([A-Za-z_]\w*)")

NAMED = {
    "compiler_builtins": "core", "core": "core", "alloc": "alloc",
    "webpki": "rustls-webpki", "rustls_pki_types": "rustls-pki-types",
    # Has little code of its own, but functions of other crates are inlined into it.
    "firmware": "thread-mqtt-tls",
}


def crate_of(section):
    """Returns the crate in the name of a section of the Rust library."""
    if section.endswith(".board_client"):
        return NAMED["firmware"]
    symbol = section.split("_R", 1)
    if len(symbol) == 2:
        match = CRATE.search(symbol[1])
        if match:
            length, rest = int(match[1]), match[2]
            name = rest[:length]
            return NAMED.get(name, name.replace("_", "-"))
    if section.startswith((".rodata", ".data")):
        return "constants"
    return "core"


def owner(section, source):
    """Returns (part, crate) of an input section."""
    if "libfirmware.a" in source:
        # Compiler support code: memcpy and arithmetic.
        if "compiler_builtins" in source:
            return "rust", "core"
        return "rust", crate_of(section)
    if "thread_mqtt_psa.o" in source:
        return "rust", "psa (the C shim)"
    if "libmbedtls.a" in source:
        member = re.search(r"\(([\w-]+)\.o\)", source)[1]
        if re.match(r"ssl_|x509|pem|debug", member):
            return "mbedtls-tls", member
        return "mbedtls-crypto", member
    if "/lib" in source and ".a(" in source:
        return "libc", "libc"
    return "harness", "harness"


class Sizes:
    """Flash of one image by part and by crate."""

    def __init__(self, table):
        text = table.read_text()
        text = text[text.index("Linker script and memory map"):]
        self.parts, self.crates = Counter(), Counter()
        for name, address, size, source in SECTION.findall(text):
            size = int(size, 16)
            in_flash = name.startswith((".text", ".rodata", ".data", ".vectors", ".ARM.ex"))
            if size == 0 or not in_flash or (int(address, 16) == 0 and name != ".vectors"):
                continue
            part, crate = owner(name, source)
            self.parts[part] += size
            self.crates[part, crate] += size

    def of(self, *parts):
        return sum(self.parts[part] for part in parts)

    @property
    def total(self):
        return sum(self.parts.values())
