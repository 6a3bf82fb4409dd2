"""A capture told again as if it were a run: who said what on each connection, and where both ends stood by the model.

Nothing is judged: nobody knows what the programs at the two ends did. Both ends are followed alike, each by what it was
seen to send and what reached it, as RFC 9293 has it. Of a capture that the lab made itself, its comments tell which end
was the lab's; of any other, the client is who sent the first SYN.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lab.layers.fragments import Fragments
from lab.layers.internet import ipv4, ipv6
from lab.layers.link import ethernet as read_ethernet
from lab.scenario.connection import FAR, name_of
from lab.scenario.record import DELAYED, LOST, Call, Packet, Result, Verdict
from lab.tcp.followed import Followed
from lab.tcp.segment import ACK, FIN, RST, SYN, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    PROTOCOL_TCP,
    OtherFrame,
    TcpFrame,
    decode,
    ethernet,
    ip_packet,
    ones_sum,
    packed,
    pseudo_header,
    tcp_part,
)

FENCE: Final = "fence: "
"""How the lab's own comment begins on what belongs to no connection of the run."""
MOST_FILLED: Final = 64 * 1024 * 1024
"""Octets that are filled in, at most, for those that a capture has cut off."""
_BY_THE_LAB = re.compile(r"^(lab → server|server → lab)(?: \(connection (\w+)\))?$", re.MULTILINE)

Address = tuple[str, int]


@dataclass(slots=True)
class _Sent:
    """One segment of the capture."""

    packet: Packet
    source: Address
    segment: Segment
    right: bool
    """Whether its checksum holds, or was left to the network card."""
    fate: str = ""
    """The lab's word for a segment that its receiver did not see, "" for any other."""


@dataclass(slots=True)
class _Connection:
    name: str
    left: Address
    right: Address
    sent: list[_Sent] = field(default_factory=list)
    syns: dict[Address, list[Seq]] = field(default_factory=lambda: defaultdict(list))
    """The numbers of each end's SYNs."""
    heard: set[Address] = field(default_factory=set)
    finished: set[Address] = field(default_factory=set)
    reset: bool = False

    def add(self, one: _Sent) -> None:
        """Its next segment."""
        flags = one.segment.flags
        self.sent.append(one)
        self.heard.add(one.source)
        if SYN in flags and one.segment.seq not in self.syns[one.source]:
            self.syns[one.source].append(one.segment.seq)
        if FIN in flags:
            self.finished.add(one.source)
        self.reset = self.reset or RST in flags

    def listens(self, end: Address) -> bool:
        """Whether a program listened there: the end's first SYN answers one."""
        first = next((one.segment for one in self.sent if one.source == end and SYN in one.segment.flags), None)
        return first is not None and ACK in first.flags

    def is_over(self, source: Address, seq: Seq) -> bool:
        """Whether a SYN of `source` begins another connection between the same two ends."""
        if seq in self.syns[source]:
            return False
        if not any(self.syns.values()):
            return True  # the capture began in the middle of this one
        unanswered = bool(self.syns[source]) and len(self.heard) == 1
        return self.reset or len(self.finished) == 2 or unanswered


class _Numbers:
    """From where the numbers of each side are counted."""

    def __init__(self, left: Seq | None) -> None:
        self.left = left
        self.right: Seq | None = None

    def relative(self, segment: Segment, ours: bool) -> tuple[int | None, int | None]:
        """Sequence and acknowledgement number counted from each side's SYN; None where that was not seen."""
        mine, theirs = (self.left, self.right) if ours else (self.right, self.left)
        seq = None if mine is None else segment.seq.ahead_of(mine)
        ack = None if theirs is None or ACK not in segment.flags else segment.ack.ahead_of(theirs)
        return _near(seq), _near(ack)


def retold(
    frames: Sequence[bytes], times: Sequence[float], *, name: str, comments: Sequence[str] = (), started: float = 0.0
) -> Result:
    """The capture as a result, all its connections on one time line; see the module.

    `times` are seconds since the first frame, `started` the first frame's seconds since the epoch. Never raises,
    whatever the octets; `Result.isns` is empty where there is no TCP segment.
    """
    work = _Work(list(comments) + [""] * (len(frames) - len(comments)))
    for index, (frame, time) in enumerate(zip(frames, times, strict=True)):
        work.take(index, Packet(index + 1, time, started + time, "server", frame))
    return work.result(name)


def alone(result: Result, connection: str) -> Result:
    """One connection of a result by itself. Raises LookupError where there is none of that name."""
    if connection not in result.isns:
        raise LookupError(connection)
    entries = [entry for entry in result.timeline if entry.connection == connection]
    kept = {entry.number for entry in entries if isinstance(entry, Packet)}
    named = {entry.problem for entry in entries if isinstance(entry, Packet)}
    problems = [p for i, p in enumerate(result.problems) if p.frame is None or p.frame in kept or i in named]
    timeline: list[Packet | Call] = []
    for entry in entries:
        if isinstance(entry, Packet) and entry.problem is not None:
            entry = replace(entry, problem=problems.index(result.problems[entry.problem]))
        timeline.append(entry)
    found = replace(result, timeline=timeline, isns={connection: result.isns[connection]}, ends={}, problems=problems)
    if connection in result.ends:
        found.peer_address, found.server_address = result.ends[connection]
    return found


def end_text(end: Address) -> str:
    """An address with its port: "192.0.2.1:80", "[2001:db8::1]:80"."""
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"


class _Work:
    """What is known of the capture so far."""

    def __init__(self, comments: list[str]) -> None:
        self.comments = comments
        self.lab = ""
        """The lab's address, "" as long as the capture may be anybody's."""
        self.packets: list[Packet] = []
        self.connections: list[_Connection] = []
        self._now: dict[frozenset[Address], _Connection] = {}
        self._fragments = Fragments()
        self._filled = 0
        self._hosts: dict[bytes, bool] = {}
        """For each hardware address, whether it is the left end's."""

    def take(self, index: int, packet: Packet) -> None:
        """The next frame."""
        self.packets.append(packet)
        decoded = self._decoded(index, packet)
        if not isinstance(decoded, TcpFrame):
            packet.sender = "peer" if self._hosts.get(packet.frame[6:12]) else "server"
            packet.summary = decoded.summary if isinstance(decoded, OtherFrame) else _words(decoded)
            return
        packet.segment = decoded.segment
        source, destination = (decoded.source, decoded.sport), (decoded.destination, decoded.dport)
        told = _BY_THE_LAB.search(self.comments[index])
        if told and not self.lab:
            self.lab = decoded.source if told[1].startswith("lab") else decoded.destination
        lines = self.comments[index].splitlines() if told else []
        fence = next((line for line in lines if line.startswith(FENCE)), "")
        if fence:
            packet.note, packet.sender = fence, "peer" if decoded.source == self.lab else "server"
            return
        connection = self._connection(source, destination, decoded.segment, told[2] if told else "")
        packet.connection = connection.name
        packet.sender = "peer" if source == connection.left else "server"
        self._hosts.setdefault(packet.frame[6:12], packet.sender == "peer")
        right = _right(decoded, packet.frame)
        connection.add(
            _Sent(packet, source, decoded.segment, right, next((n for n in (LOST, DELAYED) if n in lines), ""))
        )

    def _decoded(self, index: int, packet: Packet) -> object:
        """What the frame says: without VLAN tags, put together where it completes a packet, filled up where cut off."""
        frame = packet.frame
        linked = read_ethernet(frame)
        if linked.ethertype not in (ETHERTYPE_IPV4, ETHERTYPE_IPV6) or linked.at >= linked.end:
            return decode(frame)
        if linked.at != 14:
            frame = frame[:12] + linked.ethertype.to_bytes(2) + frame[linked.at :]
        decoded = decode(frame)
        if isinstance(decoded, TcpFrame) and not decoded.truncated:
            return decoded
        read = (ipv4 if linked.ethertype == ETHERTYPE_IPV4 else ipv6)(frame, 14, len(frame))
        if isinstance(decoded, TcpFrame) and read.missing and self._filled + read.missing <= MOST_FILLED:
            self._filled += read.missing
            packet.note = f"captured without its last {read.missing} octets"
            payload = decoded.segment.payload + bytes(read.missing)
            return replace(decoded, segment=replace(decoded.segment, payload=payload), checksum_correct=True)
        if read.fragment is None:
            return decoded
        whole = self._fragments.take(index, frame, read, read.fragment)
        if whole is None or whole.protocol != PROTOCOL_TCP:
            return OtherFrame(f"a fragment: {read.end - read.at} octets from {read.fragment.offset} on")
        inside = ip_packet(whole.source, whole.destination, PROTOCOL_TCP, whole.data)
        return decode(ethernet(frame[6:12], frame[:6], linked.ethertype, inside))

    def _connection(self, source: Address, destination: Address, segment: Segment, name: str) -> _Connection:
        """The connection of a segment; a SYN may begin one, also between the same two ends."""
        key = frozenset((source, destination))
        found = self._now.get(key)
        opens = SYN in segment.flags and ACK not in segment.flags
        if found is None or (opens and not self.lab and found.is_over(source, segment.seq)):
            left, right = source, destination
            if self.lab and destination[0] == self.lab != source[0]:
                left, right = destination, source
            elif not self.lab and SYN in segment.flags and ACK in segment.flags:
                left, right = destination, source  # who answers a SYN is the server
            found = _Connection(name or name_of(len(self.connections)), left, right)
            self.connections.append(found)
            self._now[key] = found
        return found

    def result(self, name: str) -> Result:
        """What all of it comes to."""
        result = Result(name, "", "ipv4", Verdict.INCONCLUSIVE, judged=False, captured=len(self.packets))
        timeline: list[Packet | Call] = list(self.packets)
        result.timeline = timeline
        segments = sum(len(connection.sent) for connection in self.connections)
        many = len(self.connections)
        result.title = f"{segments:,} segment{'s' * (segments != 1)} of {many:,} connection{'s' * (many != 1)}"
        result.seconds = self.packets[-1].time - self.packets[0].time if self.packets else 0.0
        for connection in self.connections:
            numbers = _follow(connection)
            result.isns[connection.name] = numbers.left, numbers.right
        ends = {c.name: (end_text(c.left), end_text(c.right)) for c in self.connections}
        if self.lab:
            first = self.connections[0]
            result.peer_address, result.server_address = first.left[0], first.right[0]
        else:
            result.names = ("client", "server")
            if len(ends) == 1:
                ((result.peer_address, result.server_address),) = ends.values()
            else:
                result.ends = ends
        if self.connections and ":" in self.connections[0].left[0]:
            result.family = "ipv6"
        return result


def _follow(connection: _Connection) -> _Numbers:
    """Write into a connection's packets their numbers, the ends' states and a word; the first numbers of both ends."""
    # Where none of an end's checksums holds, the network card fills them in behind the capture.
    believed = {one.source for one in connection.sent if one.right}
    left, right = (Followed(connection.listens(end)) for end in (connection.left, connection.right))
    numbers = _Numbers(next(iter(connection.syns[connection.left]), None))
    began = False
    last: dict[Followed, Packet] = {}
    """What reached each end last."""
    for one in connection.sent:
        packet, segment = one.packet, one.segment
        ours = one.source == connection.left
        sender, receiver = (left, right) if ours else (right, left)
        sound = one.right or one.source not in believed
        began = began or SYN in segment.flags
        word = sender.word_for(segment, receiver) if sound else "bad checksum"
        packet.note = "; ".join(x for x in (one.fate, packet.note, word) if x)
        if sound or ours:
            sender.sends(segment, packet.time)
            _know_better(last.get(sender), sender, ours)
        if sound and began and not (one.fate and ours):
            receiver.receives(segment, packet.time)
            last[receiver] = packet
        if SYN in segment.flags and ours:
            numbers.left = numbers.left if left.iss is None else left.iss
        elif SYN in segment.flags:
            numbers.right = segment.seq
        packet.seq, packet.ack = numbers.relative(segment, ours)
        if began:
            packet.peer_state = left.state if connection.left in connection.heard else None
            packet.server_state = right.state if connection.right in connection.heard else None
    return numbers


def _know_better(packet: Packet | None, end: Followed, left: bool) -> None:
    """What an end says now tells where `packet`, the last that reached it, has left it."""
    if packet is None or end.heard is None:
        return
    if left and packet.peer_state is not None:
        packet.peer_state = end.heard
    elif not left and packet.server_state is not None:
        packet.server_state = end.heard


def _near(number: int | None) -> int | None:
    return number if number is not None and abs(number) < FAR else None


def _right(frame: TcpFrame, octets: bytes) -> bool:
    """Whether the checksum holds, or is the one that is left to the network card: the pseudo-header's sum alone."""
    if frame.checksum_correct:
        return frame.ip_checksum_correct
    part = tcp_part(octets)
    if part is None or not frame.ip_checksum_correct:
        return False
    return frame.checksum == ones_sum(pseudo_header(packed(frame.source), packed(frame.destination), len(part)))


def _words(decoded: object) -> str:
    """Address resolution in a line."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(decoded).__name__).lower().replace("arp", "ARP")
