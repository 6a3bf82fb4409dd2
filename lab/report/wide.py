"""Text wrapped by the columns it takes: a Chinese character takes two, and a line may break before nearly each."""

from __future__ import annotations

import re

from lab.report.text import ASCII, Glyphs, Line, ascii_text, columns

_OPENING = "（《「『【〈“‘([{"
_CLOSING = "，。、；：？！）》」』】〉…”’)]}.,;:?!%"
_PIECES = re.compile(r"\s+|`[^`]*`|[⺀-鿿豈-﫿＀-｠　-〿]|[^\s`⺀-鿿豈-﫿＀-｠　-〿]+|`")
"""Space; something to type, in one piece; a wide character; a word."""
_QUOTES = {"“": '"', "”": '"', "‘": "'", "’": "'"}


def wrapped(
    text: str, width: int, *, glyphs: Glyphs, style: str = "", first: str = "", then: str | None = None
) -> list[Line]:
    """`text` as lines of at most `width` columns, `first` before the first of them and `then` before the others.

    No line begins with a closing mark or ends with an opening one, as Chinese is set. A newline begins a line.
    """
    then = " " * columns(first) if then is None else then
    if glyphs is ASCII:
        text, first = ascii_text(text), ascii_text(first)
    lines: list[Line] = []
    for paragraph in text.strip().split("\n"):
        item = "  " if paragraph.startswith("- ") else ""
        for i, piece in enumerate(_broken(paragraph.strip(), max(width - columns(then + item), 16))):
            lines.append([((then if lines else first) + (item if i else "") + piece, style)])
    return lines


def _broken(text: str, room: int) -> list[str]:
    lines, line = [], ""
    for space, piece in _chunks(text, room):
        if line and columns(line + space + piece) > room:
            lines.append(line)
            line = piece
        else:
            line += (space if line else "") + piece
    return [*lines, line]


def _chunks(text: str, room: int) -> list[tuple[str, str]]:
    """What must not be broken, each with the space before it."""
    chunks: list[tuple[str, str]] = []
    space = ""
    for piece in _PIECES.findall(text):
        if piece.isspace():
            space = " "
            continue
        glued = chunks and not space and (piece[0] in _CLOSING or chunks[-1][1][-1] in _OPENING)
        code = chunks and not space and _narrow(chunks[-1][1][-1]) and _narrow(piece[0])
        if (glued or code) and columns(chunks[-1][1] + piece) <= room:
            before, last = chunks.pop()
            chunks.append((before, last + piece))
        else:
            chunks += _cut(space, piece, room)
        space = ""
    return chunks


def _narrow(character: str) -> bool:
    return columns(character) == 1 and character not in _QUOTES


def _cut(space: str, piece: str, room: int) -> list[tuple[str, str]]:
    """What is longer than a line, in pieces: at its own spaces, or anywhere where it has none."""
    if columns(piece) <= room:
        return [(space, piece)]
    if " " in piece:
        head, _, tail = piece.partition(" ")
        return [*_cut(space, head, room), *_cut(" ", tail, room)]
    pieces = [""]
    for character in piece:
        if columns(pieces[-1] + character) > room:
            pieces.append("")
        pieces[-1] += character
    return [(space if i == 0 else "", each) for i, each in enumerate(pieces)]
