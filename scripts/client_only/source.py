"""Rust source text in which items can be found by name and changed. Understands only as much Rust as that needs."""
import re


class NoMatch(Exception):
    """A name does not occur exactly once, or is followed by something unexpected."""


def mask(text):
    """Returns the text with comments, strings and characters blanked out, at the same length."""
    out, i = list(text), 0

    def blank(end):
        for at in range(i, end):
            if out[at] != "\n":
                out[at] = " "
        return end

    token = re.compile(r'//|/\*|b?r(#*)"|b?"|b?\'(\\.[^\']*|[^\'\\\n])\'')
    while found := token.search(text, i):
        i = found.start()
        start = found[0]
        if start == "//":
            end = text.find("\n", i)
            i = blank(end if end >= 0 else len(text))
        elif start == "/*":
            depth, end = 1, i + 2
            while depth and (nested := re.compile(r"/\*|\*/").search(text, end)):
                depth += 1 if nested[0] == "/*" else -1
                end = nested.end()
            i = blank(end)
        elif start.endswith('"') and found[1] is not None:
            i = blank(text.index('"' + found[1], found.end()) + 1 + len(found[1]))
        elif start.endswith('"'):
            i = blank(re.compile(r'(?:[^"\\]|\\.)*"', re.S).match(text, found.end()).end())
        else:
            i = blank(found.end())
    return "".join(out)


class Source:
    """One file. Searches ignore comments and strings."""

    def __init__(self, text):
        self.text = text
        self.code = mask(text)

    def replace(self, begin, end, new):
        self.text = self.text[:begin] + new + self.text[end:]
        self.code = mask(self.text)

    def places(self, words, begin, end):
        """Finds all occurrences of `words` between two positions; white space may differ."""
        pattern = r"\s*".join(re.escape(word) for word in re.findall(r"\w+|\S", words))
        pattern = (r"\b" if words[0].isalnum() else "") + pattern + (r"\b" if words[-1].isalnum() else "")
        return [found.span() for found in re.compile(pattern).finditer(self.code, begin, end)]

    def only(self, words, begin, end):
        """Finds the only occurrence of `words`."""
        found = self.places(words, begin, end)
        if len(found) != 1:
            raise NoMatch(f"`{words}` is there {len(found)} times instead of once")
        return found[0]

    def closing(self, at):
        """Finds the bracket that closes the one at a position."""
        depth = 0
        for place in re.compile(r"[(\[{}\])]").finditer(self.code, at):
            depth += 1 if place[0] in "([{" else -1
            if depth == 0:
                return place.start()
        raise NoMatch("a bracket is not closed")

    def opening(self, at):
        """Finds the brace after an item's header; None if it has none."""
        while self.code[at] not in "{;}":
            at = self.closing(at) + 1 if self.code[at] in "([" else at + 1
        return at if self.code[at] == "{" else None

    def braces(self, path):
        """Finds the start of an item and its braces; the path is its header, after those of the enclosing items."""
        found = [(0, -1, len(self.code))]
        for words in path:
            found = [(begin, opening, self.closing(opening))
                     for _, outer, end in found
                     for begin, at in self.places(words, outer + 1, end)
                     if (opening := self.opening(at)) is not None]
        if len(found) != 1:
            raise NoMatch(f"`{'` in `'.join(reversed(path))}` is there {len(found)} times instead of once")
        return found[0]
