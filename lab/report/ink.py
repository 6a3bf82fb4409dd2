"""Colours and letters of an SVG picture: readable in light and dark, in whatever font the reader's machine has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from xml.sax.saxutils import escape

from lab.report.text import printable
from lab.tcp.state import State

FONT: Final = "Helvetica Neue, Helvetica, Segoe UI, Roboto, Arial, Liberation Sans, DejaVu Sans, sans-serif"

PAGE: Final = ("#ffffff", "#0d1117")
"""The ground, in light and in dark: painted, since a page may be light where its reader's machine is dark."""
TEXT: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "ink": ("#1f2328", "#e6edf3"),
        "dim": ("#59636e", "#9198a1"),
        "peer": ("#0550ae", "#79c0ff"),
        "server": ("#7a3fc2", "#d2a8ff"),
        "call": ("#805400", "#e3b341"),
        "warn": ("#805400", "#e3b341"),
        "good": ("#1a7f37", "#56d364"),
        "bad": ("#c0202c", "#ff8983"),
    }
)
"""What each style's text looks like; the names are those of `lab.report.terminal.STYLES`."""
RULE: Final = ("#c3cad1", "#3d444d")
"""Lifelines, axis and frame."""
BANDS: Final[Mapping[State, tuple[str, str]]] = MappingProxyType(
    {
        State.CLOSED: ("#b6bec7", "#4d555e"),
        State.LISTEN: ("#79bdc4", "#2f7f87"),
        State.SYN_SENT: ("#eac54f", "#bb8009"),
        State.SYN_RECEIVED: ("#f0a35e", "#c4661f"),
        State.ESTABLISHED: ("#4ac26b", "#2ea043"),
        State.FIN_WAIT_1: ("#80c2ff", "#388bfd"),
        State.FIN_WAIT_2: ("#3f8fe8", "#1f5fbf"),
        State.CLOSE_WAIT: ("#ff9bce", "#db61a2"),
        State.LAST_ACK: ("#d15fa0", "#9e3670"),
        State.CLOSING: ("#c8a5ff", "#a371f7"),
        State.TIME_WAIT: ("#8f6ce0", "#6e40c9"),
    }
)
"""The band along a lifeline in each state."""

_WIDTHS: Final = {
    0.34: "ijlI'| .,:;/\\\N{NO-BREAK SPACE}·",
    0.42: 'ft()[]r!-"`J',
    0.6: "csz?kvxyL",
    0.655: "abdeghnopqu0123456789EFTPSZ_$*",
    0.72: "ABXYKVCR",
    0.84: "DGHNOQUw+=<>#~^&",
}
_EMS: Final = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
"""Of each letter, how many ems it takes at most in any of the fonts (the widest is DejaVu Sans)."""
_WIDEST: Final = 1.05
_BOLD: Final = 1.1


def width_of_text(text: str, size: float, *, bold: bool = False) -> float:
    """How wide `text` gets at most, in the units of `size`."""
    return sum(_EMS.get(letter, _WIDEST) for letter in text) * size * (_BOLD if bold else 1.0)


def cut_to(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """`text`, or as much of it as fits with a sign that something is missing."""
    if width_of_text(text, size, bold=bold) <= room:
        return text
    while text and width_of_text(text + "…", size, bold=bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def wrapped_to(text: str, room: float, size: float) -> list[str]:
    """`text` in lines that fit; a word that is too long by itself is cut."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of_text(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(cut_to(word, room, size))
    return lines


_NOT_XML = re.compile("[\ufffe\uffff]")


def quoted(text: str) -> str:
    """`text` as it may stand in XML, between tags or in an attribute: no control characters, no markup."""
    return escape(_NOT_XML.sub("\ufffd", printable(text)), {'"': "&quot;"})


def css() -> str:
    """The style sheet: light, and dark where the reader's machine is."""
    light, dark = (_colours(which) for which in (0, 1))
    return (
        f"text{{font-family:{FONT};font-variant-numeric:tabular-nums}}"
        ".b{font-weight:600}.line{fill:none;stroke-width:1.6}.thin{fill:none;stroke-width:1}"
        ".again{stroke-dasharray:7 4}.dots{stroke-dasharray:1.5 4;stroke-linecap:round}"
        f"{light}@media (prefers-color-scheme:dark){{{dark}}}"
    )


def _colours(which: int) -> str:
    rules = [f".page{{fill:{PAGE[which]}}}.rule{{stroke:{RULE[which]}}}"]
    for name, pair in TEXT.items():
        rules.append(f".{name}{{fill:{pair[which]}}}.line.{name},.thin.{name}{{fill:none;stroke:{pair[which]}}}")
    rules += [f".{band_class(state)}{{fill:{pair[which]}}}" for state, pair in BANDS.items()]
    return "".join(rules)


def band_class(state: State) -> str:
    """The class of a state's band."""
    return f"in-{state.value.lower()}"
