"""Styled text that fits a width: the one form in which every text report is made, whatever it is printed on."""

from __future__ import annotations

import itertools
import re
import textwrap
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from lab.scenario.record import Verdict
from lab.tcp.segment import Flags, flags_from

Span = tuple[str, str]
"""A piece of text and the name of its style, "" for none. The names are the keys of `lab.report.terminal.STYLES`."""
Line = list[Span]
"""One line, of spans side by side."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs that reports are drawn with. Each is one column wide, so that lifelines stay straight."""

    life: str
    gap: str
    dash: str
    right: str
    left: str
    check: str
    cross: str
    call: str
    wait: str
    dot: str
    warn: str
    ellipsis: str
    bar: str


UNICODE = Glyphs(
    life="│",
    gap="┊",
    dash="─",
    right="►",  # not U+25B6, which some terminals draw two columns wide, as an emoji
    left="◄",
    check="✓",
    cross="✗",
    call="●",
    wait="⋯",
    dot="·",
    warn="!",
    ellipsis="…",
    bar="━",
)
ASCII = Glyphs(
    life="|",
    gap=":",
    dash="-",
    right=">",
    left="<",
    check="+",
    cross="X",
    call="*",
    wait="~",
    dot="-",
    warn="!",
    ellipsis="~",
    bar="#",
)

MARKS = {
    Verdict.CONFORMS: ("check", "good"),
    Verdict.PERMITTED: ("check", "good"),
    Verdict.DEVIATES: ("warn", "warn"),
    Verdict.VIOLATES: ("cross", "bad"),
    Verdict.INCONCLUSIVE: ("warn", "warn"),
    Verdict.CANNOT_RUN: ("warn", "warn"),
}
"""For each verdict, the glyph that marks it (a field of Glyphs) and its style."""

FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}

_SAID_IN_ASCII = str.maketrans(
    {
        "§": "sec. ",
        "…": "...",
        "→": "->",
        "←": "<-",
        "►": ">",
        "◄": "<",
        "–": "-",
        "—": "-",
        "·": "-",
        "×": "x",
        "µ": "u",
        "≤": "<=",
        "≥": ">=",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "✓": "+",
        "✗": "X",
    }
)


def ascii_text(text: str) -> str:
    """`text` in ASCII, for an output whose encoding has no more: "§" becomes "sec. ", what has no likeness "?"."""
    return text.translate(_SAID_IN_ASCII).encode("ascii", "replace").decode("ascii")


_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
"""What steers a terminal, turns the direction of writing, or is no character at all."""


def printable(text: str) -> str:
    """`text` with a sign of the same width for each character that a terminal might obey or cannot be sent.

    A control character (ESC, NUL, a newline) becomes its picture (U+2400 and on), anything else U+FFFD.
    """
    return _UNSEEN.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def mark(verdict: Verdict, glyphs: Glyphs) -> Span:
    """The sign of a verdict with its style."""
    glyph, style = MARKS[verdict]
    return getattr(glyphs, glyph), style


def columns(text: str) -> int:
    """How many columns a text takes on a terminal: a Chinese character two, a combining one none."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width_of(line: Line) -> int:
    """How many columns a line takes."""
    return sum(columns(text) for text, _ in line)


def plain(lines: Iterable[Line]) -> str:
    """The lines as text without style, joined by newlines, without trailing blanks."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def wrapped(
    text: str, width: int, *, style: str = "", first: str = "", then: str | None = None, whole: bool = False
) -> list[Line]:
    """`text` as lines of at most `width` columns, `first` before the first of them and `then` before the others.

    `whole`: no word is ever broken, even where a line gets too long: paths and commands are to be copied.
    """
    then = " " * len(first) if then is None else then
    room = max(width, len(first) + 8, len(then) + 8)
    pieces = textwrap.wrap(
        text, room, initial_indent=first, subsequent_indent=then, break_on_hyphens=False, break_long_words=not whole
    )
    return [[(piece, style)] for piece in pieces or [first]]


def cut(text: str, width: int, glyphs: Glyphs) -> str:
    """`text`, or as much of it as fits `width` columns with a sign that something is missing."""
    if columns(text) <= width:
        return text
    behind = itertools.accumulate(map(columns, text))  # how many columns are taken behind each character
    return text[: sum(1 for _ in itertools.takewhile(lambda taken: taken < width, behind))] + glyphs.ellipsis


def count(number: int, thing: str, things: str = "") -> str:
    """A count with its noun: "1 frame", "2 frames"."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def seconds(value: float) -> str:
    """A length of time in at most seven columns, three figures: "0.21 ms", "40.3 ms", "1.02 s", "61 s"."""
    size = abs(value)  # compared with what rounds up to a figure more
    if size < 0.9995:
        value *= 1e3
        return f"{value:.2f} ms" if size < 0.009995 else f"{value:.1f} ms" if size < 0.09995 else f"{value:.0f} ms"
    return f"{value:.2f} s" if size < 9.995 else f"{value:.1f} s" if size < 99.95 else f"{value:.0f} s"


_ORDER = (Flags.SYN, Flags.FIN, Flags.RST, Flags.PSH, Flags.URG, Flags.ECE, Flags.CWR, Flags.NS, Flags.ACK)


def flag_words(flags: Flags) -> str:
    """The control bits as people say them: "SYN+ACK", "FIN+ACK"; "no flags" where none is set (RFC 9293 §3.1)."""
    return "+".join(flag.name or "?" for flag in _ORDER if flag in flags) or "no flags"


_NOTATION = re.compile(r"([<>]) ([FSRPAUECN]+|\.)(?= |$)")


def said(packet: str, glyphs: Glyphs) -> str:
    """A packet from a script's notation in the ladder's words: `< SA seq 0 ack 1` becomes `◄ SYN+ACK seq 0 ack 1`.

    What is not written in that notation is left as it is.
    """
    found = _NOTATION.match(packet)
    if found is None:
        return packet
    arrow = glyphs.left if found[1] == "<" else glyphs.right
    flags = Flags(0) if found[2] == "." else flags_from(found[2])
    return f"{arrow} {flag_words(flags)}{packet[found.end() :]}"
