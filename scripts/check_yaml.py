"""Checks, without Zephyr, the files that west and twister read. The manifests must resolve (without their imports)
and pin every project, the module's files must exist, and sample.yaml and testcase.yaml must have twister's format
and name boards that the module knows."""

import argparse
import pathlib
import re
import subprocess
import sys

try:
    import yaml
    from west.manifest import ImportFlag, MalformedManifest, Manifest
except ImportError as error:
    missing = error.name
else:
    missing = None

ROOT = pathlib.Path(__file__).resolve().parents[1]
PINNED = re.compile(r"v\d+\.\d+\.\d+|[0-9a-f]{40}")
BOARDS = {
    "mps2/an386",
    "nrf52_bsim",
    "native_sim/native/64",
    "nrf52840dk/nrf52840",
    "nrf52840dongle/nrf52840",
    "nrf5340dk/nrf5340/cpuapp",
    "nrf54l15dk/nrf54l15/cpuapp",
}
HARNESSES = {"console", "ztest", "pytest"}
SCENARIO_KEYS = {
    "build_only", "depends_on", "extra_args", "extra_configs", "extra_overlay_confs", "filter", "harness",
    "harness_config", "integration_platforms", "min_flash", "min_ram", "modules", "platform_allow",
    "platform_exclude", "required_applications", "required_snippets", "skip", "sysbuild", "tags", "timeout", "type",
}


def manifest_of(path):
    """Parses the manifest alone; its imports would need the network."""
    return Manifest.from_data(path.read_text(), import_flags=ImportFlag.IGNORE)


def check_manifest(path, rust):
    try:
        manifest = manifest_of(path)
    except MalformedManifest as error:
        yield f"{path.name}: {error}"
        return
    projects = manifest.projects[1:]
    rust |= {project.revision for project in projects if project.name == "zephyr-lang-rust"}
    for project in projects:
        if not PINNED.fullmatch(project.revision):
            yield f"{path.name}: {project.name} is at {project.revision!r}, which may move; pin a tag or commit"
    if not {"sdk-nrf", "zephyr"} & {project.name for project in projects}:
        yield f"{path.name}: neither sdk-nrf nor zephyr is among its projects"
    if manifest.yaml_path != "thread-mqtt":
        yield f"{path.name}: self: path: should be thread-mqtt, the module's name"


def check_module(path):
    module = yaml.safe_load(path.read_text())
    # A test may have its own module in its folder.
    main = path == ROOT / "zephyr/module.yml"
    if main and module.get("name") != "thread-mqtt":
        yield f"{path}: the module's name should be thread-mqtt"
    root = ROOT if main else path.parents[1]
    build = module.get("build", {})
    for key, wanted in (("cmake", "CMakeLists.txt"), ("kconfig", "")):
        if key not in build or not (root / build[key] / wanted).is_file():
            yield f"{path}: build: {key}: does not lead to a file"


def check_scenarios(path, seen):
    where = path.relative_to(ROOT)
    document = yaml.safe_load(path.read_text())
    sample = path.name == "sample.yaml"
    unknown = set(document) - {"sample", "common", "tests"}
    if unknown:
        yield f"{where}: unknown keys {sorted(unknown)}"
    if sample and not {"name", "description"} <= set(document.get("sample", {})):
        yield f"{where}: sample: needs name and description"
    common = document.get("common", {})
    for name, scenario in (document.get("tests") or {}).items():
        if name in seen:
            yield f"{where}: {name} is also in {seen[name]}"
        seen[name] = where
        merged = {**common, **(scenario or {})}
        unknown = set(merged) - SCENARIO_KEYS
        if unknown:
            yield f"{where}: {name}: unknown keys {sorted(unknown)}"
        allowed = merged.get("platform_allow", [])
        boards = set(allowed.split() if isinstance(allowed, str) else allowed)
        if not boards:
            yield f"{where}: {name}: platform_allow is missing; twister would try every board of Zephyr"
        if boards - BOARDS:
            yield f"{where}: {name}: unknown boards {sorted(boards - BOARDS)}"
        if not set(merged.get("integration_platforms", [])) <= boards:
            yield f"{where}: {name}: integration_platforms are not all in platform_allow"
        if not merged.get("build_only") and merged.get("harness") not in HARNESSES:
            yield f"{where}: {name}: neither build_only nor a harness, so nothing would be tested"
    if not document.get("tests"):
        yield f"{where}: no tests"


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if missing:
        sys.exit(f"error: the Python package {missing} is missing\n"
                 "  cure: run it with the Python that scripts/python_tools.sh prints")
    listed = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard", "*.yml", "*.yaml"], cwd=ROOT, text=True)
    paths = [ROOT / name for name in sorted(set(listed.splitlines())) if (ROOT / name).is_file()]
    errors, seen, rust = [], {}, set()
    manifests = [path for path in paths if path.parent == ROOT and path.name.startswith("west")]
    for path in paths:
        try:
            yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            errors.append(f"{path.relative_to(ROOT)}: {error}")
            continue
        if path in manifests:
            errors += check_manifest(path, rust)
        elif path.name == "module.yml":
            errors += check_module(path)
        elif path.name in ("sample.yaml", "testcase.yaml"):
            errors += check_scenarios(path, seen)
    if len(rust) != 1:
        errors.append(f"the manifests should pin one revision of zephyr-lang-rust, not {sorted(rust)}")
    for text in errors:
        print(text)
    print(f"{len(manifests)} manifests, {len(seen)} twister scenarios in {len(paths)} files: {len(errors)} errors")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
