"""IP fragments put together again (RFC 791 §3.2; RFC 8200 §4.5), so that each octet is told for what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lab.layers.internet import Packet, Piece

_LARGEST: Final = 65535
"""Octets that an IP packet can have."""


@dataclass(frozen=True, slots=True)
class Held:
    """One fragment of a packet: which frame it is, and where its octets stand."""

    frame: int
    """Its index in the run."""
    at: int
    """Where its inside begins in the frame,"""
    end: int
    """and where it ends."""
    offset: int
    """Where it begins in the packet's inside."""


@dataclass(slots=True)
class Whole:
    """A packet's inside, put together."""

    data: bytes
    protocol: int
    source: bytes
    destination: bytes
    pieces: list[Held]


@dataclass(slots=True)
class _Unfinished:
    """Fragments of one packet so far."""

    pieces: list[Held] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    there: bytearray = field(default_factory=bytearray)
    """For each eight octets, 1 where they have come."""
    have: int = 0
    """How many of them have."""
    total: int | None = None
    """Octets of the whole, once the last fragment has come."""
    protocol: int | None = None


class Fragments:
    """Takes fragments one by one; hands over a packet when it is whole. Where two overlap, the first one counts."""

    def __init__(self) -> None:
        self._unfinished: dict[tuple[object, ...], _Unfinished] = {}

    def take(self, frame: int, data: bytes, packet: Packet, piece: Piece) -> Whole | None:
        """A fragment: the inside of `packet`, which is in the frame of that index; the whole where it is the last."""
        size = packet.end - packet.at
        key = (
            packet.source, packet.destination, piece.identification, packet.protocol if len(packet.source) == 4 else 0,
        )  # fmt: skip
        entry = self._unfinished.setdefault(key, _Unfinished())
        end = piece.offset + size
        ragged = piece.more and size % 8
        contradicts = entry.total is not None and (end > entry.total or (not piece.more and end != entry.total))
        if ragged or contradicts or end > _LARGEST or packet.missing or packet.protocol is None:
            return None  # no piece of a packet that can become whole; it stays what it is, a fragment
        if not piece.more and len(entry.data) > end:
            return None
        entry.pieces.append(Held(frame, packet.at, packet.end, piece.offset))
        self._put(entry, piece.offset, data[packet.at : packet.end])
        if piece.offset == 0:
            entry.protocol = packet.protocol
        if not piece.more:
            entry.total = end
        if entry.total is None or entry.protocol is None or entry.have * 8 < entry.total:
            return None
        del self._unfinished[key]
        return Whole(bytes(entry.data[: entry.total]), entry.protocol, packet.source, packet.destination, entry.pieces)

    def _put(self, entry: _Unfinished, offset: int, octets: bytes) -> None:
        end = offset + len(octets)
        if len(entry.data) < end:
            entry.data.extend(bytes(end - len(entry.data)))
        first, behind = offset // 8, -(-end // 8)
        if len(entry.there) < behind:
            entry.there.extend(bytes(behind - len(entry.there)))
        if not entry.there.count(1, first, behind):
            entry.data[offset:end] = octets
        else:
            for unit in range(first, behind):
                if not entry.there[unit]:
                    a, b = unit * 8, min(unit * 8 + 8, end)
                    entry.data[a:b] = octets[a - offset : b - offset]
        entry.have += entry.there[first:behind].count(0)
        entry.there[first:behind] = b"\1" * (behind - first)
