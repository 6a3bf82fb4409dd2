"""The user's calls (RFC 9293 §3.10.1 to §3.10.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.tcp.evolve import evolve
from lab.tcp.octets import EMPTY
from lab.tcp.outcome import CallError, Outcome
from lab.tcp.reaction import Reaction, make, offer_to_make, window_to_offer
from lab.tcp.segment import ACK, RST, SYN, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import NO_CONNECTION, Event, State

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint

_OPEN = "RFC 9293 §3.10.1"
_SEND = "RFC 9293 §3.10.2"
_RECEIVE = "RFC 9293 §3.10.3"
_CLOSE = "RFC 9293 §3.10.4"
_ABORT = "RFC 9293 §3.10.5"

_CLOSING = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT})
_RESET_ON_ABORT = frozenset(
    {State.SYN_RECEIVED, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT}
)


def open_passive(end: Endpoint) -> Outcome:
    """OPEN, passive."""
    if end.state is not State.CLOSED:
        raise CallError("connection already exists")
    r = Reaction(end.without_connection() if end.own_offer else end, 0.0, _OPEN)
    r.move(Event.PASSIVE_OPEN)
    r.explain("a passive OPEN waits for a SYN and sends nothing")
    return r.outcome()


def open_active(end: Endpoint, now: float) -> Outcome:
    """OPEN, active."""
    if end.state not in NO_CONNECTION:
        raise CallError("connection already exists")
    r = Reaction(end, now, _OPEN)
    _send_syn(r, Event.ACTIVE_OPEN)
    return r.outcome()


def _send_syn(r: Reaction, event: Event) -> None:
    end = r.end
    r.move(event)
    iss = end.iss if end.iss is not None else Seq(0)
    r.end = evolve(r.end, passive=False, listening=False, predicted=end.predicted or end.iss is None)
    syn = make(r.end, SYN, iss, r.now)
    r.end = started(r.end, iss, r.now)
    if not r.end.predicted:
        r.end = evolve(r.end, own_offer=offer_to_make(r.end, answering=False))
    r.explain("an active OPEN sends a SYN with the initial sequence number; the SYN uses up one number")
    r.reply(syn, free=frozenset({"window", "options"} | ({"seq"} if r.end.iss is None else set())))


def started(end: Endpoint, iss: Seq, now: float) -> Endpoint:
    """SND.UNA <- ISS, SND.NXT <- ISS+1, and the retransmission timer runs."""
    rto = end.profile.parameters.rto_initial
    return evolve(
        end,
        snd_una=iss,
        snd_nxt=iss + 1,
        send_base=iss + 1,
        rto=rto,
        retransmits=0,
        retransmit_at=now + rto,
        unacked_since=now,
        timed=(iss + 1, now),
    )


def send(end: Endpoint, data: bytes, now: float) -> Outcome:
    """SEND."""
    if end.state is State.CLOSED:
        raise CallError("connection does not exist")
    if end.state in _CLOSING or end.fin_queued:
        raise CallError("connection closing")
    r = Reaction(end, now, _SEND)
    if end.state is State.LISTEN:
        _send_syn(r, Event.SEND)
        r.explain("SEND on a listening connection opens it actively; the data waits for ESTABLISHED", _SEND)
    elif end.state in (State.SYN_SENT, State.SYN_RECEIVED):
        r.explain("the data waits until the connection is established")
    else:
        r.explain("the data is cut into segments and sent as the peer's window allows")
    r.end = evolve(r.end, send_buffer=r.end.send_buffer + data)
    return r.outcome()


def receive(end: Endpoint, size: int, now: float) -> Outcome:
    """RECEIVE."""
    if end.state is State.CLOSED:
        raise CallError("connection does not exist")
    if end.closed_for_reading or (end.fin_received and not end.receive_buffer) or _nothing_to_read(end):
        raise CallError("connection closing")
    r = Reaction(end, now, _RECEIVE)
    data = end.receive_buffer[: max(0, size)]
    before = end.rcv_wnd
    left = end.receive_buffer.without(len(data))
    r.end = evolve(end, receive_buffer=left, fin_waits=end.fin_waits and bool(left))
    r.explain("text in sequence is handed to the user")
    if data and not end.fin_received and window_to_offer(r.end) > before:
        r.explain("the read made room: the wider window is announced", "RFC 9293 §3.8.6.2.2")
        r.acknowledge(optional=True)
    return r.outcome(data)


def shutdown(end: Endpoint, now: float) -> Outcome:
    """CLOSE: nothing more to send."""
    if end.state is State.CLOSED:
        raise CallError("connection does not exist")
    if end.state in _CLOSING or end.fin_queued:
        raise CallError("connection closing")
    r = Reaction(end, now, _CLOSE)
    if end.state is State.SYN_RECEIVED and end.profile.has("shutdown-waits-for-ack-of-syn"):
        r.chose("shutdown-waits-for-ack-of-syn")
        r.end = evolve(end, fin_queued=True)
        r.explain("the FIN waits until our SYN is acknowledged and the connection is established")
        return r.outcome()
    _close(r)
    return r.outcome()


def _close(r: Reaction) -> None:
    end = r.end
    if end.state in (State.LISTEN, State.SYN_SENT):
        listening = end.listening and end.state is not State.LISTEN
        r.end_connection(Event.CLOSE, "closing")
        r.end = evolve(r.end, listening=listening)
        r.explain("no connection stands yet: the TCB is deleted and nothing is sent")
        return
    r.end = evolve(end, fin_queued=True)
    if end.state is State.ESTABLISHED:
        r.move(Event.CLOSE)
        r.explain("CLOSE sends a FIN behind the last data; reading goes on until the peer closes too")
    elif end.state is State.SYN_RECEIVED:
        if end.send_buffer:
            r.explain("data waits for ESTABLISHED, and the FIN waits behind it")
        else:
            r.move(Event.CLOSE)
            r.explain("nothing is waiting to be sent: the FIN goes out at once")
    elif end.profile.has("last-ack-at-once") or not end.unsent:
        if end.unsent:
            r.chose("last-ack-at-once")
        r.move(Event.CLOSE)
        r.explain("the peer has closed already: our FIN is the last thing to be acknowledged")
    else:
        r.explain("the FIN waits until all data has been sent")


def close(end: Endpoint, now: float) -> Outcome:
    """What a program's close() does."""
    if not end.profile.has("half-duplex-close") or end.state in (State.CLOSED, State.LISTEN, State.SYN_SENT):
        return shutdown(end, now)
    if end.closed_for_reading:
        raise CallError("connection closing")
    r = Reaction(end, now, "RFC 9293 §3.6.1")
    if end.receive_buffer and end.state in (
        State.ESTABLISHED,
        State.CLOSE_WAIT,
        State.FIN_WAIT_1,
        State.FIN_WAIT_2,
        State.CLOSING,
        State.LAST_ACK,
    ):
        r.chose("half-duplex-close")
        reset = _reset(r)
        r.end_connection(Event.DATA_LOST)
        r.explain("data was there that nobody read: a RST tells the peer that it is lost")
        r.reply(reset, free=_reset_free(r, end))
        return r.outcome()
    r.end = evolve(end, closed_for_reading=True, receive_buffer=EMPTY, fin_waits=False)
    if not end.fin_queued and end.state not in _CLOSING:
        r.rule = _CLOSE
        _close(r)
    elif end.state is State.SYN_RECEIVED and not end.send_buffer:
        r.move(Event.CLOSE)
        r.explain("the FIN that has waited for the connection to be established goes out at once")
    else:
        r.explain("the FIN is on its way already; now nobody reads any more")
    if r.end.state is State.FIN_WAIT_2:
        r.end = with_fin_wait_timer(r.end, now)
    return r.outcome()


def with_fin_wait_timer(end: Endpoint, now: float) -> Endpoint:
    """Starts the timer that ends FIN-WAIT-2 where no program holds the connection."""
    limit = end.profile.parameters.fin_wait_2
    if limit is None or not end.closed_for_reading or not end.profile.has("fin-wait-2-timer"):
        return end
    return evolve(end, fin_wait_at=now + limit)


def abort(end: Endpoint) -> Outcome:
    """ABORT."""
    if end.state is State.CLOSED:
        raise CallError("connection does not exist")
    r = Reaction(end, 0.0, _ABORT)
    if end.state is State.TIME_WAIT and end.profile.has("time-wait-outlives-abort"):
        r.chose("time-wait-outlives-abort")
        r.explain("TIME-WAIT belongs to no program any more: it lasts its time")
        return r.outcome()
    resets = end.state in _RESET_ON_ABORT
    unread = bool(end.receive_buffer) and end.profile.has("half-duplex-close")
    lost = unread and end.state in (State.CLOSING, State.LAST_ACK)
    if lost:
        r.chose("half-duplex-close")  # ABORT alone would say nothing here; data that nobody read make it a RST
    segment = _reset(r) if resets or lost else None
    r.end_connection(Event.ABORT, "connection reset")
    r.end = evolve(r.end, listening=end.listening and end.state is not State.LISTEN)
    if segment is not None:
        r.explain("ABORT sends a RST at SND.NXT and forgets the connection")
        r.reply(segment, free=_reset_free(r, end))
    else:
        r.explain("ABORT forgets the connection; the peer need not be told")
    return r.outcome()


def _reset(r: Reaction) -> Segment:
    """<SEQ=SND.NXT><CTL=RST>, and what the profile adds."""
    end = r.end
    if end.profile.has("rst-with-ack"):
        r.chose("rst-with-ack")
        return Segment(RST | ACK, r.own_place(), end.rcv_nxt, 0)
    return Segment(RST, r.own_place(), window=0)


def _reset_free(r: Reaction, before: Endpoint) -> frozenset[str]:
    free = {"window", "options"}
    if not before.profile.has("rst-with-ack"):
        free.add("ack")
    if before.iss is None:
        free.add("seq")
    return frozenset(free)


def status(end: Endpoint) -> State:
    """STATUS."""
    if end.state is State.CLOSED:
        raise CallError("connection does not exist")
    return end.state


def _nothing_to_read(end: Endpoint) -> bool:
    """CLOSING, LAST-ACK, TIME-WAIT: what was not read by then is not handed over any more, unless it is there."""
    return end.state in (State.CLOSING, State.LAST_ACK, State.TIME_WAIT) and not end.receive_buffer
