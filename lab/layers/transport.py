"""The transport layer's headers: TCP (RFC 9293 §3.1) and UDP (RFC 768)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from lab.layers.parts import Header, Layer, hexadecimal, number, octets_of
from lab.tcp.segment import Flags
from lab.wire.codec import checksum_of, ones_sum, pseudo_header

_OPTIONS: Final = {
    2: "maximum segment size", 3: "window scale", 4: "SACK permitted", 5: "SACK", 8: "timestamps", 28: "user timeout",
    29: "TCP-AO", 30: "multipath TCP", 34: "Fast Open cookie", 253: "experiment", 254: "experiment",
}  # fmt: skip
_BITS: Final = ("CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN")
_SAYS: Final = {
    "CWR": "congestion window reduced",
    "ECE": "ECN echo",
    "URG": "the urgent pointer counts",
    "ACK": "the acknowledgment number counts",
    "PSH": "hand it to the program",
    "RST": "there is no such connection any more",
    "SYN": "the sequence numbers begin here; uses one",
    "FIN": "nothing more will be sent; uses one",
}
_AE: Final = "bit 7: AE, once NS (RFC 8311, AccECN)"
"""What the last of the four reserved bits means to some (RFC 9293 §3.1 has no name for it)."""

_FIRST: Final = struct.Struct("!HHIIH")


@dataclass(frozen=True, slots=True)
class TcpPart:
    """What a TCP header says of the segment, beside its fields."""

    sport: int
    dport: int
    seq: int
    ack: int
    flags: Flags
    at: int
    """Where the payload begins."""
    note: str
    """What is wrong with it: a receiver can then tell no payload."""


def peek(data: bytes, at: int, end: int) -> TcpPart | None:
    """The TCP header in `data` from octet `at`, of a segment that ends at `end`; None where it has no 20 octets."""
    if end - at < 20:
        return None
    sport, dport, seq, ack, bits = _FIRST.unpack_from(data, at)
    size, note = (bits >> 12) * 4, ""
    if size < 20:
        note = f"its data offset says {size} octets, below 20: what follows is lost to a receiver"
    elif size > end - at:
        note = f"its data offset says {size} octets, and only {end - at} are there"
    return TcpPart(sport, dport, seq, ack, Flags(bits & 0x1FF), min(at + max(size, 20), end), note)


def tcp(
    data: bytes, at: int, end: int, pseudo: bytes | None, relative: tuple[int | None, int | None]
) -> tuple[Layer, bool | None]:
    """The TCP header in `data` from octet `at`, and whether its checksum holds, None where that cannot be told.

    The segment ends at `end`, behind `at`. `pseudo` is the pseudo-header, None where the checksum cannot be checked:
    the capture has not the whole segment. `relative` are its numbers counted from the SYNs, as far as they are known.
    """
    there = end - at
    size = (data[at + 12] >> 4) * 4 if there > 12 else 20
    behind = min(at + max(size, 20), end)
    header = Header(data, at, behind)
    header.take("source port", 0, 2)
    header.take("destination port", 2, 2)
    seq, ack = relative
    header.take("sequence number", 4, 4, number, "" if seq is None else f"{seq} counted from the SYN")
    flags = Flags((data[at + 12] & 1) << 8 | data[at + 13]) if there > 13 else Flags(0)
    counted = "" if ack is None else f"{ack} counted from the SYN"
    header.take("acknowledgment number", 8, 4, number, counted if Flags.ACK in flags else "does not count: no ACK bit")
    header.bits("data offset", 12, 0, 4, f"{size} octets of header")
    reserved = data[at + 12] & 15 if there > 12 else 0
    header.bits("reserved", 12, 4, 4, _AE if reserved & 1 else "")
    for i, name in enumerate(_BITS):
        header.bits(name, 13, i, 1, _SAYS[name] if getattr(Flags, name) in flags else "")
    header.take("window", 14, 2, number, "octets that may be sent, before scaling")
    right, said = _judged(data[at:end], pseudo)
    header.take("checksum", 16, 2, hexadecimal, said)
    header.take("urgent pointer", 18, 2, number, "" if Flags.URG in flags else "does not count: no URG bit")
    part = peek(data, at, end)
    if part is None:
        return header.made("TCP", behind, note=f"cut short: {there} of {size} octets"), right
    options(header, behind - at)
    return header.made("TCP", behind, note=part.note, about=f"port {part.sport} → {part.dport}"), right


def _judged(segment: bytes, pseudo: bytes | None) -> tuple[bool | None, str]:
    """Whether the checksum holds, in a word (RFC 9293 §3.1)."""
    what = "over addresses, header and data"
    if pseudo is None or len(segment) < 20:
        return None, f"{what}; not checked: not all of it is here"
    if ones_sum(pseudo + segment) == 0:
        return True, f"right; {what}"
    right = checksum_of(pseudo + segment[:16] + bytes(2) + segment[18:])
    return False, f"wrong: should be 0x{right:04x} (or the network card was to fill it in)"


def options(header: Header, size: int) -> None:
    """TCP's options, up to octet `size` of the header. Every octet is somebody's, also of malformed ones (MUST-7)."""
    at = 20
    data, start = header.data, header.start
    while at < size:
        kind, left = data[start + at], size - at
        if kind == 0:
            header.take("end of options", at, 1, number)
            header.take(
                "padding",
                at + 1,
                left - 1,
                octets_of,
                "" if not any(data[start + at + 1 : start + size]) else "not zeros",
            )
            return
        if kind == 1:
            header.take("no operation", at, 1, number, "fills up")
            at += 1
            continue
        length = data[start + at + 1] if left > 1 else 0
        name = _OPTIONS.get(kind, f"option {kind}")
        if not 2 <= length <= left:
            header.take(name, at, left, octets_of, f"malformed: its length is {length}, {left} octets are left")
            return
        value, meaning = _said(kind, data[start + at + 2 : start + at + length])
        header.take(name, at, length, lambda _, value=value: value, meaning)  # type: ignore[misc]
        at += length


def _said(kind: int, value: bytes) -> tuple[str, str]:
    """An option's value and what it means."""
    found = int.from_bytes(value)
    match kind, len(value):
        case 2, 2:
            return str(found), "octets of data it takes in one segment"
        case 3, 1:
            return str(
                found
            ), f"its window counts {2**found} octets each" if found <= 14 else "above 14 (RFC 7323 §2.3)"
        case 4, 0:
            return "yes", "it understands SACK"
        case 5, size if size and size % 8 == 0:
            edges = [int.from_bytes(value[i : i + 4]) for i in range(0, size, 4)]
            pairs = ", ".join(f"{a} to {b}" for a, b in zip(edges[::2], edges[1::2], strict=True))
            return pairs, "what it has behind a gap"
        case 8, 8:
            return f"{found >> 32}, echo {found & 0xFFFFFFFF}", "TSval and TSecr (RFC 7323 §3.2)"
    return octets_of(value) or "no data", "" if kind not in (2, 3, 4, 5, 8) else "malformed: another length is its own"


def udp(data: bytes, at: int, end: int) -> Layer:
    """The UDP header in `data` from octet `at`, no further than `end`, which is behind `at`."""
    behind = min(at + 8, end)
    header = Header(data, at, behind)
    header.take("source port", 0, 2)
    header.take("destination port", 2, 2)
    header.take("length", 4, 2, number, "header and data")
    header.take("checksum", 6, 2, hexadecimal)
    if behind < at + 8:
        return header.made("UDP", behind, note=f"cut short: {behind - at} of 8 octets")
    ports = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
    return header.made("UDP", behind, about=f"port {ports[0]} → {ports[1]}")


def pseudo_of(source: bytes, destination: bytes, at: int, end: int) -> bytes:
    """The pseudo-header of a TCP segment that stands from `at` to `end`."""
    return pseudo_header(source, destination, end - at)
