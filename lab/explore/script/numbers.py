"""Sequence numbers of a session in a script's words: counted from both ends' first numbers, which each run chooses.

A number that was typed in figures stays in figures, and so does the server's echo of it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from lab.tcp.sequence import Seq

NEAR = 2**28
"""Octets. A number this far from a first one was hardly meant to be counted from it."""
CLOSE = 2**17
"""Octets. A number this close to one that was typed in figures was counted from that."""


@dataclass(slots=True)
class Firsts:
    """The first numbers of one connection, in all of its lives, by what the script calls them; the newest last."""

    ours: dict[str, int] = field(default_factory=dict)
    theirs: dict[str, int] = field(default_factory=dict)
    figures: set[int] = field(default_factory=set)
    """Numbers that were typed in figures: the server may echo them, or count from one."""
    placed: bool = False
    """Whether one of them was the sequence number of a segment of ours, which means something beside our first one."""
    _last: int = 0
    """The number of the last name of the server's."""

    def begins(self, base: str, first: int) -> str:
        """Our end has that first number from now on; what it is called: `x`, `x2` …"""
        name = base if not self.ours else f"{base}{len(self.ours) + 1}"
        self.ours[name] = first
        return name

    def answers(self, base: str, first: int) -> str:
        """The server's end has that first number; what it is called: `y`, `y2` …, as our own at that time."""
        name = next((word for word, value in self.theirs.items() if value == first), "")
        if not name:
            self._last = max(self._last + 1, len(self.ours))
            name = base if self._last <= 1 else f"{base}{self._last}"
        self.theirs.pop(name, None)
        self.theirs[name] = first
        return name

    def written(self, value: int, *, our: bool) -> str:
        """A number as the figures write it: `x`, `y + 1`, `x - 10`; as it is where no first number is known.

        `our`: whether it counts our octets.
        """
        own, other = (self.ours, self.theirs) if our else (self.theirs, self.ours)
        typed = min((abs(Seq(value).ahead_of(Seq(one))) for one in self.figures), default=CLOSE)
        for some in (own, other):
            near = _nearest(some, value)
            if near and abs(near[1]) <= typed and abs(near[1]) < (NEAR if value else CLOSE):
                return counted(*near)  # 0, though, is what a field has that nobody has filled in
        if typed < CLOSE:
            return str(int(value))
        if value == 0 or not own:
            return str(int(value))
        last = next(reversed(own))
        return counted(last, Seq(value).ahead_of(Seq(own[last])))


def _nearest(some: dict[str, int], value: int) -> tuple[str, int] | None:
    distances = {name: Seq(value).ahead_of(Seq(first)) for name, first in reversed(some.items())}
    return min(distances.items(), key=lambda pair: abs(pair[1]), default=None)


def counted(base: str, distance: int) -> str:
    """`x`, `x + 1`, `x - 10`."""
    return base if distance == 0 else f"{base} {'+' if distance > 0 else '-'} {abs(distance)}"


def fields_of(code: str) -> dict[str, ast.expr] | None:
    """The fields that the TCP layer of a packet sets, as `code` writes it; None where it has no such layer."""
    layer = _tcp_layer(code)
    return None if layer is None else {word.arg: word.value for word in layer.keywords if word.arg}


def _tcp_layer(code: str) -> ast.Call | None:
    calls = (node for node in ast.walk(ast.parse(code, mode="eval")) if isinstance(node, ast.Call))
    return next((call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "TCP"), None)


def counts_ours(code: str, name: str, firsts: Firsts) -> bool:
    """Whether that field of the TCP layer is written as a number that counts our octets."""
    return _is_counted_from(code, name, {*firsts.ours, "snd_nxt"})


def counts_theirs(code: str, name: str, firsts: Firsts) -> bool:
    """Whether that field of the TCP layer is written as a number that counts the server's octets."""
    return _is_counted_from(code, name, {*firsts.theirs, "rcv_nxt"})


def _is_counted_from(code: str, name: str, words: set[str]) -> bool:
    node = (fields_of(code) or {}).get(name)
    return node is not None and bool(words_in(node) & words)


def words_in(node: ast.expr) -> set[str]:
    """The names in an expression, those of attributes too."""
    return {n.id if isinstance(n, ast.Name) else getattr(n, "attr", "") for n in ast.walk(node)}


def with_fields(code: str, fields: dict[str, str]) -> str:
    """The packet with those fields of its TCP layer, of which there must be one, set, whatever it said of them."""
    layer = _tcp_layer(code)
    assert layer is not None
    values = {word.arg: word.value for word in layer.keywords}
    added = [f"{name}={value}" for name, value in fields.items() if name not in values]
    # Columns are counted in octets of UTF-8.
    behind = layer.keywords[-1].value.end_col_offset or 0 if layer.keywords else (layer.end_col_offset or 0) - 1
    changes = [(behind, behind, ", ".join(["", *added] if layer.keywords else added))]
    changes += [(v.col_offset, v.end_col_offset or 0, fields[name]) for name, v in values.items() if name in fields]
    data = code.encode()
    for start, end, text in sorted(changes, reverse=True):
        data = data[:start] + text.encode() + data[end:]
    return data.decode()
