"""TCP options as they stand in a header (RFC 9293 §3.2; RFC 7323 for window scale, timestamps; RFC 2018 for SACK)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache


class Kind(IntEnum):
    """Option kinds that the lab knows by name."""

    END = 0
    NOP = 1
    MSS = 2
    WINDOW_SCALE = 3
    SACK_PERMITTED = 4
    SACK = 5
    TIMESTAMPS = 8
    MD5_SIGNATURE = 19
    """RFC 2385."""
    AUTHENTICATION = 29
    """RFC 5925."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its kind and the octets behind kind and length. `sound` is False where its length is impossible."""

    kind: int
    data: bytes = b""
    sound: bool = True


def mss(octets: int) -> Option:
    """Maximum segment size, 0 to 65535 octets (RFC 9293 §3.7.1)."""
    return Option(Kind.MSS, struct.pack("!H", octets))


def window_scale(shift: int) -> Option:
    """Window scale, a shift count of 0 to 14 (RFC 7323 §2.2)."""
    return Option(Kind.WINDOW_SCALE, bytes([shift]))


def sack_permitted() -> Option:
    """SACK permitted (RFC 2018 §2)."""
    return Option(Kind.SACK_PERMITTED)


def timestamps(value: int, echo: int = 0) -> Option:
    """Timestamps: TSval and TSecr, 32 bits each (RFC 7323 §3.2)."""
    return Option(Kind.TIMESTAMPS, struct.pack("!II", value % 2**32, echo % 2**32))


def pack(options: Iterable[Option]) -> bytes:
    """The options' octets, filled up with END to a multiple of four (RFC 9293 §3.1)."""
    raw = b"".join(
        bytes([o.kind]) if o.kind in (Kind.END, Kind.NOP) else bytes([o.kind, len(o.data) + 2]) + o.data
        for o in options
    )
    return raw + b"\0" * (-len(raw) % 4)


@lru_cache(256)
def parse(raw: bytes) -> tuple[Option, ...]:
    """The options in `raw`, END and what follows it left out. Never raises: an impossible length ends the list.

    RFC 9293 §3.1 (MUST-7): an illegal option length must be survived.
    """
    found: list[Option] = []
    at = 0
    while at < len(raw):
        kind = raw[at]
        if kind == Kind.END:
            break
        if kind == Kind.NOP:
            found.append(Option(Kind.NOP))
            at += 1
            continue
        length = raw[at + 1] if at + 1 < len(raw) else 0
        if length < 2 or at + length > len(raw):
            found.append(Option(kind, raw[at + 1 :], sound=False))
            break
        found.append(Option(kind, raw[at + 2 : at + length]))
        at += length
    return tuple(found)
