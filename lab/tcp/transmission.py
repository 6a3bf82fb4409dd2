"""What an endpoint sends by itself: data and FIN as the window allows, and what timers bring (RFC 9293 §3.8, §3.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.tcp.evolve import evolve
from lab.tcp.outcome import Outcome
from lab.tcp.reaction import Reaction, make
from lab.tcp.segment import ACK, FIN, PSH, SYN, Flags, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import Event, State

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint

_SENDS = frozenset({State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})
_FREE = frozenset({"window", "options"})


def transmit(end: Endpoint, now: float, most: int | None = None) -> Outcome:
    """What may be sent now, `most` segments of it."""
    r = Reaction(end, now, "RFC 9293 §3.8")
    if end.state not in _SENDS or not end.syn_acked:
        return r.outcome()
    if end.resend:
        _resend(r)
    mss = end.send_mss
    while (unsent := r.end.unsent) and (room := _room(r.end)) > 0 and (most is None or len(r.replies) < most):
        _send_text(r, min(unsent, mss, room))
    if r.end.fin_queued and r.end.fin_seq is None and not r.end.unsent and _room(r.end) > 0:
        _send_fin(r)
    waiting = r.end.unsent or (r.end.fin_queued and r.end.fin_seq is None)
    if waiting and r.end.snd_una == r.end.snd_nxt and r.end.retransmit_at is None:
        # Nothing is outstanding and the window is shut: the timer probes it (RFC 9293 §3.8.6.1).
        r.end = evolve(r.end, retransmit_at=now + r.end.rto)
    return r.outcome()


def _resend(r: Reaction) -> None:
    """The front of the retransmission queue again, because of what the peer's ACKs say (RFC 5681 §3.2)."""
    segment = _front(r) if r.end.snd_una != r.end.snd_nxt else None
    r.end = evolve(r.end, resend=False, timed=None)
    if segment is not None:
        r.explain("the peer's ACKs name what is missing: it goes out again", "RFC 5681 §3.2")
        r.reply(segment, free=_FREE)
        r.end = evolve(r.end, retransmit_at=r.now + r.end.rto)


def _room(end: Endpoint) -> int:
    """Octets that the peer's window still takes."""
    return end.snd_wnd - end.snd_nxt.ahead_of(end.snd_una)


def _send_text(r: Reaction, size: int) -> None:
    end = r.end
    at = end.snd_nxt.ahead_of(end.send_base)
    text = end.send_buffer[at : at + size]
    last = at + size >= len(end.send_buffer)
    flags = ACK | PSH if last else Flags(ACK)
    fin = last and end.fin_queued and end.fin_seq is None and _room(end) > size
    if fin:
        flags |= FIN
    r.explain("new data, as far as the peer's window and MSS allow")
    _emit(r, make(end, flags, end.snd_nxt, r.now, text))


def _send_fin(r: Reaction) -> None:
    r.explain("nothing is left to send: the FIN, which uses one number", "RFC 9293 §3.10.4")
    _emit(r, make(r.end, FIN | ACK, r.end.snd_nxt, r.now))


def _emit(r: Reaction, segment: Segment) -> None:
    """Sends something new: SND.NXT goes on, the timer runs (RFC 6298 §5.1)."""
    end = r.end
    r.reply(segment, free=_FREE)
    r.end = advance(r.end, segment, r.now)
    if FIN in segment.flags and end.state is State.CLOSE_WAIT:
        r.move(Event.CLOSE)


def advance(end: Endpoint, segment: Segment, now: float) -> Endpoint:
    """`end` once new text or a FIN of its own is on its way."""
    fin_seq = segment.seq + len(segment.payload) if FIN in segment.flags else end.fin_seq
    idle = end.snd_una == end.snd_nxt
    ends = segment.end
    return evolve(
        end,
        snd_nxt=ends if ends.ahead_of(end.snd_nxt) > 0 else end.snd_nxt,
        fin_seq=fin_seq,
        retransmit_at=now + end.rto if idle or end.retransmit_at is None else end.retransmit_at,
        unacked_since=now if end.unacked_since is None else end.unacked_since,
        timed=(ends, now) if end.timed is None and not end.retransmits else end.timed,
    )


# Timers


def timeout(end: Endpoint, now: float) -> Outcome:
    """The timers that ran out by `now`."""
    r = Reaction(end, now, "RFC 9293 §3.10.8")
    p = end.profile.parameters
    if end.time_wait_at is not None and end.time_wait_at <= now:
        if end.profile.has("time-wait-60s"):
            r.chose("time-wait-60s")
        r.explain("2 MSL have passed: nothing of the old connection can arrive any more")
        r.end_connection(Event.TIME_WAIT_TIMEOUT)
    elif end.fin_wait_at is not None and end.fin_wait_at <= now and end.state is State.FIN_WAIT_2:
        r.explain("the peer does not close and nobody waits for it: the connection is forgotten")
        r.end_connection(Event.ORPHAN_TIMEOUT)
    elif p.user_timeout is not None and end.unacked_since is not None and end.unacked_since + p.user_timeout <= now:
        r.explain("nothing was acknowledged for the length of the user timeout")
        r.end_connection(Event.USER_TIMEOUT, "connection aborted due to user timeout")
    elif end.retransmit_at is not None and end.retransmit_at <= now:
        _retransmission(r)
    if r.end.ack_due_at is not None and r.end.ack_due_at <= now:
        r.end = evolve(r.end, ack_due_at=None)
        if not r.replies:
            r.explain("an ACK was owed, and nothing came along that could carry it", "RFC 9293 §3.8.6.3")
            r.acknowledge(rule="RFC 9293 §3.8.6.3")
    return r.outcome()


def _given_up(r: Reaction) -> bool:
    end = r.end
    p = end.profile.parameters
    if end.state is State.SYN_SENT:
        limit, choice, event = p.syn_retries, "syn-retries", Event.USER_TIMEOUT
    elif end.state is State.SYN_RECEIVED:
        passive = end.passive and end.profile.has("synack-retries")
        limit, choice = p.synack_retries, "synack-retries"
        event = Event.GIVEN_UP_PASSIVE if passive else Event.USER_TIMEOUT
    else:
        limit, choice, event = p.data_retries, "", Event.USER_TIMEOUT
    if limit is None or end.retransmits < limit:
        return False
    if choice and end.profile.has(choice):
        r.chose(choice)
    r.explain("it was repeated often enough and nobody answered: the connection is given up", "RFC 9293 §3.8.3")
    told = "" if event is Event.GIVEN_UP_PASSIVE else "connection aborted due to user timeout"
    r.end_connection(event, told)
    return True


def _retransmission(r: Reaction) -> None:
    """The front of the retransmission queue again, and the timer backs off (RFC 6298 §5.4 to §5.6)."""
    if _given_up(r):
        return
    end = r.end
    segment = _front(r)
    if segment is None:
        r.end = evolve(end, retransmit_at=None)
        return
    p = end.profile.parameters
    linear = end.state is State.SYN_SENT and end.retransmits < p.syn_linear
    rto = end.rto if linear else min(end.rto * 2, p.rto_max)
    new = segment.end.ahead_of(end.snd_nxt) > 0
    free = _FREE | {"seq"} if end.iss is None else _FREE
    r.reply(segment, free=free)
    if new:
        r.explain("the peer's window is shut: one octet beyond it asks whether it still is", "RFC 9293 §3.8.6.1")
        r.end = advance(r.end, segment, r.now)
        if FIN in segment.flags and end.state is State.CLOSE_WAIT:
            r.move(Event.CLOSE)
    else:
        r.explain("no acknowledgment came in time: the oldest unacknowledged segment goes out again")
    r.end = evolve(r.end, rto=rto, retransmit_at=r.now + rto, retransmits=end.retransmits + 1, timed=None)
    if not new and end.snd_wnd and end.syn_acked:
        r.end = evolve(r.end, recover=end.snd_nxt, resend=False)


def _front(r: Reaction) -> Segment | None:
    end = r.end
    if not end.syn_acked and end.state is not State.LISTEN:
        iss = end.iss if end.iss is not None else end.snd_una
        answers = end.state is not State.SYN_SENT
        return make(end, SYN | ACK if answers else Flags(SYN), iss, r.now)
    outstanding = end.snd_nxt.ahead_of(end.snd_una)
    size = min(len(end.send_buffer), end.send_mss, outstanding or 1)
    text = end.send_buffer[:size] if end.snd_una == end.send_base else b""
    after: Seq = end.snd_una + len(text)
    flags = Flags(ACK)
    probes_with_fin = end.fin_queued and end.fin_seq is None and not outstanding and not end.unsent
    if after == end.fin_seq or probes_with_fin:
        flags |= FIN
    if not text and FIN not in flags:
        return None
    if text and len(text) == len(end.send_buffer):
        flags |= PSH
    return make(end, flags, end.snd_una, r.now, text)
