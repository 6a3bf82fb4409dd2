"""What our own end owes: the answers that what has arrived asks of it, until it has sent them (RFC 9293 §3.10.7).

Our end is a predicted one (`lab.tcp.endpoint`): a script drives it, and may leave an answer out. Nothing is enforced
here; who shows where a connection stands can say what is due.
"""

from __future__ import annotations

from lab.tcp.endpoint import Endpoint
from lab.tcp.evolve import evolve
from lab.tcp.octets import EMPTY
from lab.tcp.outcome import Outcome, Reply
from lab.tcp.segment import ACK, FIN, RST, SYN, Segment
from lab.tcp.state import NO_CONNECTION, State

MOST = 16
"""Debts that are kept: a server that sends one stray segment after another must not pile up RSTs here."""

_CONTROLS = SYN | FIN | RST | ACK
_SYN_RST = (SYN | RST).value
"""As an int: an `&` of two flags makes a third, and a stream asks this for every segment."""


def _is_ack(segment: Segment) -> bool:
    return not segment.flags._value_ & _SYN_RST


def after_sending(
    end: Endpoint, owed: tuple[Reply, ...], segment: Segment, now: float
) -> tuple[Endpoint, tuple[Reply, ...]]:
    """Our end and its debts once it was seen to send `segment`, which may answer for some of them."""
    after = end.sent(segment, now, implied_calls=True)
    if owed:
        if after.state in NO_CONNECTION and end.state not in NO_CONNECTION:
            return after, ()
        # An end without a connection owes nothing but RSTs: what it did owe went with the connection.
        kept = owed if end.state not in NO_CONNECTION else tuple(o for o in owed if RST in o.segment.flags)
        owed = tuple(o for o in kept if _stands(o, after) and not _answers(end, o, segment))
    return after, owed


def after_taking(
    end: Endpoint, owed: tuple[Reply, ...], segment: Segment, now: float
) -> tuple[Endpoint, tuple[Reply, ...]]:
    """Our end and its debts once `segment` of the server's has reached it."""
    outcome = end.arrives(segment, now)
    after = outcome.endpoint
    if owed or outcome.replies:
        owed = _with_new(end, owed, outcome)
    # Nobody asks what our end has read: a long stream would only pile up there.
    return (evolve(after, receive_buffer=EMPTY) if after.receive_buffer else after), owed


def _with_new(end: Endpoint, owed: tuple[Reply, ...], outcome: Outcome) -> tuple[Reply, ...]:
    after = outcome.endpoint
    if after.state in NO_CONNECTION and end.state not in NO_CONNECTION:
        owed = ()  # what a connection owed nobody owes once it is gone; what its end provokes is owed
    replies = outcome.replies
    if (
        len(replies) == 1
        and _is_ack(replies[0].segment)
        and (not owed or (len(owed) == 1 and _includes(replies[0], owed[0])))
    ):
        return replies  # nearly always
    for reply in replies:
        if _is_ack(reply.segment) and any(_says_as_much(o.segment, reply.segment) for o in owed):
            continue
        owed = (*(o for o in owed if not _includes(reply, o)), reply)
    return tuple(o for o in owed if _stands(o, after))[-MOST:]


def _stands(owed: Reply, end: Endpoint) -> bool:
    """A SYN,ACK is owed in SYN-RECEIVED alone: whoever is further has been understood without it."""
    return SYN not in owed.segment.flags or end.state is State.SYN_RECEIVED


def _says_as_much(owed: Segment, ack: Segment) -> bool:
    """Whether a SYN,ACK that is still to be sent acknowledges the same."""
    return owed.flags & (SYN | ACK) == SYN | ACK and owed.ack == ack.ack


def _includes(newer: Reply, older: Reply) -> bool:
    """Whether who sends the newer answer need not send the older: one ACK answers for many (RFC 9293 §3.8.6.3)."""
    new, old = newer.segment, older.segment
    if not (_is_ack(new) and _is_ack(old)):
        return (new.flags, new.seq, new.ack) == (old.flags, old.seq, old.ack)
    return new.ack.ahead_of(old.ack) >= 0


def _answers(end: Endpoint, owed: Reply, segment: Segment) -> bool:
    wanted = owed.segment
    if not _is_ack(wanted):
        return (
            segment.flags & _CONTROLS == wanted.flags & _CONTROLS
            and ("seq" in owed.free or segment.seq == wanted.seq)
            and (ACK not in wanted.flags or segment.ack == wanted.ack)
        )
    # What acknowledges more than the server has sent acknowledges nothing.
    acks = ACK in segment.flags and RST not in segment.flags
    return acks and segment.ack.ahead_of(wanted.ack) >= 0 >= segment.ack.ahead_of(end.rcv_nxt)
