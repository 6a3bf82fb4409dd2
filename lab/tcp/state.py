"""The eleven states of a connection and what leads from one to another, as data (RFC 9293 §3.3.2, §3.10).

`TABLE` holds the arrows of figure 5, those of its notes, and those that §3.10 adds in words (timeouts, ABORT, the ends
that a RST or a SYN brings). A missing key means that the event changes no state there. What a stack does beside the
document stands in `STACK_ARROWS`, each with the id of the `lab.tcp.profile` choice under which it exists.

No number is compared here: "does this ACK cover our FIN?" is answered before, and the answer has the name of an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """States, spelled as the RFC spells them."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"


SYNCHRONIZED = frozenset(State) - {State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED}
"""States in which both ends' SYNs are acknowledged (RFC 9293 §3.5.1)."""

NO_CONNECTION = frozenset({State.CLOSED, State.LISTEN})
"""States in which an end has no connection."""


class Event(StrEnum):
    """What can change a state: calls, arrivals already judged acceptable, timeouts."""

    PASSIVE_OPEN = "passive OPEN"
    ACTIVE_OPEN = "active OPEN"
    SEND = "SEND"
    CLOSE = "CLOSE"
    ABORT = "ABORT"
    RCV_SYN = "rcv SYN"
    RCV_SYN_ACK = "rcv SYN,ACK"
    RCV_ACK_OF_SYN = "rcv ACK of SYN"
    RCV_FIN = "rcv FIN"
    RCV_ACK_OF_FIN = "rcv ACK of FIN"
    RCV_FIN_AND_ACK_OF_FIN = "rcv FIN and ACK of FIN"
    RCV_RST = "rcv RST"
    RCV_RST_PASSIVE = "rcv RST after passive OPEN"
    RCV_SYN_PASSIVE = "rcv SYN in window after passive OPEN"
    RCV_SYN_IN_WINDOW = "rcv SYN in window"
    RCV_NEW_SYN = "rcv SYN of a new connection"
    DATA_LOST = "data lost by a half-duplex CLOSE"
    USER_TIMEOUT = "user timeout"
    TIME_WAIT_TIMEOUT = "time-wait timeout"
    GIVEN_UP_PASSIVE = "nobody acknowledged the SYN,ACK"
    ORPHAN_TIMEOUT = "no FIN came after CLOSE"
    GAVE_WAY = "gave way to a SYN that the listener drops"


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow: where it leads, which control bits are sent on the way ("" for none), and where that is written."""

    to: State
    sends: str = ""
    section: str = "RFC 9293 §3.3.2"
    choice: str = ""
    """Id of the profile choice under which the arrow exists; "" for the document's own arrows."""


_S = State
_E = Event
_RST = Transition(_S.CLOSED, "", "RFC 9293 §3.10.7.4")
_SYN_IS_ERROR = Transition(_S.CLOSED, "RST", "RFC 9293 §3.10.7.4")
_ABORT = Transition(_S.CLOSED, "RST", "RFC 9293 §3.10.5")
_ABORT_QUIETLY = Transition(_S.CLOSED, "", "RFC 9293 §3.10.5")
_LOST = Transition(_S.CLOSED, "RST", "RFC 9293 §3.6.1")
_USER_TIMEOUT = Transition(_S.CLOSED, "", "RFC 9293 §3.10.8")

TABLE: dict[State, dict[Event, Transition]] = {
    _S.CLOSED: {
        _E.PASSIVE_OPEN: Transition(_S.LISTEN, "", "RFC 9293 §3.10.1"),
        _E.ACTIVE_OPEN: Transition(_S.SYN_SENT, "SYN", "RFC 9293 §3.10.1"),
    },
    _S.LISTEN: {
        _E.ACTIVE_OPEN: Transition(_S.SYN_SENT, "SYN", "RFC 9293 §3.10.1"),
        _E.SEND: Transition(_S.SYN_SENT, "SYN", "RFC 9293 §3.10.2"),
        _E.CLOSE: Transition(_S.CLOSED, "", "RFC 9293 §3.10.4"),
        _E.ABORT: _ABORT_QUIETLY,
        _E.RCV_SYN: Transition(_S.SYN_RECEIVED, "SYN,ACK", "RFC 9293 §3.10.7.2"),
        _E.USER_TIMEOUT: _USER_TIMEOUT,
    },
    _S.SYN_SENT: {
        _E.CLOSE: Transition(_S.CLOSED, "", "RFC 9293 §3.10.4"),
        _E.ABORT: _ABORT_QUIETLY,
        _E.RCV_SYN_ACK: Transition(_S.ESTABLISHED, "ACK", "RFC 9293 §3.10.7.3"),
        _E.RCV_SYN: Transition(_S.SYN_RECEIVED, "SYN,ACK", "RFC 9293 §3.10.7.3"),
        _E.RCV_RST: Transition(_S.CLOSED, "", "RFC 9293 §3.10.7.3"),
        _E.USER_TIMEOUT: _USER_TIMEOUT,
    },
    _S.SYN_RECEIVED: {
        _E.RCV_ACK_OF_SYN: Transition(_S.ESTABLISHED, "", "RFC 9293 §3.10.7.4"),
        _E.CLOSE: Transition(_S.FIN_WAIT_1, "FIN", "RFC 9293 §3.10.4"),
        _E.ABORT: _ABORT,
        _E.RCV_RST_PASSIVE: Transition(_S.LISTEN, "", "RFC 9293 §3.10.7.4"),
        _E.RCV_RST: _RST,
        _E.RCV_SYN_PASSIVE: Transition(_S.LISTEN, "", "RFC 9293 §3.10.7.4"),
        _E.RCV_SYN_IN_WINDOW: _SYN_IS_ERROR,
        _E.RCV_FIN: Transition(_S.CLOSE_WAIT, "ACK", "RFC 9293 §3.10.7.4"),
        _E.USER_TIMEOUT: _USER_TIMEOUT,
    },
    _S.ESTABLISHED: {
        _E.CLOSE: Transition(_S.FIN_WAIT_1, "FIN", "RFC 9293 §3.10.4"),
        _E.ABORT: _ABORT,
        _E.DATA_LOST: _LOST,
        _E.RCV_FIN: Transition(_S.CLOSE_WAIT, "ACK", "RFC 9293 §3.10.7.4"),
        _E.RCV_RST: _RST,
        _E.RCV_SYN_IN_WINDOW: _SYN_IS_ERROR,
        _E.USER_TIMEOUT: _USER_TIMEOUT,
    },
    _S.FIN_WAIT_1: {
        _E.ABORT: _ABORT,
        _E.DATA_LOST: _LOST,
        _E.RCV_ACK_OF_FIN: Transition(_S.FIN_WAIT_2, "", "RFC 9293 §3.10.7.4"),
        _E.RCV_FIN: Transition(_S.CLOSING, "ACK", "RFC 9293 §3.10.7.4"),
        _E.RCV_FIN_AND_ACK_OF_FIN: Transition(_S.TIME_WAIT, "ACK", "RFC 9293 §3.3.2 note 2"),
        _E.RCV_RST: _RST,
        _E.RCV_SYN_IN_WINDOW: _SYN_IS_ERROR,
        _E.USER_TIMEOUT: _USER_TIMEOUT,
    },
    _S.FIN_WAIT_2: {
        _E.ABORT: _ABORT,
        _E.DATA_LOST: _LOST,
        _E.RCV_FIN: Transition(_S.TIME_WAIT, "ACK", "RFC 9293 §3.10.7.4"),
        _E.RCV_RST: _RST,
        _E.RCV_SYN_IN_WINDOW: _SYN_IS_ERROR,
        _E.USER_TIMEOUT: _USER_TIMEOUT,
    },
    _S.CLOSE_WAIT: {
        _E.CLOSE: Transition(_S.LAST_ACK, "FIN", "RFC 9293 §3.10.4"),
        _E.ABORT: _ABORT,
        _E.DATA_LOST: _LOST,
        _E.RCV_RST: _RST,
        _E.RCV_SYN_IN_WINDOW: _SYN_IS_ERROR,
        _E.USER_TIMEOUT: _USER_TIMEOUT,
    },
    _S.CLOSING: {
        _E.ABORT: _ABORT_QUIETLY,
        _E.DATA_LOST: _LOST,
        _E.RCV_ACK_OF_FIN: Transition(_S.TIME_WAIT, "", "RFC 9293 §3.10.7.4"),
        _E.RCV_RST: _RST,
        _E.RCV_SYN_IN_WINDOW: _SYN_IS_ERROR,
        _E.USER_TIMEOUT: _USER_TIMEOUT,
    },
    _S.LAST_ACK: {
        _E.ABORT: _ABORT_QUIETLY,
        _E.DATA_LOST: _LOST,
        _E.RCV_ACK_OF_FIN: Transition(_S.CLOSED, "", "RFC 9293 §3.10.7.4"),
        _E.RCV_RST: _RST,
        _E.RCV_SYN_IN_WINDOW: _SYN_IS_ERROR,
        _E.USER_TIMEOUT: _USER_TIMEOUT,
    },
    _S.TIME_WAIT: {
        _E.ABORT: _ABORT_QUIETLY,
        _E.RCV_RST: _RST,
        _E.RCV_SYN_IN_WINDOW: _SYN_IS_ERROR,
        _E.RCV_NEW_SYN: Transition(_S.SYN_RECEIVED, "SYN,ACK", "RFC 9293 §3.6.1"),
        _E.USER_TIMEOUT: _USER_TIMEOUT,
        _E.TIME_WAIT_TIMEOUT: Transition(_S.CLOSED, "", "RFC 9293 §3.10.8"),
    },
}
"""The document's arrows: state, event, arrow."""

STACK_ARROWS: dict[State, dict[Event, Transition]] = {
    _S.SYN_RECEIVED: {
        _E.GIVEN_UP_PASSIVE: Transition(_S.LISTEN, "", "RFC 9293 §3.8.3", "synack-retries"),
    },
    _S.FIN_WAIT_2: {
        _E.ORPHAN_TIMEOUT: Transition(_S.CLOSED, "", "RFC 9293 §3.6", "fin-wait-2-timer"),
    },
    _S.TIME_WAIT: {
        _E.GAVE_WAY: Transition(_S.LISTEN, "", "RFC 9293 §3.6.1", "time-wait-reopen"),
    },
}
"""Arrows that only a stack's own habit knows, each named by its choice."""


def step(state: State, event: Event) -> Transition:
    """The arrow for `event` in `state`. Raises LookupError where there is none: our mistake, not the peer's."""
    arrow = TABLE[state].get(event) or STACK_ARROWS.get(state, {}).get(event)
    if arrow is None:
        raise LookupError(f"{event} leads nowhere from {state}")
    return arrow
