"""Compiles the C and C++ code in the repository's Markdown files against the public header.
Each block between ```c or ```cpp and ``` is compiled as a separate source file."""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(c|cpp)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMPILERS = {"c": ["gcc", "-std=c11"], "cpp": ["g++", "-std=c++17"]}


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    # Defines each option that the header names; 0 suits numbers, strings and flags.
    header = (ROOT / "include/thread_mqtt.h").read_text()
    options = [f"-D{name}=0" for name in sorted(set(re.findall(r"CONFIG_THREAD_MQTT_\w+", header)))]
    listed = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, text=True).splitlines()
    count = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted(set(listed)):
            path = ROOT / name
            if not path.is_file():
                continue
            text = path.read_text()
            for match in BLOCK.finditer(text):
                language, code = match.groups()
                # Error messages refer to the line in the Markdown file.
                line = text.count("\n", 0, match.start()) + 2
                source = pathlib.Path(folder) / f"snippet.{language}"
                source.write_text(f'#line {line} "{name}"\n{code}')
                result = subprocess.run(
                    [*COMPILERS[language], "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *options,
                     f"-I{ROOT / 'include'}", str(source)], cwd=ROOT)
                count += 1
                failed += result.returncode != 0
    print(f"{count} snippets, {failed} failed")
    return failed != 0 or count == 0


if __name__ == "__main__":
    sys.exit(main())
