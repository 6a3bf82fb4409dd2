"""One TCP segment as a value (RFC 9293 §3.1). It can say any nonsense: judging is somebody else's work."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntFlag

from lab.tcp.options import Kind, Option, parse
from lab.tcp.sequence import Seq


class Flags(IntFlag):
    """The control bits (RFC 9293 §3.1), NS (historic) as the ninth."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80
    NS = 0x100

    def __contains__(self, other: Flags) -> bool:
        """Whether all bits of `other` are set. The enum's own looks at types first; this is asked most of all."""
        return self._value_ & other._value_ == other._value_


FIN, SYN, RST, PSH, ACK, URG = Flags.FIN, Flags.SYN, Flags.RST, Flags.PSH, Flags.ACK, Flags.URG

_ZERO = Seq(0)
_CONTROLS = (0, 1, 1, 2)  # numbers used up by neither, FIN, SYN, both: the two lowest bits
_LETTERS = "FSRPAUECN"  # Scapy's letters, lowest bit first


def flags_from(letters: str) -> Flags:
    """Flags from Scapy's letters, such as "SA". Raises ValueError for a letter that is none of FSRPAUECN."""
    value = 0
    for letter in letters:
        value |= 1 << _LETTERS.index(letter)
    return Flags(value)


def letters(flags: Flags) -> str:
    """Scapy's letters for flags, such as "SA"; "." where none is set."""
    return "".join(letter for bit, letter in enumerate(_LETTERS) if flags >> bit & 1) or "."


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, without the ports and addresses that say whose it is.

    `ack` is the field's value whether or not the ACK bit is set; `window` is the field's 16 bits, unscaled;
    `options` are the header's raw option octets, so that malformed ones survive.
    """

    flags: Flags
    seq: Seq
    ack: Seq = _ZERO
    window: int = 65535
    payload: bytes = b""
    options: bytes = b""
    urgent: int = 0

    @property
    def length(self) -> int:
        """SEG.LEN: octets of sequence space it occupies, SYN and FIN one each (RFC 9293 §3.3.1)."""
        return len(self.payload) + _CONTROLS[self.flags._value_ & 3]

    @property
    def end(self) -> Seq:
        """SEG.SEQ + SEG.LEN: the first number behind it."""
        return self.seq + self.length

    @property
    def parsed_options(self) -> tuple[Option, ...]:
        """Its options in order, as `lab.tcp.options.parse` reads them."""
        return parse(self.options)

    def option(self, kind: int) -> bytes | None:
        """The data of its first sound option of that kind, or None."""
        return next((o.data for o in self.parsed_options if o.kind == kind and o.sound), None)

    @property
    def mss(self) -> int | None:
        """The MSS it announces in octets, or None (RFC 9293 §3.7.1)."""
        data = self.option(Kind.MSS)
        return int.from_bytes(data) if data is not None and len(data) == 2 else None

    @property
    def window_scale(self) -> int | None:
        """The shift count it offers, or None (RFC 7323 §2.2)."""
        data = self.option(Kind.WINDOW_SCALE)
        return data[0] if data is not None and len(data) == 1 else None

    @property
    def sack_permitted(self) -> bool:
        """Whether it permits SACK (RFC 2018 §2)."""
        return self.option(Kind.SACK_PERMITTED) == b""

    @property
    def timestamps(self) -> tuple[int, int] | None:
        """TSval and TSecr, or None (RFC 7323 §3.2)."""
        data = self.option(Kind.TIMESTAMPS)
        if data is None or len(data) != 8:
            return None
        value, echo = struct.unpack("!II", data)
        return value, echo

    def __str__(self) -> str:
        text = f"{letters(self.flags)} seq {self.seq}"
        if ACK in self.flags:
            text += f" ack {self.ack}"
        if self.payload:
            text += f" len {len(self.payload)}"
        return text


@dataclass(frozen=True, slots=True)
class Hurdle:
    """What keeps a segment from TCP, though it has reached a host, or from the host."""

    why: str
    """In words: "its source route leads on to another host"."""
    section: str
    """Section that says so, "RFC 791 §3.1"."""
    sure: bool
    """Whether no host hands it on. Otherwise a host may: the document leaves it open, or a setting decides."""


BAD_CHECKSUM = Hurdle("bad checksum", "RFC 9293 §3.1", sure=True)
NEVER_ARRIVES = Hurdle("lost on its way", "RFC 9293 §3.8.1", sure=True)
