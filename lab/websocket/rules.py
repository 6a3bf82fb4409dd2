"""The rules for the frames of one direction, and the messages they make (RFC 6455 §5, §7.4, §8.1).

They are the same for both ends but for the mask. What a receiver may answer to a breach is said with it: the codes of
a Close that fit, and whether it has to fail the connection at all.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace

from lab.websocket import codes
from lab.websocket.frames import Header, Opcode, ReadFrame, close_body, is_control, opcode_name, shortest

MOST_MESSAGE = 2**24
"""Octets of one message that are kept."""

Message = tuple[int, bytes]
"""The opcode, TEXT or BINARY, and the payload."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that a frame breaks."""

    field: str
    """The part of the frame: "MASK", "RSV", "opcode", "FIN", "length", "payload", "close code"."""
    expected: str
    observed: str
    why: str
    """One sentence, without saying whose frame it is."""
    section: str
    codes: tuple[int, ...] = (1002,)
    """The codes that fit a Close which answers it; the Close may also be left out (RFC 6455 §7.1.7)."""
    must_fail: bool = True
    """Whether the receiver has to fail the connection; False where the document prescribes no reaction."""


class Rules:
    """Follows the frames of one direction. Never raises; keeps one message of MOST_MESSAGE octets at most."""

    def __init__(self, masked: bool) -> None:
        """`masked`: whether the frames are a client's."""
        self.masked = masked
        self.extensions: frozenset[str] = frozenset()
        """Those agreed on. Of "permessage-deflate" the rules are known; any other may use what is reserved."""
        self.opcode: int | None = None
        """The type of the message that is being sent in fragments, None where there is none."""
        self.compressed = False
        """Whether that message is (RFC 7692 §6); its payload is not looked into."""
        self._payload = bytearray()
        self._size = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._spoilt = False

    def header(self, header: Header) -> Breach | None:
        """The rule that this header breaks, if it is the next frame's. Where it breaks several, the gravest."""
        breach = self._header(header)
        if breach and header.length >= 2**16 and 1009 not in breach.codes:
            # A receiver may look at the size first.
            return replace(breach, codes=(*breach.codes, 1009))
        return breach

    def frame(self, read: ReadFrame) -> tuple[Breach | None, Message | None]:
        """Takes the next frame: the rule it breaks, and the message that it completes."""
        frame = read.frame
        header = Header(
            frame.fin,
            frame.rsv,
            frame.opcode,
            frame.mask is not None,
            len(frame.payload),
            read.length_bits,
            frame.mask,
            read.header_size,
        )
        breach = self.header(header)
        if is_control(frame.opcode):
            body = _close_body(frame.payload) if frame.opcode == Opcode.CLOSE else None
            return _graver(breach, body), None
        if frame.opcode != Opcode.CONTINUATION:
            self._begin(frame.opcode, bool(frame.rsv & 4))
        elif self.opcode is None:
            return breach, None
        text = self._text(frame.payload, frame.fin)
        self._size += len(frame.payload)
        if self._size <= MOST_MESSAGE:
            self._payload += frame.payload
        else:
            self._payload.clear()
        message = self._end() if frame.fin else None
        return _graver(breach, text), message

    def _header(self, header: Header) -> Breach | None:
        return (
            self._mask(header) or self._reserved(header) or _control(header) or self._order(header) or _length(header)
        )

    def _mask(self, header: Header) -> Breach | None:
        if header.masked is self.masked:
            return None
        who = "A client masks every frame." if self.masked else "A server masks no frame."
        return Breach("MASK", str(int(self.masked)), str(int(header.masked)), who, "RFC 6455 §5.1")

    def _reserved(self, header: Header) -> Breach | None:
        known = self.extensions <= {"permessage-deflate"}
        allowed = 0 if known else 7
        if self.extensions and header.opcode in (Opcode.TEXT, Opcode.BINARY):
            allowed |= 4  # RFC 7692 §6: on the first frame of a data message.
        if header.rsv & ~allowed:
            why = "The reserved bits are 0 unless an extension was agreed on that gives them a meaning."
            return Breach("RSV", f"{allowed:03b}", f"{header.rsv:03b}", why, "RFC 6455 §5.2")
        if known and header.opcode not in tuple(Opcode):
            why = f"Opcode {header.opcode} is reserved, and no extension was agreed on that gives it a meaning."
            fits = (1002,) if is_control(header.opcode) else (1002, 1003)
            return Breach("opcode", "0, 1, 2, 8, 9 or 10", str(header.opcode), why, "RFC 6455 §5.2", fits)
        return None

    def _order(self, header: Header) -> Breach | None:
        if is_control(header.opcode):
            return None
        if header.opcode == Opcode.CONTINUATION:
            if self.opcode is not None:
                return None
            why = "A continuation frame continues a message that was begun, and there is none."
            return Breach("opcode", "TEXT or BINARY", "CONTINUATION", why, "RFC 6455 §5.4")
        if self.opcode is None:
            return None
        why = f"The {opcode_name(self.opcode)} message before has not ended: its fragments may not be interleaved."
        return Breach("opcode", "CONTINUATION", opcode_name(header.opcode), why, "RFC 6455 §5.4")

    @property
    def size(self) -> int:
        """Octets so far of the message that is being sent in fragments."""
        return self._size

    def _begin(self, opcode: int, rsv1: bool) -> None:
        self.opcode = opcode
        self.compressed = rsv1 and bool(self.extensions)
        self._payload, self._size, self._spoilt = bytearray(), 0, False
        self._utf8.reset()

    def _end(self) -> Message | None:
        assert self.opcode is not None
        message = (self.opcode, bytes(self._payload)) if self._size <= MOST_MESSAGE else None
        self.opcode, self._payload, self._size = None, bytearray(), 0
        return message

    def _text(self, payload: bytes, final: bool) -> Breach | None:
        """Whether the message is UTF-8 so far; what is not is told once, at the first octet that cannot be."""
        if (
            self.opcode != Opcode.TEXT
            or self.compressed
            or self._spoilt
            or not self.extensions <= {"permessage-deflate"}
        ):
            return None
        try:
            self._utf8.decode(payload, final)
        except UnicodeDecodeError as error:
            self._spoilt = True
            octets = error.object[error.start : error.start + 4].hex(" ")
            why = f"The text is not UTF-8: {error.reason}."
            return Breach("payload", "valid UTF-8", octets, why, "RFC 6455 §8.1", (1007,))
        return None


def _graver(first: Breach | None, second: Breach | None) -> Breach | None:
    """The one after which a connection must fail, the first of two such."""
    if first and second and second.must_fail and not first.must_fail:
        return second
    return first or second


def _control(header: Header) -> Breach | None:
    if not is_control(header.opcode):
        return None
    if not header.fin:
        why = "A control frame is not fragmented."
        return Breach("FIN", "1", "0", why, "RFC 6455 §5.5")
    if header.length > 125:
        why = "A control frame has a payload of at most 125 octets."
        return Breach("length", "125 or less", str(header.length), why, "RFC 6455 §5.5")
    return None


def _length(header: Header) -> Breach | None:
    if header.length >= 2**63:
        why = "The most significant bit of a 64-bit length is 0."
        return Breach("length", "less than 2**63", str(header.length), why, "RFC 6455 §5.2", (1002, 1009))
    bits = shortest(header.length)
    if header.length_bits == bits:
        return None
    why = f"A length of {header.length} is written in the shortest form, which has {bits} bits."
    # The sender must use it; what a receiver does where it is not used is not said.
    return Breach("length", f"{bits} bits", f"{header.length_bits} bits", why, "RFC 6455 §5.2", must_fail=False)


def _close_body(payload: bytes) -> Breach | None:
    """The rule that the body of a Close breaks (RFC 6455 §5.5.1, §7.4, §8.1)."""
    if not payload:
        return None
    code, reason = close_body(payload)
    if code is None:
        why = "The body of a Close is empty, or begins with a code of two octets."
        return Breach("payload", "0 octets, or 2 and more", "1 octet", why, "RFC 6455 §5.5.1")
    try:
        reason.decode()
    except UnicodeDecodeError as error:
        octets = error.object[error.start : error.start + 4].hex(" ")
        why = f"The reason of a Close is not UTF-8: {error.reason}."
        return Breach("payload", "valid UTF-8", octets, why, "RFC 6455 §8.1", (1007, 1002))
    if codes.may_be_sent(code):
        return None
    known = codes.lookup(code)
    why = f"The code {codes.describe(code)} is not sent in a Close: it {known.meaning}."
    if code in (1005, 1006, 1015):
        why = f"The code {codes.describe(code)} must not be sent in a Close: it is a word for the program alone."
    return Breach("close code", "a code that may be sent", str(code), why, known.section, must_fail=False)
