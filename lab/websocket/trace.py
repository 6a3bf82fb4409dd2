"""To which HTTP head or WebSocket frame each octet of a TCP connection belonged, after the fact.

    for portion, parts in zip(portions, dissect(portions)):
        for part in parts:
            print(part.start, part.end, part.unit.summary, part.from_, part.to)

Both directions are put together first, so that repeats, overlaps and segments out of order are told apart from news.
What follows a gap cannot be read: its octets are "bytes". Nothing here judges, and nothing raises.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Literal

from lab.websocket.frames import Header, describe, opcode_name, parse_header, unmask
from lab.websocket.http import MOST_HEAD, TOKEN, Body, Headers, Response, printable

Kind = Literal["request", "response", "body", "frame", "bytes"]
Role = Literal["http", "frame header", "frame payload", "bytes"]

MOST_PAYLOAD = 2**16
"""Octets of a frame's payload, or of a body, that a Unit keeps."""

_REQUEST_LINE = re.compile(rf"({TOKEN.pattern}) (\S+) HTTP/[0-9]\.[0-9]")
_STATUS_LINE = re.compile(r"HTTP/[0-9]\.[0-9] ([0-9]{3})( .*)?")


@dataclass(frozen=True, slots=True)
class Portion:
    """What one segment carried."""

    from_client: bool
    seq: int
    """Its sequence number. Any base will do, such as 0 for the SYN, if it is the same throughout a direction."""
    payload: bytes = b""
    syn: bool = False
    """Whether it is a SYN, which takes the number `seq` itself; its payload comes behind (RFC 9293 §3.4)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One head, body or frame, or a run of octets that are none."""

    kind: Kind
    from_client: bool
    first_seq: int
    """The sequence number of its first octet, in the numbers of the portions."""
    last_seq: int
    """The one behind its last octet that was seen."""
    summary: str
    """Such as `GET /echo HTTP/1.1`, `101 Switching Protocols`, `TEXT fin masked len 5 "hello"`."""
    length: int | None
    """Octets of the whole unit on the wire, None where its end was not seen."""
    header: Header | None = None
    """Of a frame, once its header was seen whole."""
    head: str = ""
    """The start line of a request or response."""
    headers: Headers = ()
    """The header fields of a request or response; lines that are none are left out."""
    payload: bytes = b""
    """Of a frame, unmasked; of a body, chunks put together: its first MOST_PAYLOAD octets."""

    @property
    def seen(self) -> int:
        """Octets of it that were seen."""
        return (self.last_seq - self.first_seq) % 2**32

    @property
    def name(self) -> str:
        """What it is, in one word: "TEXT", "request", "bytes"."""
        return opcode_name(self.header.opcode) if self.header else self.kind


@dataclass(frozen=True, slots=True)
class Part:
    """Octets of one portion that belong to one unit and do the same job in it."""

    packet: int
    """Which portion."""
    start: int
    end: int
    """Where they lie in that portion's payload."""
    unit: Unit
    from_: int
    to: int
    """Where they lie in the unit."""
    role: Role


def dissect(portions: Sequence[Portion]) -> list[tuple[Part, ...]]:
    """The parts of each portion of one connection, in order: together they are the portion's payload. Never raises."""
    client, server = (_Stream(portions, from_client) for from_client in (True, False))
    _Reading(client, server).run()
    return [(client if p.from_client else server).parts(number, p) for number, p in enumerate(portions)]


class _Stream:
    """One direction, put together. Offsets count from the first octet behind the SYN, or from the first seen."""

    def __init__(self, portions: Iterable[Portion], from_client: bool) -> None:
        mine = [p for p in portions if p.from_client is from_client]
        self.from_client = from_client
        syn = next((p for p in mine if p.syn), None)
        data = [p for p in mine if p.payload]
        self.base = syn.seq + 1 if syn else data[0].seq if data else 0
        if syn is None and data:
            # The first octet of all may have come late.
            self.base += min(self.offset(p) for p in data)
        self.data = b""
        self.at = 0
        """What is read so far."""
        self.units: list[Unit] = []
        self._starts: list[int] = []
        self._islands: list[tuple[int, int]] = []
        self._put_together([(self.offset(p), p.payload) for p in data])

    def offset(self, portion: Portion) -> int:
        """Where the portion's payload begins: numbers wrap, and may lie before the first octet."""
        distance = portion.seq + portion.syn - self.base
        return (distance + 2**31) % 2**32 - 2**31

    def _put_together(self, pieces: list[tuple[int, bytes]]) -> None:
        """Finds `data`, as a receiver does: what came first counts. What never found its place is left as islands."""
        stream = bytearray()
        early: list[tuple[int, int, bytes]] = []
        lost: list[tuple[int, int]] = []
        for number, (start, payload) in enumerate(pieces):
            if start < 0:
                lost.append((start, min(start + len(payload), 0)))
                payload, start = payload[-start:], 0
            heappush(early, (start, number, payload))
            while early and early[0][0] <= len(stream):
                start, _, payload = heappop(early)
                stream += payload[len(stream) - start :]
        for start, end in sorted(lost + [(start, start + len(payload)) for start, _, payload in early]):
            if start < end:
                self._island(start, end)
        self.data = bytes(stream)

    def _island(self, start: int, end: int) -> None:
        if self._islands and start <= self._islands[-1][1]:
            first, last = self._islands.pop()
            start, end = first, max(last, end)
        self._islands.append((start, end))

    def add(
        self,
        kind: Kind,
        size: int,
        summary: str,
        *,
        whole: bool = True,
        header: Header | None = None,
        head: str = "",
        headers: Headers = (),
        payload: bytes = b"",
    ) -> None:
        """The next `size` octets are a unit; `whole` says whether its end is among them."""
        first, last = (self.base + self.at) % 2**32, (self.base + self.at + size) % 2**32
        length = size if whole else None
        unit = Unit(kind, self.from_client, first, last, summary, length, header, head, headers, payload)
        self._starts.append(self.at)
        self.units.append(unit)
        self.at += size

    def finish(self) -> None:
        """What was not read is bytes; so are the islands."""
        if self.at < len(self.data):
            self._bytes(self.at, len(self.data))
        for start, end in self._islands:
            self._bytes(start, end)
        order = sorted(range(len(self.units)), key=self._starts.__getitem__)
        self.units = [self.units[place] for place in order]
        self._starts = [self._starts[place] for place in order]

    def _bytes(self, start: int, end: int) -> None:
        self.at = start
        size = end - start
        self.add("bytes", size, f"{size} octet{'s' * (size != 1)}")

    def parts(self, number: int, portion: Portion) -> tuple[Part, ...]:
        """The parts of one portion."""
        parts: list[Part] = []
        begin, size, done = self.offset(portion), len(portion.payload), 0
        place = bisect_right(self._starts, begin) - 1
        while done < size:
            unit, start = self.units[place], self._starts[place]
            from_ = begin + done - start
            to = min(unit.seen, from_ + size - done)
            for role, low, high in _roles(unit):
                a, b = max(low, from_), min(high, to)
                if a < b:
                    parts.append(Part(number, done + a - from_, done + b - from_, unit, a, b, role))
            done += to - from_
            place += 1
        return tuple(parts)


def _roles(unit: Unit) -> tuple[tuple[Role, int, int], ...]:
    """Which octets of a unit do which job."""
    if unit.kind == "bytes":
        return (("bytes", 0, unit.seen),)
    if unit.kind != "frame":
        return (("http", 0, unit.seen),)
    size = unit.header.size if unit.header else unit.seen
    return ("frame header", 0, size), ("frame payload", size, unit.seen)


@dataclass(slots=True)
class _Reading:
    """Reads both streams side by side: what a stream speaks depends on what the other end said."""

    client: _Stream
    server: _Stream

    def run(self) -> None:
        """HTTP until a 101, and frames from there on."""
        upgraded = False
        while not upgraded:
            before = self.client.at, self.server.at
            method = _read_request(self.client)
            upgraded = self._read_answer(method)
            if (self.client.at, self.server.at) == before:
                break
        if upgraded:
            for stream in (self.client, self.server):
                _read_frames(stream)
        self.client.finish()
        self.server.finish()

    def _read_answer(self, method: str) -> bool:
        """Reads the answer to one request; whether it is a 101."""
        while (status := _read_response(self.server, method)) is not None:
            if status == 101:
                return True
            # Interim answers come before the one that counts (RFC 9110 §15.2).
            if not 100 <= status < 200:
                return False
        return False


def _read_head(stream: _Stream, kind: Kind, pattern: re.Pattern[str]) -> tuple[re.Match[str], Headers] | None:
    """Reads one head, if there is one; None also where its end was not seen."""
    end = stream.data.find(b"\r\n\r\n", stream.at, stream.at + MOST_HEAD)
    whole = end >= 0
    stop = end + 4 if whole else len(stream.data)
    lines = stream.data[stream.at : min(stop, stream.at + MOST_HEAD)].decode("latin-1").split("\r\n")
    match = pattern.fullmatch(lines[0])
    if match is None:
        return None
    pairs = (line.partition(":") for line in lines[1:])
    headers = tuple((name, value.strip(" \t")) for name, colon, value in pairs if colon and TOKEN.fullmatch(name))
    summary = printable(lines[0] if kind == "request" else lines[0].partition(" ")[2])
    stream.add(kind, stop - stream.at, summary, whole=whole, head=lines[0], headers=headers)
    return (match, headers) if whole else None


def _read_request(stream: _Stream) -> str:
    """Reads one request with its body; its method, "" where there is none."""
    found = _read_head(stream, "request", _REQUEST_LINE)
    if found is None:
        return ""
    match, headers = found
    as_response = Response(0, "", "", headers, b"")
    if as_response.header("Content-Length") is not None or as_response.header("Transfer-Encoding") is not None:
        _read_body(stream, as_response)
    return match[1]


def _read_response(stream: _Stream, method: str) -> int | None:
    """Reads one response with its body; its status, None where there is none."""
    found = _read_head(stream, "response", _STATUS_LINE)
    if found is None:
        return None
    match, headers = found
    status = int(match[1])
    if status >= 200 and status not in (204, 304) and method != "HEAD":
        _read_body(stream, Response(status, "", "", headers, b""))
    return status


def _read_body(stream: _Stream, head: Response) -> None:
    body = Body(head)
    at, rest = stream.at, None
    while at < len(stream.data) and rest is None and not body.fault:
        piece = stream.data[at : at + MOST_PAYLOAD]
        rest = body.feed(piece)
        at += len(piece) - len(rest or b"")
    if body.fault:
        return
    size = at - stream.at
    if size:
        whole = rest is not None or body.until_end
        summary = f"body of {size} octet{'s' * (size != 1)}" + ("" if whole else ", not whole")
        stream.add("body", size, summary, whole=whole, payload=bytes(body.kept[:MOST_PAYLOAD]))


def _read_frames(stream: _Stream) -> None:
    """Reads frames to the end of what was seen."""
    data, size = stream.data, len(stream.data)
    while stream.at < size:
        header = parse_header(data, stream.at)
        if header is None:
            stream.add("frame", size - stream.at, "the beginning of a frame's header", whole=False)
            return
        begin = stream.at + header.size
        there = min(header.length, size - begin)
        payload = data[begin : begin + min(there, MOST_PAYLOAD)]
        if header.key is not None:
            payload = unmask(header.key, payload)
        summary = describe(
            header.opcode,
            header.fin,
            header.rsv,
            header.masked,
            header.length,
            header.length_bits,
            payload,
            there,
        )
        whole = there == header.length
        stream.add("frame", header.size + there, summary, whole=whole, header=header, payload=payload)
