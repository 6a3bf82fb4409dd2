"""The application layer: what of a TCP stream is HTTP, what WebSocket, and what the programs' own.

`lab.websocket.trace` tells which octets belong to which head or frame; here they become layers with fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lab.layers.flows import Carried, End
from lab.layers.parts import Field, Header, Layer, make, octets_of, piece, quoted
from lab.websocket.codes import lookup
from lab.websocket.frames import Opcode, opcode_name, show
from lab.websocket.trace import Part, Portion, Role, Unit, dissect

_OPCODES: Final = {
    0: "continues a message",
    1: "a message of text",
    2: "a message of octets",
    8: "the close handshake",
    9: "are you there?",
    10: "I am",
}
_BASE64: Final = {
    "sec-websocket-key": "base64: 16 octets by chance, written in characters",
    "sec-websocket-accept": "base64: the SHA-1 of key and GUID, written in characters",
}
_PACKETS: Final = 8
"""So many packets are named that have the rest of something."""

Jobs = tuple[tuple[int, str], ...]


def read_stream(carried: Sequence[Carried], client: End) -> list[tuple[list[Layer], list[str]]]:
    """For each payload its layers, counted from its first octet and without a gap, and what it says, part by part."""
    portions = [Portion(one.source == client, one.seq, one.payload, one.syn) for one in carried]
    found = dissect(portions)
    raw = _raw(found, portions)
    frames: dict[tuple[int, Role], set[int]] = {}
    for one, parts in zip(carried, found, strict=True):
        for part in parts:
            frames.setdefault((id(part.unit), part.role), set()).add(one.frame)
    made: list[tuple[list[Layer], list[str]]] = []
    for one, parts in zip(carried, found, strict=True):
        layers = []
        for part in parts:
            others = sorted(frames[id(part.unit), part.role] - {one.frame})
            layers.append(_layer(part, raw.get((id(part.unit), part.role), b""), _named(others)))
        made.append((layers, said(parts)))
    return made


def _named(others: list[int]) -> str:
    if not others:
        return ""
    some = ", ".join(map(str, others[:_PACKETS])) + (f" and {len(others) - _PACKETS} more" * (len(others) > _PACKETS))
    return f"the rest in packet{'s' if len(others) > 1 else ''} {some}"


def _raw(found: Iterable[tuple[Part, ...]], portions: Sequence[Portion]) -> dict[tuple[int, Role], bytes]:
    """The octets of each head and each frame header as they stood on the wire, from all the segments that had some."""
    raw: dict[tuple[int, Role], bytearray] = {}
    for parts in found:
        for part in parts:
            if part.role in ("http", "frame header") and part.unit.kind != "body":
                size = part.unit.seen if part.role == "http" or not part.unit.header else part.unit.header.size
                whole = raw.setdefault((id(part.unit), part.role), bytearray(size))
                whole[part.from_ : part.to] = portions[part.packet].payload[part.start : part.end]
    return {key: bytes(octets) for key, octets in raw.items()}


def _layer(part: Part, raw: bytes, others: str) -> Layer:
    """One part as a layer, counted from the payload's first octet."""
    unit, shift = part.unit, part.start - part.from_
    if part.role == "http" and unit.kind != "body":
        whole = make("HTTP", 0, len(raw), tuple(_lines(raw)), about=unit.summary, jobs=_handshake(unit))
    elif part.role == "frame header":
        whole = _frame_header(unit, raw)
    elif part.role == "frame payload":
        return _payload(part, others)
    else:
        about = "the content of the HTTP message" if unit.kind == "body" else "the programs' own"
        return make("Payload", part.start, part.end, about=about)
    found = piece(whole, part.from_, part.to, shift, others)
    assert found is not None  # a part is never empty
    return found


# HTTP


def _lines(raw: bytes) -> Iterable[Field]:
    """A head's lines as fields, each with its CRLF (RFC 9112 §2.1)."""
    at = 0
    for i, line in enumerate(raw.splitlines(keepends=True) if b"\r" not in raw else _crlf(raw)):
        text = line.rstrip(b"\r\n")
        name, colon, value = text.partition(b":")
        end = at + len(line)
        if i == 0:
            yield Field("start line", quoted(text, 200)[1:-1], at, end, _start(text))
        elif not text:
            yield Field("empty line", "", at, end, "ends the head")
        elif colon:
            yield Field(quoted(name)[1:-1], quoted(value.strip(), 200)[1:-1], at, end)
        else:
            yield Field("line", quoted(text), at, end, "no header field")
        at = end


def _crlf(raw: bytes) -> list[bytes]:
    lines = [line + b"\r\n" for line in raw.split(b"\r\n")]
    lines[-1] = lines[-1][:-2]
    return [line for line in lines if line]


def _start(line: bytes) -> str:
    return "version, status, reason" if line.startswith(b"HTTP/") else "method, target, version"


def _handshake(unit: Unit) -> Jobs:
    """What an opening handshake does for the layers that have no header (RFC 6455 §4)."""
    fields = {name.lower(): value for name, value in unit.headers}
    if "websocket" not in fields.get("upgrade", "").lower():
        return ()
    protocol = fields.get("sec-websocket-protocol")
    asks = unit.kind == "request"
    work = "the opening handshake asks for a dialogue of both" if asks else "the opening handshake is agreed to"
    if protocol:
        work += f", subprotocol {'offered' if asks else 'chosen'}: {protocol}"
    return ((5, work), *((6, text) for name, text in _BASE64.items() if name in fields))


# WebSocket


def _frame_header(unit: Unit, raw: bytes) -> Layer:
    """A frame's header (RFC 6455 §5.2); `raw` are those of its octets that were seen."""
    header = Header(raw, 0, len(raw))
    opcode = raw[0] & 15
    header.bits("FIN", 0, 0, 1, "the last fragment of its message" if raw[0] & 0x80 else "the message goes on")
    header.bits("RSV1", 0, 1, 1, "compressed, where that was agreed (RFC 7692)" if raw[0] & 0x40 else "")
    header.bits("RSV2", 0, 2, 1)
    header.bits("RSV3", 0, 3, 1)
    words = f"{opcode_name(opcode)}: {_OPCODES[opcode]}" if opcode in _OPCODES else "reserved"
    header.bits("opcode", 0, 4, 4, words)
    if len(raw) > 1:
        length = raw[1] & 0x7F
        header.bits("MASK", 1, 0, 1, "a masking key follows" if raw[1] & 0x80 else "not masked")
        follows = {126: "the length follows in 16 bits", 127: "the length follows in 64 bits"}
        header.bits("payload length", 1, 1, 7, follows.get(length, "octets"))
        size = {126: 2, 127: 8}.get(length, 0)
        header.take("extended payload length", 2, size, meaning="octets")
        if raw[1] & 0x80:
            header.take("masking key", 2 + size, 4, octets_of, "octet i of the payload is XORed with octet i mod 4")
    note = "cut short: the rest of the header was not seen" if unit.header is None else ""
    return make("WebSocket", 0, len(raw), tuple(header.fields), note=note, about=unit.summary, jobs=_work(unit))


def _work(unit: Unit) -> Jobs:
    """What a frame does for the layers that have no header."""
    header = unit.header
    if header is None:
        return ()
    jobs: list[tuple[int, str]] = []
    if header.opcode == Opcode.CLOSE:
        jobs.append((5, "the close handshake ends the dialogue"))
    elif header.opcode in (Opcode.PING, Opcode.PONG):
        jobs.append((5, "Ping and Pong: is the other end still there?"))
    if header.opcode == Opcode.TEXT:
        jobs.append((6, "UTF-8: how the text is written in octets"))
    if header.rsv & 4:
        jobs.append((6, "compressed, where that was agreed (RFC 7692)"))
    if header.key is not None:
        jobs.append((6, f"masked: XORed with {header.key.hex(' ')}"))
    return tuple(jobs)


def _payload(part: Part, others: str) -> Layer:
    """A frame's payload, or a piece of it, told unmasked (RFC 6455 §5.3)."""
    unit, header = part.unit, part.unit.header
    assert header is not None  # without it nobody knows where the payload begins
    first = part.from_ - header.size
    kept = unit.payload[first : part.to - header.size]
    mask = "masked on the wire" if header.key is not None else ""
    fields: list[Field] = []
    at = part.start
    if header.opcode == Opcode.CLOSE and first == 0 and part.to - part.from_ >= 2 and len(kept) >= 2:
        code = lookup(int.from_bytes(kept[:2]))
        fields.append(Field("status code", str(code.code), at, at + 2, f"{code.name}: {code.meaning}"))
        at, kept = at + 2, kept[2:]
    if at < part.end:
        name = "reason" if fields else "payload data"
        size = part.end - at
        kind = Opcode.BINARY if header.opcode == Opcode.CLOSE and first == 0 and not fields else header.opcode
        fields.append(Field(name, show(_kind(kind), kept, size) or octets_of(kept), at, part.end, mask))
    whole = (part.from_, part.to) == (header.size, unit.length)
    note = "" if whole else f"octets {first} to {part.to - header.size - 1} of its {header.length}"
    note = "; ".join(x for x in (note, "" if whole else others) if x)
    return make("Payload", part.start, part.end, tuple(fields), note=note, about=unit.summary, jobs=_work(unit))


def _kind(opcode: int) -> int:
    """As what a payload is shown: a fragment's type was said by the first frame of its message."""
    return Opcode.TEXT if opcode in (Opcode.TEXT, Opcode.CLOSE) else Opcode.PING if opcode != Opcode.BINARY else opcode


# In a line


def said(parts: Sequence[Part]) -> list[str]:
    """What one segment carried, a line for each head, body, frame or piece of one; nothing for octets that are none.

    Where it is not exactly one, with the sequence numbers of its first and last octet as the portions count them, the
    number where that is one octet.
    """
    pieces = together(parts)
    lines: list[str] = []
    for unit, first, behind in pieces:
        if unit.kind == "bytes":
            lines += [f"{behind - first} octets that are neither HTTP nor a frame"] if len(pieces) > 1 else []
            continue
        lines.append(in_words(unit, first, behind))
        if len(pieces) > 1 or (first, behind) != (0, unit.length):
            a, b = unit.first_seq + first, unit.first_seq + behind - 1
            lines[-1] += f", seq {a}" if a == b else f", seq {a}..{b}"
    return lines


def together(parts: Sequence[Part]) -> list[tuple[Unit, int, int]]:
    """The units of one segment, and which octets of each it has: header and payload of a frame as one."""
    pieces: list[tuple[Unit, int, int]] = []
    for part in parts:
        if pieces and pieces[-1][0] is part.unit and pieces[-1][2] == part.from_:
            pieces[-1] = part.unit, pieces[-1][1], part.to
        else:
            pieces.append((part.unit, part.from_, part.to))
    return pieces


def in_words(unit: Unit, first: int, behind: int) -> str:
    """A unit, or octets `first` to `behind` of it: `TEXT fin len 5 "Hello"`, "… 1460 of 65540 octets of BINARY"."""
    length = unit.length or (unit.header.whole if unit.header else None)
    if (first, behind) == (0, length):
        return unit.summary
    size = behind - first
    if first == 0:
        return f"{unit.summary}: {size} of {length or '?'} octets"
    return f"… {size} of {length or '?'} octets of {unit.name}"
