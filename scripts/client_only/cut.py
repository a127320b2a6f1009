"""The edits that the list in cuts.py is made of. Each finds its place exactly once, or fails."""
import re

from source import NoMatch

# Never there: whatever needs such a value is code that rustc knows not to be reached.
NEVER = "core::convert::Infallible"


def never(*path):
    """No value of this struct exists: it gets a field of a type that has none."""
    def edit(source):
        _, opening, _ = source.braces(path)
        source.replace(opening + 1, opening + 1, f" never: {NEVER},")
    return edit


def body(*path, is_now="unreachable!()"):
    """The function's body is another; by default one that ends the program."""
    def edit(source):
        _, opening, closing = source.braces(path)
        source.replace(opening + 1, closing, f" {is_now} ")
    return edit


def left_out(*path):
    """The item goes, with its attributes: in an implementation of a trait the trait's default stands for it."""
    def edit(source):
        begin, _, closing = source.braces(path)
        begin = source.text.rfind("\n", 0, begin) + 1
        while re.match(r"\s*(#\[|///)", source.text[source.text.rfind("\n", 0, begin - 1) + 1:begin]):
            begin = source.text.rfind("\n", 0, begin - 1) + 1
        source.replace(begin, closing + 1, "")
    return edit


def arm(pattern, *path):
    """The arm of a match goes: what it was for is then the business of the one that takes the rest."""
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
    """A condition of the function is decided."""
    def edit(source):
        _, opening, closing = source.braces(path)
        source.replace(*source.only(words, opening, closing), is_now)
    return edit


def without_fields(name, *path):
    """A value of this struct that is made or matched there has no fields any more."""
    def edit(source):
        _, opening, closing = source.braces(path)
        full = [(begin, end) for begin, end in source.places(name + " {", opening, closing)
                if source.code[end:source.closing(end - 1)].strip()]
        if len(full) != 1:
            raise NoMatch(f"`{name}` has fields in {len(full)} places and not in one")
        end = full[0][1]
        source.replace(end, source.closing(end - 1), "")
    return edit


def emptied(words, *path):
    """What stands between the bracket at the end of these words and the one that closes it goes."""
    def edit(source):
        _, opening, closing = source.braces(path)
        end = source.only(words, opening, closing)[1]
        source.replace(end, source.closing(end - 1), "")
    return edit


def call(words, *path):
    """The call of a method goes, with its arguments and the semicolon."""
    def edit(source):
        _, opening, closing = source.braces(path)
        begin, end = source.only(words + "(", opening, closing)
        end = source.closing(end - 1) + 1
        if source.code[end] != ";":
            raise NoMatch(f"the result of `{words}` is used")
        source.replace(begin, end + 1, "")
    return edit


def names_after(words, *path):
    """The rest of a list goes, from these words on."""
    def edit(source):
        _, opening, closing = source.braces(path)
        source.replace(source.only(words, opening, closing)[0], closing, "")
    return edit


def apply(edits, source):
    """All edits of a file, one after the other."""
    for number, edit in enumerate(edits, 1):
        try:
            edit(source)
        except NoMatch as fault:
            raise NoMatch(f"edit {number}: {fault}") from None
