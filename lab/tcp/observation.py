"""Following an end that somebody else drives: what its segments tell about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.tcp.evolve import evolve
from lab.tcp.reaction import offer_of
from lab.tcp.segment import ACK, FIN, RST, SYN, Segment
from lab.tcp.state import NO_CONNECTION, Event, State, step
from lab.tcp.transmission import advance

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint

_FIN_IMPLIES_CLOSE = frozenset({State.ESTABLISHED, State.CLOSE_WAIT, State.SYN_RECEIVED})


def sent(end: Endpoint, segment: Segment, now: float, *, implied_calls: bool) -> Endpoint:
    """`end` after it was seen to send `segment`."""
    if RST in segment.flags:
        return _reset(end, segment)
    if SYN in segment.flags:
        end = _syn(end, segment, now, implied_calls)
    if end.state in NO_CONNECTION:
        return end
    end = evolve(end, predicted=True)
    if end.own_offer is None:
        return end
    if ACK in segment.flags:
        end = _ack(end, segment)
    if SYN in segment.flags and ACK in segment.flags and segment.timestamps:
        value = segment.timestamps[0]
        end = evolve(end, syn_ack_stamps=(end.syn_ack_stamps[0] if end.syn_ack_stamps else value, value))
    if SYN in segment.flags and segment.seq != end.iss:
        return end
    return _text_and_fin(end, segment, now, implied_calls)


def _reset(end: Endpoint, segment: Segment) -> Endpoint:
    """A RST at its own place in the sequence ends the connection; one that answers a stray segment does not."""
    if end.state in NO_CONNECTION or end.iss is None:
        return end
    at = segment.seq.ahead_of(end.snd_una)
    sits = segment.seq == end.snd_nxt or (
        0 <= at <= end.snd_nxt.ahead_of(end.snd_una) and end.state not in (State.SYN_SENT, State.SYN_RECEIVED)
    )
    if not sits:
        return end
    return evolve(end, predicted=True).without_connection()


def _syn(end: Endpoint, segment: Segment, now: float, implied_calls: bool) -> Endpoint:
    if end.state in NO_CONNECTION:
        if not implied_calls:
            return end
        end = _implied_open(end, segment)
    if end.state not in (State.SYN_SENT, State.SYN_RECEIVED, State.FIN_WAIT_1):
        return end
    if end.predicted and end.iss is not None and end.own_offer is not None:
        return end
    iss = segment.seq
    p = end.profile.parameters
    return evolve(
        end,
        iss=iss,
        snd_una=iss,
        snd_nxt=iss + 1,
        send_base=iss + 1,
        own_offer=offer_of(segment),
        rcv_wnd=segment.window,
        rto=p.rto_initial,
        retransmits=0,
        retransmit_at=now + p.rto_initial,
        unacked_since=now,
        timed=(iss + 1, now),
    )


def _implied_open(end: Endpoint, segment: Segment) -> Endpoint:
    """A SYN implies an active OPEN; a SYN,ACK a passive one, and the SYN that it answers."""
    end = evolve(end, own_offer=None, predicted=True)
    if ACK not in segment.flags:
        return evolve(end, state=step(end.state, Event.ACTIVE_OPEN).to, passive=False, listening=False)
    if end.state is State.CLOSED:
        end = evolve(end, state=step(end.state, Event.PASSIVE_OPEN).to)
    return evolve(
        end,
        state=step(end.state, Event.RCV_SYN).to,
        passive=True,
        irs=segment.ack - 1,
        rcv_nxt=segment.ack,
        last_ack_sent=segment.ack,
    )


def _ack(end: Endpoint, segment: Segment) -> Endpoint:
    """What it acknowledges is no longer owed; what it promises is the window. The right edge never moves back."""
    behind = end.rcv_nxt.ahead_of(segment.ack)
    promised = segment.window << (0 if SYN in segment.flags else end.rcv_shift)
    if behind < 0 or end.irs is None or segment.ack.ahead_of(end.irs) <= 0:
        return end
    newer = segment.ack.ahead_of(end.last_ack_sent) > 0
    return evolve(
        end,
        last_ack_sent=segment.ack if newer else end.last_ack_sent,
        rcv_wnd=max(end.rcv_wnd, promised - behind),
        ack_due_at=None if behind == 0 else end.ack_due_at,
    )


def _text_and_fin(end: Endpoint, segment: Segment, now: float, implied_calls: bool) -> Endpoint:
    if end.iss is None or not (segment.payload or FIN in segment.flags):
        return _repeated(end, segment, now)
    start = segment.seq + (SYN in segment.flags)
    room = max(end.snd_wnd, 65535)
    if not -room <= start.ahead_of(end.snd_una) <= room:
        return end
    fin_at = start + len(segment.payload)
    fin = FIN in segment.flags and (end.fin_seq is None or end.fin_seq == fin_at)
    if end.fin_seq is not None and fin_at.ahead_of(end.fin_seq) > 0:
        return end
    if fin and implied_calls and end.state in _FIN_IMPLIES_CLOSE and not end.fin_queued:
        end = evolve(end, fin_queued=True)
        if end.state is not State.CLOSE_WAIT:
            end = evolve(end, state=step(end.state, Event.CLOSE).to)
    if fin and end.fin_queued and end.state is State.CLOSE_WAIT:
        end = evolve(end, state=step(end.state, Event.CLOSE).to)
    stop = fin_at + fin
    if stop.ahead_of(end.snd_nxt) <= 0 and not (fin and end.fin_seq is None):
        return _repeated(end, segment, now)
    known = end.send_base + len(end.send_buffer)
    beyond = known.ahead_of(start)
    if 0 <= beyond < len(segment.payload):
        end = evolve(end, send_buffer=end.send_buffer + segment.payload[beyond:])
    if not fin and FIN in segment.flags:
        return end
    return advance(end, segment, now)


def _repeated(end: Endpoint, segment: Segment, now: float) -> Endpoint:
    """Something that was seen before: its timer backs off and gives no sample (RFC 6298 §3, §5.5)."""
    if not segment.length or segment.seq.ahead_of(end.snd_nxt) >= 0 or end.retransmit_at is None:
        return end
    if SYN in segment.flags and end.timed is not None and end.timed[1] == now:
        return end
    p = end.profile.parameters
    linear = end.state is State.SYN_SENT and end.retransmits < p.syn_linear
    rto = end.rto if linear else min(end.rto * 2, p.rto_max)
    return evolve(end, rto=rto, retransmit_at=now + rto, retransmits=end.retransmits + 1, timed=None)
