"""Checks the project's English for phrases that native readers stumble over, and for names of Rust types in text
for C users. CONTRIBUTING.md has the rules. Only prose is checked: comments, strings and documents."""

import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Phrases and their replacements. Software is not a who, and a repair is a fix.
PHRASES = [
    (r"\b(?:nobody|somebody|no one)\b", "name the thing, or use the passive"),
    (r"\bwhoever\b", "name the thing: the caller, the peer"),
    (r"\bof now\b", "current"),
    (r"\bsurely passed\b", "known to have passed"),
    (r"\bmend(?:s|ed|ing)?\b", "fix"),
    (r"\?\.(?:\"|$)", "end the sentence once"),
    (r"\bsigned? (?:to|for) who\b", "callers that"),
    (r"\bso that who\b", "so that the caller"),
    (r"\bfor who(?:m)? (?:wants|needs|looks)\b", "for callers that"),
    (r"\bhas no [a-z]+ to give\b", "say what is not available"),
    (r"\bit misses a\b", "it expected a"),
    (r"\bbut is none\b", "but is not one"),
    (r"\ball the same, because\b", "nevertheless"),
]

# Text for C users, and what it must not contain.
C_FILES = ("include/", "zephyr/Kconfig", "zephyr/kconfig/", "zephyr/src/shell.c", "samples/")
RUST_NAMES = re.compile(
    r"\b(?:[A-Z][a-z]+)+::[a-z_A-Z]+|\bConfigBuilder\b|\b(?:Client|Driver|Session)Config\b|\bcrate::|\bOption<|\bResult<"
)

PROSE = {".md", ".rst", ".conf", ".txt", ".yaml", ".yml", ".overlay"}
HASH_COMMENTS = {".py", ".sh", ".cmake", ".toml", ""}
CODE = {".rs", ".c", ".h", ".cpp", ".def"}
# This list itself, history, and texts that are not ours.
SKIPPED = {"scripts/check_words.py", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-MIT", "LICENSE-APACHE"}


def prose_of(path, line):
    """Returns the part of a line that a person reads; empty for code alone."""
    suffix = path.suffix
    if suffix in PROSE or path.name.startswith("Kconfig"):
        return line
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    if suffix in CODE:
        comment = re.search(r"(?://|/\*|^\s*\*)(.*)", line)
    elif suffix in HASH_COMMENTS:
        comment = re.search(r"(?:^|\s)#(.*)", line)
        if re.match(r'\s*"""', line) or not re.search(r"[=(\[{]", line):
            return line
    else:
        return ""
    return " ".join(parts + ([comment[1]] if comment else []))


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    names = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split("\n")
    found = 0
    for name in filter(None, names):
        path = ROOT / name
        known = path.suffix in PROSE | HASH_COMMENTS | CODE or path.name.startswith("Kconfig")
        if name in SKIPPED or not known or not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            text = prose_of(path, line)
            for phrase, advice in PHRASES:
                if match := re.search(phrase, text, re.IGNORECASE):
                    print(f'{name}:{number}: "{match[0]}": {advice}')
                    found += 1
            if name.startswith(C_FILES) and (match := RUST_NAMES.search(text)):
                print(f'{name}:{number}: "{match[0]}": Rust name in text for C users')
                found += 1
    if found:
        sys.exit(f"{found} phrases to rewrite")
    print("no listed phrases, no Rust names in text for C users")


if __name__ == "__main__":
    main()
