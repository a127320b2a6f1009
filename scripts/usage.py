"""The arguments of a script whose documentation is its first string."""
import sys


def arguments(documentation, least=0, most=None):
    """Returns the words behind the script's name. Prints the documentation and ends where --help asks for it, and where
    the words are too few, too many, or begin with an option, which none of these scripts has."""
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
                 "name the folder in which west init was run")
