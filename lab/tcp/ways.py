"""The ways in which an end that somebody else drives may take a segment, where nobody outside can tell which it is.

What `Endpoint.arrives` says of a profile holds whenever a segment is looked at. Whether it is, and by which path, may
hang on more than the profile: on the keys and the memory that a stack has at hand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lab.tcp.arrivals import arrives
from lab.tcp.evolve import evolve
from lab.tcp.options import Kind
from lab.tcp.outcome import Outcome
from lab.tcp.profile import OCCASIONAL
from lab.tcp.reaction import Reaction
from lab.tcp.segment import Hurdle, Segment
from lab.tcp.state import Event, State

if TYPE_CHECKING:
    from lab.tcp.endpoint import Endpoint

_SIGNATURES = (Kind.MD5_SIGNATURE, Kind.AUTHENTICATION)


def ways(end: Endpoint, segment: Segment, now: float, hurdle: Hurdle | None = None) -> tuple[Outcome, ...]:
    """SEGMENT ARRIVES (RFC 9293 §3.10.7): what may come of it, plainest first; never empty, and no two alike.

    `hurdle`: what the host's Internet layer may refuse it for.
    """
    found: list[Outcome] = []
    refused = () if hurdle is None else _refused(end, hurdle)
    for outcome in (*_taken(end, segment, now), *_dropped(end, segment, now), *refused):
        if all((outcome.endpoint, outcome.replies) != (one.endpoint, one.replies) for one in found):
            found.append(outcome)
    return tuple(found)


def _taken(end: Endpoint, segment: Segment, now: float) -> tuple[Outcome, ...]:
    """Without the choices that a stack makes now and not the next time, and with them."""
    outcome = arrives(end, segment, now)
    made = OCCASIONAL.intersection(outcome.choices)
    if not made:
        return (outcome,)
    plainer = evolve(end, profile=replace(end.profile, choices=end.profile.choices - made))
    others = _taken(plainer, segment, now)
    return (*(replace(o, endpoint=evolve(o.endpoint, profile=end.profile)) for o in others), outcome)


def _refused(end: Endpoint, hurdle: Hurdle) -> tuple[Outcome, ...]:
    """Before TCP hears of it."""
    choice = "internet-options-refused"
    return (Outcome(end, (), hurdle.section, hurdle.why, (choice,)),) if end.profile.has(choice) else ()


def _dropped(end: Endpoint, segment: Segment, now: float) -> tuple[Outcome, ...]:
    """Before its number is looked at, for what its options say."""
    options = segment.parsed_options if segment.options else ()
    signed = any(option.kind in _SIGNATURES for option in options)
    if not signed and all(option.sound for option in options):
        return ()
    choice = "signature-dropped" if signed else "broken-options-dropped"
    if not end.profile.has(choice):
        return ()
    r = Reaction(end, now)
    if end.profile.has("time-wait-acks-all") and end.state is State.TIME_WAIT:
        # No socket is left that could have a key. Only a SYN that opens anew goes on, to the listener, which drops it.
        if Event.RCV_NEW_SYN not in arrives(end, segment, now).events:
            return ()
        r.end_connection(Event.GAVE_WAY)
    r.chose(choice)
    if signed:
        r.explain("it is signed, and no key for it is known: it is dropped without an answer", "RFC 2385 §2.0")
    else:
        r.explain("the length of one of its options is impossible: it is dropped without an answer", "RFC 9293 §3.1")
    return (r.outcome(),)
