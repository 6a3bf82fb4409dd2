"""SEGMENT ARRIVES in SYN-RECEIVED and the synchronized states: the eight checks in their order (RFC 9293 §3.10.7.4).

The third check, of security, needs an IP layer that nobody has any more; it is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.tcp import habits
from lab.tcp.calls import with_fin_wait_timer
from lab.tcp.evolve import evolve
from lab.tcp.reaction import Reaction
from lab.tcp.segment import ACK, FIN, RST, SYN, URG, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import Event, State
from lab.tcp.text import hold, take, take_held

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint

_TAKES_TEXT = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2})


def arrives(r: Reaction, segment: Segment) -> None:
    """The checks, until one of them has the last word."""
    end = r.end
    if end.state is State.SYN_RECEIVED and end.passive and habits.half_open(r, segment):
        return
    if end.state is State.TIME_WAIT and habits.time_wait(r, segment):
        return
    if end.state is State.FIN_WAIT_2 and end.closed_for_reading and habits.orphan(r, segment):
        return
    if habits.flags_first(r, segment) or not habits.timestamps_pass(r, segment):
        return
    if not _sequence(r, segment) or _reset(r, segment) or _syn(r, segment) or not _ack(r, segment):
        return
    r.end = habits.note_timestamp(r.end, segment)
    from_urgent_on(r, segment)


# First: the sequence number


def acceptable(end: Endpoint, segment: Segment) -> bool:
    """The four cases of table 6."""
    start, size = end.rcv_nxt, end.rcv_wnd
    if not segment.length:
        return segment.seq.within(start, size) if size else segment.seq == start
    return bool(size) and (segment.seq.within(start, size) or (segment.end - 1).within(start, size))


def _sequence(r: Reaction, segment: Segment) -> bool:
    end = r.end
    passes = acceptable(end, segment)
    allowed = habits.sequence(r, segment, passes)
    if allowed:
        return True
    if not end.rcv_wnd and segment.seq == end.rcv_nxt:
        # A window of zero refuses all text, but special allowance is made for valid ACKs, URGs and RSTs.
        return True
    if RST in segment.flags:
        r.explain("a RST outside the window is dropped without an answer")
        return False
    r.explain("the segment lies outside the receive window: an ACK says which number is expected, and it is dropped")
    r.challenge()
    if end.state is State.TIME_WAIT and FIN in segment.flags and segment.end == end.rcv_nxt:
        r.explain("the peer's FIN again: our ACK of it was lost; it is repeated, and the 2 MSL start anew")
        r.time_wait()
    return False


# Second: RST


def _reset(r: Reaction, segment: Segment) -> bool:
    if RST not in segment.flags:
        return False
    end = r.end
    if end.profile.has("challenge-rst") and segment.seq != end.rcv_nxt and not habits.reset_counts(r, segment):
        r.chose("challenge-rst")
        if not segment.seq.within(end.rcv_nxt, end.rcv_wnd):  # its text reaches into it
            if not end.profile.has("challenge-rst-outside"):
                r.explain("a RST with a number outside the window is dropped without an answer", "RFC 5961 §3.2")
                return True
            r.chose("challenge-rst-outside")
        r.explain("a RST in the window but not exactly at RCV.NXT may be forged: an ACK asks the peer", "RFC 5961 §3.2")
        r.challenge()
        return True
    if end.state is State.SYN_RECEIVED and end.passive:
        r.explain("the peer does not want the connection: back to LISTEN, and the program is never told")
        r.end_connection(Event.RCV_RST_PASSIVE)
    elif end.state is State.SYN_RECEIVED:
        r.explain("the peer refuses the connection")
        r.end_connection(Event.RCV_RST, "connection refused")
    elif end.state in (State.CLOSING, State.LAST_ACK, State.TIME_WAIT):
        r.explain("both ends have closed; the RST ends what is left")
        r.end_connection(Event.RCV_RST)
    else:
        r.explain("a valid RST ends the connection: queues are flushed and the user is told")
        r.end_connection(Event.RCV_RST, "connection reset")
    return True


# Fourth: SYN


def _syn(r: Reaction, segment: Segment) -> bool:
    if SYN not in segment.flags:
        return False
    end = r.end
    if habits.crossed_syn_ack(r, segment):
        return False
    # "Trimming off any portions that lie outside the window (including SYN and FIN)": an old SYN in front of new text
    # is not seen any more, unless RFC 5961 looks at it "irrespective of the sequence number".
    in_window = segment.seq.within(end.rcv_nxt, max(end.rcv_wnd, 1))
    if end.state is State.SYN_RECEIVED and end.passive:
        if not in_window:
            return False
        r.explain("a new SYN in the window of a half-open connection: back to LISTEN")
        r.end_connection(Event.RCV_SYN_PASSIVE)
        return True
    if end.profile.has("challenge-syn"):
        r.chose("challenge-syn")
        r.explain("a SYN on a connection that stands may be forged: an ACK asks the peer", "RFC 5961 §4.2")
        r.challenge()
        return True
    if not in_window:
        return False
    r.explain("a SYN in the window is an error: the connection is reset")
    r.end_connection(Event.RCV_SYN_IN_WINDOW, "connection reset")
    r.refuse(segment)
    return True


# Fifth: ACK


def _ack(r: Reaction, segment: Segment) -> bool:
    end = r.end
    if ACK not in segment.flags:
        r.explain("every segment of a connection that stands carries an ACK: without one it is dropped")
        return False
    future = segment.ack.ahead_of(end.snd_nxt) > 0
    if end.state is State.SYN_RECEIVED:
        new = segment.ack.ahead_of(end.snd_una)
        if end.iss is None or future or (new <= 0 and not habits.takes_stale_ack(r, new)):
            r.explain("the acknowledgment does not cover our SYN: a RST refuses it")
            r.refuse(segment)
            return False
        r.move(Event.RCV_ACK_OF_SYN)
        r.explain("our SYN is acknowledged: both directions are proven, the connection is established")
        window = segment.window << end.snd_shift
        r.end = evolve(
            r.end,
            snd_wnd=window,
            snd_wl1=segment.seq,
            snd_wl2=segment.ack,
            max_snd_wnd=max(end.max_snd_wnd, window),
        )
        _advance(r, segment)
        if r.end.fin_queued and r.end.state is State.ESTABLISHED:
            r.move(Event.CLOSE)
        return True
    if end.state is State.TIME_WAIT:
        return True
    if future:
        return habits.future_ack(r, segment)
    if not habits.ack_in_range(r, segment):
        return habits.fast_path(r, segment)
    if segment.ack.ahead_of(end.snd_una) > 0:
        _advance(r, segment)
    elif not end.predicted and segment.ack == end.snd_una != end.snd_nxt:
        _nothing_new(r, segment)
    if segment.ack.ahead_of(end.snd_una) >= 0:
        _update_window(r, segment)
    if not r.end.fin_acked:
        return True
    if end.state is State.FIN_WAIT_1:
        r.move(Event.RCV_ACK_OF_FIN)
        r.explain("our FIN is acknowledged; the peer may go on sending until it closes too")
        r.end = with_fin_wait_timer(r.end, r.now)
        return not habits.done_with_ack_of_fin(r, segment)
    if end.state is State.CLOSING:
        r.move(Event.RCV_ACK_OF_FIN)
        r.explain("our FIN is acknowledged and the peer's is here: TIME-WAIT lets old segments die")
        r.time_wait()
        return not habits.done_with_ack_of_fin(r, segment)
    if end.state is State.LAST_ACK:
        r.explain("our FIN is acknowledged, and the peer's has long been: the connection is gone")
        r.end_connection(Event.RCV_ACK_OF_FIN)
        return False
    return True


def _advance(r: Reaction, segment: Segment) -> None:
    """SND.UNA <- SEG.ACK; what is acknowledged leaves the queue, and the timer starts anew (RFC 6298 §5.3)."""
    end = sample(r.end, segment, r.now)
    una = segment.ack
    done = min(max(0, una.ahead_of(end.send_base)), len(end.send_buffer))
    outstanding = una != end.snd_nxt
    rto = end.rto if end.retransmits == 0 else base_rto(end)
    r.end = evolve(
        end,
        snd_una=una,
        send_buffer=end.send_buffer.without(done),
        send_base=end.send_base + done,
        rto=rto,
        retransmits=0,
        retransmit_at=r.now + rto if outstanding else None,
        unacked_since=r.now if outstanding else None,
        duplicate_acks=0,
        # A partial acknowledgment: what follows it was lost as well (RFC 6582 §3.2, step 3).
        recover=end.recover if (partial := end.recover is not None and una.ahead_of(end.recover) < 0) else None,
        resend=partial,
    )
    if not r.why:
        r.explain("new data of ours is acknowledged")


def _nothing_new(r: Reaction, segment: Segment) -> None:
    """An ACK of what is acknowledged already, while more is on its way."""
    end = r.end
    window = segment.window << end.snd_shift
    if not window and not end.snd_wnd:
        # The peer lives and has no room: probing it goes on as long as that lasts (RFC 9293 §3.8.6.1, MUST-37).
        r.end = evolve(end, unacked_since=r.now, retransmits=min(end.retransmits, 1))
    elif not end.snd_wnd and end.retransmits:
        # The window opens, and what probed it was not taken: it goes out again, and does not wait for its timer.
        r.end = evolve(end, resend=True, retransmits=0, rto=base_rto(end))
    elif not segment.length and window == end.snd_wnd:
        count = end.duplicate_acks + 1
        lost = count == 3 and end.recover is None
        recover = end.snd_nxt if lost else end.recover
        r.end = evolve(end, duplicate_acks=count, resend=end.resend or lost, recover=recover)
        if lost:
            r.explain("three duplicate ACKs: something was lost, and is sent again at once", "RFC 5681 §3.2")


def _update_window(r: Reaction, segment: Segment) -> None:
    """SND.WND <- SEG.WND, unless the segment is older than the last that did so."""
    end = r.end
    newer = segment.seq.ahead_of(end.snd_wl1)
    if newer > 0 or (newer == 0 and segment.ack.ahead_of(end.snd_wl2) >= 0):
        window = segment.window << end.snd_shift
        r.end = evolve(
            end,
            snd_wnd=window,
            snd_wl1=segment.seq,
            snd_wl2=segment.ack,
            max_snd_wnd=max(end.max_snd_wnd, window),
        )


def sample(end: Endpoint, segment: Segment, now: float) -> Endpoint:
    """A round-trip sample where this ACK gives one (RFC 6298 §2; Karn's rule: none from what was sent twice)."""
    if end.timed is None or segment.ack.ahead_of(end.timed[0]) < 0:
        return end
    if end.retransmits:
        return evolve(end, timed=None)
    took = now - end.timed[1]
    if end.srtt is None:
        srtt, rttvar = took, took / 2
    else:
        rttvar = 0.75 * end.rttvar + 0.25 * abs(end.srtt - took)
        srtt = 0.875 * end.srtt + 0.125 * took
    end = evolve(end, srtt=srtt, rttvar=rttvar, timed=None)
    return evolve(end, rto=base_rto(end))


def base_rto(end: Endpoint) -> float:
    """RTO before any backing off (RFC 6298 §2)."""
    p = end.profile.parameters
    if end.srtt is None:
        return p.rto_initial
    return min(max(end.srtt + max(0.001, 4 * end.rttvar), p.rto_min), p.rto_max)


# Sixth to eighth: URG, text, FIN


def from_urgent_on(r: Reaction, segment: Segment, at_once: bool = False) -> None:
    """The last three checks and the one ACK that answers them. `at_once`: it is owed anyway."""
    _urgent(r, segment)
    end = r.end
    start = segment.seq + (SYN in segment.flags)
    text, fin = segment.payload, FIN in segment.flags
    stop = start + len(text) + fin
    if end.state not in _TAKES_TEXT:
        _late_text(r, segment, stop)
        return
    if end.closed_for_reading and segment.length and (stop - fin).ahead_of(end.rcv_nxt) > 0:
        r.chose("half-duplex-close")
        r.explain("data for a program that is gone: a RST tells the peer that it is lost", "RFC 9293 §3.6.1")
        r.end_connection(Event.DATA_LOST)
        r.refuse(segment)
        return
    ahead = start.ahead_of(end.rcv_nxt)
    due, optional, owes = end.profile.parameters.ack_deadline, False, bool(segment.length) or at_once
    before = end.rcv_nxt
    next_fin = False
    if ahead > 0:
        if text or fin:
            if end.profile.has("out-of-order-dropped"):
                r.chose("out-of-order-dropped")
                r.explain("this lies behind a gap: it is not kept, and an ACK names what is missing")
            else:
                r.end = hold(end, start, text, fin)
                r.explain("this lies behind a gap: it is kept, and an ACK names what is missing", "RFC 9293 §3.8.6.3")
            due, optional = 0.0, not end.profile.has("window-edge")
    elif text or fin:
        r.end, next_fin = take(end, start, text, fin)
        if habits.takes_bare_fin(r, segment):
            next_fin = True
        if stop.ahead_of(before) <= 0 or (r.end.rcv_nxt == before and not next_fin):
            due = 0.0
            r.explain(_WHY_NOTHING_NEW)
        elif text:
            r.explain("text in sequence is taken and acknowledged; the ACK may wait a little for company")
    r.end, filled, held_fin = take_held(r.end)
    if filled:
        due, owes = 0.0, True
        r.explain("the gap is filled: what waited behind it is taken too")
    if next_fin or held_fin:
        due = min(due, _fin(r))
    if owes:
        if at_once or r.at_once:
            due = 0.0
        _owe(r, due, optional, r.end.rcv_nxt.ahead_of(before))


_WHY_NOTHING_NEW = "nothing new that can be taken: an ACK says what is expected"


def _owe(r: Reaction, due: float, optional: bool, taken: int) -> None:
    """One ACK for all; the second full-sized segment does not wait (SHLD-19)."""
    waiting = r.end.ack_due_at is not None
    r.acknowledge(due=due, optional=optional)
    if due and r.end.ack_due_at is not None:
        full = 2 * (r.end.own_offer.mss or 536 if r.end.own_offer else 536)
        if r.end.rcv_nxt.ahead_of(r.end.last_ack_sent) >= full or (waiting and taken >= full // 2):
            r.end = evolve(r.end, ack_due_at=r.now)


def _late_text(r: Reaction, segment: Segment, stop: Seq) -> None:
    """CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT: the peer has sent its FIN, so there is nothing more to take."""
    end = r.end
    if not segment.length:
        return
    behind_fin = (stop - int(FIN in segment.flags)).ahead_of(end.rcv_nxt) > 0
    if segment.seq.ahead_of(end.rcv_nxt) < 0 and behind_fin and end.profile.has("text-behind-fin-resets"):
        r.chose("text-behind-fin-resets")
        r.explain("old text that goes on behind the peer's FIN: this stack takes it for lost data and resets")
        r.end_connection(Event.DATA_LOST, "connection reset")
        r.refuse(segment)
        return
    if segment.seq.ahead_of(end.rcv_nxt) < 0:
        # Reached only where a stack looks at the ACK first (choice "old-edge"): the answer is the same.
        r.explain("an old segment again: an ACK says which number is expected")
        r.challenge()
        return
    r.explain("the peer has said FIN: what comes behind it is ignored")
    if FIN in segment.flags and not end.profile.has("flags-first"):
        # Eighth: "send an acknowledgment for the FIN … remain". A second FIN is not one; an answer is as good as none.
        r.acknowledge(optional=True)


def _fin(r: Reaction) -> float:
    """The FIN's turn has come. Gives how late its ACK may be."""
    end = r.end
    came_with_ack = r.events[-1:] == [Event.RCV_ACK_OF_FIN]
    r.end = evolve(
        end,
        rcv_nxt=end.rcv_nxt + 1,
        rcv_wnd=max(0, end.rcv_wnd - 1),
        fin_received=True,
        fin_waits=not end.closed_for_reading,
        held=(),
        fin_wait_at=None,
    )
    r.notices.append("connection closing")
    r.rule = "RFC 9293 §3.10.7.4"
    state = end.state
    r.move(Event.RCV_FIN)
    if state is State.ESTABLISHED:
        r.explain(
            "the peer has nothing more to send: its FIN uses one number and is acknowledged; we may go on sending"
        )
        return end.profile.parameters.ack_deadline
    if state is State.FIN_WAIT_1:
        r.explain("the peer closed as well, before it saw our FIN: both wait for an ACK of theirs")
    else:
        if came_with_ack:
            # Figure 5, note 2: FIN-WAIT-1 to TIME-WAIT in one segment.
            r.events[-2:] = [Event.RCV_FIN_AND_ACK_OF_FIN]
        r.explain("both ends have closed: TIME-WAIT, so that a lost last ACK can be repeated")
        r.time_wait()
    # Nothing follows that could carry this ACK, so that an end of ours sends it at once; a stack may still delay it.
    at_once = not end.predicted or end.profile.has("flags-first")
    return 0.0 if at_once else end.profile.parameters.ack_deadline


def _urgent(r: Reaction, segment: Segment) -> None:
    if URG not in segment.flags or r.end.state not in _TAKES_TEXT:
        return
    pointer = segment.seq + segment.urgent
    before = r.end.rcv_up
    if before is not None and pointer.ahead_of(before) <= 0:
        return
    r.end = evolve(r.end, rcv_up=pointer)
    if pointer.ahead_of(r.end.rcv_nxt) > 0 and (before is None or before.ahead_of(r.end.rcv_nxt) <= 0):
        r.notices.append("urgent data")
