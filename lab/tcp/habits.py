"""Where a profile leaves the base text of RFC 9293 §3.10.7.4: mitigations, extensions and a stack's own habits.

Each function answers for one place in the order of checks, and notes the choice by whose leave it differs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab.tcp.evolve import evolve
from lab.tcp.reaction import Reaction
from lab.tcp.segment import ACK, FIN, PSH, RST, SYN, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import Event, State

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint

_AFTER_FIN = frozenset({State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK})
_FIELD = 65535
"""The widest window that a segment can speak of without a scale."""
WIDEST = 2**23
"""Octets: no window is wider that a kernel gives a connection by itself."""
_MAY_BE_FORGED = "a RST in the window but not exactly at RCV.NXT may be forged: an ACK asks the peer"


# Before the sequence check


def half_open(r: Reaction, segment: Segment) -> bool:
    """SYN-RECEIVED after LISTEN, as Linux checks it (tcp_check_req): True where the segment is done with."""
    end = r.end
    flags = segment.flags & (RST | SYN | ACK)
    again = end.irs is not None and segment.seq == end.irs
    if flags == SYN and again and end.profile.has("synack-repeated") and not _too_old(end, segment, 0):
        r.chose("synack-repeated")
        r.explain("the same SYN again: our SYN,ACK was lost or is late; it is repeated")
        _repeat_syn_ack(r)
        return True
    if not end.profile.has("half-open-ack-first"):
        return False
    stale = _stale_half_open(r, segment)
    inside = not stale and in_window(segment, end.rcv_nxt, min(end.rcv_wnd, 65535))
    if RST in flags and not end.profile.has("half-open-any-rst"):
        if inside and segment.seq != end.rcv_nxt:
            r.chose("challenge-rst")
            r.explain(_MAY_BE_FORGED, "RFC 5961 §3.2")
            r.challenge()
        else:
            _half_open_reset(r, inside)
        return True
    if ACK in flags and (end.iss is None or segment.ack != end.snd_nxt):
        if RST in flags:
            r.explain("a RST whose ACK does not cover our SYN is dropped")
            return True
        r.explain("the acknowledgment does not cover our SYN: a RST refuses it")
        if not inside:
            r.chose("half-open-ack-first")
        r.refuse(segment)
        return True
    if RST in flags:
        if inside and segment.seq != end.rcv_nxt:
            r.chose("half-open-any-rst")
        _half_open_reset(r, inside)
        return True
    if not inside:
        r.explain("outside the window: an ACK says which number is expected, and it is dropped")
        r.challenge()
        return True
    if SYN in flags and not again:
        r.chose("half-open-syn-reset")
        r.explain("a new SYN in the window of a half-open connection: it is refused, and the attempt is forgotten")
        r.end_connection(Event.RCV_SYN_PASSIVE)
        r.refuse(segment)
        return True
    if SYN in flags and ACK in flags:
        # The old SYN in front of new text: the child that the ACK made is asked, and has a SYN before it.
        r.chose("challenge-syn")
        r.explain("a SYN on a connection that stands may be forged: an ACK asks the peer", "RFC 5961 §4.2")
        r.challenge()
        return True
    return False


def _half_open_reset(r: Reaction, inside: bool) -> None:
    if not inside:
        r.explain("a RST outside the window is dropped without an answer")
        return
    r.explain("the peer does not want the connection: back to LISTEN, and the program is never told")
    r.end_connection(Event.RCV_RST_PASSIVE)


def _stale_half_open(r: Reaction, segment: Segment) -> bool:
    """Whether its timestamps speak against it: too old, or an echo of none of our SYN,ACKs."""
    end = r.end
    stamps = segment.timestamps
    if stamps is None or not end.timestamps:
        return False
    if _stale(r, segment):
        return True
    if end.syn_ack_stamps is None or not stamps[1] or not end.profile.has("half-open-echo"):
        return False
    first, last = end.syn_ack_stamps
    if 0 <= _newer(stamps[1], first) <= _newer(last, first):
        return False
    r.chose("half-open-echo")
    return True


def _repeat_syn_ack(r: Reaction) -> None:
    from lab.tcp.reaction import make

    end = r.end
    iss = end.iss if end.iss is not None else Seq(0)
    free = {"window", "options"} | ({"seq"} if end.iss is None else set())
    r.reply(make(end, SYN | ACK, iss, r.now), free=frozenset(free))


def in_window(segment: Segment, start: Seq, size: int) -> bool:
    """Linux's tcp_in_window: the right edge counts as inside for an empty segment."""
    edge = start + size
    if segment.seq == start:
        return True
    if segment.end.ahead_of(start) > 0 and segment.seq.ahead_of(edge) < 0:
        return True
    return segment.seq == edge and not segment.length


def time_wait(r: Reaction, segment: Segment) -> bool:
    """TIME-WAIT: a SYN that opens anew (MAY-2, RFC 6191), RFC 1337, and Linux's order of things."""
    end = r.end
    if segment.flags & (SYN | RST | ACK) == SYN and end.profile.has("time-wait-reopen") and _reopens(r, segment):
        return True
    if RST in segment.flags and end.profile.has("time-wait-ignores-rst"):
        r.chose("time-wait-ignores-rst")
        r.explain("a RST must not cut TIME-WAIT short: an old one could let old data into a new connection")
        return True
    if not end.profile.has("time-wait-acks-all"):
        return _plain_time_wait(r, segment)
    old = _stale(r, segment)
    if not old and segment.seq == end.rcv_nxt and (not segment.length or RST in segment.flags):
        if RST in segment.flags:
            r.explain("a RST at RCV.NXT ends TIME-WAIT")
            r.end_connection(Event.RCV_RST)
        else:
            r.explain("an empty segment in its place needs no answer; the 2 MSL start anew")
            r.end = note_timestamp(end, segment)
            r.time_wait()
        return True
    if RST in segment.flags:
        if segment.seq.within(end.rcv_nxt, end.rcv_wnd):
            r.chose("time-wait-exact-rst")
        r.explain("a RST that is not exactly at RCV.NXT is dropped without an answer")
        return True
    if segment.seq.within(end.rcv_nxt, end.rcv_wnd):
        r.chose("time-wait-acks-all")
    r.explain("both ends have closed: an ACK says what was last expected")
    if old or ACK in segment.flags:
        r.time_wait()
    r.challenge()
    return True


def _plain_time_wait(r: Reaction, segment: Segment) -> bool:
    """What §3.10.7.4 leaves unsaid: an empty ACK in its place acknowledges nothing new and gets no answer."""
    end = r.end
    if segment.seq == end.rcv_nxt and not segment.length and not segment.flags & (SYN | RST):
        r.explain("an empty segment in its place needs no answer")
        return True
    return False


def _reopens(r: Reaction, segment: Segment) -> bool:
    """Whether a SYN gives TIME-WAIT a new connection; then everything is done here."""
    from lab.tcp.arrivals import listener_takes_syn

    end = r.end
    stamps = segment.timestamps
    recent = end.ts_recent if end.timestamps else None
    beyond = segment.seq.ahead_of(end.rcv_nxt)
    if end.profile.has("time-wait-reopen-above-fin"):
        fits = not _too_old(end, segment, 0) and (
            beyond > 0 or (stamps is not None and recent is not None and _newer(stamps[0], recent) > 0)
        )
        if not fits and beyond == 0:
            r.chose("time-wait-reopen-above-fin")
    elif recent is not None and stamps is not None:
        newer = _newer(stamps[0], recent)
        fits = newer > 0 or (newer == 0 and beyond >= 0)
    else:
        # Timestamps that the old connection did not use vouch for the new one only if this end would use them.
        declined = bool(end.peer_offer and end.peer_offer.timestamps and not end.timestamps)
        fits = beyond >= 0 or (not end.timestamps and stamps is not None and not declined)
    if not fits:
        return False
    if not end.listening:
        r.chose("time-wait-needs-listener")
        return False
    r.chose("time-wait-reopen")
    if FIN in segment.flags and end.profile.has("syn-fin-dropped"):
        r.chose("syn-fin-dropped")
        r.explain("TIME-WAIT gives way to a SYN, which the listener drops since it carries a FIN as well")
        r.end_connection(Event.GAVE_WAY)
        return True
    fresh = evolve(end.without_connection(), state=State.TIME_WAIT, listening=True)
    r.end = fresh
    listener_takes_syn(r, segment, Event.RCV_NEW_SYN)
    r.explain("a SYN that can only belong to a new connection: TIME-WAIT gives way to it", "RFC 9293 §3.6.1")
    return True


def orphan(r: Reaction, segment: Segment) -> bool:
    """FIN-WAIT-2 with no program left, as Linux keeps it (tcp_timewait_state_process): True where it is done with."""
    end = r.end
    if not end.profile.has("orphan-without-socket"):
        return False
    if _stale(r, segment) or not in_window(segment, end.rcv_nxt, end.rcv_wnd):
        if RST in segment.flags:
            r.chose("orphan-without-socket")
        r.explain("outside the window: an ACK says which number is expected, and it is dropped")
        r.challenge()
        return True
    if RST in segment.flags:
        if segment.seq != end.rcv_nxt:
            r.chose("orphan-without-socket")
        r.explain("a RST in the window ends what is left of the connection")
        r.end_connection(Event.RCV_RST)
        return True
    if SYN in segment.flags and segment.seq.ahead_of(end.rcv_nxt) >= 0:
        r.chose("orphan-without-socket")
        r.explain("a SYN in the window of a connection that nobody holds: it is reset")
        r.end_connection(Event.RCV_SYN_IN_WINDOW)
        r.refuse(segment)
        return True
    if ACK not in segment.flags or not segment.length or segment.end.ahead_of(end.rcv_nxt) <= 0:
        if ACK in segment.flags and segment.length:
            r.chose("orphan-without-socket")
        r.explain("nothing new in it: no answer")
        return True
    if FIN not in segment.flags or segment.end != end.rcv_nxt + 1:
        r.chose("half-duplex-close")
        r.explain("data for a program that is gone: a RST tells the peer that it is lost", "RFC 9293 §3.6.1")
        r.end_connection(Event.DATA_LOST)
        r.refuse(segment)
        return True
    r.end = evolve(
        note_timestamp(end, segment), rcv_nxt=segment.end, rcv_wnd=max(0, end.rcv_wnd - 1), fin_received=True
    )
    r.notices.append("connection closing")
    r.move(Event.RCV_FIN)
    r.time_wait()
    r.explain("both ends have closed: TIME-WAIT, so that a lost last ACK can be repeated")
    r.acknowledge()
    return True


def flags_first(r: Reaction, segment: Segment) -> bool:
    """Linux drops a segment without SYN, RST or ACK before it looks at its number."""
    if segment.flags & (SYN | RST | ACK) or not r.end.profile.has("flags-first"):
        return False
    r.chose("flags-first")
    r.explain("no SYN, no RST, no ACK: it is dropped before anything else is looked at")
    return True


# Timestamps (RFC 7323)


def _newer(value: int, than: int) -> int:
    """How far a timestamp is ahead of another, on their own circle (RFC 7323 §5.2)."""
    return (value - than + 2**31) % 2**32 - 2**31


def _too_old(end: Endpoint, segment: Segment, slack: int) -> bool:
    """PAWS: whether its timestamp is older than the last one. Never for a RST (RFC 7323 §5.2)."""
    if not end.profile.has("paws") or not end.timestamps or end.ts_recent is None or RST in segment.flags:
        return False
    stamps = segment.timestamps
    return stamps is not None and _newer(stamps[0], end.ts_recent) < -slack


def _stale(r: Reaction, segment: Segment) -> bool:
    """PAWS as Linux has it where no socket is left: for a RST as well."""
    if _too_old(r.end, segment, 0):
        r.chose("paws")
        return True
    harmless = replace(segment, flags=segment.flags & ~RST)
    if RST in segment.flags and r.end.profile.has("paws-resets") and _too_old(r.end, harmless, 0):
        r.chose("paws-resets")
        return True
    return False


def timestamps_pass(r: Reaction, segment: Segment) -> bool:
    """PAWS and the rules for a timestamp that is missing; False where the segment is done with."""
    end = r.end
    checked_before = end.state is State.SYN_RECEIVED and end.passive and end.profile.has("half-open-ack-first")
    if not end.timestamps or checked_before:
        return True
    if segment.timestamps is None and RST not in segment.flags and end.profile.has("timestamps-required"):
        r.chose("timestamps-required")
        r.explain("timestamps were agreed on: a segment without one is dropped silently", "RFC 7323 §3.2")
        return False
    if not _too_old(end, segment, 0):
        return True
    slack = end.profile.has("paws-slack")
    empty = ACK in segment.flags and not segment.length
    if slack and (
        not _too_old(end, segment, 1) or (empty and _repeats_last_ack(end, segment) and not _too_old(end, segment, 240))
    ):
        r.chose("paws-slack")
        return True
    r.chose("paws")
    if slack and empty and segment.seq.ahead_of(end.rcv_nxt) < 0:
        r.chose("paws-slack")
        r.explain("an old ACK, by its timestamp: dropped without an answer", "RFC 7323 §5.3")
        return False
    r.explain("its timestamp is older than the last: an old duplicate, answered by an ACK and dropped", "RFC 7323 §5.3")
    r.challenge()
    return False


def _repeats_last_ack(end: Endpoint, segment: Segment) -> bool:
    """A bare ACK in its place that brings nothing, not even a window (Linux tcp_disordered_ack_check)."""
    if segment.seq != end.rcv_nxt or segment.ack != end.snd_una:
        return False
    return segment.seq == end.snd_wl1 and 0 < segment.window << end.snd_shift <= end.snd_wnd


def note_timestamp(end: Endpoint, segment: Segment) -> Endpoint:
    """TS.Recent follows segments at or left of Last.ACK.sent (RFC 7323 §4.3, §5.3 R3); a RST never counts."""
    stamps = segment.timestamps
    if not end.timestamps or stamps is None or RST in segment.flags:
        return end
    if end.ts_recent is not None and _newer(stamps[0], end.ts_recent) < 0:
        return end
    return end if segment.seq.ahead_of(end.last_ack_sent) > 0 else evolve(end, ts_recent=stamps[0])


# First: the sequence number


def sequence(r: Reaction, segment: Segment, passes: bool) -> bool:
    """Whether the segment passes the check of its number: table 6, or Linux's tcp_sequence."""
    end = r.end
    profile = end.profile
    if not profile.has("window-edge") or end.state is State.TIME_WAIT:
        return passes
    edge = end.rcv_nxt + end.rcv_wnd
    old = segment.end.ahead_of(end.last_ack_sent) < 0
    beyond = segment.seq.ahead_of(edge) > 0
    over = (segment.end - int(FIN in segment.flags)).ahead_of(edge) > 0
    if over and not beyond and profile.has("window-overrun") and (end.receive_buffer or end.fin_waits):
        # Only while nothing waits to be read does it take more than it has promised.
        if passes:
            r.chose("window-overrun")
        return bool(takes_bare_fin(r, segment))
    if RST in segment.flags and reset_counts(r, segment):
        return True
    full = end.rcv_wnd == _FIELD and 0 < segment.seq.ahead_of(edge) < WIDEST
    if RST in segment.flags and full and profile.has("window-wider-than-field"):
        r.chose("window-wider-than-field")
        return True
    if passes or old or beyond:
        return passes and not old
    if segment.seq == edge and (not segment.length or RST in segment.flags):
        r.chose("window-edge")
    elif segment.end.ahead_of(end.rcv_nxt) <= 0 and (not segment.length or RST in segment.flags):
        r.chose("old-edge")
    return True


def takes_bare_fin(r: Reaction, segment: Segment) -> bool:
    """A FIN alone fits into a window of zero (Linux tcp_data_queue)."""
    end = r.end
    return (
        end.profile.has("fin-into-zero-window")
        and not end.rcv_wnd
        and segment.seq == end.rcv_nxt
        and not segment.payload
        and FIN in segment.flags
        and not segment.flags & (SYN | RST)
    )


# Second: RST


def reset_counts(r: Reaction, segment: Segment) -> bool:
    """RSTs that a stack takes beside the one at RCV.NXT."""
    end = r.end
    if end.profile.has("rst-at-fin") and end.state in _AFTER_FIN and segment.seq == end.rcv_nxt - 1:
        r.chose("rst-at-fin")
        return True
    if end.profile.has("rst-at-sack") and end.sack and end.held:
        last = end.held[-1]
        if segment.seq == last.seq + len(last.data) + last.fin:
            r.chose("rst-at-sack")
            return True
    return False


# Fourth: SYN


def crossed_syn_ack(r: Reaction, segment: Segment) -> bool:
    """Simultaneous open: the peer's SYN,ACK repeats its SYN, and its ACK is what we wait for (figure 7)."""
    end = r.end
    return (
        end.state is State.SYN_RECEIVED
        and not end.passive
        and ACK in segment.flags
        and segment.length == 1
        and segment.end == end.rcv_nxt
        and segment.ack == end.snd_nxt
    )


# Fifth: ACK


def future_ack(r: Reaction, segment: Segment) -> bool:
    """An acknowledgment of what was never sent: always False, the segment is done with."""
    end = r.end
    if end.profile.has("future-ack-silent") and end.state is State.ESTABLISHED:
        r.chose("future-ack-silent")
        r.explain("this acknowledges what was never sent: this stack drops it without a word")
        return False
    r.explain("this acknowledges what was never sent: an ACK says where we stand, and it is dropped")
    r.challenge()
    return False


def done_with_ack_of_fin(r: Reaction, segment: Segment) -> bool:
    """Where the ACK of our FIN leaves no socket behind, Linux does not look at old text that came with it."""
    end = r.end = note_timestamp(r.end, segment)
    if not end.profile.has("old-edge") or segment.end.ahead_of(end.rcv_nxt) > 0:
        return end.profile.has("old-edge") and end.state is State.TIME_WAIT
    gone = end.state is State.TIME_WAIT or (end.closed_for_reading and FIN not in segment.flags)
    if gone and segment.length:
        r.chose("old-edge")
    return gone


def takes_stale_ack(r: Reaction, new: int) -> bool:
    """Linux, after SYNs that crossed: an ACK that acknowledges nothing, not even our SYN, establishes as well."""
    if new or r.end.passive or not r.end.profile.has("crossing-stale-ack"):
        return False
    r.chose("crossing-stale-ack")
    return True


def fast_path(r: Reaction, segment: Segment) -> bool:
    """Linux takes text that its header prediction fits before it looks at an acknowledgment that is too old."""
    end = r.end
    if (
        not end.profile.has("ack-range-fast-path")
        or end.state is not State.ESTABLISHED
        or segment.flags & ~PSH != ACK
        or not segment.payload
        or segment.seq != end.rcv_nxt
        or end.irs is None
        or end.rcv_nxt == end.irs + 1  # header prediction begins with the first text
        or len(segment.payload) > end.rcv_wnd
        or end.held
        or segment.window << end.snd_shift != end.snd_wnd
        or (segment.timestamps is not None) != end.timestamps
    ):
        return False
    r.chose("ack-range-fast-path")
    r.replies.clear()
    r.at_once = True
    return True


def ack_in_range(r: Reaction, segment: Segment) -> bool:
    """RFC 5961 §5.2: SND.UNA - MAX.SND.WND =< SEG.ACK. False where the segment is done with."""
    end = r.end
    if not end.profile.has("ack-range"):
        return True
    reach = end.max_snd_wnd
    if end.profile.has("ack-range-from-first-octet") and end.iss is not None:
        first = end.iss + 1 if end.passive else end.iss
        reach = min(reach, max(0, end.snd_una.ahead_of(first)))
    if segment.ack.ahead_of(end.snd_una) >= -reach:
        return True
    r.chose("ack-range")
    if -segment.ack.ahead_of(end.snd_una) <= end.max_snd_wnd:
        r.chose("ack-range-from-first-octet")
    r.explain(
        "its acknowledgment is far too old: it may be forged, so it is answered by an ACK and dropped", "RFC 5961 §5.2"
    )
    r.challenge()
    return False
