"""One profile that could be the server's, and what has been seen of the connection if it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lab.tcp.endpoint import Endpoint, Reply
from lab.tcp.evolve import evolve
from lab.tcp.octets import EMPTY, Octets
from lab.tcp.options import Kind
from lab.tcp.segment import ACK, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import NO_CONNECTION, State

REPEATED = 65536
"""Octets behind SND.UNA of which the text is kept: a repetition may begin before what it has to repeat."""

RETRANSMISSION = "retransmission"
"""What was sent before, or part of it (RFC 9293 §3.8.1)."""

KEEP_ALIVE = "keep-alive probe"
"""SEG.SEQ is SND.NXT-1, empty or with one octet of garbage: the answer is an ACK (RFC 9293 §3.8.4)."""

PROBE = "zero-window probe"
"""One octet beyond a shut window (RFC 9293 §3.8.6.1), or, as Linux does, an empty segment at SND.UNA-1."""

BY_TIMER = frozenset({RETRANSMISSION, KEEP_ALIVE, PROBE})
"""Notes on what a stack sends since a timer ran out."""

INCIDENTAL = BY_TIMER | {"window update", "overtaken"}
"""Notes on what a stack may send at any time."""

A_READ = 2048
"""Octets that a program which reads little takes at a time."""

OVERTAKEN = 32
"""Delayed ACKs that may be on their way at once behind what answered for them: it takes two processors and a race."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the model objects to."""

    field: str
    """The header field, or "state", "payload", "checksum", "silence"."""
    expected: str
    observed: str
    message: str
    section: str
    expected_segment: Segment | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What the model makes of one segment of the server."""

    finding: Finding | None
    note: str = ""
    """"retransmission", "window update", "delayed ACK" … where it is worth a word."""
    rule: str = ""

    @property
    def incidental(self) -> bool:
        """Whether a stack may send it at any time, so that a script that waits for something else passes over it."""
        return self.note in INCIDENTAL


@dataclass(frozen=True, slots=True)
class Past:
    """What a stack acknowledged and offered until it took more: a segment that left before may still be on its way."""

    rcv_nxt: Seq
    edge: Seq | None
    """The right edge of the window that it had offered by then."""
    until: float
    """When it took more."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A reply that must come, and the time by which it must."""

    reply: Reply
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A connection that is gone."""

    endpoint: Endpoint
    """As it was last: what had come by then a program may still read."""
    notice: str
    """What ended it, in the document's words for the user, "connection reset" …; "" where both ends had closed."""


@dataclass
class World:
    """One profile that could be the server's, and what has been seen of the connection if it is."""

    endpoint: Endpoint
    owed: tuple[Owed, ...] = ()
    choices: tuple[str, ...] = ()
    rule: str = ""
    why: str = ""
    heard: State | None = None
    """The state in which the lab's last segment has left it."""
    written: Octets = EMPTY
    """What the server's program has sent on this connection, from offset 1 + `forgotten` on."""
    forgotten: int = 0
    """Octets from the start of the stream that were acknowledged so long ago that nothing repeats them."""
    finished: bool = False
    """Whether the program has said that it has nothing more to send."""
    first_syn: Segment | None = None
    """The server's SYN or SYN+ACK."""
    peer_syn: Segment | None = None
    sent_at: tuple[tuple[int, int, float, int], ...] = ()
    """Ranges of the stream that were seen and are not acknowledged, by offset (0 is the SYN), each with the time and
    with what `asked` was."""
    high: int = 1
    """The offset behind all that was seen of the stream."""
    edge: Seq | None = None
    """The right edge of the window the server has offered: rcv_nxt + window at most (RFC 9293 §3.8.6)."""
    peer_edge: Seq | None = None
    """The right edge of the window that the lab has offered."""
    wide_updates: int = 0
    """Window updates of the server that said nothing new, since the field cannot say more than 65535."""
    overtaken: tuple[tuple[Seq, float], ...] = ()
    """Delayed ACKs that another segment answered for, with the time: they may still be on their way."""
    acks: tuple[Past, ...] = ()
    """What its acknowledgements said before."""
    stamps: set[int] = field(default_factory=set)
    """The TSval of every segment of the lab's: one set, which all copies of a world share, since all hear the same."""
    last_stamp: int | None = None
    """The TSval of the server's last segment (RFC 7323 §4.1: the clock does not go back)."""
    asked: int = 0
    """How often an ACK of the lab's gave a reason to repeat something (RFC 5681 §3.2, RFC 6582 §3.2)."""
    recover: int | None = None
    """The offset that ends what was seen when the lab first asked: an ACK below it asks again (RFC 6582 §3.2)."""
    last_sent: float = 0.0
    ended: Ended | None = None
    """The connection that there was, as long as no other has begun."""
    ahead_since: float | None = None
    """When the server's kernel was first seen to be further than its segments tell: untold programs only."""

    def copy(self) -> World:
        """Another that goes its own way from here."""
        return evolve(self)

    def becomes(self, endpoint: Endpoint, notices: Sequence[str] = ()) -> None:
        """The endpoint after something has happened, of which the user was told by `notices`."""
        if endpoint.state in NO_CONNECTION and self.endpoint.state not in NO_CONNECTION:
            self.ended = Ended(self.endpoint, notices[-1] if notices else "")
        self.endpoint = endpoint

    @property
    def last(self) -> Endpoint:
        """The endpoint; of a connection that is gone, what it was last."""
        return self.ended.endpoint if self.ended else self.endpoint

    @property
    def written_end(self) -> int:
        """The offset behind all that the server's program has sent."""
        return 1 + self.forgotten + len(self.written)

    def differs_from_written(self, at: int, payload: bytes) -> bool:
        """Whether `payload` at offset `at`, 1 or more, is not what the program wrote there, as far as that is kept."""
        skipped = max(0, 1 + self.forgotten - at)
        start = at + skipped - 1 - self.forgotten
        return self.written[start : start + len(payload) - skipped] != payload[skipped:]

    def forget_acknowledged(self) -> None:
        """Lets go of what the lab has acknowledged: nothing may repeat it, but for what is on its way already."""
        una = self.offset(self.endpoint.snd_una)
        if una is None:
            return
        if self.sent_at and self.sent_at[0][1] <= una:
            self.sent_at = tuple(one for one in self.sent_at if one[1] > una)
        if una - 1 - self.forgotten >= 2 * REPEATED:
            count = una - 1 - self.forgotten - REPEATED
            self.written, self.forgotten = self.written.without(count), self.forgotten + count

    def note_asking(self, segment: Segment) -> None:
        """A segment of the lab's that reaches the server, as a reason to repeat: a duplicate or partial ACK, SACK."""
        una = self.offset(self.endpoint.snd_una)
        at = self.offset(segment.ack)
        if ACK not in segment.flags or una is None or at is None or not una <= at <= self.high:
            return
        duplicate = at == una and not segment.length
        partial = self.recover is not None and una < at < self.recover
        if self.recover is not None and at >= self.recover:
            self.recover = None
        if duplicate or partial or segment.option(Kind.SACK) is not None:
            self.asked += 1
            self.recover = self.high if self.recover is None else self.recover

    def takes_wide_update(self, segment: Segment) -> bool:
        """Whether a bare ACK that says nothing new may stem from a read that made room for more than the field can say.

        Linux sends one where the room has doubled (tcp_cleanup_rbuf) and does not look at whether that shows. It takes
        a read of something each time: an ACK that answers every ACK is soon found out.
        """
        end = self.endpoint
        read = 0 if end.irs is None else end.rcv_nxt.ahead_of(end.irs) - 1
        if segment.window != 65535 or segment.ack != end.rcv_nxt or self.wide_updates * A_READ >= read:
            return False
        self.wide_updates += 1
        return True

    @property
    def room(self) -> int:
        """Octets beyond what was sent that the lab's window takes; none or less where it is shut."""
        end = self.endpoint
        return end.snd_wnd - end.snd_nxt.ahead_of(end.snd_una)

    @property
    def offered_scale(self) -> int:
        """The shift count of the server's windows: what its SYN said, if both SYNs spoke of it (RFC 7323 §2.2)."""
        mine, theirs = self.first_syn, self.peer_syn
        if mine is None or theirs is None:
            return 0
        if theirs.window_scale is None and not self.scales_alone:
            return 0
        return min(mine.window_scale or 0, 14)

    @property
    def scales_alone(self) -> bool:
        """Whether this stack forgets that its offer was not taken up: choice "crossing-syns-scale"."""
        mine, theirs = self.first_syn, self.peer_syn
        return (
            self.endpoint.profile.has("crossing-syns-scale")
            and mine is not None
            and theirs is not None
            and ACK not in mine.flags | theirs.flags
            and mine.window_scale is not None
            and theirs.window_scale is None
        )

    def note_overtaken(self, answered: Iterable[Owed], now: float, *, may_cross: bool = False) -> None:
        """These are owed no longer, though a timer may have sent them already; where segments `may_cross`, the server
        may also have said what answers them before it has handled what asks for them.
        """
        late = tuple((o.reply.segment.ack, now) for o in answered if o.reply.due or may_cross)
        if late:
            self.overtaken = (*self.overtaken, *late)[-OVERTAKEN:]

    def offset(self, seq: Seq) -> int | None:
        """Where `seq` lies in the server's stream, its SYN being 0; None while its ISN is unknown."""
        return None if self.endpoint.iss is None else seq.ahead_of(self.endpoint.iss)
