"""Captures as files: written as pcapng with a comment on each packet, read as pcapng or pcap.

The format is that of draft-ietf-opsawg-pcapng (and draft-ietf-opsawg-pcap): blocks of a type, a length, a body
filled up to a multiple of four, and the length again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from lab import __version__
from lab.wire.errors import CaptureError

LINKTYPE_ETHERNET: Final = 1
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER = 0x1A2B3C4D
_END_OF_OPTIONS, _COMMENT = 0, 1
_SECTION_APPLICATION = 4
_INTERFACE_NAME, _INTERFACE_RESOLUTION, _INTERFACE_OFFSET = 2, 9, 14
_PACKET_FLAGS = 2
_INBOUND, _OUTBOUND = 1, 2
_LONGEST_BLOCK = 16 * 1024 * 1024
_PCAP_TICKS = {0xA1B2C3D4: 1_000_000, 0xA1B23C4D: 1_000_000_000}


class PcapngWriter:
    """Writes one capture. It has its name only once it is whole: until `close` it is a hidden file beside it.

    As a context manager it closes at the end, and discards the file where the body raised. All methods raise OSError
    where the file system refuses (disk full, folder gone); nothing is left behind then.
    """

    def __init__(self, path: str | Path, *, interface: str = "") -> None:
        """Opens the hidden file in `path`'s folder, which must exist. `interface` is the name that readers show."""
        self.path = Path(path)
        self.packets = 0
        self._partial = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        self._file: BinaryIO | None = self._partial.open("xb")
        application = f"lab {__version__}".encode()
        header = struct.pack("=IHHq", _BYTE_ORDER, 1, 0, -1) + _options((_SECTION_APPLICATION, application))
        described = [(_INTERFACE_RESOLUTION, b"\x09")]  # nanoseconds
        if interface:
            described.insert(0, (_INTERFACE_NAME, interface.encode()))
        self._put(_SECTION, header)
        self._put(_INTERFACE, struct.pack("=HHI", LINKTYPE_ETHERNET, 0, 0) + _options(*described))

    def write(self, frame: bytes, timestamp: float, comment: str = "", outgoing: bool | None = None) -> int:
        """Adds one frame; returns its number in the capture, from 1.

        `timestamp` is in seconds since the epoch; `outgoing` says whether the lab sent it, None where nobody knows.
        Raises ValueError once closed.
        """
        seconds = int(timestamp)  # apart, since a float of nanoseconds since the epoch is exact to 256 only
        moment = seconds * 1_000_000_000 + round((timestamp - seconds) * 1e9)
        options = []
        if comment:
            # An option's length has 16 bits; cut between characters, not within one.
            options.append((_COMMENT, comment.encode("utf-8", "replace")[:65535].decode("utf-8", "ignore").encode()))
        if outgoing is not None:
            options.append((_PACKET_FLAGS, struct.pack("=I", _OUTBOUND if outgoing else _INBOUND)))
        size = len(frame)
        head = struct.pack("=IIIII", 0, moment >> 32 & 0xFFFFFFFF, moment & 0xFFFFFFFF, size, size)
        self._put(_ENHANCED, head + frame + b"\0" * (-size % 4) + _options(*options))
        self.packets += 1
        return self.packets

    def close(self) -> None:
        """Gives the file its name, in place of an older one. A second time it does nothing."""
        if self._file is None:
            return
        try:
            self._file.close()
            self._file = None
            os.replace(self._partial, self.path)  # noqa: PTH105  Path.replace would say nothing else
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Removes what was written. After `close` it does nothing."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
        self._partial.unlink(missing_ok=True)

    def _put(self, kind: int, body: bytes) -> None:
        if self._file is None:
            raise ValueError("the capture is closed")
        size = struct.pack("=I", len(body) + 12)
        try:
            self._file.write(struct.pack("=I", kind) + size + body + size)
        except BaseException:
            self.discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def _options(*options: tuple[int, bytes]) -> bytes:
    if not options:
        return b""
    return b"".join(_option(code, value) for code, value in (*options, (_END_OF_OPTIONS, b"")))


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def read_capture(path: str | Path) -> Iterator[tuple[float, bytes, str]]:
    """Reads a pcapng or pcap file, whichever it is: (seconds since the epoch, frame, comment) of each packet.

    The file is open while the iterator lives. Raises CaptureError where it is neither or is damaged, OSError where it
    cannot be read.
    """
    with Path(path).open("rb") as file:
        (magic,) = struct.unpack("<I", file.read(4).ljust(4, b"\0"))
        file.seek(0)
        yield from _pcapng(file) if magic == _SECTION else _pcap(file)


def read_pcapng(path: str | Path) -> Iterator[tuple[float, bytes, str]]:
    """Reads a pcapng file; see `read_capture`. Several comments of one packet are joined by line ends."""
    with Path(path).open("rb") as file:
        yield from _pcapng(file)


def read_pcap(path: str | Path) -> Iterator[tuple[float, bytes, str]]:
    """Reads a classic pcap file, of microseconds or nanoseconds; see `read_capture`. Its packets have no comments."""
    with Path(path).open("rb") as file:
        yield from _pcap(file)


def _pcap(file: BinaryIO) -> Iterator[tuple[float, bytes, str]]:
    header = file.read(24)
    if len(header) < 24:
        raise CaptureError("this is neither a pcap nor a pcapng file: it is too short")
    order = next((o for o in "<>" if struct.unpack(o + "I", header[:4])[0] in _PCAP_TICKS), None)
    if order is None:
        raise CaptureError("this is neither a pcap nor a pcapng file: it begins otherwise")
    magic, _, _, _, _, _, link_type = struct.unpack(order + "IHHiIII", header)
    _refuse_other_links(link_type & 0xFFFF)  # the upper bits tell of frame check sequences
    record = struct.Struct(order + "IIII")
    while head := file.read(16):
        if len(head) < 16:
            raise CaptureError("the capture is cut short in the middle of a packet")
        seconds, fraction, captured, _ = record.unpack(head)
        yield seconds + fraction / _PCAP_TICKS[magic], _exactly(file, captured), ""


@dataclass(slots=True)
class _Section:
    """What a section has said so far."""

    order: str
    interfaces: list[tuple[int, int]] = field(default_factory=list)
    """Of each interface the timestamp's ticks a second, and its offset in seconds."""


def _pcapng(file: BinaryIO) -> Iterator[tuple[float, bytes, str]]:
    section: _Section | None = None
    while head := file.read(8):
        if len(head) < 8:
            raise CaptureError("the capture is cut short in the middle of a block")
        if head[:4] == b"\x0a\x0d\x0d\x0a":  # a palindrome: it can be told before the byte order is known
            magic = _exactly(file, 4)
            order = next((o for o in "<>" if struct.unpack(o + "I", magic)[0] == _BYTE_ORDER), None)
            if order is None:
                raise CaptureError("this is no pcapng file: its byte order is unknown")
            section = _Section(order)
            _body(file, struct.unpack(order + "I", head[4:])[0], order, already=4)
            continue
        if section is None:
            raise CaptureError("this is no pcapng file: it does not begin with a section header")
        kind, size = struct.unpack(section.order + "II", head)
        body = _body(file, size, section.order)
        try:
            if kind == _INTERFACE:
                section.interfaces.append(_interface(body, section.order))
            elif kind in (_ENHANCED, _OLD_PACKET):
                yield _packet(body, section, kind)
            elif kind == _SIMPLE:
                original = struct.unpack_from(section.order + "I", body)[0]
                yield 0.0, body[4 : 4 + original], ""
        except (struct.error, IndexError) as error:
            raise CaptureError("the capture is damaged: a block contradicts itself") from error


def _interface(body: bytes, order: str) -> tuple[int, int]:
    (link_type,) = struct.unpack_from(order + "H", body)
    _refuse_other_links(link_type)
    ticks, offset = 1_000_000, 0
    for code, value in _read_options(body, 8, order):
        if code == _INTERFACE_RESOLUTION and value:
            ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == _INTERFACE_OFFSET and len(value) == 8:
            (offset,) = struct.unpack(order + "q", value)
    return ticks, offset


def _packet(body: bytes, section: _Section, kind: int) -> tuple[float, bytes, str]:
    if kind == _ENHANCED:
        number, high, low, captured, _ = struct.unpack_from(section.order + "IIIII", body)
    else:
        number, _, high, low, captured, _ = struct.unpack_from(section.order + "HHIIII", body)
    frame = body[20 : 20 + captured]
    if len(frame) < captured:
        raise CaptureError("the capture is damaged: a packet is longer than its block")
    ticks, offset = section.interfaces[number]
    options = _read_options(body, 20 + captured + -captured % 4, section.order)
    comments = [value.decode("utf-8", "replace") for code, value in options if code == _COMMENT]
    return (high << 32 | low) / ticks + offset, frame, "\n".join(comments)


def _read_options(body: bytes, at: int, order: str) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == _END_OF_OPTIONS:
            return
        yield code, body[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4


def _body(file: BinaryIO, size: int, order: str, already: int = 0) -> bytes:
    """A block's body, less the octets already read; its length stands behind it once more."""
    if size % 4 or not 12 + already <= size <= _LONGEST_BLOCK:
        raise CaptureError("the capture is damaged: a block's length is impossible")
    body = _exactly(file, size - 12 - already)
    if struct.unpack(order + "I", _exactly(file, 4))[0] != size:
        raise CaptureError("the capture is damaged: a block's two lengths differ")
    return body


def _exactly(file: BinaryIO, size: int) -> bytes:
    if size > _LONGEST_BLOCK:
        raise CaptureError("the capture is damaged: a packet's length is impossible")
    found = file.read(size)
    if len(found) < size:
        raise CaptureError("the capture is cut short in the middle of a packet")
    return found


def _refuse_other_links(link_type: int) -> None:
    if link_type != LINKTYPE_ETHERNET:
        raise CaptureError(
            f"the capture's link type is {link_type}, the lab reads Ethernet (1): capture on one interface, not on any"
        )
