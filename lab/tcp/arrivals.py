"""SEGMENT ARRIVES in CLOSED, LISTEN and SYN-SENT (RFC 9293 §3.10.7.1 to §3.10.7.3); the other states are elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.tcp import synchronized
from lab.tcp.calls import started
from lab.tcp.evolve import evolve
from lab.tcp.outcome import Outcome
from lab.tcp.reaction import Reaction, make, offer_of, offer_to_make
from lab.tcp.segment import ACK, FIN, RST, SYN, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import Event, State
from lab.tcp.text import hold

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint


def arrives(end: Endpoint, segment: Segment, now: float) -> Outcome:
    """SEGMENT ARRIVES, in any state."""
    r = Reaction(end, now)
    if end.state is State.CLOSED:
        _closed(r, segment)
    elif end.state is State.LISTEN:
        _listen(r, segment)
    elif end.state is State.SYN_SENT:
        _syn_sent(r, segment)
    else:
        synchronized.arrives(r, segment)
    return r.outcome()


def _closed(r: Reaction, segment: Segment) -> None:
    r.rule = "RFC 9293 §3.10.7.1"
    if RST in segment.flags:
        r.explain("a RST for a connection that does not exist is dropped: a RST is never answered")
        return
    r.explain("there is no connection here: a RST says so, with numbers that the sender will find acceptable")
    r.refuse(segment)


def _listen(r: Reaction, segment: Segment) -> None:
    r.rule = "RFC 9293 §3.10.7.2"
    if RST in segment.flags:
        r.explain("a RST cannot answer anything that a listener sent: it is ignored")
    elif ACK in segment.flags:
        r.explain("a listener has sent nothing that could be acknowledged: any ACK is refused with a RST")
        r.refuse(segment)
    elif SYN not in segment.flags:
        r.explain("a segment without SYN, ACK or RST means nothing to a listener: it is dropped")
    elif FIN in segment.flags and r.end.profile.has("syn-fin-dropped"):
        r.chose("syn-fin-dropped")
        r.explain("SYN and FIN in one segment: this stack drops it")
    else:
        listener_takes_syn(r, segment, Event.RCV_SYN)


def listener_takes_syn(r: Reaction, segment: Segment, event: Event) -> None:
    """A SYN reaches a listener, or a TIME-WAIT that gives way to it: SYN-RECEIVED, and a SYN,ACK."""
    end = r.end
    r.move(event)
    iss = end.iss if end.iss is not None else Seq(0)
    r.end = evolve(
        r.end,
        passive=True,
        listening=True,
        predicted=end.predicted or end.iss is None,
    )
    _take_syn(r, segment)
    r.end = started(r.end, iss, r.now)
    if segment.payload or FIN in segment.flags:
        if r.end.profile.has("syn-text-dropped"):
            r.chose("syn-text-dropped")
        else:
            r.end = hold(r.end, segment.seq + 1, segment.payload, FIN in segment.flags)
    r.explain("a SYN opens: the SYN,ACK gives our own number and acknowledges the peer's, plus one for the SYN")
    _send_syn_ack(r, iss)


def _take_syn(r: Reaction, segment: Segment) -> None:
    """RCV.NXT <- SEG.SEQ+1, IRS <- SEG.SEQ, and what the SYN offers. Its window is never scaled (RFC 7323 §2.2)."""
    stamps = segment.timestamps
    r.end = evolve(
        r.end,
        irs=segment.seq,
        rcv_nxt=segment.seq + 1,
        last_ack_sent=segment.seq + 1,
        rcv_wnd=r.end.rcv_wnd if r.end.predicted else min(r.end.capacity, 65535),
        peer_offer=offer_of(segment),
        ts_recent=stamps[0] if stamps else None,
        snd_wnd=segment.window,
        max_snd_wnd=max(r.end.max_snd_wnd, segment.window),
        snd_wl1=segment.seq,
        snd_wl2=segment.ack if ACK in segment.flags else Seq(0),
    )


def _send_syn_ack(r: Reaction, iss: Seq) -> None:
    answer = make(r.end, SYN | ACK, iss, r.now)
    if not r.end.predicted:
        r.end = evolve(r.end, own_offer=offer_to_make(r.end, answering=True))
    free = {"window", "options"} | ({"seq"} if r.end.iss is None else set())
    r.reply(answer, free=frozenset(free))


def _syn_sent(r: Reaction, segment: Segment) -> None:
    r.rule = "RFC 9293 §3.10.7.3"
    end = r.end
    acks = ACK in segment.flags
    if acks and not (segment.ack.ahead_of(end.snd_una) > 0 >= segment.ack.ahead_of(end.snd_nxt)):
        if RST in segment.flags:
            r.explain("a RST whose ACK does not cover our SYN is somebody else's: it is dropped")
        else:
            r.explain("this acknowledges something that we never sent: it is refused, and our SYN stands")
            r.refuse(segment)
        return
    if RST in segment.flags:
        if not acks:
            r.explain("a RST without ACK cannot be told from a forged one: it is dropped")
            return
        refused = end.profile.has("refused-not-reset")
        if refused:
            r.chose("refused-not-reset")
        r.explain("a RST that acknowledges our SYN: nobody listens there")
        r.end_connection(Event.RCV_RST, "connection refused" if refused else "connection reset")
        return
    if SYN not in segment.flags:
        r.explain("neither SYN nor RST: it is dropped, and our SYN stands")
        return
    _take_syn(r, segment)
    more = bool(segment.payload) or FIN in segment.flags
    if acks:
        r.end = evolve(r.end, snd_una=segment.ack, retransmit_at=None, unacked_since=None, retransmits=0)
        r.end = synchronized.sample(r.end, segment, r.now)
        r.move(Event.RCV_SYN_ACK)
        r.explain("our SYN is acknowledged and the peer's is here: an ACK is the third segment")
        if more and r.end.profile.has("synack-text-dropped"):
            r.chose("synack-text-dropped")
        elif more:
            # The ACK of the SYN is saved: the one that follows the text covers both (§3.10.7.3, fourth).
            synchronized.from_urgent_on(r, segment, at_once=True)
            return
        r.acknowledge()
        return
    if more and not r.end.profile.has("syn-text-dropped"):
        r.end = hold(r.end, segment.seq + 1, segment.payload, FIN in segment.flags)
    elif more:
        r.chose("syn-text-dropped")
    r.move(Event.RCV_SYN)
    r.end = evolve(r.end, crossed=True)
    r.explain("both ends called at once: our SYN goes out again, now with the acknowledgment of theirs")
    iss = r.end.iss if r.end.iss is not None else r.end.snd_una
    _send_syn_ack(r, iss)
