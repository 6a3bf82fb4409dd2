"""One connection of a run: its ports, what both ends were seen to say, what the script has not looked at yet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from lab.scenario.record import Packet
from lab.tcp.conversation import Conversation
from lab.tcp.segment import ACK, FIN, SYN, Segment, letters
from lab.tcp.sequence import Seq
from lab.tcp.state import State
from lab.tcp.world import Sight
from lab.wire.codec import TcpFrame

FAR = 2**28
"""Octets. A number this far from a side's first belongs to another connection's count."""


def name_of(number: int) -> str:
    """The name of a connection, by its number from 0: A to Z, then A2 …"""
    letter = chr(ord("A") + number % 26)
    return letter if number < 26 else f"{letter}{number // 26 + 1}"


def near(number: int | None) -> int | None:
    """A relative number, None where it is counted from another connection's start."""
    return number if number is not None and abs(number) < FAR else None


@dataclass(slots=True)
class Received:
    """A segment of the server that the script has not looked at."""

    frame: TcpFrame
    raw: bytes
    packet: Packet
    sight: Sight


@dataclass(slots=True)
class Connection:
    """A four-tuple: the addresses are the run's, the ports its own."""

    name: str
    """"A" for the first of a run, then "B" …"""
    peer_port: int
    server_port: int | None
    iss: Seq
    """The lab's initial sequence number for it."""
    conversation: Conversation
    inbox: deque[Received] = field(default_factory=deque)
    last_seen: Packet | None = None
    """The server's last segment."""
    last_heard: Packet | None = None
    """The last segment of ours that has reached the server."""
    kernel_state: State | None = None
    """What the server's kernel said last,"""
    kernel_info: dict[str, int] = field(default_factory=dict)
    """and its `struct tcp_info` by name, where somebody watches and it keeps one."""
    server_spoke: bool = False
    opening: bytes = b""
    """The frame of our first SYN, as long as its ports may still be those of an old connection at the server."""

    _seen: set[tuple[int, int, int]] = field(default_factory=set)

    def note_seen(self, segment: Segment) -> None:
        """Remember a segment of the server's that uses up numbers."""
        if segment.length:
            self._seen.add((segment.flags & (SYN | FIN), segment.seq, len(segment.payload)))

    def has_seen(self, segment: Segment) -> bool:
        """Whether it is one that the server has sent before: its timer may repeat it at any time."""
        return (segment.flags & (SYN | FIN), segment.seq, len(segment.payload)) in self._seen

    @property
    def server_state(self) -> State:
        """The server's end by the model."""
        return self.conversation.server.best.endpoint.state

    @property
    def peer_state(self) -> State:
        """The lab's end by the model."""
        return self.conversation.peer.state

    @property
    def peer_isn(self) -> Seq:
        """What the lab's numbers are counted from: its SYN's, or the one it would send."""
        seen = self.conversation.peer_isn
        return self.iss if seen is None else seen

    def relative(self, segment: Segment, *, from_peer: bool) -> tuple[int | None, int | None]:
        """Sequence and acknowledgement number counted from each side's SYN; None where that was not seen."""
        mine: Seq | None = self.peer_isn
        theirs = self.conversation.server_isn
        if not from_peer:
            mine, theirs = theirs, mine
        seq = None if mine is None else segment.seq.ahead_of(mine)
        ack = None if theirs is None or ACK not in segment.flags else segment.ack.ahead_of(theirs)
        return near(seq), near(ack)

    def notation(self, segment: Segment, *, from_peer: bool) -> str:
        """A segment as the ladder writes it: `> S seq 0`, `< SA seq 0 ack 1`."""
        seq, ack = self.relative(segment, from_peer=from_peer)
        if SYN in segment.flags and seq is None:
            seq = 0
        text = f"{'>' if from_peer else '<'} {letters(segment.flags)}"
        text += f" seq {seq}" if seq is not None else f" seq {segment.seq} (absolute)"
        if ACK in segment.flags:
            text += f" ack {ack}" if ack is not None else f" ack {segment.ack} (absolute)"
        if segment.payload:
            text += f" len {len(segment.payload)}"
        return text
