"""Command-line arguments of scripts whose documentation is their docstring."""
import sys


def arguments(documentation, least=0, most=None):
    """Returns the arguments. Prints the documentation and exits if --help is given, and if there are too few or too
    many arguments or the first is an option, because none of these scripts has any."""
    given = sys.argv[1:]
    if "--help" in given or "-h" in given:
        print(documentation.strip())
        sys.exit(0)
    if len(given) < least or (most is not None and len(given) > most) or given[:1] and given[0].startswith("-"):
        sys.exit(documentation.strip())
    return given


def refuse_other_folder(workspace):
    """Ends the program unless this is a west workspace."""
    if not (workspace / "zephyr" / "west.yml").is_file():
        sys.exit(f"error: {workspace} is not a west workspace: {workspace}/zephyr has no west.yml\n"
                 "give the folder in which west init was run")
