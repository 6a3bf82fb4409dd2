"""The fast path: whole connections by `struct` over one packet socket, every number of every answer verified.

For load and for measuring, where a scenario's three witnesses would cost too much. It knows one story only: the lab
opens (RFC 9293 §3.5 figure 6) and closes first (§3.6 figure 12), without data. Anything else that the server says is
refused at once, with the field that is wrong.
"""

from __future__ import annotations

import secrets
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lab.tcp.segment import ACK, FIN, SYN, Flags, Segment, letters
from lab.tcp.sequence import CIRCLE, Seq
from lab.wire.codec import PROTOCOL_TCP, TcpFrame, decode, encode, ones_sum, packed, pseudo_header
from lab.wire.link import Captured, Link
from lab.wire.neighbours import answer

PATIENCE: Final = 2.0
"""Seconds within which an answer must come; a FIN's ACK may be delayed for 0.5 s (RFC 9293 §3.8.6.3)."""
PORTS: Final = range(20000, 60000)
"""The lab's own ports, used in turn."""
WINDOW: Final = 65535
"""Octets that the lab offers; it takes no data."""

_STEP: Final = 0x9E3779B1  # odd, so that every number is met before one comes again; about every second ISS wraps
_TCP: Final = struct.Struct("!HHIIHHHH")
_HEADER: Final = 5 << 12
_S, _A, _SA, _FA = int(SYN), int(ACK), int(SYN | ACK), int(FIN | ACK)
_LIMIT: Final = 0xFFFFFFFF


class WrongReply(Exception):
    """The server's answer is not the one that RFC 9293 asks for: names the field, expected and observed."""

    def __init__(
        self, field: str, expected: str, observed: str, message: str, section: str, frame: bytes | None = None
    ) -> None:
        """`field` is a header field, "checksum", "payload" or "silence"; `frame` is the offending one, if one came."""
        super().__init__(f"{message}: {field} should be {expected}, is {observed} ({section})")
        self.field = field
        self.expected = expected
        self.observed = observed
        self.section = section
        self.frame = frame


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that stands."""

    port: int
    """The lab's port."""
    x: int
    """The lab's initial sequence number."""
    y: int
    """The server's."""


class FastPath:
    """Opens and closes connections to one port of one server. Several may be open at once; not for several threads.

    Every answer's flags, seq, ack, length and checksums are compared; the first that is wrong raises WrongReply, after
    which the connection is left as it stands. Nobody else may use the same addresses on the link meanwhile.
    """

    def __init__(
        self,
        link: Link,
        *,
        source: str,
        destination: str,
        port: int,
        source_mac: bytes,
        destination_mac: bytes,
        ports: Sequence[int] = PORTS,
        iss: int | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """`source` is the lab's address, owned by no kernel; `port` the server's; `iss` the first ISS, chance if None.

        Raises ValueError where the addresses are none, or of two families.
        """
        self.link = link
        self.source, self.destination, self.port = source, destination, port
        self.opened = 0
        """Connections opened and verified so far."""
        self.closed = 0
        """Connections closed and verified so far."""
        self.patience = patience
        self._mac = source_mac
        self._ports = ports
        self._turn = 0
        self._iss = (secrets.randbelow(CIRCLE) if iss is None else iss) % CIRCLE
        self._inbox: dict[int, deque[Captured]] = {}
        self._overtaken: dict[int, tuple[int, int, int]] = {}
        ours, theirs = packed(source), packed(destination)
        # All that never changes from one of our frames to the next: Ethernet and IP header, for a segment of 20 octets.
        self._front = encode(
            Segment(SYN, Seq(0)),
            source=source,
            destination=destination,
            sport=0,
            dport=port,
            source_mac=source_mac,
            destination_mac=destination_mac,
        )[: -_TCP.size]
        self._sum = ones_sum(pseudo_header(ours, theirs, _TCP.size)) + port + WINDOW
        self._ipv6 = len(ours) == 16
        self._way = theirs + ours
        self._pseudo = ones_sum(pseudo_header(theirs, ours, 0))

    def open(self) -> Opened:
        """Open a connection in three segments (RFC 9293 §3.5 figure 6). Raises WrongReply, LinkError."""
        port = self._free_port()
        x = self._iss
        self._iss = (x + _STEP) & _LIMIT
        after_x = (x + 1) & _LIMIT
        self._inbox[port] = deque()
        self._overtaken.pop(port, None)
        self._send(port, x, 0, _S)
        y = self._expect(port, _SA, None, after_x, "RFC 9293 §3.5")[1]
        self._send(port, after_x, (y + 1) & _LIMIT, _A)
        self.opened += 1
        return Opened(port, x, y)

    def close(self, connection: Opened) -> None:
        """Close a connection in four segments, or in three where the server's FIN carries its ACK (RFC 9293 §3.6).

        For a server whose program closes by itself when it sees our FIN. Raises WrongReply, LinkError.
        """
        self.begin_close(connection)
        self.finish_close(connection)

    def begin_close(self, connection: Opened) -> None:
        """Say FIN, for a server that must then be told to close. Raises WrongReply where it spoke before."""
        self._quiet(connection.port, "RFC 9293 §3.10.7.4")
        self._send(connection.port, (connection.x + 1) & _LIMIT, (connection.y + 1) & _LIMIT, _FA)

    def finish_close(self, connection: Opened) -> None:
        """Await the ACK of our FIN and the server's own, acknowledge that, and see that nothing else comes."""
        port, seq, ack = connection.port, (connection.y + 1) & _LIMIT, (connection.x + 2) & _LIMIT
        flags = self._expect(port, None, seq, ack, "RFC 9293 §3.6")[0]
        if flags == _FA:
            # With two processors, the server's ACK may be on its way on one while its program's FIN overtakes it on the
            # other: the network need not keep the order. It counts as asked for, once.
            self._overtaken[port] = (_A, seq, ack)
        else:
            self._expect(port, _FA, seq, ack, "RFC 9293 §3.6")
        self._send(port, ack, (seq + 1) & _LIMIT, _A)
        self._quiet(port, "RFC 9293 §3.10.7.1")
        del self._inbox[port]
        self.closed += 1

    # Out

    def _free_port(self) -> int:
        for _ in range(len(self._ports)):
            port = self._ports[self._turn]
            self._turn = (self._turn + 1) % len(self._ports)
            if port not in self._inbox:
                return port
        raise ValueError(f"all {len(self._ports)} ports have a connection open: close one first")

    def _send(self, port: int, seq: int, ack: int, flags: int) -> None:
        bits = _HEADER | flags
        # A word and the number it is part of are the same modulo 2**16 - 1, so the fields can be added as they are.
        checksum = 0xFFFF - ((self._sum + port + seq + ack + bits) % 0xFFFF or 0xFFFF)
        self.link.send(self._front + _TCP.pack(port, self.port, seq, ack, bits, WINDOW, checksum, 0))

    # In

    def _expect(self, port: int, flags: int | None, seq: int | None, ack: int, section: str) -> tuple[int, int]:
        """The server's next segment on a connection, which must be that one; its flags and seq.

        `flags` None: an ACK, with or without FIN. `seq` None: any, for the server's ISS is its own choice.
        """
        inbox = self._inbox[port]
        if not inbox:
            self._sort(self.link.wait(self.patience))
            while not inbox:  # what came was for somebody else: begin again, as long as anything comes
                captured = self.link.wait(self.patience)
                if not captured:
                    wanted = "an answer with " + letters(Flags(_FA if flags is None else flags))
                    raise WrongReply(
                        "silence", wanted, f"nothing within {self.patience:g} s", "the server does not answer", section
                    )
                self._sort(captured)
        one = inbox.popleft()
        sound = self._sound(one.frame)
        if sound is not None:
            _, its_flags, its_seq, its_ack = sound
            wanted_flags = its_flags in (_A, _FA) if flags is None else its_flags == flags
            if wanted_flags and its_ack == ack and (seq is None or its_seq == seq):
                return its_flags, its_seq
        return self._slowly(one, flags, seq, ack, section)

    def _slowly(self, one: Captured, flags: int | None, seq: int | None, ack: int, section: str) -> tuple[int, int]:
        """Compare field by field, and say which is wrong."""
        frame = decode(one.frame)
        assert isinstance(frame, TcpFrame)
        segment = frame.segment
        ready = one.checksum_ready
        shown = letters(Flags(flags)) if flags is not None else "A or FA"
        right_flags = segment.flags == flags if flags is not None else int(segment.flags) in (_A, _FA)
        checks = (
            ("checksum", "a whole segment", "one cut short", not frame.truncated),
            ("checksum", "right", f"wrong ({frame.checksum:#06x})", frame.checksum_correct or not ready),
            ("checksum", "right in the IPv4 header", "wrong", frame.ip_checksum_correct),
            ("flags", shown, letters(segment.flags), right_flags),
            ("seq", str(seq), str(segment.seq), seq is None or segment.seq == seq),
            ("ack", str(ack), str(segment.ack), segment.ack == ack),
            ("payload", "none", f"{len(segment.payload)} octets", not segment.payload),
        )
        for name, expected, observed, holds in checks:
            if not holds:
                raise WrongReply(
                    name, expected, observed, "the server's answer is not the right one", section, one.frame
                )
        return int(segment.flags), int(segment.seq)

    def _quiet(self, port: int, section: str) -> None:
        """The server has said nothing more on a connection, as far as anything has come."""
        self._sort(self.link.drain())
        inbox = self._inbox[port]
        while inbox:
            self._unasked(port, inbox.popleft(), section)

    def _unasked(self, port: int, one: Captured, section: str) -> None:
        """Raise WrongReply, unless it is the ACK of our FIN that the server's FIN has overtaken."""
        if port in self._overtaken:
            sound = self._sound(one.frame)
            if sound is not None and sound[1:] == self._overtaken[port]:
                del self._overtaken[port]
                return
        frame = decode(one.frame)
        observed = str(frame.segment) if isinstance(frame, TcpFrame) else "a segment"
        raise WrongReply("silence", "nothing", observed, "the server speaks unasked", section, one.frame)

    def _sort(self, captured: list[Captured]) -> None:
        """Give each segment to its connection; answer who asks for the lab's address; leave the rest."""
        for one in captured:
            if one.outgoing:
                continue
            sound = self._sound(one.frame)
            if sound is not None:
                port = sound[0]
            else:
                frame = decode(one.frame)
                if not isinstance(frame, TcpFrame):
                    reply = answer(frame, (self.source,), self._mac)
                    if reply is not None:
                        self.link.send(reply)
                    continue
                if (frame.source, frame.sport, frame.destination) != (self.destination, self.port, self.source):
                    continue
                port = frame.dport
            inbox = self._inbox.get(port)
            if inbox is not None:
                inbox.append(one)
            elif port in self._ports:
                self._unasked(port, one, "RFC 9293 §3.10.7.1")

    def _sound(self, frame: bytes) -> tuple[int, int, int, int] | None:
        """Own port, flags, seq and ack of a segment of the server's that is sound and carries no data, else None."""
        if self._ipv6:
            begin = 54
            if len(frame) < 74 or frame[12:14] != b"\x86\xdd" or frame[20] != PROTOCOL_TCP or frame[22:54] != self._way:
                return None
            end = begin + (frame[18] << 8 | frame[19])
        else:
            begin = 34
            # 0x45: a header without options; the fragment fields hold nothing but "don't fragment".
            if len(frame) < 54 or frame[12:15] != b"\x08\x00\x45" or frame[23] != PROTOCOL_TCP:
                return None
            if frame[26:34] != self._way or frame[20] & 0xBF or frame[21] or ones_sum(frame[14:34]):
                return None
            end = 14 + (frame[16] << 8 | frame[17])
        octets = frame[begin:end]
        size = len(octets)
        sport, port, seq, ack, bits, _, _, _ = _TCP.unpack_from(frame, begin)
        if sport != self.port or size != bits >> 12 << 2 or size < 20 or end > len(frame):
            return None
        if (int.from_bytes(octets) + self._pseudo + size) % 0xFFFF:
            return None
        return port, bits & 0xFFF, seq, ack
