"""Which HTTP heads and WebSocket frames the segments of a run carried, whole or in part."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from lab.layers.application import in_words, said, together
from lab.report.text import ASCII, UNICODE, Glyphs
from lab.scenario.record import Packet, Result
from lab.tcp.segment import SYN
from lab.websocket.trace import Part, Portion, dissect

MOST_LINES = 8
"""Of what one segment carried, so many lines are shown."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What one segment carried."""

    parts: tuple[Part, ...]

    def lines(self, glyphs: Glyphs = UNICODE) -> list[str]:
        """A line for each head or frame, or piece of one; nothing for octets that are none."""
        lines = [_steady(line, glyphs).replace("…", glyphs.ellipsis) for line in said(self.parts)]
        if len(lines) > MOST_LINES:
            lines[MOST_LINES - 1 :] = [f"{glyphs.ellipsis} {len(lines) - MOST_LINES + 1} more"]
        return lines

    def told(self) -> list[dict[str, Any]]:
        """The same for a program."""
        return [
            {
                "kind": unit.kind,
                "says": in_words(unit, first, behind),
                "first_seq": unit.first_seq + first,
                "last_seq": unit.first_seq + behind - 1,
                "octets": behind - first,
                "of": unit.length,
                "whole": (first, behind) == (0, unit.length),
                **(
                    {
                        "opcode": unit.header.opcode,
                        "fin": unit.header.fin,
                        "rsv": unit.header.rsv,
                        "masked": unit.header.masked,
                        "length": unit.header.length,
                    }
                    if unit.header
                    else {}
                ),
            }
            for unit, first, behind in together(self.parts)
        ]


def carried(
    result: Result, *, only: Collection[str] | None = None, right: dict[int, bool] | None = None
) -> dict[int, Carried]:
    """By the packet's number, what it carried, for connections on which HTTP or WebSocket was spoken; others have none.

    Sequence numbers are counted from the SYNs, as in the ladder. `only` these connections, by name, are read. `right`
    remembers whose checksums were found right, for who asks again with more packets.
    """
    connections: dict[str, list[Packet]] = defaultdict(list)
    for packet in result.packets:
        wanted = only is None or packet.connection in only
        if wanted and packet.segment is not None and packet.seq is not None and packet.sender in ("peer", "server"):
            connections[packet.connection].append(packet)
    found: dict[int, Carried] = {}
    for packets in connections.values():
        if any(packet.segment and packet.segment.payload for packet in packets):
            found.update(_connection(packets, {} if right is None else right))
    return found


def _connection(packets: list[Packet], right: dict[int, bool]) -> dict[int, Carried]:
    taken = _taken(packets, right)
    portions = [
        Portion(p.sender == "peer", p.seq or 0, p.segment.payload, SYN in p.segment.flags) for p in taken if p.segment
    ]
    parts = dissect(portions)
    if not any(part.unit.kind in ("request", "response", "frame") for some in parts for part in some):
        return {}
    return {packet.number: Carried(some) for packet, some in zip(taken, parts, strict=True) if some}


def _taken(packets: list[Packet], right: dict[int, bool]) -> list[Packet]:
    """Those that a receiver takes: not those with a wrong checksum, unless all of that sender's are wrong (offload)."""
    from lab.wire.codec import TcpFrame, decode

    for packet in packets:
        if packet.segment and packet.segment.payload and packet.number not in right:
            frame = decode(packet.frame)
            right[packet.number] = not isinstance(frame, TcpFrame) or frame.checksum_correct
    careful = {p.sender for p in packets if right.get(p.number)}
    return [p for p in packets if right.get(p.number, True) or p.sender not in careful]


def _steady(text: str, glyphs: Glyphs) -> str:
    """`text` with an escape for each character that cannot be shown, or of which nobody knows how wide it is shown.

    Lifelines would not stay straight: terminals differ on signs that join with others.
    """
    return "".join(c if _is_steady(c, glyphs) else c.encode("unicode_escape").decode() for c in text)


def _is_steady(c: str, glyphs: Glyphs) -> bool:
    if c.isascii() or c == "…":
        return True
    return glyphs is not ASCII and unicodedata.category(c)[0] in "LNPSZ" and unicodedata.category(c) != "Sk"
