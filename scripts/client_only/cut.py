"""The edits used by the list in cuts.py. Each must find its place exactly once, otherwise it fails."""
import re

from source import NoMatch

# A value that never exists: rustc knows that code that needs it is unreachable.
NEVER = "core::convert::Infallible"


def never(*path):
    """Makes values of this struct impossible by giving it a field of an uninhabited type."""
    def edit(source):
        _, opening, _ = source.braces(path)
        source.replace(opening + 1, opening + 1, f" never: {NEVER},")
    return edit


def body(*path, is_now="unreachable!()"):
    """Replaces the function's body; the default replacement ends the program."""
    def edit(source):
        _, opening, closing = source.braces(path)
        source.replace(opening + 1, closing, f" {is_now} ")
    return edit


def left_out(*path):
    """Removes the item with its attributes. In a trait implementation the trait's default takes its place."""
    def edit(source):
        begin, _, closing = source.braces(path)
        begin = source.text.rfind("\n", 0, begin) + 1
        while re.match(r"\s*(#\[|///)", source.text[source.text.rfind("\n", 0, begin - 1) + 1:begin]):
            begin = source.text.rfind("\n", 0, begin - 1) + 1
        source.replace(begin, closing + 1, "")
    return edit


def arm(pattern, *path):
    """Removes an arm of a match. The catch-all arm then handles its cases."""
    def edit(source):
        _, opening, closing = source.braces(path)
        begin, at = source.only(pattern + " =>", opening, closing)
        at = re.compile(r"\s*").match(source.code, at).end()
        if source.code[at] == "{":
            end = source.closing(at) + 1
        else:
            end = at
            while source.code[end] not in ",}":
                end = source.closing(end) + 1 if source.code[end] in "([{" else end + 1
        end += source.code[end] == ","
        source.replace(begin, end, "")
    return edit


def condition(words, *path, is_now="false"):
    """Replaces a condition in the function with a constant."""
    def edit(source):
        _, opening, closing = source.braces(path)
        source.replace(*source.only(words, opening, closing), is_now)
    return edit


def without_fields(name, *path):
    """Removes the fields where a value of this struct is made or matched."""
    def edit(source):
        _, opening, closing = source.braces(path)
        full = [(begin, end) for begin, end in source.places(name + " {", opening, closing)
                if source.code[end:source.closing(end - 1)].strip()]
        if len(full) != 1:
            raise NoMatch(f"`{name}` has fields in {len(full)} places instead of one")
        end = full[0][1]
        source.replace(end, source.closing(end - 1), "")
    return edit


def emptied(words, *path):
    """Removes everything between the bracket that ends these words and its closing bracket."""
    def edit(source):
        _, opening, closing = source.braces(path)
        end = source.only(words, opening, closing)[1]
        source.replace(end, source.closing(end - 1), "")
    return edit


def call(words, *path):
    """Removes a method call with its arguments and the semicolon."""
    def edit(source):
        _, opening, closing = source.braces(path)
        begin, end = source.only(words + "(", opening, closing)
        end = source.closing(end - 1) + 1
        if source.code[end] != ";":
            raise NoMatch(f"the result of `{words}` is used")
        source.replace(begin, end + 1, "")
    return edit


def names_after(words, *path):
    """Removes the rest of a list, starting with these words."""
    def edit(source):
        _, opening, closing = source.braces(path)
        source.replace(source.only(words, opening, closing)[0], closing, "")
    return edit


def apply(edits, source):
    """Applies all edits of a file in order."""
    for number, edit in enumerate(edits, 1):
        try:
            edit(source)
        except NoMatch as fault:
            raise NoMatch(f"edit {number}: {fault}") from None
